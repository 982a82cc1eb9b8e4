"""How much of their power heaters make felt: electrical power behind a first-order lag, exactly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from simulators.bench.optics.courses import Courses, Source
from simulators.instruments.path import Array

MEMORY = 14.0
"""Time constants after which a heater has forgotten: exp(-14) = 8e-7."""
_QUICK = 0.02
"""Of the time constant: a move within this is not looked at in steps."""
_SHORT = 1e-2
"""Of the time constant: in less than this a power hardly decays, and the closed form would cancel."""


@dataclass(frozen=True)
class _Held:
    """Heaters that have held `volts` (H,) since an instant, at which `felt_W` (H,) was felt of `warm_W` (H,).

    That is known well enough for what is asked from `known_s` on: what was before `since_s` may be forgotten then.
    """

    since_s: float
    known_s: float
    volts: list[float]
    felt_W: Array
    warm_W: Array


@dataclass(frozen=True)
class Warming:
    """What is felt of the heaters during a span of time.

    Attributes:
        moves_s: when voltages moved in it or so shortly before that warming up goes on; rising.
        felt_W: powers (time, H) in W at rising instants (time,) in it.
    """

    moves_s: Array
    felt_W: Callable[[Array], Array]


class Warmth:
    """The heaters of a chip, and how warm they are.

    What sources have done is done: so what was once worked out for a past instant is kept until a voltage moves.

    Args:
        sources: one for each heater.
        power: electrical powers (..., H) in W at voltages (..., H), once warm.
        thermal_s: time constant of the lag.
    """

    def __init__(self, sources: Sequence[Source], power: Callable[[Array], Array], thermal_s: float) -> None:
        self._sources, self._power, self.thermal_s = sources, power, thermal_s
        self._held = _Held(np.inf, np.inf, [], np.empty(0), np.empty(0))

    def during(self, start_s: float, stop_s: float) -> Warming:
        """The warmth from `start_s` to `stop_s`."""
        if self._still_held(start_s, stop_s):
            return self._relaxing(start_s)
        since_s = max(start_s - MEMORY * self.thermal_s, 0.0)
        courses = Courses(self._sources, since_s, stop_s, _QUICK * self.thermal_s)
        corners_s = courses.corners_s[: 1 if courses.rest else -1]
        volts = courses.at(corners_s)
        felt_W = felt_powers(corners_s, volts, self._power, self.thermal_s)
        last_s = float(corners_s[-1])
        known_s = max(last_s, start_s)
        self._held = _Held(last_s, known_s, volts[-1].tolist(), felt_W[-1], self._power(volts[-1]))
        if last_s <= start_s:
            return self._relaxing(start_s)
        return Warming(courses.moves_s, lambda times_s: self._followed(courses, times_s))

    def _still_held(self, start_s: float, stop_s: float) -> bool:
        since_s = self._held.since_s
        return self._held.known_s <= start_s and all(
            source.resting_V(since_s, stop_s) == volts
            for source, volts in zip(self._sources, self._held.volts, strict=True)
        )

    def _relaxing(self, start_s: float) -> Warming:
        held = self._held
        if start_s - held.since_s >= MEMORY * self.thermal_s or np.array_equal(held.felt_W, held.warm_W):
            return Warming(
                np.empty(0), lambda times_s: np.broadcast_to(held.warm_W, (len(times_s), len(held.warm_W)))
            )

        def felt_W(times_s: Array) -> Array:
            left = np.exp((held.since_s - times_s) / self.thermal_s)[:, None]
            return held.warm_W + left * (held.felt_W - held.warm_W)

        return Warming(np.array([held.since_s]), felt_W)

    def _followed(self, courses: Courses, times_s: Array) -> Array:
        corners_s = np.unique(np.concatenate((times_s, courses.corners_s)))
        felt_W = felt_powers(corners_s, courses.at(corners_s), self._power, self.thermal_s)
        return felt_W[np.searchsorted(corners_s, times_s)]


def felt_powers(times_s: Array, volts: Array, power: Callable[[Array], Array], thermal_s: float) -> Array:
    """Powers y (n, H) in W with T y' + y = P at `times_s` (n,), warm at the first of them.

    Between two times each voltage is a straight line, along which P is taken for the parabola through its ends and
    its middle: P = V² / R is one. A plateau is exact whatever its length.

    Args:
        times_s: rising, not strictly.
        volts: (n, H).
        power: electrical powers (..., H) in W at voltages (..., H).
    """
    at_ends, in_middle = power(volts), power(0.5 * (volts[1:] + volts[:-1]))
    first, last = at_ends[:-1], at_ends[1:]
    steps = np.diff(times_s)[:, None] / thermal_s
    decay = np.exp(-steps)
    bend = 2.0 * (first + last) - 4.0 * in_middle
    rise = last - first - bend
    with np.errstate(divide="ignore", invalid="ignore"):
        # y = a + b s + c s² solves it, in time constants s, for P = first + rise s / h + bend (s / h)²
        c = bend / steps**2
        b = rise / steps - 2.0 * c
        a = first - b
        long = a + b * steps + c * steps**2 - decay * a
    half = np.exp(-0.5 * steps)
    short = steps / 6.0 * (decay * first + 4.0 * half * in_middle + last)  # Simpson's rule
    gained = np.where(steps < _SHORT, short, long)
    felt = np.empty_like(at_ends)
    felt[0] = at_ends[0]
    for k in range(len(gained)):
        felt[k + 1] = decay[k] * felt[k] + gained[k]
    return felt
