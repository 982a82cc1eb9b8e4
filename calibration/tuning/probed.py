"""One reading of the probe set."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Probed:
    """Losses and scores of the probe set, (samples,), nan where a reading was not usable."""

    losses: Tensor
    scores: Tensor

    @classmethod
    def of(cls, read: Sequence[tuple[Tensor, Tensor]]) -> "Probed":
        """Of parts that were read one after another: losses and scores of each."""
        return Probed(torch.cat([losses for losses, _ in read]), torch.cat([scores for _, scores in read]))

    @property
    def loss(self) -> float:
        """Mean loss."""
        return float(self.losses.nanmean())

    @property
    def score(self) -> float:
        """Mean score."""
        return float(self.scores.nanmean())

    @property
    def score_error(self) -> float:
        """Standard error of the mean score, by its spread over the samples."""
        known = self.scores[torch.isfinite(self.scores)]
        return float(known.std()) / math.sqrt(len(known)) if len(known) > 1 else math.inf
