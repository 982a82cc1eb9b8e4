"""Whether one setting is better than another, from losses of the same inputs under both."""

import math
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor


@dataclass(frozen=True)
class Paired:
    """The mean of the differences of paired losses, and how sure it is.

    Attributes:
        difference: mean of candidate minus incumbent; negative is better.
        error: standard error of that mean.
        pairs: how many.
        significance: probability at most with which no difference would pass for one, on either side.
    """

    difference: float
    error: float
    pairs: int
    significance: float

    @property
    def threshold(self) -> float:
        """Smallest difference that counts, by Student's t."""
        if self.pairs < 2:
            return math.inf
        return float(stats.t.ppf(1.0 - self.significance, self.pairs - 1)) * self.error

    @property
    def better(self) -> bool:
        """Whether the candidate is."""
        return self.difference < 0.0 and -self.difference > self.threshold

    @property
    def worse(self) -> bool:
        """Whether the candidate is."""
        return self.difference > 0.0 and self.difference > self.threshold


def compared(candidate: Tensor, incumbent: Tensor, significance: float) -> Paired:
    """Compare losses (pairs,) of the same inputs; pairs with a loss that is nan are left out."""
    differences = candidate - incumbent
    differences = differences[torch.isfinite(differences)]
    n = len(differences)
    if n < 2:
        return Paired(float(differences.sum()), math.inf, n, significance)
    return Paired(float(differences.mean()), float(differences.std()) / math.sqrt(n), n, significance)
