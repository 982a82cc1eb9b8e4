"""The emulated instruments by model name, and what each of them understands."""

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.keysight_34465a.personality import Keysight34465A
from simulators.instruments.qdac2.personality import QDac2
from simulators.scpi.declare import declarations

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
    declared = declarations(PERSONALITIES[model])
    return tuple(sorted({item.header + "?" * item.query for item in declared}))
