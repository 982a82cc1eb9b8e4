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
        outputs = [first]
        for factor, term in zip(decay.tolist(), terms.tolist(), strict=True):
            outputs.append(factor * outputs[-1] + term)
        self._outputs = np.array(outputs)

    def at(self, times_s: Array) -> Array:
        """The response at any instants from the first corner on."""
        corners = self._drive.times_s
        row = np.clip(np.searchsorted(corners, times_s, side="right") - 1, 0, len(corners) - 1)
        since = times_s - corners[row]
        lag = self._slopes[row] * self._time_s
        decay = np.exp(-since / self._time_s)
        steady = self._drive.values[row] + self._slopes[row] * since - lag
        return steady + decay * (self._outputs[row] - self._drive.values[row] + lag)
