"""The GS200's source: a function, its range and level, two limiters, a relay."""

from collections.abc import Callable

from simulators.clock import VirtualClock
from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.ranges import Range
from simulators.instruments.source_measure.unit import SourceMeasureUnit
from simulators.instruments.yokogawa_gs200.facts import FACTS, LIMITER, reach

OTHER = {Drive.VOLTS: Drive.AMPS, Drive.AMPS: Drive.VOLTS}
_RESET_SPANS = {Drive.VOLTS: 10.0, Drive.AMPS: 1e-3}


class Source:
    """What is set, and on its way to the terminal.

    Args:
        changed: called after anything that changes the output.

    Attributes:
        drive: the function.
        limits: the voltage limiter in V, which counts while a current is sourced, and the current limiter in A.
        on: whether the relay is closed.
    """

    def __init__(self, clock: VirtualClock, unit: SourceMeasureUnit, changed: Callable[[], None]) -> None:
        self._clock, self._unit, self._changed = clock, unit, changed
        self.on = False
        self._set_defaults()

    def _set_defaults(self) -> None:
        self.drive = Drive.VOLTS
        self.limits = {drive: largest for drive, (_, largest) in LIMITER.items()}
        self._spans = {drive: FACTS.source[drive].nominal(span) for drive, span in _RESET_SPANS.items()}
        self._from, self._to, self._since_s, self._over_s = 0.0, 0.0, self._clock.now, 0.0

    def reset(self) -> None:
        """As after *RST: off, 0 V."""
        self.on = False
        self._set_defaults()
        self._apply()

    @property
    def span(self) -> Range:
        """The range of the function in use."""
        return self._spans[self.drive]

    @property
    def reach(self) -> float:
        """The largest level on the present range."""
        return reach(self.drive, self.span)

    @property
    def level(self) -> float:
        """The level now, on its way to another one perhaps."""
        passed_s = self._clock.now - self._since_s
        if passed_s >= self._over_s:
            return self._to
        level = self._from + (self._to - self._from) * passed_s / self._over_s
        return round(level / self.span.resolution) * self.span.resolution

    def set_function(self, drive: Drive) -> None:
        """Source the other quantity: the output goes off and the level to zero."""
        if drive is not self.drive:
            self.on, self.drive = False, drive
            self._from = self._to = 0.0
            self._apply()

    def set_span(self, value: float) -> None:
        """The smallest range that holds a value; a level beyond it goes to its end."""
        level = self.level
        self._spans[self.drive] = FACTS.source[self.drive].nominal(value)
        self.go_to(min(max(level, -self.reach), self.reach))

    def go_to(self, level: float, over_s: float = 0.0) -> None:
        """Go to a level, in a straight line."""
        self._from, self._since_s, self._over_s = self.level, self._clock.now, over_s
        self._to = round(level / self.span.resolution) * self.span.resolution
        self._apply()

    def stop(self) -> float:
        """Stay where a ramp has come to; gives how long it would have gone on, in s."""
        left_s = max(self._since_s + self._over_s - self._clock.now, 0.0)
        self.go_to(self.level)
        return left_s

    def switch(self, on: bool) -> None:
        """Close or open the relay."""
        if on is not self.on:
            self.on = on
            self._apply()

    def set_limit(self, drive: Drive, value: float) -> None:
        """Set one of the limiters."""
        self.limits[drive] = value
        self._apply()

    def _apply(self) -> None:
        if self.on:
            left_s = max(self._since_s + self._over_s - self._clock.now, 0.0)
            limit = self.limits[OTHER[self.drive]]
            if left_s > 0.0 and self._unit.output.drive is not self.drive:
                # The relay closes in the midst of a ramp: from where it is, on with it.
                self._unit.drive(self.drive, self.level, self.span, limit)
            self._unit.drive(self.drive, self._to, self.span, limit, left_s or None)
        elif self._unit.output.drive is not Drive.OPEN:
            self._unit.open()
        self._changed()
