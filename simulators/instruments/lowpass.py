"""The exact response of a first-order low pass to a piecewise-linear drive."""

import numpy as np

from simulators.instruments.path import Array, Knots


class FirstOrder:
    """y with T y' + y = drive and y = `first` at the drive's first corner."""

    def __init__(self, drive: Knots, time_s: float, first: float) -> None:
        self._drive, self._time_s = drive, time_s
        steps = np.diff(drive.times_s)
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = np.where(steps > 0.0, np.diff(drive.values) / steps, 0.0)
        self._slopes = np.append(slopes, 0.0)
        decay = np.exp(-steps / time_s)
        lag = slopes * time_s
        terms = drive.values[1:] - lag - decay * (drive.values[:-1] - lag)
        self._outputs = _recur(steps / time_s, decay, terms, first)

    def at(self, times_s: Array) -> Array:
        """The response at any instants from the first corner on."""
        corners = self._drive.times_s
        row = np.clip(np.searchsorted(corners, times_s, side="right") - 1, 0, len(corners) - 1)
        since = times_s - corners[row]
        lag = self._slopes[row] * self._time_s
        decay = np.exp(-since / self._time_s)
        steady = self._drive.values[row] + self._slopes[row] * since - lag
        return steady + decay * (self._outputs[row] - self._drive.values[row] + lag)


def _recur(exponents: Array, decay: Array, terms: Array, first: float) -> Array:
    """y[0] = first, y[k+1] = decay[k] y[k] + terms[k], where decay = exp(-exponents).

    Within a stretch that decays by no more than exp(200), dividing by the decay so far turns the recursion
    into a sum; the rounding errors of a sum whose terms grow stay those of its last ones.
    """
    outputs = np.empty(len(terms) + 1)
    outputs[0] = value = first
    stretch = np.floor(np.cumsum(exponents) / 200.0)
    edges = (
        np.concatenate(([0], np.flatnonzero(np.diff(stretch)) + 1, [len(terms)])) if len(terms) else stretch
    )
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        head = decay[start] * value + terms[start]
        kept = np.exp(-np.cumsum(exponents[start + 1 : stop]))
        outputs[start + 1] = head
        outputs[start + 2 : stop + 1] = kept * (head + np.cumsum(terms[start + 1 : stop] / kept))
        value = float(outputs[stop])
    return outputs
