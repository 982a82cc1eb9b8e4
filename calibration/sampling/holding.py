"""Points held one after another, joined by slopes: what every waveform of plateaus is made of."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from calibration.device import Array, Channels
from calibration.errors import PlanError
from calibration.sampling.plan import require_fraction

Owners = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Holding:
    """How long points are held and how they are joined, in samples.

    Attributes:
        plateau: samples that a point is held.
        settling: those at its start that are not read.
        slope: samples between two points; a slope has one step more than it has samples, and as it is linear, it
            lies between its end points.

    Raises PlanError where settling leaves no reading of a plateau.
    """

    plateau: int
    settling: int
    slope: int

    def __post_init__(self) -> None:
        if self.settling >= self.plateau:
            raise PlanError(
                f"a plateau of {self.plateau} samples, and settling takes {self.settling} of them; lengthen the "
                f"plateau to at least {self.settling + 1}, or raise the sample rate"
            )

    @classmethod
    def within(
        cls,
        channels: Channels,
        sample_rate_Hz: float,
        *,
        plateau: int,
        settling_s: float,
        span: Array,
        slew_fraction: float = 0.9,
    ) -> Self:
        """Slopes as long as the largest step of the `channels`, `span` (n_in,), needs within their slew limits.

        Args:
            plateau: samples that a point is held.
            settling_s: until a reading is good.
            slew_fraction: share of the slew limits that a slope may use.
        """
        require_fraction("slew_fraction", slew_fraction)
        seconds = float(np.max(span / (slew_fraction * channels.max_slew), initial=0.0))
        steps = whole_samples(seconds, sample_rate_Hz)
        return cls(plateau, whole_samples(settling_s, sample_rate_Hz), max(0, steps - 1))

    @property
    def period(self) -> int:
        """Samples from the start of one plateau to that of the next."""
        return self.plateau + self.slope

    def samples(self, points: int, *, at_rest: bool = False) -> int:
        """Length of the waveform of so many points."""
        return points * self.period - self.slope + (2 * (self.slope + 1) if at_rest else 0)

    def waveform(self, points: Array, rest: Array | None = None) -> Array:
        """The points (n, n_in) one after another, (time, n_in).

        With `rest` (n_in,) one sample of it is the first and one the last, joined to the points by slopes.
        """
        lengths = np.full(len(points), self.plateau)
        if rest is not None:
            points = np.concatenate((rest[None], points, rest[None]))
            lengths = np.concatenate(([1], lengths, [1]))
        start = np.concatenate(([0], np.cumsum(lengths + self.slope)[:-1]))
        knots = np.column_stack((start, start + lengths - 1)).ravel()
        held = np.repeat(points, 2, axis=0)
        time = np.arange(knots[-1] + 1)
        return np.column_stack([np.interp(time, knots, column) for column in held.T])

    def owners(self, points: int, *, at_rest: bool = False) -> Owners:
        """Which point each sample of the waveform reads, (time,); -1 on slopes and while settling."""
        lead = self.slope + 1 if at_rest else 0
        place, within = np.divmod(np.arange(self.samples(points, at_rest=at_rest)) - lead, self.period)
        read = (within >= self.settling) & (within < self.plateau) & (place >= 0) & (place < points)
        return np.where(read, place, -1)


def whole_samples(seconds: float, sample_rate_Hz: float) -> int:
    """The samples that a time takes, rounded up."""
    # a time meant as so many samples must not become one more by rounding
    return math.ceil(round(seconds * sample_rate_Hz, 6))
