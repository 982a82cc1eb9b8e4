"""The wavelength sweep: its course, its triggers and its log."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Array, staircase
from simulators.instruments.santec_tsl570.light import SPEED_OF_LIGHT, TUNING_M_PER_S, LaserLight
from simulators.instruments.terminals import Pulse, TriggerOutput

STOPPED, RUNNING, STANDING_BY, PREPARING = 0, 1, 3, 4
MOST_POINTS = 500_000
FASTEST_TRIGGER_HZ = 20e3
_PULSE_S = 25e-6
_SHORTEST_STEP_S = 20e-3


@dataclass
class SweepSettings:
    """As after *RST, but for start and stop, which the model's range gives."""

    start_m: float
    stop_m: float
    mode: int = 1
    speed_m_per_s: float = 50e-9
    step_m: float = 1e-10
    step_Hz: float = 10e9
    by_frequency: bool = False
    """Whether the step in frequency was set last, and counts."""
    dwell_s: float = 0.1
    cycles: int = 1
    delay_s: float = 0.0

    @property
    def continuous(self) -> bool:
        """Without steps."""
        return self.mode in (1, 3)

    @property
    def two_way(self) -> bool:
        """There and back."""
        return self.mode in (2, 3)


@dataclass
class TriggerSettings:
    """When trigger pulses are sent, and what an incoming one does."""

    output: int = 0
    falling: bool = False
    interval_m: float = 1e-10
    in_time: bool = False
    external: bool = False
    input_falling: bool = False
    standby: bool = False
    through: bool = False


class Sweep:
    """One laser's sweep; `log_m` and `log_dBm` are what it recorded at the triggers of the last cycle."""

    def __init__(self, clock: VirtualClock, light: LaserLight) -> None:
        self._clock, self._light = clock, light
        self.state = STOPPED
        self.count = 0
        self.log_m: Array = np.empty(0)
        self.log_dBm: Array = np.empty(0)
        self.socket = TriggerOutput()
        self.ends_s = -np.inf
        self._run = 0
        self._left = 0.0
        self._settings = SweepSettings(light.shortest_m, light.longest_m)
        self._triggers = TriggerSettings()

    def begin(self, settings: SweepSettings, triggers: TriggerSettings, repeat: bool) -> None:
        """Go to the start, then sweep once, or as often as set; 0 cycles never end."""
        self.stop()
        self._settings, self._triggers, self.count = settings, triggers, 0
        self._left = (settings.cycles or np.inf) if repeat else 1.0
        self._prepare()

    def stop(self) -> None:
        """Stop where it is."""
        self._run += 1
        if self.state != STOPPED:
            self._light.tuning.cut(self._clock.now)
        self.state, self.ends_s = STOPPED, self._clock.now
        self._light.held_since_s = np.inf

    def take_trigger(self) -> bool:
        """A trigger comes: a sweep that stands by starts; gives whether one did."""
        if self.state != STANDING_BY:
            return False
        self._sweep()
        return True

    def _at(self, instant: float, action: Callable[[], None]) -> None:
        run = self._run
        self._clock.schedule(instant, lambda: action() if run == self._run else None)

    def _prepare(self) -> None:
        self.state, self.ends_s = PREPARING, np.inf

        def there() -> None:
            if self._triggers.standby:
                self.state = STANDING_BY
            else:
                self._sweep()

        self._at(self._light.tune(self._settings.start_m), there)

    def _sweep(self) -> None:
        self.state = RUNNING
        now = self._light.held_since_s = self._clock.now
        ways = [(self._settings.start_m, self._settings.stop_m)]
        if self._settings.two_way:
            ways.append((self._settings.stop_m, self._settings.start_m))
        marks: list[Array] = []
        for first_m, last_m in ways:
            marks.append(self._way(max(now, self._light.tuning.end_s), first_m, last_m))
        if self._left <= 1.0:
            self.ends_s = self._light.tuning.end_s
        if self._triggers.output == 2:
            self._send()
        self._pulse_each(np.concatenate(marks))
        self._at(self._light.tuning.end_s, lambda: self._over(np.concatenate(marks)))

    def _way(self, begin_s: float, first_m: float, last_m: float) -> Array:
        """Plan one way; gives the instants of its triggers."""
        settings, interval_m = self._settings, self._triggers.interval_m
        if settings.continuous:
            span_m = abs(last_m - first_m)
            end_s = begin_s + span_m / settings.speed_m_per_s
            corners = np.array([begin_s, end_s]), np.array([first_m, last_m]), np.array([True, False])
            self._light.follow(*corners)
            apart_s = interval_m / settings.speed_m_per_s
            marks_s: Array = begin_s + apart_s * np.arange(float(_count(span_m, interval_m)))
            return marks_s
        targets_m = _steps(settings, first_m, last_m)
        longest_m = float(np.max(np.abs(np.diff(targets_m)), initial=0.0))
        each_s = max(longest_m / TUNING_M_PER_S, _SHORTEST_STEP_S) + settings.dwell_s
        here_m = self._light.tuning.final
        self._light.follow(*staircase(begin_s, here_m, targets_m, each_s, TUNING_M_PER_S, _SHORTEST_STEP_S))
        end_s = begin_s + each_s * len(targets_m)
        self._light.follow(np.array([end_s]), targets_m[-1:], np.array([False]))
        return begin_s + each_s * np.arange(1.0, len(targets_m) + 1.0) - 0.5 * settings.dwell_s

    def _pulse_each(self, marks_s: Array) -> None:
        """Send a pulse at each mark, one scheduled after the other; none if nobody listens."""
        if self._triggers.output != 3 or not self.socket.listeners:
            return

        def mark(k: int) -> None:
            self._send()
            if k + 1 < len(marks_s):
                self._at(float(marks_s[k + 1]), lambda: mark(k + 1))

        self._at(float(marks_s[0]), lambda: mark(0))

    def _send(self) -> None:
        self.socket.send(Pulse(self._clock.now, _PULSE_S, self._triggers.falling))

    def _over(self, marks_s: Array) -> None:
        self._record(marks_s)
        self._light.held_since_s = np.inf
        self.count += 1
        self._left -= 1.0
        if self._triggers.output == 1:
            self._send()
        if self._left > 0.0:
            self.state = PREPARING
            self._at(self._clock.now + self._settings.delay_s, self._prepare)
        else:
            self.state = STOPPED

    def _record(self, marks_s: Array) -> None:
        marks_s = np.minimum(marks_s, self._clock.now)
        self.log_m = self._light.tuning.knots(float(marks_s[0]), self._clock.now).at(marks_s)
        starts_s = np.maximum(marks_s - 1e-6, 0.0)
        self.log_dBm = 10.0 * np.log10(np.maximum(self._light.monitored(starts_s, marks_s), 1e-12) / 1e-3)


def points(settings: SweepSettings, triggers: TriggerSettings) -> int:
    """How many wavelengths a sweep would record."""
    ways = 2 if settings.two_way else 1
    if settings.continuous:
        return ways * _count(abs(settings.stop_m - settings.start_m), triggers.interval_m)
    if settings.by_frequency:
        span_Hz = abs(SPEED_OF_LIGHT / settings.start_m - SPEED_OF_LIGHT / settings.stop_m)
        return ways * _count(span_Hz, settings.step_Hz)
    return ways * _count(abs(settings.stop_m - settings.start_m), settings.step_m)


def _steps(settings: SweepSettings, first_m: float, last_m: float) -> Array:
    """The wavelengths of a sweep in steps, from the first on as far as whole steps go."""
    if settings.by_frequency:
        first_Hz, last_Hz = SPEED_OF_LIGHT / first_m, SPEED_OF_LIGHT / last_m
        return SPEED_OF_LIGHT / _grid(first_Hz, last_Hz, settings.step_Hz)
    return _grid(first_m, last_m, settings.step_m)


def _grid(first: float, last: float, step: float) -> Array:
    return first + np.copysign(step, last - first) * np.arange(_count(abs(last - first), step))


def _count(span: float, step: float) -> int:
    """Points of a grid from one end of a span on; the other end counts if a whole step gets there."""
    return int(span / step * (1.0 + 1e-9)) + 1
