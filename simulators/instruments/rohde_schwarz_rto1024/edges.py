"""Finding the instant at which a voltage crosses a level."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulators.instruments.path import Array, Mask

_POINTS = 2048
_REFINED = 64
_PRECISION_S = 1e-14
_MOST_LOOKS = 16
_ODD = 8.0
"""As often as the median a mean must be off before something is hidden there."""
_FLAT = 1e-6


@dataclass
class Search:
    """The search of one stretch of time.

    Looks at points, and between them at the mean: where that is further from a straight line's than elsewhere,
    something is hidden there, and the search goes in. So a short pulse is not missed, and a voltage at rest or
    noise costs two looks. Of a wave that is fast against the stretch it finds one of its crossings.

    Args:
        at: voltages at instants, as the trigger sees them.
        means: mean voltages over windows.
        finest_s: shorter than this it does not look.
        slope: "POS", "NEG" or "EITH".
    """

    at: Callable[[Array], Array]
    means: Callable[[Array, Array], Array]
    level_V: float
    slope: str
    finest_s: float
    _looks: int = 0

    def _crossed(self, volts: Array) -> Mask:
        above = volts >= self.level_V
        rising, falling = above[1:] & ~above[:-1], above[:-1] & ~above[1:]
        return {"POS": rising, "NEG": falling}.get(self.slope, rising | falling)

    def first(self, start_s: float, stop_s: float) -> float | None:
        """The first crossing; None without one."""
        self._looks += 1
        times_s = np.linspace(start_s, stop_s, _POINTS + 1)
        volts = self.at(times_s)
        crossed = self._crossed(volts)
        off = np.zeros(_POINTS)
        if (stop_s - start_s) / _POINTS > self.finest_s:
            off = np.abs(self.means(times_s[:-1], times_s[1:]) - 0.5 * (volts[1:] + volts[:-1]))
        least_V = _FLAT * max(float(np.ptp(volts)), abs(self.level_V), 1e-6)
        odd = off > max(_ODD * float(np.median(off)), least_V)
        for k in np.flatnonzero(crossed | odd).tolist():
            if odd[k] and self._looks < _MOST_LOOKS:
                found = self.first(float(times_s[k]), float(times_s[k + 1]))
                if found is not None:
                    return found
            if crossed[k]:
                return self._refine(float(times_s[k]), float(times_s[k + 1]))
        # All points of a fast wave may lie at one phase of it.
        for k in np.flatnonzero(off > least_V)[:1].tolist():
            if self._looks < _MOST_LOOKS:
                return self.first(float(times_s[k]), float(times_s[k + 1]))
        return None

    def _refine(self, low_s: float, high_s: float) -> float:
        """The crossing between two points on either side of the level."""
        while high_s - low_s > max(_PRECISION_S, 8.0 * np.spacing(high_s)):
            times_s = np.linspace(low_s, high_s, _REFINED + 1)
            rows = np.flatnonzero(self._crossed(self.at(times_s)))
            if len(rows) == 0:
                break  # the signal is noisy and has not come back the same
            low_s, high_s = float(times_s[rows[0]]), float(times_s[rows[0] + 1])
        return 0.5 * (low_s + high_s)
