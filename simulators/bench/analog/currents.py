"""Currents into a virtual ground, as piecewise-linear functions of time, and what a chip draws."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from simulators.instruments.loads import Moving
from simulators.instruments.path import Array, Knots, Mask
from simulators.instruments.terminals import VoltageSource


class ObservedChip(Protocol):
    """A chip with its imperfections, as the bench sees it."""

    def observe(self, voltages: Array, times_s: Array) -> Array:
        """Output current (time,) in A for `voltages` (time, electrode) at rising `times_s` (time,)."""


class CurrentSource(Protocol):
    """Anything that drives a current into a virtual ground."""

    def knots(self, starts_s: Array, stops_s: Array, from_s: float) -> Knots:
        """Corners of the current in A from `from_s` to the last stop; the windows will be averaged."""


@dataclass(frozen=True)
class Resistor:
    """A resistor between a voltage source and the virtual ground: I = V / R."""

    source: VoltageSource
    resistance_ohm: float

    def knots(self, starts_s: Array, stops_s: Array, from_s: float) -> Knots:
        """See `CurrentSource.knots`."""
        corners = self.source.knots(from_s, float(stops_s[-1]))
        return Knots(corners.times_s, corners.values / self.resistance_ohm, corners.opens)


@dataclass(frozen=True)
class Ammeter:
    """What an instrument's own virtual ground makes of a current: a `Signal` in A."""

    source: CurrentSource

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """See `Signal.means`."""
        return self.source.knots(starts_s, stops_s, float(starts_s[0])).means(starts_s, stops_s)


@dataclass(frozen=True)
class ElectrodeLoad:
    """What a chip's electrode draws, as a `Load`, with the other electrodes where their sources have them.

    Args:
        drawn: currents (electrode,) in A into the electrodes at voltages (electrode,) in V.
        electrode: which one this is.
    """

    drawn: Callable[[Array], Array]
    sources: Sequence[VoltageSource]
    electrode: int

    def drawn_A(self, volts: float, instant: float) -> float:
        """See `Load.drawn_A`."""
        voltages = np.array(
            [
                volts if k == self.electrode else source.knots(instant, instant).values[0]
                for k, source in enumerate(self.sources)
            ]
        )
        return float(self.drawn(voltages)[self.electrode])

    def corners_s(self, start_s: float, stop_s: float) -> Array:
        """See `Moving.corners_s`: where the sources of the other electrodes bend."""
        each = [
            source.corners_s(start_s, stop_s)
            if isinstance(source, Moving)
            else source.knots(start_s, stop_s).times_s
            for k, source in enumerate(self.sources)
            if k != self.electrode
        ]
        return np.concatenate(each) if each else np.empty(0)


@dataclass
class ChipCurrent:
    """The readout current of a chip without memory, driven by one voltage source per electrode.

    The chip is asked once per segment of the sources (a dwell of a list), and more often only where a
    voltage moves by more than `step_V` in longer than `resolution_s`. Within a segment the current is
    interpolated along the way the voltages have gone. A segment in which nothing moves keeps one current,
    so a plateau read many times is asked, and has its noise, once per reading. A chip's noise is told per
    reading: conversions of a fast converter within `reading_s` are parts of one, and share it. A chip has no
    way back: who reads the past once more gets the drift of the present.
    """

    chip: ObservedChip
    sources: Sequence[VoltageSource]
    resolution_s: float
    rng: np.random.Generator
    step_V: float = 0.05
    reading_s: float = 0.5e-3
    _last_s: float = 0.0

    def knots(self, starts_s: Array, stops_s: Array, from_s: float) -> Knots:
        """See `CurrentSource.knots`."""
        until_s = float(stops_s[-1])
        each = [source.knots(from_s, until_s) for source in self.sources]
        way = _Way.along(each)
        way = replace(way, opens=self._thin(way))
        unread_s = _unread(way, starts_s, self.reading_s)
        way = way.with_corners(np.concatenate((self._along_ramps(way), unread_s)), opening=True)
        way = way.with_corners(self._still(way), opening=False)
        times_s, points = way.times_s[way.opens], way.voltages[way.opens]
        noise_V = np.array([source.noise_V for source in self.sources])
        driven = points + noise_V * self.rng.normal(size=points.shape)
        asked = np.asarray(self.chip.observe(driven, np.maximum(times_s, self._last_s)), dtype=np.float64)
        self._last_s = max(self._last_s, float(times_s[-1]))
        return Knots(way.times_s, way.interpolate(asked), way.opens)

    def _thin(self, way: "_Way") -> Mask:
        """Of the segments shorter than the resolution, keep one per resolution and per tenth of a step."""
        times, voltages, opens = way.times_s, way.voltages, way.opens
        rows = np.flatnonzero(opens)
        if len(rows) < 3 or np.min(np.diff(times[rows])) >= self.resolution_s:
            return opens
        moved = np.concatenate(([0.0], np.cumsum(np.max(np.abs(np.diff(voltages[rows], axis=0)), axis=1))))
        ticks = np.floor((times[rows] - times[0]) / self.resolution_s)
        marks = np.floor(moved / (0.1 * self.step_V))
        first = np.concatenate(([True], np.diff(ticks) > 0))
        # Within one tick only the first counts; among those, one that has not moved can be interpolated
        # unless its neighbour is further away than a reading would be.
        keep = first.copy()
        idle = np.concatenate(([False], (np.diff(marks[first]) == 0) & (np.diff(ticks[first]) <= 1.0)))
        keep[np.flatnonzero(first)[idle]] = False
        keep[[0, -1]] = True
        thinned = np.zeros_like(opens)
        thinned[rows[keep]] = True
        return thinned

    def _along_ramps(self, way: "_Way") -> Array:
        """Further instants to ask at, so that no electrode moves by more than a step in between."""
        times, points = way.times_s[way.opens], way.voltages[way.opens]
        moves = np.max(np.abs(np.diff(points, axis=0)), axis=1)
        pieces = np.ceil(moves / self.step_V - 1e-9).astype(int)
        pieces = np.minimum(pieces, np.maximum(np.diff(times) / self.resolution_s, 1.0).astype(int))
        split = np.flatnonzero(pieces > 1)
        if len(split) == 0:
            return np.empty(0)
        inside = [
            times[k] + (times[k + 1] - times[k]) * np.arange(1, pieces[k]) / pieces[k] for k in split.tolist()
        ]
        return np.concatenate(inside)

    def _still(self, way: "_Way") -> Array:
        """Just after the start of every segment in which nothing moves: there its own current begins."""
        times, points = way.times_s[way.opens], way.voltages[way.opens]
        rest = np.all(points[1:] == points[:-1], axis=1)
        # A pulse that comes back within one segment also starts and ends alike, but has corners inside.
        inner = np.diff(np.flatnonzero(way.opens)) > 1
        lengths = np.diff(times)
        rest &= ~inner & (lengths > 0.0)
        return times[:-1][rest] + np.minimum(self.resolution_s, 0.1 * lengths[rest])


@dataclass(frozen=True)
class _Way:
    """All voltages on the corners of any of them: times (n,), voltages (n, electrode)."""

    times_s: Array
    voltages: Array
    opens: Mask

    @classmethod
    def along(cls, each: Sequence[Knots]) -> "_Way":
        """All corners' times, once each; one that opens a segment of any source does so here."""
        times, where = np.unique(np.concatenate([corners.times_s for corners in each]), return_inverse=True)
        opens = np.zeros(len(times), dtype=bool)
        opens[where[np.concatenate([corners.opens for corners in each])]] = True
        return cls(times, np.stack([corners.at(times) for corners in each], axis=1), opens)

    def with_corners(self, added_s: Array, *, opening: bool) -> "_Way":
        """The same way with further corners on it."""
        if len(added_s) == 0:
            return self
        added_s = np.unique(added_s)
        rows = np.searchsorted(self.times_s, added_s)
        there = self.times_s[np.minimum(rows, len(self.times_s) - 1)] == added_s
        opens = self.opens.copy()
        opens[rows[there]] |= opening
        fresh, rows = added_s[~there], rows[~there]
        between = [np.interp(fresh, self.times_s, column) for column in self.voltages.T]
        return _Way(
            np.insert(self.times_s, rows, fresh),
            np.insert(self.voltages, rows, np.stack(between, axis=1), axis=0),
            np.insert(opens, rows, opening),
        )

    def interpolate(self, asked: Array) -> Array:
        """Currents at all corners from those at the opening ones, by how far the voltages have gone."""
        moved = np.sum(np.abs(np.diff(self.voltages, axis=0)), axis=1)
        travelled = np.concatenate(([0.0], np.cumsum(moved)))
        rows = np.flatnonzero(self.opens)
        corners = np.arange(len(self.times_s))
        segment = np.clip(np.searchsorted(rows, corners, side="right") - 1, 0, len(rows) - 2)
        begin, end = rows[segment], rows[segment + 1]
        length = travelled[end] - travelled[begin]
        with np.errstate(invalid="ignore"):
            progress = np.where(length > 0.0, (travelled - travelled[begin]) / length, 1.0)
        currents: Array = asked[segment] + progress * (asked[segment + 1] - asked[segment])
        currents[rows] = asked
        return currents


def _unread(way: _Way, starts_s: Array, reading_s: float) -> Array:
    """Starts of the windows since whose predecessor's start no segment has begun, one per `reading_s`."""
    times = way.times_s[way.opens]
    since = np.concatenate(([-np.inf], starts_s[:-1]))
    begun = np.searchsorted(times, starts_s, side="right") - np.searchsorted(times, since, side="right")
    unread = starts_s[begun <= 0]
    segment = np.maximum(np.searchsorted(times, unread, side="right") - 1, 0)
    reading = np.floor((unread - times[segment]) / reading_s + 1e-6)
    another = (np.diff(segment, prepend=-1) != 0) | (np.diff(reading, prepend=-1.0) != 0.0)
    return np.asarray(unread[another & (reading >= 1.0)])
