"""One acquisition: waiting for a trigger on the virtual clock, then for the end of the record."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Array

_FIRST_LOOK_S, _LONGEST_LOOK_S = 1e-6, 20e-3


@dataclass(frozen=True)
class Trace:
    """A waveform: 16-bit `codes` (values, points), one value for each point or the lowest and the highest.

    A value is `codes * increment_V + middle_V`; the first point is at `first_s` after the trigger.
    """

    codes: Array
    increment_V: float
    middle_V: float
    first_s: float
    step_s: float

    @property
    def volts(self) -> Array:
        """Volts (values, points)."""
        return self.codes * self.increment_V + self.middle_V

    @property
    def times_s(self) -> Array:
        """Times after the trigger (points,)."""
        return self.first_s + self.step_s * np.arange(float(self.codes.shape[1]))


@dataclass
class Waiting:
    """The acquisition of one record or of several, one after the other.

    Args:
        before_s, after_s: how much of the record comes before and after its trigger, in real seconds.
        auto_s: how long a trigger is waited for at the most; infinite without automatic triggers.
        find: the first trigger between two instants.
        take: what to do with each trigger when its record is over.
        left: how many records are still to come.

    Attributes:
        trigger_s: the trigger whose record is being acquired; None while one is awaited.
        over: whether the last record is complete, or it was ended.
    """

    clock: VirtualClock
    before_s: float
    after_s: float
    auto_s: float
    find: Callable[[float, float], float | None]
    take: Callable[[float], None]
    left: int = 1
    trigger_s: float | None = None
    armed_s: float = 0.0
    over: bool = False
    _searched_s: float = 0.0

    @property
    def over_at_s(self) -> float:
        """When it will be over; infinity while that depends on a trigger."""
        if self.over:
            return self.clock.now
        if self.trigger_s is None or self.left > 1:
            return math.inf
        return max(self.trigger_s + self.after_s, self.clock.now)

    @property
    def needs_since(self) -> float:
        """The oldest instant whose voltage is still to be read."""
        if self.over:
            return math.inf
        return self.armed_s if self.trigger_s is None else self.trigger_s - self.before_s

    def arm(self) -> None:
        """Fill the part before the trigger, then look for one."""
        self.armed_s, self.trigger_s = self.clock.now, None
        self._searched_s = self.clock.now + self.before_s
        self._look(min(max(self.after_s, _FIRST_LOOK_S), _LONGEST_LOOK_S, max(self.auto_s, _FIRST_LOOK_S)))

    def stop(self) -> None:
        """End it; nothing more is taken."""
        self.over = True

    def force(self, instant: float) -> None:
        """A trigger from outside."""
        if not self.over and self.trigger_s is None and instant >= self.armed_s + self.before_s:
            self._triggered(instant)

    def _look(self, length_s: float) -> None:
        until_s, armed_s = self._searched_s + length_s, self.armed_s

        def seen() -> None:
            if self.over or self.trigger_s is not None or self.armed_s != armed_s:
                return
            found_s = self.find(self._searched_s, until_s)
            self._searched_s = until_s
            if found_s is None and until_s - armed_s - self.before_s >= self.auto_s * (1.0 - 1e-9):
                found_s = until_s
            if found_s is None:
                rest_s = max(self.auto_s - (until_s - armed_s - self.before_s), _FIRST_LOOK_S)
                self._look(min(2.0 * length_s, _LONGEST_LOOK_S, rest_s))
            else:
                self._triggered(found_s)

        self.clock.schedule(until_s, seen)

    def _triggered(self, instant: float) -> None:
        self.trigger_s = instant
        self.clock.schedule(max(instant + self.after_s, self.clock.now), self._complete)

    def _complete(self) -> None:
        if self.over or self.trigger_s is None:
            return
        self.take(self.trigger_s)
        self.left -= 1
        if self.left > 0:
            self.arm()
        else:
            self.over = True
