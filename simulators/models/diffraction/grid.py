"""How planes are sampled."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from simulators.errors import ModelError


@dataclass(frozen=True)
class Grid:
    """Rows and columns of samples, one `pitch_m` apart; the middle of the plane lies between the middle samples.

    Raises ModelError for fewer than two samples along an axis, and for a pitch that is no length.
    """

    shape: tuple[int, int]
    pitch_m: float

    def __post_init__(self) -> None:
        if len(self.shape) != 2 or min(self.shape) < 2:
            raise ModelError(f"a plane of {self.shape} samples; it has two axes of two samples or more")
        if not 0.0 < self.pitch_m < math.inf:
            raise ModelError(f"a pitch of {self.pitch_m} m; it is a positive length")

    @property
    def samples(self) -> int:
        """Rows times columns."""
        return self.shape[0] * self.shape[1]

    @cached_property
    def axes_m(self) -> tuple[Tensor, Tensor]:
        """Where the rows and the columns lie, (rows,) and (columns,) in m from the middle."""
        down, across = (
            (torch.arange(count, dtype=torch.float64) - (count - 1) / 2.0) * self.pitch_m
            for count in self.shape
        )
        return down, across
