"""A reference batch repeated through a run: what repeatability and drift are measured on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from calibration.device import Array, Channels
from calibration.errors import PlanError
from calibration.sampling.plan import Mask, SamplingPlan, Stream, checked_index, derived_seed


@dataclass(frozen=True, eq=False)
class ReferencePlan:
    """Another plan with one reference batch before it, after it and after every `every - 1` of its batches.

    Batch k is a reference where k is a multiple of `every`, and at the end. Nothing of the inner plan is
    dropped: `batches` counts both. The reference is the inner plan's batch 0 under a seed of its own, so it
    belongs to no batch that a surrogate is fitted to, and a longer run has the same reference.

    Raises PlanError for `every` below 2.
    """

    plan: SamplingPlan
    every: int

    def __post_init__(self) -> None:
        if self.every < 2:
            raise PlanError(f"every is {self.every}: give 2 or more, 2 making every second batch a reference")

    @cached_property
    def _reference(self) -> SamplingPlan:
        return self.plan.reseeded(derived_seed(self.plan.seed, Stream.REFERENCE))

    @property
    def channels(self) -> Channels:
        """The inner plan's channels."""
        return self.plan.channels

    @property
    def sample_rate_Hz(self) -> float:
        """The inner plan's sample rate."""
        return self.plan.sample_rate_Hz

    @property
    def seed(self) -> int:
        """The inner plan's seed."""
        return self.plan.seed

    @property
    def samples_per_batch(self) -> int:
        """The inner plan's samples per batch."""
        return self.plan.samples_per_batch

    @property
    def references(self) -> int:
        """Number of reference batches."""
        return -(-self.plan.batches // (self.every - 1)) + 1

    @property
    def batches(self) -> int:
        """Inner and reference batches together."""
        return self.plan.batches + self.references

    def is_reference(self, k: int) -> bool:
        """Whether batch k is the reference."""
        k = checked_index(k, self.batches)
        return k % self.every == 0 or k == self.batches - 1

    def _inner(self, k: int) -> tuple[SamplingPlan, int]:
        if self.is_reference(k):
            return self._reference, 0
        return self.plan, k - k // self.every - 1

    def stimulus(self, k: int) -> Array:
        """Batch k, shape (time, n_in); PlanError unless 0 <= k < batches."""
        plan, index = self._inner(k)
        return plan.stimulus(index)

    def useful(self, k: int) -> Mask:
        """Settled samples of batch k, shape (time,)."""
        plan, index = self._inner(k)
        return plan.useful(index)

    def reseeded(self, seed: int) -> Self:
        """The same plan under another run seed."""
        return replace(self, plan=self.plan.reseeded(seed))

    def describe(self) -> Mapping[str, object]:
        """The inner plan's settings and the references."""
        return {**self.plan.describe(), "reference_every": self.every, "references": self.references}
