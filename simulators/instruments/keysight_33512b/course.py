"""What a channel gave and will give: one course after the other, each with its own wave."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simulators.instruments.keysight_33512b.shapes import Shape
from simulators.instruments.path import Array, Knots

_MOST_CORNERS = 1 << 15


class Pace(Protocol):
    """How a phase runs: cycles as a function of the time since the course began."""

    def phases(self, since_s: Array) -> Array:
        """Cycles gone since then."""

    @property
    def fastest_Hz(self) -> float:
        """The highest frequency that occurs."""


@dataclass(frozen=True)
class Steady:
    """One frequency."""

    frequency_Hz: float

    def phases(self, since_s: Array) -> Array:
        """See `Pace.phases`."""
        return self.frequency_Hz * since_s

    @property
    def fastest_Hz(self) -> float:
        """See `Pace.fastest_Hz`."""
        return self.frequency_Hz


@dataclass(frozen=True)
class Sweep:
    """From one frequency to another, a stay there, the way back, a stay, over and over again.

    Within each of the four the frequency changes linearly, or by equal factors in equal times.
    """

    begin_Hz: float
    end_Hz: float
    there_s: float
    stay_s: float = 0.0
    back_s: float = 0.0
    rest_s: float = 0.0
    logarithmic: bool = False

    @property
    def fastest_Hz(self) -> float:
        """See `Pace.fastest_Hz`."""
        return max(self.begin_Hz, self.end_Hz)

    @property
    def period_s(self) -> float:
        """From the start of one sweep to that of the next."""
        return self.there_s + self.stay_s + self.back_s + self.rest_s

    def _moving(self, since_s: Array, begin_Hz: float, end_Hz: float, length_s: float) -> Array:
        if length_s == 0.0:
            return np.zeros_like(since_s)
        ratio = end_Hz / begin_Hz
        if self.logarithmic and ratio != 1.0:
            return begin_Hz * length_s / np.log(ratio) * (ratio ** (since_s / length_s) - 1.0)
        return begin_Hz * since_s + 0.5 * (end_Hz - begin_Hz) * since_s**2 / length_s

    def _within(self, since_s: Array) -> Array:
        parts = (
            (self.begin_Hz, self.end_Hz, self.there_s),
            (self.end_Hz, self.end_Hz, self.stay_s),
            (self.end_Hz, self.begin_Hz, self.back_s),
            (self.begin_Hz, self.begin_Hz, self.rest_s),
        )
        total, left_s = np.zeros_like(since_s), since_s
        for begin_Hz, end_Hz, length_s in parts:
            total = total + self._moving(np.clip(left_s, 0.0, length_s), begin_Hz, end_Hz, length_s)
            left_s = left_s - length_s
        return total

    def phases(self, since_s: Array) -> Array:
        """See `Pace.phases`."""
        whole = np.floor(since_s / self.period_s)
        each = float(self._within(np.array([self.period_s]))[0])
        return whole * each + self._within(since_s - whole * self.period_s)


@dataclass(frozen=True)
class Stepped:
    """One frequency after the other, each for the same time, over and over again."""

    frequencies_Hz: tuple[float, ...]
    dwell_s: float

    def phases(self, since_s: Array) -> Array:
        """See `Pace.phases`."""
        ends_s = self.dwell_s * np.arange(len(self.frequencies_Hz) + 1)
        gone = np.concatenate(([0.0], np.cumsum(self.dwell_s * np.array(self.frequencies_Hz))))
        whole = np.floor(since_s / ends_s[-1])
        return whole * gone[-1] + np.interp(since_s - whole * ends_s[-1], ends_s, gone)

    @property
    def fastest_Hz(self) -> float:
        """See `Pace.fastest_Hz`."""
        return max(self.frequencies_Hz)


@dataclass(frozen=True)
class Course:
    """A wave from `begin_s` on: offset + span * shape(phase). Without a shape it is the offset alone.

    A mean over a window takes the pace within it as steady.
    """

    begin_s: float
    offset_V: float
    span_V: float = 0.0
    shape: Shape | None = None
    pace: Pace = Steady(0.0)
    first_phase: float = 0.0

    def phase(self, instant: float) -> float:
        """The phase at one instant, in cycles."""
        return self.first_phase + float(self.pace.phases(np.array([instant - self.begin_s]))[0])

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """Mean in V over each window."""
        if self.shape is None or self.span_V == 0.0:
            return np.full_like(starts_s, self.offset_V)
        firsts = self.first_phase + self.pace.phases(starts_s - self.begin_s)
        if isinstance(self.pace, Steady):
            swept = self.pace.frequency_Hz * (stops_s - starts_s)
        else:
            swept = self.first_phase + self.pace.phases(stops_s - self.begin_s) - firsts
        return self.offset_V + self.span_V * self.shape.mean(firsts - np.floor(firsts), swept)

    def cycles(self, start_s: float, stop_s: float) -> float:
        """How many cycles there are between two instants, at the most."""
        moves = self.shape is not None and self.span_V != 0.0
        return self.pace.fastest_Hz * (stop_s - start_s) if moves else 0.0

    def corners_s(self, start_s: float, stop_s: float) -> Array:
        """Instants between which it is straight, or nearly so; none for a wave that has too many."""
        if self.shape is None or self.span_V == 0.0:
            return np.empty(0)
        corners = self.shape.corners()
        if not isinstance(self.pace, Steady):
            count = len(corners) * self.pace.fastest_Hz * (stop_s - start_s)
            return np.linspace(start_s, stop_s, int(count) + 2) if count <= _MOST_CORNERS else np.empty(0)
        frequency_Hz = self.pace.frequency_Hz
        low, high = np.floor(self.phase(start_s)), np.ceil(self.phase(stop_s))
        if (high - low) * len(corners) > _MOST_CORNERS:
            return np.empty(0)
        phases = (np.arange(low, high + 1)[:, None] + corners).ravel()
        times_s = self.begin_s + (phases - self.first_phase) / frequency_Hz
        return times_s[(times_s > start_s) & (times_s < stop_s)]

    def values(self, times_s: Array) -> Array:
        """Values at instants."""
        if self.shape is None:
            return np.full_like(times_s, self.offset_V)
        phases = self.first_phase + self.pace.phases(times_s - self.begin_s)
        return self.offset_V + self.span_V * self.shape.at(phases)


class Timeline:
    """One course after the other; what is put in forgets all that was planned from there on."""

    def __init__(self) -> None:
        self._courses = [Course(0.0, 0.0)]
        self._begins_s = [0.0]

    def put(self, course: Course) -> None:
        """Let `course` hold from its beginning on."""
        keep = bisect_right(self._begins_s, course.begin_s)
        if keep and self._begins_s[keep - 1] == course.begin_s:
            keep -= 1
        self._courses[keep:] = [course]
        self._begins_s[keep:] = [course.begin_s]

    def forget(self, before_s: float) -> None:
        """Give up what was over before an instant."""
        gone = bisect_right(self._begins_s, before_s) - 1
        if gone > 0:
            del self._courses[:gone], self._begins_s[:gone]

    def at(self, instant: float) -> Course:
        """The course that holds at an instant."""
        return self._courses[max(bisect_right(self._begins_s, instant) - 1, 0)]

    def _pieces(self, start_s: float, stop_s: float) -> list[tuple[Course, float, float]]:
        first = max(bisect_right(self._begins_s, start_s) - 1, 0)
        last = max(bisect_right(self._begins_s, stop_s), first + 1)
        ends_s = [*self._begins_s[first + 1 : last], np.inf]
        begins_s = [-np.inf, *self._begins_s[first + 1 : last]]
        return list(zip(self._courses[first:last], begins_s, ends_s, strict=True))

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """Mean in V over each window; windows follow one another in time."""
        pieces = self._pieces(float(starts_s[0]), float(stops_s[-1]))
        if len(pieces) == 1:
            return pieces[0][0].means(starts_s, stops_s)
        area = np.zeros_like(starts_s)
        for course, begin_s, end_s in pieces:
            rows = slice(np.searchsorted(stops_s, begin_s, "right"), np.searchsorted(starts_s, end_s))
            lows_s = np.maximum(starts_s[rows], begin_s)
            highs_s = np.minimum(stops_s[rows], end_s)
            if len(lows_s):
                area[rows] += course.means(lows_s, highs_s) * (highs_s - lows_s)
        return area / (stops_s - starts_s)

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """Corners of the voltage; a wave too fast for them is given by its running mean."""
        times, values = [], []
        for course, begin_s, end_s in self._pieces(start_s, stop_s):
            low_s, high_s = max(start_s, begin_s), min(stop_s, end_s)
            here_s = np.concatenate(([low_s], course.corners_s(low_s, high_s), [high_s]))
            volts = course.values(here_s)
            if len(here_s) == 2 and course.cycles(low_s, high_s) > 1.0:  # too many corners to be given
                here_s = np.linspace(low_s, high_s, _MOST_CORNERS)
                half_s = 0.5 * (here_s[1] - here_s[0])
                volts = course.means(here_s - half_s, here_s + half_s)
            times.append(here_s)
            values.append(volts)
        joined_s = np.concatenate(times)
        return Knots(joined_s, np.concatenate(values), np.ones(len(joined_s), dtype=bool))
