"""Currents into the amplifier's virtual ground, as piecewise-linear functions of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simulators.instruments.path import Array, Knots, Mask
from simulators.instruments.terminals import VoltageSource


class ObservedChip(Protocol):
    """A chip with its imperfections, as the bench sees it."""

    def observe(self, voltages: Array, times_s: Array) -> Array:
        """Output current (time,) in A for `voltages` (time, electrode) at rising `times_s` (time,)."""


class CurrentSource(Protocol):
    """Anything that drives a current into the amplifier."""

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
class ChipCurrent:
    """The readout current of a chip without memory, driven by one voltage source per electrode.

    The chip is asked once per segment of the sources (a dwell of a list), and more often only where a
    voltage moves by more than `step_V` in longer than `resolution_s`. Within a segment the current is
    interpolated along the way the voltages have gone. A segment in which nothing moves keeps one current,
    so a plateau read many times is asked, and has its noise, once per reading.
    """

    chip: ObservedChip
    sources: Sequence[VoltageSource]
    resolution_s: float
    rng: np.random.Generator
    step_V: float = 0.05

    def knots(self, starts_s: Array, stops_s: Array, from_s: float) -> Knots:
        """See `CurrentSource.knots`."""
        until_s = float(stops_s[-1])
        each = [source.knots(from_s, until_s) for source in self.sources]
        times, opens = _merge(each)
        voltages = np.stack([corners.at(times) for corners in each], axis=1)
        opens = self._thin(times, voltages, opens)
        added = np.concatenate(
            (
                self._along_ramps(times[opens], voltages[opens]),
                _unread(times[opens], starts_s),
            )
        )
        times, opens = _with(times, opens, added, True)
        voltages = np.stack([corners.at(times) for corners in each], axis=1)
        still = self._still(times[opens], voltages[opens], opens)
        times, opens = _with(times, opens, still, False)
        voltages = np.stack([corners.at(times) for corners in each], axis=1)
        noise = np.array([source.noise_V for source in self.sources])
        driven = voltages[opens] + noise * self.rng.normal(size=(int(np.sum(opens)), len(self.sources)))
        asked = np.asarray(self.chip.observe(driven, times[opens]), dtype=np.float64)
        return Knots(times, _along(voltages, opens, asked), opens)

    def _thin(self, times: Array, voltages: Array, opens: Mask) -> Mask:
        """Of the segments shorter than the resolution, keep one per resolution and per tenth of a step."""
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

    def _along_ramps(self, times: Array, points: Array) -> Array:
        """Further instants to ask at, so that no electrode moves by more than a step in between."""
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

    def _still(self, times: Array, points: Array, opens: Mask) -> Array:
        """Just after the start of every segment in which nothing moves: there its own current begins."""
        rest = np.all(points[1:] == points[:-1], axis=1)
        # A pulse that comes back within one segment also starts and ends alike, but has corners inside.
        inner = np.diff(np.flatnonzero(opens)) > 1
        lengths = np.diff(times)
        rest &= ~inner & (lengths > 0.0)
        return times[:-1][rest] + np.minimum(self.resolution_s, 0.1 * lengths[rest])


def _merge(each: Sequence[Knots]) -> tuple[Array, Mask]:
    """All corners' times, once each, and which of them open a segment of any source."""
    times = np.concatenate([corners.times_s for corners in each])
    opens = np.concatenate([corners.opens for corners in each])
    unique, where = np.unique(times, return_inverse=True)
    merged = np.zeros(len(unique), dtype=bool)
    np.logical_or.at(merged, where, opens)
    return unique, merged


def _with(times: Array, opens: Mask, added: Array, opening: bool) -> tuple[Array, Mask]:
    """The corners with further ones put in."""
    if len(added) == 0:
        return times, opens
    together = np.concatenate((times, added))
    flags = np.concatenate((opens, np.full(len(added), opening)))
    unique, where = np.unique(together, return_inverse=True)
    merged = np.zeros(len(unique), dtype=bool)
    np.logical_or.at(merged, where, flags)
    return unique, merged


def _unread(times: Array, starts_s: Array) -> Array:
    """Starts of the windows since whose predecessor's start no segment has begun."""
    since = np.concatenate(([-np.inf], starts_s[:-1]))
    begun = np.searchsorted(times, starts_s, side="right") - np.searchsorted(times, since, side="right")
    return starts_s[begun <= 0]


def _along(voltages: Array, opens: Mask, asked: Array) -> Array:
    """Currents at all corners from those at the opening ones, by the way the voltages have gone."""
    travelled = np.concatenate(([0.0], np.cumsum(np.sum(np.abs(np.diff(voltages, axis=0)), axis=1))))
    rows = np.flatnonzero(opens)
    segment = np.clip(np.searchsorted(rows, np.arange(len(voltages)), side="right") - 1, 0, len(rows) - 2)
    begin, end = rows[segment], rows[segment + 1]
    length = travelled[end] - travelled[begin]
    with np.errstate(invalid="ignore"):
        progress = np.where(length > 0.0, (travelled - travelled[begin]) / length, 1.0)
    currents = asked[segment] + progress * (asked[segment + 1] - asked[segment])
    currents[rows] = asked
    return currents
