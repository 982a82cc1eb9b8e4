"""A voltage as a continuous, piecewise-linear function of time, with its past and its planned future."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_ROUNDING_S = 1e-9


class Knots(NamedTuple):
    """The corners of a piecewise-linear function, in order of time.

    `opens` marks the corners where a new segment was asked for (a dwell begins, a value is set), as
    against those where a ramp ends: between two of them a voltage moves one way only.
    """

    times_s: Array
    values: Array
    opens: Mask

    def at(self, times_s: Array) -> Array:
        """The function's values; constant before the first and after the last corner."""
        return np.interp(times_s, self.times_s, self.values)

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """The function's mean over each window."""
        steps = np.diff(self.times_s)
        area = np.concatenate(([0.0], np.cumsum(0.5 * (self.values[1:] + self.values[:-1]) * steps)))

        def integral(times_s: Array) -> Array:
            row = np.clip(np.searchsorted(self.times_s, times_s, side="right") - 1, 0, len(area) - 1)
            return area[row] + 0.5 * (self.values[row] + self.at(times_s)) * (times_s - self.times_s[row])

        return (integral(stops_s) - integral(starts_s)) / (stops_s - starts_s)


class Path:
    """What one generator did and will do.

    The past is fixed; a new command forgets the future from the present on (`cut`) and plans another one.
    After the last corner the value stays. As a terminal it is a `VoltageSource` with noise of `noise_V`.
    """

    def __init__(self, value: float = 0.0, noise_V: float = 0.0) -> None:
        self.noise_V = noise_V
        self._times = np.array([0.0])
        self._values = np.array([float(value)])
        self._opens = np.array([True])

    @property
    def begin_s(self) -> float:
        """The oldest instant remembered."""
        return float(self._times[0])

    @property
    def end_s(self) -> float:
        """When the plan is over."""
        return float(self._times[-1])

    @property
    def final(self) -> float:
        """The value the plan ends with."""
        return float(self._values[-1])

    def at(self, instant: float) -> float:
        """The value at one instant."""
        return float(np.interp(instant, self._times, self._values))

    def along(self, times_s: Array) -> Array:
        """The values at many instants."""
        return np.interp(times_s, self._times, self._values)

    def cut(self, instant: float) -> float:
        """Forget the plan after `instant` and hold the value there, which is returned."""
        value = self.at(instant)
        if self._times[-1] > instant:
            keep = int(np.searchsorted(self._times, instant, side="left"))
            self._times = np.append(self._times[:keep], instant)
            self._values = np.append(self._values[:keep], value)
            self._opens = np.append(self._opens[:keep], True)
        return value

    def extend(self, times_s: Array, values: Array, opens: Mask) -> None:
        """Plan further corners; the value is held between the plan's end and the first of them.

        Corners must come in order and not before the end of the plan, else ValueError.
        """
        if len(times_s) == 0:
            return
        if times_s[0] < self._times[-1] - _ROUNDING_S or np.any(np.diff(times_s) < 0.0):
            raise ValueError("a path is planned forwards in time")
        times_s = np.maximum(times_s, self._times[-1])
        if times_s[0] > self._times[-1] and values[0] != self._values[-1]:
            raise ValueError("a path is continuous: it starts from the value held")
        self._times = np.concatenate((self._times, times_s))
        self._values = np.concatenate((self._values, values))
        self._opens = np.concatenate((self._opens, opens))

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """The corners that describe the path from `start_s` to `stop_s`, both ends included."""
        first, last = self._times.searchsorted(start_s, "right"), self._times.searchsorted(stop_s, "left")
        inside = slice(1, 1 + max(int(last - first), 0))
        times, values = np.empty(inside.stop + 1), np.empty(inside.stop + 1)
        opens = np.ones(inside.stop + 1, dtype=bool)
        times[0], times[-1] = start_s, stop_s
        times[inside] = self._times[first:last]
        values[0], values[-1] = np.interp(times[[0, -1]], self._times, self._values)
        values[inside], opens[inside] = self._values[first:last], self._opens[first:last]
        return Knots(times, values, opens)

    def resting(self, start_s: float) -> float | None:
        """The value that is held from `start_s` on as far as is planned; None where something is still to come."""
        return float(self._values[-1]) if self._times[-1] <= start_s else None

    def prune(self, before_s: float) -> None:
        """Give up the memory of what happened before an instant."""
        keep = int(np.searchsorted(self._times, before_s, side="right")) - 1
        if keep > 0:
            self._times = self._times[keep:]
            self._values = self._values[keep:]
            self._opens = self._opens[keep:]


def staircase(
    start_s: float, value: float, targets: Array, dwell_s: float, slew: float, shortest_s: float
) -> Knots:
    """Corners of a slew-limited staircase: one target per dwell, from `value` at `start_s` on.

    A target that the slew limit does not let be reached within its dwell is given up for the next one, as
    a limiter in front of the converter does. No move takes less than `shortest_s`.
    """
    begins = start_s + dwell_s * np.arange(len(targets))
    befores = np.concatenate(([value], targets[:-1]))
    moves_s = np.maximum(np.abs(targets - befores) / slew, np.where(targets == befores, 0.0, shortest_s))
    room = dwell_s * (1.0 + 1e-9)
    if np.all(moves_s <= room):
        afters = targets
    else:
        befores, afters = _limited(value, targets, dwell_s, slew)
        moves_s = np.maximum(np.abs(afters - befores) / slew, np.where(afters == befores, 0.0, shortest_s))
    moves_s = np.minimum(moves_s, dwell_s)
    ends = begins + moves_s
    # Rounded to the clock's resolution a move may have come out short: then it ends one tick later.
    ends = np.where((ends - begins) * slew < np.abs(afters - befores), np.nextafter(ends, np.inf), ends)
    ends[:-1] = np.minimum(ends[:-1], begins[1:])
    times = np.stack((begins, ends), axis=1).ravel()
    values = np.stack((befores, afters), axis=1).ravel()
    opens = np.tile([True, False], len(targets))
    return Knots(times, values, opens)


def _limited(value: float, targets: Array, dwell_s: float, slew: float) -> tuple[Array, Array]:
    furthest = slew * dwell_s
    befores, afters = np.empty_like(targets), np.empty_like(targets)
    for k, target in enumerate(targets.tolist()):
        befores[k] = value
        value += min(max(target - value, -furthest), furthest)
        afters[k] = value
    return befores, afters
