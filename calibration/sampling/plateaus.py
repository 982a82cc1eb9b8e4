"""Plateaus at scrambled-Sobol points, joined by slopes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from scipy.stats import qmc

from calibration.device import Array, Channels
from calibration.errors import PlanError
from calibration.sampling.plan import (
    Mask,
    Stream,
    check_channels,
    checked_index,
    from_unit_cube,
    generator,
    require_fraction,
    require_positive,
)


@dataclass(frozen=True, eq=False)
class SobolPlateaus:
    """Points of one scrambled Sobol sequence, each held while the readout settles and is then read.

    Batch k holds points k P to (k+1) P - 1 of the sequence, so that the run as a whole, not only each batch,
    is evenly spread (scrambled as in scipy.stats.qmc). All slopes last equally long: as long as the widest
    range needs at `slew_fraction` of its slew limit. Slopes and the settling at the start of each plateau are
    not useful samples. A slope is linear, so it lies between its end points and inside the range.

    Raises PlanError for settings that cannot be carried out: a plateau that never settles names the number
    of samples it needs.
    """

    channels: Channels
    sample_rate_Hz: float
    seed: int
    batches: int
    points_per_batch: int
    plateau_samples: int
    slew_fraction: float = 0.9
    settling_s: float | None = None
    """Settling left out of each plateau; the channels' own where None."""

    def __post_init__(self) -> None:
        check_channels(self.channels)
        require_positive("sample_rate_Hz", self.sample_rate_Hz)
        require_positive("batches", self.batches)
        require_positive("points_per_batch", self.points_per_batch)
        require_positive("plateau_samples", self.plateau_samples)
        require_fraction("slew_fraction", self.slew_fraction)
        if self.settling_samples >= self.plateau_samples:
            raise PlanError(
                f"plateau_samples is {self.plateau_samples}, but settling takes {self.settling_samples} of "
                f"them at {self.sample_rate_Hz:g} samples/s: give at least {self.settling_samples + 1}"
            )

    @cached_property
    def settling_samples(self) -> int:
        """Samples at the start of each plateau that are not settled."""
        settling_s = self.channels.settling_s if self.settling_s is None else self.settling_s
        return math.ceil(settling_s * self.sample_rate_Hz * (1 - 1e-12))

    @cached_property
    def slope_samples(self) -> int:
        """Samples between two plateaus; a slope has one step more than it has samples."""
        span_s = (self.channels.high - self.channels.low) / (self.slew_fraction * self.channels.max_slew)
        return max(0, math.ceil(span_s.max() * self.sample_rate_Hz) - 1)

    @property
    def samples_per_batch(self) -> int:
        """Plateaus and the slopes between them."""
        return self.points_per_batch * self.plateau_samples + (self.points_per_batch - 1) * self.slope_samples

    def points(self, k: int) -> Array:
        """The plateaus of batch k, shape (points_per_batch, n_in)."""
        k = checked_index(k, self.batches)
        sobol = qmc.Sobol(len(self.channels.names), scramble=True, rng=generator(self.seed, Stream.SOBOL))
        if k > 0:  # scipy cannot skip zero points
            sobol.fast_forward(k * self.points_per_batch)
        # Drawing a power of two is what scipy asks for at the start of a sequence; the surplus is dropped.
        drawn = sobol.random(1 << (self.points_per_batch - 1).bit_length())
        return from_unit_cube(drawn[: self.points_per_batch], self.channels)

    def stimulus(self, k: int) -> Array:
        """Batch k, shape (time, n_in); PlanError unless 0 <= k < batches."""
        points = self.points(k)
        period = self.plateau_samples + self.slope_samples
        start = np.arange(self.points_per_batch) * period
        knots = np.column_stack([start, start + self.plateau_samples - 1]).ravel()
        held = np.repeat(points, 2, axis=0)
        samples = np.arange(self.samples_per_batch)
        return np.column_stack([np.interp(samples, knots, column) for column in held.T])

    def useful(self, k: int) -> Mask:
        """Settled samples of the plateaus, shape (time,)."""
        checked_index(k, self.batches)
        within = np.arange(self.samples_per_batch) % (self.plateau_samples + self.slope_samples)
        return (within >= self.settling_samples) & (within < self.plateau_samples)

    def is_reference(self, k: int) -> bool:
        """Never: see `ReferencePlan`."""
        checked_index(k, self.batches)
        return False

    def reseeded(self, seed: int) -> Self:
        """The same plan under another run seed."""
        return replace(self, seed=seed)

    def describe(self) -> Mapping[str, object]:
        """The settings as plain values, the slope's length included."""
        return {
            "kind": "sobol-plateaus",
            "points_per_batch": self.points_per_batch,
            "plateau_samples": self.plateau_samples,
            "settling_samples": self.settling_samples,
            "slope_samples": self.slope_samples,
            "slew_fraction": self.slew_fraction,
            "sample_rate_Hz": self.sample_rate_Hz,
            "batches": self.batches,
            "samples_per_batch": self.samples_per_batch,
            "seed": self.seed,
        }
