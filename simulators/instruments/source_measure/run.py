"""A run of measurements: set the source, wait, integrate, and again."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulators.clock import VirtualClock


@dataclass(frozen=True)
class Step:
    """One step: the source is set, a delay later it is measured, then the meter zeroes itself.

    A step that `waits` starts with a trigger. Times are in real seconds.
    """

    delay_s: float
    aperture_s: float
    zero_s: float = 0.0
    waits: bool = False

    @property
    def length_s(self) -> float:
        """From the source's setting to the next one."""
        return self.delay_s + self.aperture_s + self.zero_s


class Run:
    """Steps one after the other on the clock.

    Args:
        prepare: called at the start of step k; sets the source.
        take: called at the end of its aperture with k and the window.
        finish: called when the run is over, or aborted.
    """

    def __init__(
        self,
        clock: VirtualClock,
        steps: Sequence[Step],
        prepare: Callable[[int], None],
        take: Callable[[int, float, float], None],
        finish: Callable[[], None],
    ) -> None:
        self._clock, self._steps = clock, steps
        self._prepare, self._take, self._finish = prepare, take, finish
        self._next, self._over = 0, False
        self._left_s = [0.0]
        for step in reversed(steps):
            self._left_s.append(math.inf if step.waits else self._left_s[-1] + step.length_s)
        self._left_s.reverse()
        self._step_ends_s = clock.now
        self.waiting = False

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._over

    @property
    def over_at_s(self) -> float:
        """When it will be over; infinity while that depends on a trigger."""
        if self._over:
            return self._clock.now
        if self.waiting:
            return math.inf
        expected_s = self._step_ends_s + self._left_s[self._next]
        return max(expected_s, math.nextafter(self._clock.now, math.inf))  # sums of times are rounded

    def begin(self) -> None:
        """Start the first step, or wait for its trigger."""
        self._go_on()

    def trigger(self) -> bool:
        """A trigger comes now; gives whether one was awaited."""
        if not self.waiting or self._over:
            return False
        self.waiting = False
        self._start()
        return True

    def abort(self) -> None:
        """Stop; what was taken stays."""
        if not self._over:
            self._over = True
            self._finish()

    def _go_on(self) -> None:
        if self._over:
            return
        if self._next == len(self._steps):
            self._over = True
            self._finish()
        elif self._steps[self._next].waits:
            self.waiting = True
        else:
            self._start()

    def _start(self) -> None:
        k, step = self._next, self._steps[self._next]
        self._next += 1
        self._prepare(k)
        start_s = self._clock.now + step.delay_s
        stop_s = start_s + step.aperture_s
        self._step_ends_s = stop_s + step.zero_s

        def taken() -> None:
            if not self._over:
                self._take(k, start_s, stop_s)

        self._clock.schedule(stop_s, taken)
        self._clock.schedule(self._step_ends_s, self._go_on)
