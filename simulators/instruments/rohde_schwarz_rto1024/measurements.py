"""Measurements on a trace, as the oscilloscope makes them: 10, 50 and 90 % of the amplitude as thresholds.

What cannot be measured is None.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulators.instruments.path import Array

_LEVELS = 256
_COMMON = 0.05
"""A level held for this part of the trace is the top or the base, however far an overshoot goes."""


@dataclass(frozen=True)
class Edge:
    """One passage from below the lower to above the upper threshold, or the other way."""

    rising: bool
    begin_s: float
    middle_s: float
    end_s: float


@dataclass
class Measured:
    """A trace to be measured: times and voltages of what is on the screen."""

    times_s: Array
    volts: Array

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """Base and top."""
        low, high = float(np.min(self.volts)), float(np.max(self.volts))
        if high == low:
            return low, high
        counts, edges = np.histogram(self.volts, _LEVELS, (low, high))
        third = _LEVELS * 2 // 5

        def common(part: slice, otherwise: float) -> float:
            row = int(np.argmax(counts[part])) + (part.start or 0)
            if counts[row] < _COMMON * len(self.volts):
                return otherwise
            inside = (self.volts >= edges[row]) & (self.volts <= edges[row + 1])
            return float(np.mean(self.volts[inside]))

        return common(slice(0, third), low), common(slice(_LEVELS - third, _LEVELS), high)

    @property
    def base(self) -> float:
        """The level it rests at below."""
        return self._ends[0]

    @property
    def top(self) -> float:
        """The level it rests at above."""
        return self._ends[1]

    @property
    def amplitude(self) -> float:
        """From base to top."""
        return self.top - self.base

    def threshold(self, part: float) -> float:
        """The level at a part of the amplitude."""
        return self.base + part * self.amplitude

    def _crossing(self, row: int, level: float) -> float:
        """When the line from point `row` to the next one is at a level."""
        before, after = float(self.volts[row]), float(self.volts[row + 1])
        part = 0.5 if after == before else (level - before) / (after - before)
        return float(
            self.times_s[row] + min(max(part, 0.0), 1.0) * (self.times_s[row + 1] - self.times_s[row])
        )

    @cached_property
    def edges(self) -> list[Edge]:
        """All edges in order."""
        low, middle, high = (self.threshold(part) for part in (0.1, 0.5, 0.9))
        if not low < high:
            return []
        state = np.where(self.volts >= high, 1, np.where(self.volts <= low, -1, 0))
        rows = np.flatnonzero(state)
        turns = np.flatnonzero(np.diff(state[rows]))
        edges = []
        for k in turns.tolist():
            last, first = int(rows[k]), int(rows[k + 1])
            rising = bool(state[first] > 0)
            part = self.volts[last : first + 1]
            above = part >= middle if rising else part <= middle
            edges.append(
                Edge(
                    rising,
                    self._crossing(last, low if rising else high),
                    self._crossing(last + int(np.flatnonzero(~above[:-1] & above[1:])[-1]), middle),
                    self._crossing(first - 1, high if rising else low),
                )
            )
        return edges

    def _between(self, *rising: bool) -> float | None:
        """Time between the first edges of these directions, one after the other."""
        edges = self.edges
        for k in range(len(edges) - len(rising) + 1):
            if all(edges[k + j].rising == way for j, way in enumerate(rising)):
                return edges[k + len(rising) - 1].middle_s - edges[k].middle_s
        return None

    @property
    def period(self) -> float | None:
        """Length of the first whole cycle."""
        edges = self.edges
        return edges[2].middle_s - edges[0].middle_s if len(edges) > 2 else None

    @property
    def frequency(self) -> float | None:
        """Cycles a second."""
        return None if self.period is None else 1.0 / self.period

    @property
    def cycle_area(self) -> float | None:
        """Integral over the mean cycle, in Vs."""
        mean, period = self.average(True), self.period
        return None if mean is None or period is None else mean * period

    @property
    def positive_width(self) -> float | None:
        """Length of the first part that is high."""
        return self._between(True, False)

    @property
    def negative_width(self) -> float | None:
        """Length of the first part that is low."""
        return self._between(False, True)

    def _transition(self, rising: bool) -> float | None:
        return next((edge.end_s - edge.begin_s for edge in self.edges if edge.rising == rising), None)

    @property
    def rise_time(self) -> float | None:
        """Length of the first rising edge."""
        return self._transition(True)

    @property
    def fall_time(self) -> float | None:
        """Length of the first falling edge."""
        return self._transition(False)

    def slew_rate(self, rising: bool) -> float | None:
        """Steepness of the first rising or falling edge, in V/s."""
        length_s = self._transition(rising)
        step_V = 0.8 * self.amplitude
        return None if not length_s else (step_V if rising else -step_V) / length_s

    @property
    def overshoot(self) -> float | None:
        """How far it goes above the top, in % of the amplitude."""
        beyond = float(np.max(self.volts)) - self.top
        return 100.0 * beyond / self.amplitude if self.amplitude > 0.0 else None

    @property
    def preshoot(self) -> float | None:
        """How far it goes below the base, in % of the amplitude."""
        beyond = self.base - float(np.min(self.volts))
        return 100.0 * beyond / self.amplitude if self.amplitude > 0.0 else None

    def _cycles(self) -> Array | None:
        """The voltages of the whole cycles, at equal distances; None without a whole one."""
        edges = [edge for edge in self.edges if edge.rising == self.edges[0].rising]
        if len(edges) < 2:
            return None
        begin_s, end_s = edges[0].middle_s, edges[-1].middle_s
        count = max(round((end_s - begin_s) / float(self.times_s[1] - self.times_s[0])), 1)
        grid_s = begin_s + (np.arange(count) + 0.5) / count * (end_s - begin_s)
        return np.interp(grid_s, self.times_s, self.volts)

    def average(self, cycles: bool) -> float | None:
        """The mean of the screen or of its whole cycles."""
        volts = self._cycles() if cycles else self.volts
        return None if volts is None else float(np.mean(volts))

    def rms(self, cycles: bool, ac: bool) -> float | None:
        """The root mean square, with its mean or without, of the screen or of its whole cycles."""
        volts = self._cycles() if cycles else self.volts
        if volts is None:
            return None
        square = float(np.mean(volts**2)) - (float(np.mean(volts)) ** 2 if ac else 0.0)
        return math.sqrt(max(square, 0.0))


def _part(value: float | None, whole: float | None) -> float | None:
    return None if value is None or not whole else 100.0 * value / whole


MAINS: dict[str, Callable[[Measured], float | None]] = {
    "HIGH": lambda trace: trace.top,
    "LOW": lambda trace: trace.base,
    "AMPLitude": lambda trace: trace.amplitude,
    "MAXimum": lambda trace: float(np.max(trace.volts)),
    "MINimum": lambda trace: float(np.min(trace.volts)),
    "PDELta": lambda trace: float(np.ptp(trace.volts)),
    "MEAN": lambda trace: trace.average(False),
    "RMS": lambda trace: trace.rms(False, False),
    "STDDev": lambda trace: trace.rms(False, True),
    "POVershoot": lambda trace: trace.overshoot,
    "NOVershoot": lambda trace: trace.preshoot,
    "AREA": lambda trace: float(np.trapezoid(trace.volts, trace.times_s)),
    "RTIMe": lambda trace: trace.rise_time,
    "FTIMe": lambda trace: trace.fall_time,
    "PPULse": lambda trace: trace.positive_width,
    "NPULse": lambda trace: trace.negative_width,
    "PERiod": lambda trace: trace.period,
    "FREQuency": lambda trace: trace.frequency,
    "PDCYcle": lambda trace: _part(trace.positive_width, trace.period),
    "NDCYcle": lambda trace: _part(trace.negative_width, trace.period),
    "CYCarea": lambda trace: trace.cycle_area,
    "CYCMean": lambda trace: trace.average(True),
    "CYCRms": lambda trace: trace.rms(True, False),
    "CYCStddev": lambda trace: trace.rms(True, True),
    "PULCnt": lambda trace: float(sum(edge.rising for edge in trace.edges)),
    "EDGecount": lambda trace: float(len(trace.edges)),
    "SLERising": lambda trace: trace.slew_rate(True),
    "SLEFalling": lambda trace: trace.slew_rate(False),
}
"""What is measured of one trace, by its name."""
