"""What all generators of a channel have in common: a path, a start, cycles, markers."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Knots, Path
from simulators.instruments.qdac2.triggers import Start, TriggerLines

UPDATE_S = 1e-6
"""The converters run at 1 MS/s: no move takes less."""
FASTEST_V_PER_S = 2e7

MARKERS = ("start", "end", "cycle start", "cycle end", "step start", "step end")


class Generator(ABC):
    """Plays cycles along a path, from a trigger on; cycles are planned only as far as someone looks.

    `markers` fire internal lines at the start and the end of the run, of each cycle and of each step; a
    line of 0 is none. `tick` is how long a second of the instrument's own clock lasts.
    """

    def __init__(self, clock: VirtualClock, lines: TriggerLines, tick: float = 1.0) -> None:
        self.clock, self._lines, self.tick = clock, lines, tick
        self.path = Path()
        self.start = Start(lines, clock, self.begin)
        self.slew_V_per_s = FASTEST_V_PER_S
        self.count = 1.0
        self.markers = dict.fromkeys(MARKERS, 0)
        self._run = 0
        self._begin_s = 0.0
        self._left = 0.0
        self._played = 0
        self._stop_s = 0.0

    @property
    @abstractmethod
    def cycle_s(self) -> float:
        """Duration of one cycle in the present settings."""

    @property
    @abstractmethod
    def step_s(self) -> float:
        """Duration of one step of a cycle."""

    @abstractmethod
    def plan_cycle(self, start_s: float, value: float) -> Knots:
        """Corners of one cycle that begins at `start_s` with the path at `value`."""

    @property
    def running(self) -> bool:
        """Whether a run is under way or about to begin after its delay."""
        return self._left > 0 or self.clock.now < self._stop_s

    @property
    def busy_until_s(self) -> float:
        """When the run and the last ramp are over; the present for a run without end."""
        if self._stop_s == float("inf"):
            return self.clock.now
        return max(self._stop_s, self.path.end_s, self.clock.now)

    @property
    def cycles_left(self) -> int:
        """Cycles of the run that have not ended; -1 for a run without end."""
        if not self.running:
            return 0
        if self._left == float("inf"):
            return -1
        over = max(self.clock.now - self._begin_s, 0.0) / self.cycle_s
        return int(self._played + self._left) - int(over + 1e-9)

    def begin(self, instant: float) -> None:
        """Start a run at `instant`; a trigger during a run is ignored."""
        if self.running or not self.ready():
            return
        self.path.cut(self.clock.now)
        self._run += 1
        self._begin_s, self._left, self._played = instant, self.count, 0
        self._stop_s = instant + self.count * self.cycle_s
        self._schedule_markers(instant)
        if self._stop_s < float("inf"):
            run = self._run
            self.clock.schedule(self._stop_s, lambda: self._finish(run))

    def ready(self) -> bool:
        """Whether there is anything to play."""
        return True

    def abort(self) -> None:
        """Stop where the path is now and wait for INITiate."""
        self.start.abort()
        self.stop()

    def stop(self) -> None:
        """Stop where the path is now."""
        self.plan_to(self.clock.now)
        self.path.cut(self.clock.now)
        self._run += 1
        self._left, self._stop_s = 0.0, self.clock.now

    def plan_to(self, instant: float) -> None:
        """Plan whole cycles until the path reaches `instant`."""
        value, corners = self.path.final, []
        while self._left > 0 and (due_s := self._begin_s + self._played * self.cycle_s) <= instant:
            corners.append(self.plan_cycle(due_s, value))
            value = float(corners[-1].values[-1])
            self._played += 1
            self._left -= 1
        if corners:
            times, values, opens = (np.concatenate(parts) for parts in zip(*corners, strict=True))
            self.path.extend(np.maximum.accumulate(times), values, opens)

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """Corners of what the generator gives from `start_s` to `stop_s`."""
        self.plan_to(stop_s)
        return self.path.knots(start_s, stop_s)

    def at(self, instant: float) -> float:
        """What the generator gives at one instant."""
        self.plan_to(instant)
        return self.path.at(instant)

    def finished(self) -> None:  # noqa: B027 - most generators just hold their last value
        """The run has ended by itself."""

    def _finish(self, run: int) -> None:
        if run != self._run:
            return
        self.plan_to(self._stop_s)
        self._left = 0.0
        self.finished()
        if self.start.continuous and self.start.source == "IMM":
            self.begin(self.clock.now + self.start.delay_s)

    def _schedule_markers(self, begin_s: float) -> None:
        self._mark("start", begin_s, None)
        if self._stop_s < float("inf"):
            self._mark("end", self._stop_s, None)
        self._mark("cycle start", begin_s, self.cycle_s)
        self._mark("cycle end", begin_s + self.cycle_s, self.cycle_s)
        self._mark("step start", begin_s, self.step_s)
        self._mark("step end", begin_s + self.step_s, self.step_s)

    def _mark(self, marker: str, first_s: float, every_s: float | None) -> None:
        """Fire a marker's line at `first_s` and, one at a time, at every later occurrence in the run."""
        if self.markers[marker] == 0:
            return
        run, last_s = (
            self._run,
            self._stop_s + (0.5 * UPDATE_S if marker.endswith("end") else -0.5 * UPDATE_S),
        )

        def fire(k: int) -> None:
            if run != self._run or self.markers[marker] == 0:
                return
            self._lines.fire(f"INT{self.markers[marker]}")
            if every_s is not None and (next_s := first_s + (k + 1) * every_s) < last_s:
                self.clock.schedule(next_s, lambda: fire(k + 1))

        self._at(first_s, lambda: fire(0))

    def _at(self, instant: float, action: Callable[[], None]) -> None:
        if instant <= self.clock.now:
            action()
        else:
            self.clock.schedule(instant, action)

    def reset(self) -> None:
        """As after *RST, but for the voltage, which the caller brings to zero."""
        self.abort()
        self.start.reset()
        self.slew_V_per_s, self.count = FASTEST_V_PER_S, 1.0
        self.markers = dict.fromkeys(MARKERS, 0)
