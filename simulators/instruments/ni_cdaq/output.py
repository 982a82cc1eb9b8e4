"""One output of an NI-9264: sixteen bits, no read-back, no slew limit; it holds what it was last given."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Array, Knots, Path

RANGE_V = 10.5
"""Full scale: nominal +-10.5 V (NI-9144/9145 configuration, NI-9264 calibration data)."""
CHANNELS = 16
MAX_RATE_HZ = 25e3
LSB_V = 2.0 * RANGE_V / 2**16

_SLEW_V_PER_S = 4e6
_SHORTEST_S = 2e-6
_MEMORY_S = 1.0
_SAME_STEP = 1.5 * LSB_V


@dataclass
class OutputRecord:
    """The extremes that an output was ever told to go to, before its own small errors.

    `fastest_V_per_s` takes a step over the time to the next one: a converter that steps at its sample clock
    moves no faster than that on any time that the chip can feel. `largest_step_V` is the largest single one.
    """

    lowest_V: float = 0.0
    highest_V: float = 0.0
    fastest_V_per_s: float = 0.0
    largest_step_V: float = 0.0

    def add(self, before_V: float, volts: Array, dt_s: float) -> None:
        """Take steps, `dt_s` apart, into account."""
        step_V = float(np.max(np.abs(np.diff(volts, prepend=before_V)), initial=0.0))
        self.lowest_V = min(self.lowest_V, float(np.min(volts)))
        self.highest_V = max(self.highest_V, float(np.max(volts)))
        self.fastest_V_per_s = max(self.fastest_V_per_s, step_V / dt_s)
        self.largest_step_V = max(self.largest_step_V, step_V)


class Output:
    """A `VoltageSource` that jumps from code to code, each time as fast as its amplifier slews.

    Attributes:
        gain_error, offset_V: how this channel is off: V * (1 + gain_error) + offset.
        noise_V: standard deviation of the noise, which its corners leave out.
        record: what it was told, for tests.
        keep_from: asked for the oldest instant that some reading still needs.
    """

    def __init__(self, clock: VirtualClock, gain_error: float, offset_V: float, noise_V: float) -> None:
        self._clock, self.gain_error, self.offset_V, self.noise_V = clock, gain_error, offset_V, noise_V
        self._path = Path()
        self._told_V = 0.0
        self.record = OutputRecord()
        self.keep_from: Callable[[], float] = lambda: math.inf

    def keep_for(self, needs_since: Callable[[], float]) -> None:
        """Ask `needs_since` for the oldest instant that must be remembered."""
        self.keep_from = needs_since

    def step(self, volts: float) -> None:
        """Go to a voltage at once."""
        self.play(np.array([self._clock.now]), np.array([volts]), _SHORTEST_S)

    def play(self, times_s: Array, volts: Array, dt_s: float) -> None:
        """Plan one step at each instant, `dt_s` apart; the last voltage is held."""
        self._forget()
        self._path.cut(float(times_s[0]))
        self.record.add(self._told_V, volts, dt_s)
        self._told_V = float(volts[-1])
        codes_V = np.clip(np.round(volts / LSB_V) * LSB_V, -RANGE_V, RANGE_V - LSB_V)
        steps_V = np.diff(codes_V, prepend=self._path.final)
        # A move begins where nothing moved before, or another way or faster; that it slows down is its end.
        before_V = np.concatenate(([0.0], steps_V[:-1]))
        opens = (steps_V * before_V <= 0.0) | (np.abs(steps_V) > np.abs(before_V) + _SAME_STEP)
        moved = steps_V != 0.0
        begins, ends = times_s[moved], codes_V[moved]
        lasts_s = np.maximum(np.abs(steps_V[moved]) / _SLEW_V_PER_S, _SHORTEST_S)
        corners = np.stack((begins, begins + np.minimum(lasts_s, 0.5 * dt_s)), axis=1).ravel()
        values = np.stack((ends - steps_V[moved], ends), axis=1).ravel()
        marks = np.stack((opens[moved], np.zeros(len(begins), dtype=bool)), axis=1).ravel()
        self._path.extend(corners, values, marks)

    def hold(self, volts: float) -> None:
        """Give up what is planned; `volts` is what the last clock edge told it, which it keeps."""
        now = self._clock.now
        value = self._path.cut(now)
        self._told_V = volts
        code_V = float(np.clip(np.round(volts / LSB_V) * LSB_V, -RANGE_V, RANGE_V - LSB_V))
        if code_V != value:  # it was on its way there
            times = np.array([now, now + _SHORTEST_S])
            self._path.extend(times, np.array([value, code_V]), np.array([True, False]))

    def at(self, instant: float) -> float:
        """The voltage at one instant, errors included."""
        return self._path.at(instant) * (1.0 + self.gain_error) + self.offset_V

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """See `VoltageSource.knots`."""
        corners = self._path.knots(start_s, stop_s)
        return Knots(corners.times_s, corners.values * (1.0 + self.gain_error) + self.offset_V, corners.opens)

    def _forget(self) -> None:
        before_s = min(self._clock.now, self.keep_from()) - _MEMORY_S
        if self._path.begin_s < before_s - _MEMORY_S:
            self._path.prune(before_s)
