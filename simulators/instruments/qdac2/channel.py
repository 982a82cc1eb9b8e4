"""One output of the QDAC-II: the sum of its generators, its range and filter, its errors, its record."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.loads import Loads
from simulators.instruments.lowpass import FirstOrder
from simulators.instruments.path import Array, Knots
from simulators.instruments.qdac2.dc import DcGenerator
from simulators.instruments.qdac2.generator import Generator
from simulators.instruments.qdac2.triggers import TriggerLines
from simulators.instruments.qdac2.waves import (
    ArbitraryGenerator,
    SineGenerator,
    SquareGenerator,
    TriangleGenerator,
    WaveGenerator,
)
from simulators.instruments.terminals import Distortion

RANGES_V = {"LOW": 2.0, "HIGH": 10.0}
FILTERS_HZ = {"DC": 10.0, "MED": 10e3, "HIGH": 300e3}
_BITS = 25
_MEMORY_S = 5.0
"""History that is kept although nobody has asked for it."""
_SHORTEST_S = 1e-9
"""Pieces of a ramp that were cut shorter have lost their slope to rounding; no move is that short."""
_SETTLING = np.array([0.1, 0.25, 0.5, 0.8, 1.2, 1.7, 2.4, 3.3, 4.5, 6.0, 8.0, 11.0])
"""Corners, in time constants, by which a filter's exponential is followed after each corner of its input."""


@dataclass
class OutputRecord:
    """The extremes that an output was ever driven to, as generated: before its own small errors."""

    lowest_V: float = 0.0
    highest_V: float = 0.0
    fastest_V_per_s: float = 0.0

    @property
    def largest_V(self) -> float:
        """The largest voltage either way."""
        return max(-self.lowest_V, self.highest_V)

    def add(self, corners: Knots) -> None:
        """Take a piece of the output into account."""
        self.lowest_V = min(self.lowest_V, float(np.min(corners.values)))
        self.highest_V = max(self.highest_V, float(np.max(corners.values)))
        steps_s = np.diff(corners.times_s)
        real = steps_s > _SHORTEST_S
        moved = np.abs(np.diff(corners.values))[real] / steps_s[real]
        self.fastest_V_per_s = max(self.fastest_V_per_s, float(np.max(moved, initial=0.0)))


class OutputChannel:
    """A voltage source with five generators; a `VoltageSource`.

    Attributes:
        gain_error, offset_error_V: how this channel's converter is off: V * (1 + gain_error) + offset.
        noise_V: standard deviation of the output's noise, which its corners leave out.
        loads: what hangs on the output, for its current sensor.
        keep_from: asked for the oldest instant that some reading still needs.
    """

    def __init__(
        self,
        number: int,
        clock: VirtualClock,
        lines: TriggerLines,
        traces: Mapping[str, Array],
        gain_error: float = 0.0,
        offset_error_V: float = 0.0,
        noise_V: float = 0.0,
        tick: float = 1.0,
    ) -> None:
        self.number, self.clock, self.noise_V = number, clock, noise_V
        self.gain_error, self.offset_error_V = gain_error, offset_error_V
        self.dc = DcGenerator(clock, lines, tick)
        self.sine = SineGenerator(clock, lines, tick)
        self.square = SquareGenerator(clock, lines, tick)
        self.triangle = TriangleGenerator(clock, lines, tick)
        self.awg = ArbitraryGenerator(clock, lines, traces, tick)
        self.range, self.filter = "HIGH", "HIGH"
        self.loads = Loads()
        self.keep_from: Callable[[], float] = lambda: clock.now
        self._distortion: Distortion | None = None
        self._record = OutputRecord()
        self._recorded_s = 0.0

    def keep_for(self, needs_since: Callable[[], float]) -> None:
        """Ask `needs_since` for the oldest instant that must be remembered."""
        self.keep_from = needs_since

    def distort(self, distortion: Distortion | None) -> None:
        """Put out, and read back, another voltage than the generators'; None for theirs again."""
        self._update_record()
        self._distortion = distortion

    @property
    def waves(self) -> tuple[WaveGenerator, ...]:
        """The generators that add to the DC voltage."""
        return (self.sine, self.square, self.triangle, self.awg)

    @property
    def generators(self) -> tuple[Generator, ...]:
        """All five."""
        return (self.dc, *self.waves)

    @property
    def limit_V(self) -> float:
        """The end of the range."""
        return RANGES_V[self.range]

    @property
    def record(self) -> OutputRecord:
        """What the output was driven to up to now."""
        self._update_record()
        return self._record

    def _update_record(self) -> None:
        now = self.clock.now
        if now > self._recorded_s:
            self._record.add(self.generated(self._recorded_s, now))
            self._recorded_s = now

    @property
    def dc_V(self) -> float:
        """What the DC generator gives now, as it reads back."""
        now = self.clock.now
        if self._distortion is None:
            return self.dc.at(now)
        return float(self._distortion(self.dc.knots(now, now)).values[0])

    def at(self, instant: float) -> float:
        """The voltage generated at one instant."""
        if self._distortion is not None:
            return float(self.generated(instant, instant).values[0])
        total = sum(generator.at(instant) for generator in self.generators)
        return min(max(total, -self.limit_V), self.limit_V)

    def generated(self, start_s: float, stop_s: float) -> Knots:
        """Corners of the voltage generated, before filter and errors."""
        corners = self._planned(start_s, stop_s)
        return corners if self._distortion is None else self._distortion(corners)

    def _planned(self, start_s: float, stop_s: float) -> Knots:
        each = [self.dc.knots(start_s, stop_s)]
        for wave in self.waves:
            if wave.running or wave.path.end_s >= start_s:
                added = wave.knots(start_s, stop_s)
                if np.any(added.values != 0.0):
                    each.append(added)
        if len(each) == 1:
            return each[0]
        times = np.unique(np.concatenate([corners.times_s for corners in each]))
        volts = np.sum([corners.at(times) for corners in each], axis=0)
        opens = np.isin(times, np.concatenate([corners.times_s[corners.opens] for corners in each]))
        return Knots(times, np.clip(volts, -self.limit_V, self.limit_V), opens)

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """See `VoltageSource.knots`: what really leaves the socket, but for the noise.

        The 300 kHz filter settles within half an update of the converter and is left out.
        """
        cutoff_Hz = FILTERS_HZ[self.filter]
        if cutoff_Hz > 100e3:
            corners = self.generated(start_s, stop_s)
        else:
            corners = self._filtered(start_s, stop_s, 1.0 / (2.0 * np.pi * cutoff_Hz))
        lsb = 2.0 * self.limit_V / 2**_BITS
        volts = np.round(corners.values / lsb) * lsb * (1.0 + self.gain_error) + self.offset_error_V
        return Knots(corners.times_s, volts, corners.opens)

    def resting_V(self, start_s: float, stop_s: float) -> float | None:
        """See `Resting.resting_V`: of an output that only its DC generator has moved, and not lately."""
        volts = None if self.dc.running else self.dc.path.resting(start_s)
        if volts is None or self._distortion is not None or FILTERS_HZ[self.filter] < 100e3:
            return None
        if any(wave.running or wave.path.end_s >= start_s for wave in self.waves):
            return None
        lsb = 2.0 * self.limit_V / 2**_BITS
        return round(volts / lsb) * lsb * (1.0 + self.gain_error) + self.offset_error_V

    def _filtered(self, start_s: float, stop_s: float, time_s: float) -> Knots:
        raw = self.generated(max(start_s - 20.0 * time_s, 0.0), stop_s)
        response = FirstOrder(raw, time_s, float(raw.values[0]))
        room_s = np.diff(raw.times_s)
        after = raw.times_s[:-1, None] + time_s * _SETTLING
        inside = after[time_s * _SETTLING < room_s[:, None]]
        times = np.unique(np.concatenate((raw.times_s, inside, [start_s])))
        times = times[times >= start_s]
        return Knots(times, response.at(times), np.isin(times, raw.times_s[raw.opens]) | (times == start_s))

    def forget(self) -> None:
        """Give up history that nobody needs; the record stays."""
        before_s = min(self.clock.now - _MEMORY_S, self.keep_from() - _MEMORY_S)
        if any(generator.path.begin_s < before_s - _MEMORY_S for generator in self.generators):
            self._update_record()
            for generator in self.generators:
                generator.path.prune(before_s)

    def abort(self) -> None:
        """Stop all generators where they are."""
        for generator in self.generators:
            generator.abort()

    def reset(self) -> None:
        """As after *RST."""
        for generator in itertools.chain(self.waves, (self.dc,)):
            generator.reset()
        self.range, self.filter = "HIGH", "HIGH"
