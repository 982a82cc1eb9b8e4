"""The emulated instruments by model name, and what each of them understands."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.keysight_34465a.personality import Keysight34465A
from simulators.instruments.qdac2.personality import QDac2
from simulators.instruments.terminals import Terminals


class BenchInstrument(Protocol):
    """A virtual instrument that can be wired."""

    terminals: Terminals


PERSONALITIES: dict[str, type[QDac2] | type[Keysight34465A]] = {
    "qdac2": QDac2,
    "keysight_34465a": Keysight34465A,
}


def make_instrument(
    model: str, clock: VirtualClock, serial: str, rng: np.random.Generator, clock_error: float
) -> QDac2 | Keysight34465A:
    """Build an instrument; raises KeyError for a model that is not in `PERSONALITIES`."""
    return PERSONALITIES[model](clock, serial, rng, clock_error)


def covered_headers(model: str) -> tuple[str, ...]:
    """Every header that a model understands, as SCPI writes them; queries end with a question mark.

    Raises KeyError for a model that is not in `PERSONALITIES`.
    """
    personality = PERSONALITIES[model]
    headers = set()
    for base in personality.__mro__:
        for member in vars(base).values():
            for declaration in _declared(member):
                headers.add(declaration.header + "?" * declaration.query)
    return tuple(sorted(headers))


def _declared(member: Callable[..., Any] | Any) -> tuple[Any, ...]:
    return tuple(getattr(member, "__scpi_declarations__", ()))
