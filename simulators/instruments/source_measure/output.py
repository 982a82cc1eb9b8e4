"""An output terminal that sources a voltage or a current, within a limit, into whatever hangs on it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.loads import Load, Loads
from simulators.instruments.path import Array, Knots, Path
from simulators.instruments.source_measure.agreement import agreement_on

EDGE_S = 1e-6
"""How long a relay, or the change from one kind of source to the other, takes."""
_KEPT = 1024
_MEMORY_S = 5.0
"""History that is kept although nobody has asked for it."""
_MOST_CORNERS = 512
_FINEST = 5
_STRAIGHT = 1e-4
"""Halvings of a stretch between corners, and how far off a straight line counts as bent."""


class Drive(Enum):
    """What an output does: it holds a voltage, it holds a current, or its relay is open."""

    VOLTS = "VOLT"
    AMPS = "CURR"
    OPEN = "OPEN"


class Point(NamedTuple):
    """The state of an output at one instant; `limited` says that it is in compliance."""

    volts: float
    amps: float
    limited: bool


class Average(NamedTuple):
    """Means over a window, and whether the limit was met at its end."""

    volts: float
    amps: float
    limited: bool


@dataclass
class _Stretch:
    """One kind of drive with one limit, from an instant on; its level is a path of its own."""

    begin_s: float
    drive: Drive
    limit: float
    path: Path


class OutputTerminal:
    """A `VoltageSource` whose voltage is what its drive, its limit and its loads make of it.

    As a voltage source it holds its level while the loads draw no more than the limit in A, and else the
    voltage at which they draw the limit. As a current source it takes the voltage, within +-limit in V, at
    which the loads draw its level; the limit itself when they cannot, so also into an open end. With an open
    relay it floats to the voltage at which the loads draw nothing. Loads that move are followed through time.

    Args:
        reach_V: beyond this it cannot be pulled.

    Attributes:
        noise_V: standard deviation of the noise on top of the voltage, for who asks the chip.
        loads: what hangs on it; add by `add_load`.
        inflow_A: mean current that a chip's readout drives into the terminal over a window; a voltage
            source has to sink it. Whoever drives it sees a virtual ground, whatever the level.
    """

    def __init__(self, clock: VirtualClock, reach_V: float) -> None:
        self.clock, self.reach_V = clock, reach_V
        self.noise_V = 0.0
        self.loads = Loads()
        self.inflow_A: Callable[[float, float], float] = lambda start_s, stop_s: 0.0
        self.keep_from: Callable[[], float] = lambda: clock.now
        self._agreement = agreement_on(clock)
        self._stretches = [_Stretch(-np.inf, Drive.OPEN, 0.0, Path())]
        self._known: dict[float, Point] = {}
        self._last = Point(0.0, 0.0, False)
        self._solved: tuple[int, float] = (0, -1.0)
        self._solving = False

    def add_load(self, load: Load) -> None:
        """Hang a load on the output."""
        self._known.clear()
        self.loads.add(load)

    def keep_for(self, needs_since: Callable[[], float]) -> None:
        """Ask `needs_since` for the oldest instant that must be remembered."""
        self.keep_from = needs_since

    # Driving ----------------------------------------------------------------------------------------------

    @property
    def drive(self) -> Drive:
        """What it does now."""
        return self._stretches[-1].drive

    @property
    def level(self) -> float:
        """The level now, in V or A, on the way to another one perhaps."""
        return self._stretches[-1].path.at(self.clock.now)

    def open(self) -> None:
        """Open the relay."""
        self._begin(Drive.OPEN, 0.0, 0.0)

    def source(self, drive: Drive, level: float, limit: float, over_s: float = EDGE_S) -> None:
        """Go to a level in V (A) with a limit in A (V), from now on.

        From another level of the same kind it goes in a straight line that takes `over_s`; a change of the
        kind, or from an open relay, takes `EDGE_S`.
        """
        now = self._stretches[-1]
        if drive is not now.drive:
            self._begin(drive, level, limit)
            return
        self._forget()
        held = self.level
        if limit != now.limit:
            self._begin(drive, held, limit)
        path = self._stretches[-1].path
        path.cut(self.clock.now)
        if level != held:
            ends_s = self.clock.now + np.array([0.0, max(over_s, EDGE_S)])
            path.extend(ends_s, np.array([held, level]), np.array([True, False]))

    def plan(self, corners: Knots) -> None:
        """Let the level follow these corners, the first of which is at the level now and not in the past."""
        path = self._stretches[-1].path
        path.cut(self.clock.now)
        path.extend(*corners)

    def _begin(self, drive: Drive, level: float, limit: float) -> None:
        self._forget()
        now = self.clock.now
        self._stretches[-1].path.cut(now)
        if self._stretches[-1].begin_s == now:  # several changes at one instant are one
            self._stretches.pop()
        self._stretches.append(_Stretch(now, drive, limit, Path(level)))

    def _forget(self) -> None:
        before_s = min(self.clock.now, self.keep_from()) - _MEMORY_S
        while len(self._stretches) > 1 and self._stretches[1].begin_s < before_s:
            del self._stretches[0]
        self._stretches[0].path.prune(before_s)

    # Solving ----------------------------------------------------------------------------------------------

    def point(self, instant: float) -> Point:
        """Voltage, current and compliance at one instant."""
        known = self._known.get(instant)
        if known is not None:
            return known
        if not self.loads.each:
            return self._solve(instant)
        if self._agreement.busy:
            return self._take_part(instant)
        found = self._agreement.reach(lambda: self._take_part(instant))
        if instant <= self.clock.now:  # the past stays as it was: no output jumps at the present instant
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[instant] = found
        return found

    def _take_part(self, instant: float) -> Point:
        """Its point in the sweep under way; the one before while it is still being solved."""
        if self._solving:
            self._agreement.cross()
            return self._last
        if self._solved != (self._agreement.sweep, instant):
            self._solving = True
            try:
                found = self._solve(instant)
            finally:
                self._solving = False
            self._agreement.move(found.volts - self._last.volts)
            self._last, self._solved = found, (self._agreement.sweep, instant)
        return self._last

    def _solve(self, instant: float) -> Point:
        stretch = self._stretch(instant)
        level, limit, loads = stretch.path.at(instant), stretch.limit, self.loads

        def where(amps: float, low_V: float, high_V: float) -> float:
            return loads.voltage_V(amps, low_V, high_V, instant, self._last.volts)

        if stretch.drive is Drive.OPEN:
            return Point(where(0.0, -self.reach_V, self.reach_V), 0.0, False)
        if stretch.drive is Drive.VOLTS:
            drawn_A = loads.drawn_A(level, instant)
            if drawn_A > limit:
                return Point(where(limit, -self.reach_V, level), limit, True)
            if drawn_A < -limit:
                return Point(where(-limit, level, self.reach_V), -limit, True)
            return Point(level, drawn_A, False)
        volts = where(level, -limit, limit)
        if abs(volts) < limit:
            return Point(volts, level, False)
        return Point(volts, loads.drawn_A(volts, instant), True)

    def _stretch(self, instant: float) -> _Stretch:
        for stretch in reversed(self._stretches):
            if instant >= stretch.begin_s + EDGE_S:
                return stretch
        return self._stretches[0]

    # Through time -----------------------------------------------------------------------------------------

    def corners_s(self, start_s: float, stop_s: float) -> Array:
        """See `Moving.corners_s`: where its own plan bends, whatever its loads do."""
        return self._plan(start_s, stop_s)[0]

    def _plan(self, start_s: float, stop_s: float) -> tuple[Array, Array]:
        """Its own corners, both ends included, and those of them that open a segment."""
        corners, opens = [np.array([start_s, stop_s])], [np.array([start_s, stop_s])]
        for k, stretch in enumerate(self._stretches):
            until_s = self._stretches[k + 1].begin_s if k + 1 < len(self._stretches) else stop_s
            first_s, last_s = max(stretch.begin_s, start_s), min(until_s, stop_s)
            if first_s <= last_s:
                own = stretch.path.knots(first_s, last_s)
                corners += [own.times_s, np.array([stretch.begin_s, stretch.begin_s + EDGE_S])]
                opens += [own.times_s[own.opens], np.array([stretch.begin_s])]
        times_s = np.unique(np.concatenate(corners))
        return times_s[(times_s >= start_s) & (times_s <= stop_s)], np.concatenate(opens)

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """See `VoltageSource.knots`."""
        times_s, opens_s = self._plan(start_s, stop_s)
        times_s, points = self._followed(times_s, currents=False)
        volts = np.array([point.volts for point in points])
        return Knots(times_s, volts, np.isin(times_s, opens_s))

    def average(self, start_s: float, stop_s: float) -> Average:
        """Means over one window."""
        times_s, points = self._followed(self.corners_s(start_s, stop_s), currents=True)
        volts, amps, limited = (np.array(column) for column in zip(*points, strict=True))
        length_s = stop_s - start_s
        mean_A = float(np.trapezoid(amps, times_s)) / length_s
        over, stretch = bool(limited[-1]), self._stretch(stop_s)
        if stretch.drive is Drive.VOLTS:
            mean_A -= self.inflow_A(start_s, stop_s)
            over = over or abs(mean_A) > stretch.limit
            mean_A = min(max(mean_A, -stretch.limit), stretch.limit)
        return Average(float(np.trapezoid(volts, times_s)) / length_s, mean_A, over)

    def _followed(self, times_s: Array, *, currents: bool) -> tuple[Array, list[Point]]:
        """Points on these corners and those of the loads, and between them where it is bent."""
        if self.loads.each and len(times_s) > 1:
            moving_s = np.unique(self.loads.corners_s(float(times_s[0]), float(times_s[-1])))
            # Nothing that is averaged needs them denser than this.
            times_s = np.union1d(times_s, moving_s[:: max(len(moving_s) // _MOST_CORNERS, 1)])
        points = [self.point(instant) for instant in times_s.tolist()]
        if not self.loads.each or len(times_s) < 2:
            return times_s, points
        followed = [(float(times_s[0]), points[0])]
        for instant, point in zip(times_s[1:].tolist(), points[1:], strict=True):
            self._bend(followed, (instant, point), currents, _FINEST)
            followed.append((instant, point))
        return np.array([instant for instant, _ in followed]), [point for _, point in followed]

    def _bend(
        self, followed: list[tuple[float, Point]], end: tuple[float, Point], currents: bool, depth: int
    ) -> None:
        """Add points between the last one followed and `end` as long as they lie off the straight line."""
        begin = followed[-1]
        held = all(self._stretch(t).drive is Drive.VOLTS and not p.limited for t, p in (begin, end))
        if depth == 0 or end[0] - begin[0] <= EDGE_S or (held and not currents):
            return
        middle_s = 0.5 * (begin[0] + end[0])
        middle = self.point(middle_s)
        off = [
            abs(middle[k] - 0.5 * (begin[1][k] + end[1][k]))
            > _STRAIGHT * max(abs(middle[k]), abs(begin[1][k]), abs(end[1][k]))
            for k in ((0, 1) if currents else (0,))
        ]
        if any(off):
            self._bend(followed, (middle_s, middle), currents, depth - 1)
            followed.append((middle_s, middle))
            self._bend(followed, end, currents, depth - 1)
