"""What a chip driver hands back: channel groups, samples with their flags, and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.uint8]


class Flag(IntFlag):
    """Why a sample is not to be trusted; stored per sample as a bit mask."""

    CLIPPED = 1
    """The amplifier or the meter was at the end of its range."""
    COMPLIANCE = 2
    """A source was limited, so the input was not what was asked for."""
    LATE = 4
    """The reading was not taken where the plan put it."""


@dataclass(frozen=True, eq=False)
class ChannelGroup:
    """A group of like channels; `low`, `high` in `unit` and `max_slew` in unit/s have shape (n,)."""

    names: tuple[str, ...]
    unit: str
    low: Array
    high: Array
    max_slew: Array
    settling_s: float = 0.0
    noise: float | None = None


@dataclass(frozen=True, eq=False)
class Response:
    """Inputs (batch, time, n_in) in V, outputs (batch, time, n_out) in A and `Flag` bits (batch, time)."""

    inputs: Array
    outputs: Array
    flags: Flags
    taps: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """Samples read, and seconds the chip was driven (ramps and waits included)."""

    readings: int = 0
    chip_time_s: float = 0.0
