"""The current sensor of a channel: integrates what its output delivers."""

import math

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Array
from simulators.instruments.qdac2.channel import OutputChannel
from simulators.instruments.qdac2.triggers import Start, TriggerLines

LINE_HZ = 50.0
LIMITS_A = {"LOW": 200e-9, "HIGH": 10e-3}
_NOISE_A = {"LOW": 20e-12, "HIGH": 50e-9}
"""Standard deviation at one power-line cycle."""
_KEPT = 100_000


class CurrentSensor:
    """Takes `count` readings back to back after its trigger; each is kept until it is removed.

    It sees what resistors take, and what a chip's electrode takes in the middle of the aperture if the
    chip's model tells: a model of the readout alone draws nothing.
    """

    def __init__(
        self,
        channel: OutputChannel,
        clock: VirtualClock,
        lines: TriggerLines,
        rng: np.random.Generator,
        noise: float = 1.0,
    ) -> None:
        self._channel, self._clock, self._rng = channel, clock, rng
        self._noise = noise
        self.start = Start(lines, clock, self._begin)
        self.readings: list[float] = []
        self.range = "HIGH"
        self.aperture_s = 1.0 / LINE_HZ
        self.count = 1.0
        self._run = 0
        self._left = 0.0
        self.ready_at_s = 0.0

    @property
    def cycles_left(self) -> int:
        """Readings of the run that have not been taken; -1 for a run without end."""
        return -1 if self._left == math.inf else int(self._left)

    @property
    def line_cycles(self) -> int:
        """The aperture in power-line cycles."""
        return max(round(self.aperture_s * LINE_HZ), 1)

    def last(self) -> float:
        """The newest reading, NaN if there is none."""
        return self.readings[-1] if self.readings else math.nan

    def take(self) -> list[float]:
        """Give the readings and forget them."""
        taken, self.readings = self.readings, []
        return taken

    def measure(self) -> float:
        """Take readings now, whatever the trigger; gives when they will be there."""
        self._stop()
        self._begin(self._clock.now + self.start.delay_s)
        return self.ready_at_s

    def abort(self) -> None:
        """Give up the run; readings taken stay."""
        self.start.abort()
        self._stop()

    def reset(self) -> None:
        """As after *RST."""
        self.abort()
        self.start.reset()
        self.readings = []
        self.range, self.aperture_s, self.count = "HIGH", 1.0 / LINE_HZ, 1.0

    def _stop(self) -> None:
        self._run += 1
        self._left, self.ready_at_s = 0.0, self._clock.now

    def _begin(self, instant: float) -> None:
        if self._left > 0:
            return
        self._run += 1
        self._left = self.count
        self.ready_at_s = instant + self.count * self.aperture_s
        self._await(self._run, instant, self.aperture_s, self.range)

    def _await(self, run: int, start_s: float, aperture_s: float, span: str) -> None:
        def taken() -> None:
            if run != self._run:
                return
            window = np.array([start_s]), np.array([start_s + aperture_s])
            self.readings = [*self.readings[-_KEPT:], self._read(*window, span)]
            self._left -= 1
            if self._left > 0:
                self._await(run, start_s + aperture_s, aperture_s, span)
            elif self.start.continuous and self.start.source == "IMM":
                self._begin(self._clock.now + self.start.delay_s)

        self._clock.schedule(start_s + aperture_s, taken)

    def _read(self, starts_s: Array, stops_s: Array, span: str) -> float:
        volts = self._channel.knots(float(starts_s[0]), float(stops_s[0])).means(starts_s, stops_s)
        aperture_s = float(stops_s[0] - starts_s[0])
        noise = self._noise * _NOISE_A[span] / math.sqrt(aperture_s * LINE_HZ) * self._rng.normal()
        middle_s = float(0.5 * (starts_s[0] + stops_s[0]))
        current = self._channel.loads.drawn_A(float(volts[0]), middle_s) + noise
        return min(max(current, -LIMITS_A[span]), LIMITS_A[span])
