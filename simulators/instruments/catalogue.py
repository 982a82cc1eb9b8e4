"""The emulated instruments by model name: ours, and those that other packages register.

A package registers one by an entry point of the group `hil.instruments`, whose name is the model and whose
object is a class: `Class(clock, serial, rng, clock_error, noise, **options)`, a `VirtualInstrument` or at
least something with `terminals`. `options` are its keyword-only parameters, given in the bench file.
"""

import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

import numpy as np

from simulators.clock import VirtualClock
from simulators.errors import BenchError
from simulators.instruments.terminals import Terminals

GROUP = "hil.instruments"

_OURS = {
    "qdac2": "simulators.instruments.qdac2.personality:QDac2",
    "keysight_33512b": "simulators.instruments.keysight_33512b.personality:Keysight33512B",
    "keysight_34465a": "simulators.instruments.keysight_34465a.personality:Keysight34465A",
    "qontrol_q8iv": "simulators.instruments.qontrol_q8iv.personality:QontrolQ8iv",
    "santec_tsl570": "simulators.instruments.santec_tsl570.personality:SantecTsl570",
    "thorlabs_pm100d": "simulators.instruments.thorlabs_pm100d.personality:ThorlabsPm100d",
    "keithley_2400": "simulators.instruments.keithley_2400.personality:Keithley2400",
    "keithley_2450": "simulators.instruments.keithley_2450.personality:Keithley2450",
    "sim900": "simulators.instruments.sim900.mainframe:Sim900",
    "yokogawa_gs200": "simulators.instruments.yokogawa_gs200.personality:YokogawaGS200",
    "keysight_b2962a": "simulators.instruments.keysight_b2962a.personality:KeysightB2962A",
    "ni_cdaq": "simulators.instruments.ni_cdaq.chassis:NiCdaq",
    "rohde_schwarz_rto1024": "simulators.instruments.rohde_schwarz_rto1024.personality:RohdeSchwarzRTO1024",
    "slm": "simulators.instruments.frames.slm:Slm",
    "camera": "simulators.instruments.frames.camera:Camera",
}


class Personality(Protocol):
    """What a bench needs of an instrument: its sockets. One that speaks is a `VirtualInstrument` too."""

    @property
    def terminals(self) -> Terminals: ...  # noqa: D102


def models() -> dict[str, EntryPoint]:
    """Every model by its name, ours first; nothing is imported. Ours win over others of the same name."""
    ours = {name: EntryPoint(name, where, GROUP) for name, where in _OURS.items()}
    return ours | {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in ours}


def personality(model: str) -> type[Any]:
    """The class of a model; raises BenchError for one that is unknown or cannot be imported."""
    known = models()
    if model not in known:
        raise BenchError(f"no instrument {model!r} is emulated; there are {', '.join(known)}")
    try:
        found: type[Any] = known[model].load()
    except (ImportError, AttributeError) as error:
        raise BenchError(
            f"the instrument {model!r}, {known[model].value}, cannot be imported: {error}"
        ) from error
    return found


def options_of(kind: type[Any]) -> tuple[str, ...]:
    """The options that a model takes in a bench file: the keyword-only parameters of its class."""
    parameters = inspect.signature(kind).parameters.values()
    return tuple(item.name for item in parameters if item.kind is item.KEYWORD_ONLY)


def make_instrument(
    model: str,
    clock: VirtualClock,
    serial: str,
    rng: np.random.Generator,
    clock_error: float = 0.0,
    noise: float = 1.0,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Build an instrument, a `Personality`; raises BenchError for an unknown model or an option it does not take.

    What the class itself says about the value of an option (ValueError, TypeError) becomes a BenchError too.
    """
    kind = personality(model)
    given, taken = dict(options or {}), options_of(kind)
    for name in given:
        if name not in taken:
            known = ", ".join(taken) or "none"
            raise BenchError(f"options.{name}: {model} takes no such option; it takes {known}")
    try:
        return kind(clock, serial, rng, clock_error, noise, **given)
    except (ValueError, TypeError) as error:
        if not given or isinstance(error, BenchError):
            raise
        raise BenchError(f"options: {error}") from error


def covered_headers(model: str) -> tuple[str, ...]:
    """Every header that a SCPI model understands, as SCPI writes them; queries end with a question mark.

    Empty for a model with a protocol of its own. Raises BenchError for an unknown model.
    """
    from simulators.scpi.declare import declarations

    return tuple(sorted({item.header + "?" * item.query for item in declarations(personality(model))}))
