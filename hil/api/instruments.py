"""What instruments can be put on an emulated bench, and how much of their stock drivers they cover."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hil.coverage import Coverage

_INTRODUCTION = """\
# What the emulated instruments cover

Written by `hil instruments --markdown` with {versions}; a test keeps it true. The driver of
each is run unmodified: every parameter is read, then set to what was read. What the personality does not know answers
-113, as the instrument would. What else a driver says of itself is quoted.
"""
_SOCKETS = (
    "sources",
    "inputs",
    "current_inputs",
    "light_outputs",
    "light_inputs",
    "trigger_outputs",
    "trigger_inputs",
)


@dataclass(frozen=True)
class InstrumentInfo:
    """One model that a bench file may name.

    Attributes:
        origin: where its class comes from, `module:Class`.
        options: what a bench file may set under `options`.
        terminals: its sockets by kind, as wires name them.
        headers: every SCPI header that it understands; empty for another protocol.
    """

    model: str
    title: str
    origin: str
    stock_driver: str
    options: tuple[str, ...]
    terminals: dict[str, tuple[str, ...]]
    headers: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return asdict(self)


def instruments(model: str | None = None) -> list[InstrumentInfo]:
    """Every model that is known, other packages' included; or only `model`.

    Raises BenchError for a model that is not known, or registered and cannot be imported.
    """
    from simulators.instruments.catalogue import models

    return [_info(name) for name in ([model] if model else models())]


def chips() -> list[str]:
    """What `emulator.chip.model` can be, other packages' included."""
    from simulators.bench.chips import CHIPS, registered

    return [*CHIPS, *registered()]


def coverage(model: str) -> "Coverage | None":
    """Run a model's stock driver on it, parameter by parameter. See `hil.coverage.cover`.

    None for a model without one, or whose driver came with a later version of the package that has it.
    """
    from hil.coverage import cover
    from simulators.instruments.catalogue import personality

    driver = getattr(personality(model), "stock_driver", "")
    return cover(model) if driver and _is_installed(driver) else None


def coverage_page() -> str:
    """The page of all models: what each covers, in Markdown."""
    tried = [(info, coverage(info.model)) for info in instruments()]
    versions = " and ".join(f"{name} {version(name)}" for name in ("qcodes", "qcodes-contrib-drivers"))
    lines = [
        _INTRODUCTION.format(versions=versions),
        "| model | instrument | driver | parameters covered |",
        "|---|---|---|---|",
    ]
    for info, found in tried:
        share = f"{found.covered} of {len(found.outcomes)}" if found else ""
        name = f"`{info.stock_driver.rpartition('.')[2]}`" if info.stock_driver else "none"
        driver = name if found or not info.stock_driver else f"{name}, not installed"
        lines.append(f"| `{info.model}` | {info.title} | {driver} | {share} |")
    for info, found in tried:
        lines += ["", f"## {info.model}", "", f"{info.title}.", "", *_details(info, found)]
    return "\n".join(lines) + "\n"


def _is_installed(driver: str) -> bool:
    """Whether the module of a driver, by its dotted name, can be found."""
    from importlib.util import find_spec

    try:
        return find_spec(driver.rpartition(".")[0]) is not None
    except ModuleNotFoundError:
        return False


def _info(model: str) -> InstrumentInfo:
    import numpy as np

    from simulators.clock import VirtualClock
    from simulators.instruments.catalogue import (
        covered_headers,
        make_instrument,
        models,
        options_of,
        personality,
    )

    kind = personality(model)
    example = getattr(kind, "example", None)
    options = example.options if example else None
    made = make_instrument(model, VirtualClock(), "1", np.random.default_rng(0), options=options)
    sockets = vars(made.terminals)
    return InstrumentInfo(
        model,
        getattr(kind, "title", "") or (kind.__doc__ or model).strip().splitlines()[0].rstrip("."),
        models()[model].value,
        getattr(kind, "stock_driver", ""),
        options_of(kind),
        {name: tuple(sockets[name]) for name in _SOCKETS if sockets[name]},
        covered_headers(model),
    )


def _details(info: InstrumentInfo, found: "Coverage | None") -> Iterator[str]:
    for kind, names in info.terminals.items():
        yield f"- {kind.replace('_', ' ')}: {', '.join(f'`{name}`' for name in names)}"
    if info.options:
        yield f"- options: {', '.join(f'`{name}`' for name in info.options)}"
    if found is not None:
        missing = ", ".join(f"`{name}`" for name in found.undefined)
        yield f"- driver: `{found.driver}`, {found.covered} of {len(found.outcomes)} parameters"
        yield f"- answers -113: {missing or 'nothing that the driver sends'}"
        for outcome in found.outcomes:
            said = [f"{what}: {text}" for what, text in outcome.amiss]
            if outcome.covered and said:
                yield f"- `{outcome.parameter}` {'; '.join(said)}"
    if info.headers:
        yield f"- headers understood ({len(info.headers)}): " + ", ".join(
            f"`{name}`" for name in info.headers
        )
