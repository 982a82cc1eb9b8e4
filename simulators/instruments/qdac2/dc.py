"""The DC generator of a channel: fixed, list and sweep, all behind one slew limit."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Array, Knots, staircase
from simulators.instruments.qdac2.generator import UPDATE_S, Generator
from simulators.instruments.qdac2.triggers import TriggerLines

Mode = Literal["FIX", "LIST", "SWE"]

_UNHURRIED_S = 1e9
"""Long enough for any single move to end."""


@dataclass
class ListSettings:
    """A list: its voltages, one per dwell or one per trigger."""

    voltages: Array = field(default_factory=lambda: np.empty(0))
    dwell_s: float = 1e-3
    count: float = 1.0
    down: bool = False
    stepped: bool = False


@dataclass
class SweepSettings:
    """A sweep from start to stop, in steps or as a straight line."""

    start_V: float = 0.0
    stop_V: float = 0.0
    points: int = 2
    dwell_s: float = 1e-3
    count: float = 1.0
    down: bool = False
    analog: bool = False

    @property
    def voltages(self) -> Array:
        """One voltage per point."""
        return np.linspace(self.start_V, self.stop_V, self.points)


class DcGenerator(Generator):
    """The slow, exact part of an output.

    A fixed voltage is approached at the slew limit, as is every step of a list or a sweep. After a run the
    last voltage is held, also when the mode changes: only a new voltage or a new run moves the output.
    """

    def __init__(self, clock: VirtualClock, lines: TriggerLines, tick: float = 1.0) -> None:
        super().__init__(clock, lines, tick)
        self.mode: Mode = "FIX"
        self.level_V = 0.0
        self.next_V = 0.0
        self.list = ListSettings()
        self.sweep = SweepSettings()
        self._steps: Array = np.empty(0)
        self._dwell_s = 1e-3
        self._linear = False
        self._stepped = False

    def set_level(self, volts: float) -> None:
        """The fixed voltage; outside the fixed mode it waits until that mode is set and it is sent again."""
        self.level_V = self.next_V = volts
        if self.mode == "FIX":
            self._move(volts)

    def set_mode(self, mode: Mode) -> None:
        """Change the mode; a run in another mode stops where it is."""
        if mode != self.mode:
            self.stop()
            self.mode = mode

    def set_slew(self, slew_V_per_s: float) -> None:
        """A new limit holds for what is planned from now on, a fixed voltage on its way included."""
        self.slew_V_per_s = slew_V_per_s
        if self.mode == "FIX" and self.path.end_s > self.clock.now:
            self._move(self.path.final)

    def _move(self, volts: float) -> None:
        self._run += 1
        value = self.path.cut(self.clock.now)
        corners = staircase(
            self.clock.now, value, np.array([volts]), _UNHURRIED_S, self.slew_V_per_s, UPDATE_S
        )
        self.path.extend(corners.times_s, corners.values, corners.opens)

    @property
    def cycle_s(self) -> float:
        """See `Generator.cycle_s`."""
        return self._dwell_s * max(len(self._steps), 1)

    @property
    def step_s(self) -> float:
        """See `Generator.step_s`."""
        return self._dwell_s

    def ready(self) -> bool:
        """Take over the settings of the mode; a list without voltages cannot be played."""
        settings = self.sweep if self.mode == "SWE" else self.list
        return self.mode == "FIX" or len(settings.voltages) > 0

    def begin(self, instant: float) -> None:
        """Start a run, or, of a list in steps, the next step."""
        if self.mode == "FIX":
            self.level_V = self.next_V
            self._at(instant, lambda: self._move(self.level_V))
        elif self.mode == "LIST" and self.list.stepped and self.running:
            self._next_step(instant)
        elif not self.running and self.ready():
            self._load()
            super().begin(instant)
            if self._stepped:
                self._left, self._stop_s = 0.0, float("inf")
                self._next_step(instant)

    def _load(self) -> None:
        settings = self.sweep if self.mode == "SWE" else self.list
        volts = settings.voltages
        self._steps = volts[::-1] if settings.down else volts
        self._dwell_s, self.count = settings.dwell_s * self.tick, settings.count
        self._linear = self.mode == "SWE" and self.sweep.analog
        self._stepped = self.mode == "LIST" and self.list.stepped

    def _next_step(self, instant: float) -> None:
        """Each trigger moves a list in steps by one voltage; the run is over with the last of them."""
        volts = np.array([self._steps[self._played % len(self._steps)]])
        self._played += 1
        run = self._run

        def move() -> None:
            if run == self._run:
                value = self.path.cut(self.clock.now)
                steps = staircase(self.clock.now, value, volts, _UNHURRIED_S, self.slew_V_per_s, UPDATE_S)
                self.path.extend(steps.times_s, steps.values, steps.opens)
                if self.markers["step start"]:
                    self._lines.fire(f"INT{self.markers['step start']}")

        self._at(instant, move)
        if self._played >= self.count * len(self._steps):
            self._stop_s = instant

    @property
    def cycles_left(self) -> int:
        """See `Generator.cycles_left`."""
        if self._stepped and self.running:
            return -1 if self.count == float("inf") else int(self.count - self._played // len(self._steps))
        return super().cycles_left

    def plan_cycle(self, start_s: float, value: float) -> Knots:
        """See `Generator.plan_cycle`."""
        if not self._linear or len(self._steps) < 2:
            return staircase(start_s, value, self._steps, self._dwell_s, self.slew_V_per_s, UPDATE_S)
        first = staircase(start_s, value, self._steps[:1], self._dwell_s, self.slew_V_per_s, UPDATE_S)
        slope = abs(float(self._steps[1] - self._steps[0])) / self._dwell_s
        slew = min(self.slew_V_per_s, slope) if slope > 0.0 else self.slew_V_per_s
        rest = staircase(
            start_s + self._dwell_s,
            float(first.values[-1]),
            self._steps[1:],
            self._dwell_s,
            slew,
            UPDATE_S,
        )
        return Knots(*(np.concatenate(parts) for parts in zip(first, rest, strict=True)))

    def reset(self) -> None:
        """As after *RST: fixed mode, and back to 0 V at the fastest slew."""
        super().reset()
        self.mode, self.list, self.sweep = "FIX", ListSettings(), SweepSettings()
        self.set_level(0.0)
