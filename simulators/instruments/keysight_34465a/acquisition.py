"""From INITiate to the last reading: waiting for triggers, timing samples, taking them in blocks."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Array
from simulators.instruments.terminals import Signal

_BLOCK = 10_000
_LEVEL_STEP_S = 20e-6
_LEVEL_LOOK_S = 10e-3


@dataclass(frozen=True)
class Plan:
    """A measurement as it was set up at INITiate; times are in real seconds.

    With `interval_s` None a sample starts one delay after the one before has ended.
    """

    triggers: float
    samples: int
    pretrigger: int
    delay_s: float
    interval_s: float | None
    aperture_s: float
    reading_s: float
    immediate: bool
    convert: Callable[[Array], Array]

    @property
    def pitch_s(self) -> float:
        """From the start of one sample to the start of the next."""
        return self.reading_s + self.delay_s if self.interval_s is None else self.interval_s

    def start_s(self, trigger_s: float) -> float:
        """Start of the first sample of a trigger, before it if there are pretrigger samples."""
        return trigger_s + self.delay_s - self.pretrigger * self.pitch_s


class Acquisition:
    """One measurement under way. Readings are taken when the clock comes to the end of their block.

    `keep` says how many of the newest readings the memory holds; `overflowed`, whether older ones are lost.
    """

    def __init__(self, clock: VirtualClock, plan: Plan, signal: Callable[[], Signal], keep: float) -> None:
        self._clock, self.plan, self._signal, self._keep = clock, plan, signal, keep
        self.readings: Array = np.empty(0)
        self._left = plan.triggers
        self._begun_s = clock.now
        self._next_s: float | None = None
        self._to_take = 0
        self._buffered = False
        self._aborted = False
        self.overflowed = False

    @property
    def waiting(self) -> bool:
        """Whether it waits for a trigger."""
        return not self.over and self._next_s is None

    @property
    def over(self) -> bool:
        """Whether no further reading will come."""
        return self._aborted or self._left <= 0

    @property
    def over_at_s(self) -> float:
        """When it will be over; infinity while that depends on a trigger."""
        if self.over:
            return self._clock.now
        plan = self.plan
        if self._next_s is None or (self._left > 1 and not plan.immediate):
            return math.inf
        first_s = self._next_s + (self._to_take - 1) * plan.pitch_s + plan.reading_s
        each_s = plan.delay_s + (plan.samples - 1) * plan.pitch_s + plan.reading_s
        return first_s + (self._left - 1) * each_s

    @property
    def needs_since(self) -> float:
        """The oldest instant whose voltage is still to be read."""
        if self.over:
            return math.inf
        if self._next_s is not None:
            return self._next_s
        return max(self._begun_s, self.plan.start_s(self._clock.now))

    def begin(self) -> None:
        """Start waiting; an immediate trigger comes at once."""
        if self.plan.immediate:
            self.take_trigger()

    def take_trigger(self) -> bool:
        """A trigger comes now; gives whether it was taken. One that comes too early is remembered."""
        if self.over:
            return False
        if self._next_s is not None:
            taken = not self._buffered
            self._buffered = True
            return taken
        if self.plan.start_s(self._clock.now) < self._begun_s:
            return False  # the pretrigger samples are not all there
        self._next_s = self.plan.start_s(self._clock.now)
        self._to_take = self.plan.samples
        self._await_block()
        return True

    def abort(self) -> None:
        """Stop; the readings taken so far stay."""
        self._aborted = True

    def _await_block(self) -> None:
        if self._next_s is None:
            return
        count = min(self._to_take, _BLOCK)
        starts_s: Array = np.asarray(self._next_s + self.plan.pitch_s * np.arange(count), dtype=np.float64)
        end_s = float(starts_s[-1]) + self.plan.reading_s

        def taken() -> None:
            if not self._aborted:
                self._take(starts_s, end_s)

        self._clock.schedule(end_s, taken)

    def _take(self, starts_s: Array, end_s: float) -> None:
        volts = self._signal().means(starts_s, starts_s + self.plan.aperture_s)
        self.readings = np.concatenate((self.readings, self.plan.convert(volts)))
        if len(self.readings) > self._keep:
            self.readings = self.readings[-int(self._keep) :]
            self.overflowed = True
        self._to_take -= len(starts_s)
        if self._to_take > 0:
            self._next_s = float(starts_s[0]) + self.plan.pitch_s * len(starts_s)
            self._await_block()
            return
        self._next_s = None
        self._left -= 1
        self._begun_s = end_s
        if not self.over and (self.plan.immediate or self._buffered):
            self._buffered = False
            self.take_trigger()


class LevelTrigger:
    """Watches the input for a crossing of a level, from INITiate until one is found."""

    def __init__(
        self,
        clock: VirtualClock,
        acquisition: Acquisition,
        signal: Callable[[], Signal],
        level_V: float,
        falling: bool,
    ) -> None:
        self._clock, self._acquisition, self._signal = clock, acquisition, signal
        self._level_V, self._falling = level_V, falling
        self._last: float | None = None
        self._look(clock.now)

    def _look(self, from_s: float) -> None:
        def seen() -> None:
            if not self._acquisition.waiting:
                if not self._acquisition.over:
                    self._look(self._clock.now)
                return
            starts_s: Array = from_s + _LEVEL_STEP_S * np.arange(float(round(_LEVEL_LOOK_S / _LEVEL_STEP_S)))
            volts = self._signal().means(starts_s, starts_s + _LEVEL_STEP_S) - self._level_V
            if self._falling:
                volts = -volts
            before = np.concatenate(([volts[0] if self._last is None else self._last], volts[:-1]))
            self._last = float(volts[-1])
            if np.any((before < 0.0) & (volts >= 0.0)):
                self._acquisition.take_trigger()
            if not self._acquisition.over:
                self._look(self._clock.now)

        self._clock.schedule(from_s + _LEVEL_LOOK_S, seen)
