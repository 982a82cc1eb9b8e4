"""What a chip is tuned for: examples, a loss that is to fall, a score that people read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from calibration.device import Array
from calibration.errors import NotEnoughData

Rows = npt.NDArray[np.intp]
Loss = Callable[[Tensor, Tensor], Tensor]
"""Loss of each sample (samples,) from outputs (samples, n_out) and targets (samples, ...), differentiable."""
Score = Callable[[Tensor, Tensor], Tensor]
"""How good each sample is, (samples,), from the same; its mean is what is reported, such as an accuracy."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs (samples, n_in) in the device's units, and a target for each, (samples, ...).

    Raises NotEnoughData where there is none, or not one target for each input.
    """

    inputs: Array
    targets: Tensor

    def __post_init__(self) -> None:
        if self.inputs.ndim != 2 or not len(self.inputs) or len(self.inputs) != len(self.targets):
            raise NotEnoughData(
                f"inputs {self.inputs.shape} with {len(self.targets)} targets; (samples, n_in) and as many are needed"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    def at(self, rows: Rows) -> Self:
        """Those at the places `rows`."""
        return type(self)(self.inputs[rows], self.targets[torch.as_tensor(rows)])


@dataclass(frozen=True, eq=False)
class TuningTask:
    """What a chip is tuned for.

    Attributes:
        training: what methods learn from.
        probe: what steps are accepted on; never learnt from.
        loss, score: of each sample.
        test: what is reported; nothing is decided on it.
    """

    training: Examples
    probe: Examples
    loss: Loss
    score: Score
    test: Examples | None = None
