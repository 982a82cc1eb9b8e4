"""How much of a stock driver an emulated instrument covers: every parameter is read, and set to what was read.

Where a driver's own limits refuse what it has read (a number as text, the instrument's short form), the nearest
value that they allow is set instead.
"""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from pyvisa.errors import VisaIOError
from qcodes.instrument import Instrument

from simulators.instruments.catalogue import personality
from simulators.visa import power_off
from simulators.visa.library import HilVisaLibrary

OK = "ok"
UNDEFINED = "-113"


@dataclass(frozen=True)
class Outcome:
    """What became of one parameter: "ok", "-113" (the personality knows no such header) or what went wrong.

    None where a parameter cannot be read, or not be set.
    """

    parameter: str
    get: str | None
    set: str | None

    @property
    def covered(self) -> bool:
        """Whether the personality understands all that the driver sends for it."""
        return UNDEFINED not in (self.get, self.set)

    @property
    def amiss(self) -> tuple[tuple[str, str], ...]:
        """What was not as it should be: "get" or "set", and how."""
        both = (("get", self.get), ("set", self.set))
        return tuple((what, said) for what, said in both if said is not None and said != OK)


@dataclass(frozen=True)
class Coverage:
    """A model's stock driver, parameter by parameter; of channels that are alike only the first is tried."""

    model: str
    driver: str
    outcomes: tuple[Outcome, ...]

    @property
    def covered(self) -> int:
        """How many parameters are covered."""
        return sum(outcome.covered for outcome in self.outcomes)

    @property
    def undefined(self) -> tuple[str, ...]:
        """The parameters for which something answers -113."""
        return tuple(outcome.parameter for outcome in self.outcomes if not outcome.covered)


def cover(model: str) -> Coverage:
    """Try a model's stock driver, unmodified, on the emulated instrument.

    Raises BenchError for an unknown model, ValueError for one without a stock driver, and whatever the driver
    raises when it is opened.
    """
    driver = personality(model).stock_driver
    if not driver:
        raise ValueError(f"{model} has no stock driver to try")
    with opened(model) as (instrument, bench):
        outcomes = [_try(name, parameter, bench) for name, parameter in _parameters(instrument, "")]
    return Coverage(model, driver, tuple(outcomes))


@contextmanager
def opened(model: str) -> Iterator[tuple[Instrument, Any]]:
    """A model's stock driver on a bench of that one instrument, and the emulated instrument behind it.

    Where the driver sleeps, virtual time passes instead.
    """
    kind = personality(model)
    module, _, name = kind.stock_driver.rpartition(".")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.yaml"
        path.write_text(yaml.safe_dump(_bench(model, kind)))
        bench: Any = HilVisaLibrary(str(path)).bench
        driver = getattr(import_module(module), name)
        try:
            with patch("time.sleep", bench.clock.advance), redirect_stdout(io.StringIO()):
                for message in kind.example.before:
                    bench.resources[kind.example.address].write(message.encode())
                instrument = driver(
                    f"cover_{model}", kind.example.address, visalib=f"{path}@hil", **kind.example.arguments
                )
                try:
                    yield instrument, bench.instruments["instrument"]
                finally:
                    instrument.close()
        finally:
            power_off(str(path))


def _bench(model: str, kind: Any) -> dict[str, Any]:
    part = {"model": model, "noise": 0.0, "options": dict(kind.example.options)}
    return {
        "station": {"instruments": {"instrument": {"address": kind.example.address}}},
        "emulator": {"seed": 1, "instruments": {"instrument": part}},
    }


def _parameters(part: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, parameter in part.parameters.items():
        if name not in ("IDN", "timeout"):
            yield prefix + name, parameter
    seen: set[tuple[type, str]] = set()
    for module in part.submodules.values():
        channels = getattr(module, "_channels", None)  # a list stands beside the channels themselves
        first = channels[0] if channels else module
        alike = type(first), first.short_name.rstrip("0123456789")
        if alike not in seen and hasattr(first, "parameters"):
            seen.add(alike)
            yield from _parameters(first, f"{prefix}{first.short_name}.")


def _try(name: str, parameter: Any, instrument: Any) -> Outcome:
    value: Any = None
    got: str | None = None
    if parameter.gettable:
        got, value = _attempt(parameter.get, instrument)
    if not parameter.settable or value is None:
        return Outcome(name, got, None)
    wanted = next(
        (candidate for candidate in _candidates(parameter, value) if _allowed(parameter, candidate)), value
    )
    return Outcome(name, got, _attempt(lambda: parameter.set(wanted), instrument)[0])


def _candidates(parameter: Any, value: Any) -> Iterator[Any]:
    """What was read, the number that it spells, and what the driver names as allowed."""
    yield value
    for number in (int, float):
        with suppress(TypeError, ValueError):
            yield number(value)
    for validator in parameter.validators:
        words = [word for word in getattr(validator, "valid_values", ()) if isinstance(word, str)]
        yield from sorted(words, key=lambda word: not word.upper().startswith(str(value).upper()[:4]))


def _allowed(parameter: Any, value: Any) -> bool:
    try:
        parameter.validate(value)
    except (TypeError, ValueError):
        return False
    return True


def _attempt(action: Any, instrument: Any) -> tuple[str, Any]:
    queue = getattr(getattr(instrument, "status", None), "errors", None)
    said, value = OK, None
    try:
        value = action()
    except VisaIOError as error:
        said = f"VISA {error.abbreviation}"
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0][:80]
    codes = []
    while queue is not None and len(queue):
        codes.append(str(queue.pop().code))
    instrument.clear()
    if UNDEFINED in codes:
        return UNDEFINED, value
    return (f"error {codes[0]}" if codes else said), value
