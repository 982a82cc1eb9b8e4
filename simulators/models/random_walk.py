"""Random walks in time that do not depend on how they are asked for."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_KNOT_s = 10.0  # walks are linear between knots this far apart
_BLOCK = 1024  # knots drawn at once


class RandomWalk:
    """Walks from zero with a standard deviation of one after an hour, as functions of time."""

    def __init__(self, generator: np.random.Generator, n: int) -> None:
        self._generator = generator
        self._knots = np.zeros((1, n))

    def at(self, times_s: Array) -> Array:
        """(time, n)."""
        place = times_s / _KNOT_s
        left = place.astype(np.int64)
        while len(self._knots) < left.max() + 2:
            steps = self._generator.standard_normal((_BLOCK, self._knots.shape[1])) * np.sqrt(_KNOT_s / 3600)
            self._knots = np.concatenate([self._knots, self._knots[-1] + np.cumsum(steps, axis=0)])
        share = (place - left)[:, None]
        walked: Array = (1 - share) * self._knots[left] + share * self._knots[left + 1]
        return walked
