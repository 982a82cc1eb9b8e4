"""How crosstalk falls with distance, as all measured pairs tell together."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from calibration.device import Array

_SPREAD = 0.3  # relative, of pairs equally far apart: what a single one may differ from the law
_LEAST_PAIRS = 8
_TYPICAL = 1.4826  # standard deviations in a median absolute deviation


@dataclass(frozen=True)
class CrosstalkLaw:
    """A heater's effect on a shifter at a distance in pitches: nearest e^{-(distance - 1) / length} of its own.

    Attributes:
        nearest: share at a distance of one.
        length: pitches in which it falls to 1/e.
        scatter: of what single pairs were measured to have around the law beyond their errors and `spread`, absolute:
            how far the measurement can be trusted.
        spread: relative, that single pairs may really have.
    """

    nearest: float
    length: float
    scatter: float
    spread: float = _SPREAD

    def share(self, distance: Array | float) -> Array:
        """Share of the heater's own effect at distances (...)."""
        return np.asarray(self.nearest * np.exp(-(np.asarray(distance) - 1.0) / self.length))

    def weighed(self, distance: float, share: float, error: float) -> float:
        """The likeliest share of a pair that was measured to have `share`, with a standard error."""
        law = float(self.share(distance))
        own = error**2 + self.scatter**2
        real = (self.spread * law) ** 2
        return float((share * real + law * own) / (real + own)) if real + own > 0.0 else share


def fit_law(distance: Array, share: Array, error: Array) -> CrosstalkLaw | None:
    """Fit the law to pairs (P,); None for fewer than eight, all at one distance, or shares that do not fall."""
    if len(share) < _LEAST_PAIRS or np.ptp(distance) < 0.5:
        return None
    scale = float(np.median(share[distance <= distance.min() + 0.1]))
    if not scale > 0.0:
        return None
    scatter = 0.0
    for _ in range(5):

        def left(unknown: Array, scatter: float = scatter) -> Array:
            law = scale * np.exp(unknown[0] - (distance - 1.0) * np.exp(unknown[1]))
            return np.asarray((share - law) / np.sqrt(error**2 + scatter**2 + (_SPREAD * scale * 0.1) ** 2))

        found = least_squares(left, [0.0, 0.0], loss="soft_l1", bounds=([-3.0, -3.0], [3.0, 3.0]))
        law = CrosstalkLaw(float(scale * np.exp(found.x[0])), float(np.exp(-found.x[1])), 0.0)
        expected = law.share(distance)
        apart = (_TYPICAL * np.median(np.abs(share - expected))) ** 2
        scatter = float(np.sqrt(max(apart - np.median(error**2 + (_SPREAD * expected) ** 2), 0.0)))
    return CrosstalkLaw(law.nearest, law.length, scatter)
