"""What share of the time on the chip is useful samples, joined point to point or through rest."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from calibration.device import Array, Channels
from calibration.sampling.plan import SamplingPlan

Join = Callable[[Array, Array], float]
"""Seconds that a device takes from one operating point to another."""


@dataclass(frozen=True)
class Duty:
    """Time on the chip over a whole plan, from rest to rest."""

    useful_s: float
    settling_s: float
    """Samples inside batches that the plan excludes."""
    joins_s: float
    """Ramps from rest, between batches and back to rest."""
    overhead_s: float

    @property
    def total_s(self) -> float:
        """All of it."""
        return self.useful_s + self.settling_s + self.joins_s + self.overhead_s

    @property
    def useful_fraction(self) -> float:
        """Useful time over all of it."""
        return self.useful_s / self.total_s

    def as_dict(self) -> dict[str, float]:
        """The parts, their sum and the fraction."""
        return {**asdict(self), "total_s": self.total_s, "useful_fraction": self.useful_fraction}


def slew_join(channels: Channels, sample_rate_Hz: float, slew_fraction: float = 0.9) -> Join:
    """The time of a linear join at `slew_fraction` of the tightest slew limit, in whole samples."""

    def join_s(start: Array, end: Array) -> float:
        needed_s = float((np.abs(end - start) / (slew_fraction * channels.max_slew)).max())
        return math.ceil(needed_s * sample_rate_Hz) / sample_rate_Hz

    return join_s


def duty(
    plan: SamplingPlan,
    join_s: Join | None = None,
    overhead_per_batch_s: float = 0.0,
    through_rest: bool = False,
    rest: Array | None = None,
) -> Duty:
    """Time spent on useful samples, settling, joins and per-batch overhead (arming, transfers).

    Consecutive batches are joined from the last point of one to the first of the next, or, with
    `through_rest`, by way of the rest point as the peers do. `join_s` is the device's own figure; without it
    a join is as fast as nine tenths of the slew limits allow. `rest` defaults to zero on every channel.
    """
    join = slew_join(plan.channels, plan.sample_rate_Hz) if join_s is None else join_s
    at_rest = np.zeros(len(plan.channels.names)) if rest is None else rest
    useful = 0
    joins_s = 0.0
    here = at_rest
    for k in range(plan.batches):
        stimulus = plan.stimulus(k)
        useful += int(plan.useful(k).sum())
        if through_rest and k > 0:
            joins_s += join(here, at_rest)
            here = at_rest
        joins_s += join(here, stimulus[0])
        here = stimulus[-1]
    joins_s += join(here, at_rest)
    samples = plan.batches * plan.samples_per_batch
    return Duty(
        useful_s=useful / plan.sample_rate_Hz,
        settling_s=(samples - useful) / plan.sample_rate_Hz,
        joins_s=joins_s,
        overhead_s=overhead_per_batch_s * plan.batches,
    )


def useful_fraction(
    plan: SamplingPlan, join_s: Join | None = None, overhead_per_batch_s: float = 0.0
) -> float:
    """The share of the time on the chip that is useful samples, batches joined point to point."""
    return duty(plan, join_s, overhead_per_batch_s).useful_fraction
