"""The seam of sampling: what to drive, as a pure function of settings and a seed.

A plan never keeps state between batches. Batch k depends on the settings, the channels, the sample rate,
the run seed and k alone, so a run that was killed and resumed drives what an uninterrupted one drives.
"""

import operator
from collections.abc import Mapping
from enum import IntEnum
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from calibration.device import Array, Channels
from calibration.errors import PlanError

Mask = npt.NDArray[np.bool_]


class SamplingPlan(Protocol):
    """A finite sequence of batches of stimulus for the fast channels of a device."""

    @property
    def channels(self) -> Channels:
        """The channels that the plan drives."""

    @property
    def sample_rate_Hz(self) -> float:
        """Samples a second."""

    @property
    def seed(self) -> int:
        """The run seed."""

    @property
    def batches(self) -> int:
        """Number of batches."""

    @property
    def samples_per_batch(self) -> int:
        """Samples in every batch, settling included."""

    def stimulus(self, k: int) -> Array:
        """Batch k, shape (time, n_in), in the channels' unit; PlanError unless 0 <= k < batches."""

    def useful(self, k: int) -> Mask:
        """Which samples of batch k are settled, shape (time,)."""

    def is_reference(self, k: int) -> bool:
        """Whether batch k is the repeated reference stimulus."""

    def reseeded(self, seed: int) -> Self:
        """The same plan under another run seed."""

    def describe(self) -> Mapping[str, object]:
        """The settings as plain values, for a manifest."""


class Stream(IntEnum):
    """What a random stream is for; part of its key, so that no two uses share numbers."""

    PHASES = 1
    ORDER = 2
    SOBOL = 3
    REFERENCE = 4
    PROBES = 5
    SUBSAMPLE = 6


def generator(seed: int, stream: Stream, k: int = 0) -> np.random.Generator:
    """The random generator of batch `k` for one purpose, a function of these three numbers only.

    Philox keyed through SeedSequence (Salmon et al., SC'11, doi:10.1145/2063384.2063405).
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(int(stream), k))))


def derived_seed(seed: int, stream: Stream) -> int:
    """A run seed for a plan inside a plan."""
    return int(np.random.SeedSequence(seed, spawn_key=(int(stream),)).generate_state(1, np.uint64)[0])


def checked_index(k: int, batches: int) -> int:
    """`k` as an int; PlanError where the plan has no such batch."""
    index = operator.index(k)
    if not 0 <= index < batches:
        raise PlanError(f"batch {index} is not in this plan: it has batches 0 to {batches - 1}")
    return index


def require_positive(name: str, value: float) -> None:
    """PlanError unless `value` is finite and above zero."""
    if not (np.isfinite(value) and value > 0):
        raise PlanError(f"{name} is {value}: give a finite value above zero")


def require_fraction(name: str, value: float) -> None:
    """PlanError unless 0 < `value` <= 1."""
    if not 0 < value <= 1:
        raise PlanError(f"{name} is {value}: give a fraction above 0 and at most 1")


def check_channels(channels: Channels) -> None:
    """PlanError unless every channel has a finite range in order and a slew limit above zero."""
    if not channels.names:
        raise PlanError("the device has no input channel to sample: name at least one as an input")
    for name, low, high, slew in zip(
        channels.names, channels.low, channels.high, channels.max_slew, strict=True
    ):
        if not (np.isfinite(low) and np.isfinite(high) and low <= high):
            raise PlanError(
                f"channel {name} has the range {low} to {high} {channels.unit}: "
                "a plan needs finite limits, the lower first"
            )
        if not slew > 0:
            raise PlanError(
                f"channel {name} has the slew limit {slew} {channels.unit}/s: give a value above zero"
            )


def to_unit_cube(points: Array, channels: Channels) -> Array:
    """`points`, shape (..., n_in), scaled so that each channel's range is 0 to 1; a fixed channel gives 0."""
    span = channels.high - channels.low
    return (points - channels.low) / np.where(span > 0, span, 1.0)


def from_unit_cube(points: Array, channels: Channels) -> Array:
    """The inverse of `to_unit_cube`, held inside the range against rounding."""
    values = channels.low + points * (channels.high - channels.low)
    return np.clip(values, channels.low, channels.high)
