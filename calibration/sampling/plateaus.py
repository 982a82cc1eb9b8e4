"""Plateaus at scrambled-Sobol points, joined by slopes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from scipy.stats import qmc

from calibration.device import Array, Channels
from calibration.sampling.holding import Holding
from calibration.sampling.plan import (
    Mask,
    Stream,
    check_channels,
    checked_index,
    from_unit_cube,
    generator,
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
        _ = self._holding  # that a plateau settles is known at once

    @cached_property
    def _holding(self) -> Holding:
        return Holding.within(
            self.channels,
            self.sample_rate_Hz,
            plateau=self.plateau_samples,
            settling_s=self.channels.settling_s if self.settling_s is None else self.settling_s,
            span=self.channels.high - self.channels.low,
            slew_fraction=self.slew_fraction,
        )

    @property
    def settling_samples(self) -> int:
        """Samples at the start of each plateau that are not settled."""
        return self._holding.settling

    @property
    def slope_samples(self) -> int:
        """Samples between two plateaus."""
        return self._holding.slope

    @property
    def samples_per_batch(self) -> int:
        """Plateaus and the slopes between them."""
        return self._holding.samples(self.points_per_batch)

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
        return self._holding.waveform(self.points(k))

    def useful(self, k: int) -> Mask:
        """Settled samples of the plateaus, shape (time,)."""
        checked_index(k, self.batches)
        return self._holding.owners(self.points_per_batch) >= 0

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
