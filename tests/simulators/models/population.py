"""The statistics by which published devices are known, of any function from voltages to a current."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
PERCENTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)
GATES = {
    "AND": (0, 0, 0, 1),
    "OR": (0, 1, 1, 1),
    "NAND": (1, 1, 1, 0),
    "NOR": (1, 0, 0, 0),
    "XOR": (0, 1, 1, 0),
    "XNOR": (1, 0, 0, 1),
}
_PAIRS = ((3, 4), (0, 1), (1, 2))


@dataclass(frozen=True)
class Statistics:
    """Of the readout current over evenly drawn allowed voltages."""

    percentiles_A: Array  # at PERCENTILES
    std_A: float
    skewness: float
    kurtosis: float  # 3 for a normal distribution
    non_monotone: Array  # per electrode: share of sweeps whose smaller direction is above 10 % of the larger
    gates: dict[str, float]  # share of control vectors with a gap of at least 2 % of the standard deviation


def statistics(
    current: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, seed: int, n: int = 2000
) -> Statistics:
    """Of `current` (points, 7) -> (points,); about 3.6 n points are asked for."""
    generator = torch.Generator().manual_seed(seed)

    def draw(count: int) -> Tensor:
        return low + (high - low) * torch.rand(count, 7, generator=generator, dtype=torch.float64)

    values = current(draw(n)).numpy()
    std = float(values.std())
    standard = (values - values.mean()) / std
    return Statistics(
        np.percentile(values, PERCENTILES),
        std,
        float((standard**3).mean()),
        float((standard**4).mean()),
        np.array([_non_monotone(current, draw(max(n // 100, 10)), e, low, high) for e in range(7)]),
        _gates(current, draw(n // 4), std, low, high),
    )


def _non_monotone(
    current: Callable[[Tensor], Tensor], start: Tensor, electrode: int, low: Tensor, high: Tensor
) -> float:
    levels = 21
    points = start[:, None].repeat(1, levels, 1)
    points[..., electrode] = torch.linspace(float(low[electrode]), float(high[electrode]), levels)
    steps = np.diff(current(points.reshape(-1, 7)).numpy().reshape(-1, levels), axis=1)
    up, down = steps.clip(min=0).sum(1), -steps.clip(max=0).sum(1)
    return float((np.minimum(up, down) > 0.1 * np.maximum(up, down)).mean())


def _gates(
    current: Callable[[Tensor], Tensor], controls: Tensor, std: float, low: Tensor, high: Tensor
) -> dict[str, float]:
    found = dict.fromkeys(GATES, 0.0)
    for first, second in _PAIRS:
        points = controls[:, None].repeat(1, 4, 1)
        for electrode, bits in ((first, (0, 0, 1, 1)), (second, (0, 1, 0, 1))):
            share = 0.1 + 0.8 * torch.tensor(bits, dtype=torch.float64)
            points[..., electrode] = low[electrode] + share * (high[electrode] - low[electrode])
        answers = current(points.reshape(-1, 7)).numpy().reshape(-1, 4)
        for name, table in GATES.items():
            true = np.array(table, dtype=bool)
            gap = answers[:, true].min(1) - answers[:, ~true].max(1)
            found[name] += float((gap > 0.02 * std).mean()) / len(_PAIRS)
    return found
