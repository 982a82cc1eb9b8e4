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
        corners_s, corners_V = courses.corners()

        def felt_W(times_s: Array) -> Array:
            return felt_powers(times_s, corners_s, corners_V, self._power, self.thermal_s)

        last_s, volts = float(np.max(corners_s)), corners_V[-1]
        known_s, felt = max(last_s, start_s), felt_W(np.array([last_s]))[0]
        self._held = _Held(last_s, known_s, volts.tolist(), felt, self._power(volts))
        return self._relaxing(start_s) if last_s <= start_s else Warming(courses.moves_s, felt_W)

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


def felt_powers(
    asked_s: Array, corners_s: Array, corners_V: Array, power: Callable[[Array], Array], thermal_s: float
) -> Array:
    """Powers y (time, H) in W with T y' + y = P at `asked_s` (time,), warm at the first corner.

    Between two corners a voltage is a straight line, along which P is taken for the parabola through its ends and
    its middle: P = V² / R is one. A plateau is exact whatever its length.

    Args:
        corners_s, corners_V: see `Courses.corners`, (corner, H).
        power: electrical powers (..., H) in W at voltages (..., H).
    """
    decay, gained = _over(np.diff(corners_s, axis=0) / thermal_s, corners_V[:-1], corners_V[1:], power)
    felt = [power(corners_V[0])]
    for left, more in zip(decay, gained, strict=True):
        felt.append(left * felt[-1] + more)
    row = np.sum(corners_s[None] <= asked_s[:, None, None], axis=1) - 1
    row = np.maximum(row, 0)
    place = row, np.arange(corners_s.shape[1])
    after = np.minimum(row + 1, len(corners_s) - 1), place[1]
    since_s, length_s = asked_s[:, None] - corners_s[place], corners_s[after] - corners_s[place]
    share = np.divide(since_s, length_s, out=np.zeros_like(since_s), where=length_s > 0.0)
    volts = corners_V[place] + share * (corners_V[after] - corners_V[place])
    decay, gained = _over(since_s / thermal_s, corners_V[place], volts, power)
    return decay * np.array(felt)[place] + gained


def _over(
    steps: Array, first_V: Array, last_V: Array, power: Callable[[Array], Array]
) -> tuple[Array, Array]:
    """What is left of the warmth after `steps` time constants, and what straight voltages have added."""
    first, middle, last = power(first_V), power(0.5 * (first_V + last_V)), power(last_V)
    decay = np.exp(-steps)
    bend = 2.0 * (first + last) - 4.0 * middle
    rise = last - first - bend
    with np.errstate(divide="ignore", invalid="ignore"):
        # y = a + b s + c s² solves it, in time constants s, for P = first + rise s / h + bend (s / h)²
        c = bend / steps**2
        b = rise / steps - 2.0 * c
        a = first - b
        long = a + b * steps + c * steps**2 - decay * a
    simpson = steps / 6.0 * (decay * first + 4.0 * np.exp(-0.5 * steps) * middle + last)
    return decay, np.where(steps < _SHORT, simpson, long)
