"""Readings as a fit works on them: tensors of one precision, in blocks that a core's cache holds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from calibration.mesh.readings import PowerNoise, PowerReadings

_BLOCK_VALUES = 2**16  # powers that are worked on at a time: what the cache of a core holds


@dataclass(frozen=True, eq=False)
class ReadingTensors:
    """Readings as tensors: inputs (S, T, n), controls (S, 1, H), powers and their noise (S, T, N)."""

    inputs: Tensor
    controls: Tensor
    powers: Tensor
    std: Tensor

    @classmethod
    def of(cls, readings: PowerReadings, noise: PowerNoise, dtype: torch.dtype) -> Self:
        """Readings that do not count are given infinite noise."""
        inputs = torch.as_tensor(readings.inputs)
        powers = torch.as_tensor(np.where(readings.usable, readings.powers, 0.0))
        std = torch.as_tensor(noise.std(powers.numpy())).to(dtype)
        return cls(
            inputs.to(torch.promote_types(dtype, torch.complex32) if inputs.is_complex() else dtype),
            torch.as_tensor(readings.controls).to(dtype)[:, None],
            powers.to(dtype),
            std.masked_fill(~torch.as_tensor(readings.usable), math.inf),
        )

    def __len__(self) -> int:
        return len(self.powers)

    @property
    def good(self) -> int:
        """How many readings count."""
        return int(self.std.isfinite().sum())

    @property
    def mean(self) -> float:
        """Mean power of those."""
        return float(self.powers.clamp(min=0.0).sum()) / self.good

    def weight(self, floor: float = 0.0) -> Tensor:
        """1 over the noise, with an extra floor."""
        return (self.std.square() + floor**2).rsqrt() if floor else 1.0 / self.std

    def only(self, settings: Tensor) -> Self:
        """Some of the settings."""
        return type(self)(
            self.inputs[settings], self.controls[settings], self.powers[settings], self.std[settings]
        )

    def blocks(self) -> Iterator[Self]:
        """All settings, some at a time."""
        each = max(1, _BLOCK_VALUES // self.powers[0].numel())
        for first in range(0, len(self), each):
            some = slice(first, first + each)
            yield type(self)(self.inputs[some], self.controls[some], self.powers[some], self.std[some])
