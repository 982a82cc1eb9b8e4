"""Faults at an instrument's sockets: outputs that stick, drift or are limited, inputs that read nonsense."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

import numpy as np

from simulators.faults.fault import Fault
from simulators.instruments.path import Array, Knots
from simulators.instruments.terminals import Distortion, Ground, Resting, Signal, VoltageSource

_EDGE_s = 1e-6
"""How long it takes from the right voltage to the wrong one."""
_BEYOND_V = 1e6
"""What is out of any range."""


@dataclass
class FaultySource:
    """A `VoltageSource` with whatever is wrong with it."""

    source: VoltageSource
    distortions: list[Distortion] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._can_rest = isinstance(self.source, Resting)

    @property
    def noise_V(self) -> float:
        """See `VoltageSource`."""
        return self.source.noise_V

    @noise_V.setter
    def noise_V(self, volts: float) -> None:
        self.source.noise_V = volts

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """See `VoltageSource.knots`."""
        corners = self.source.knots(start_s, stop_s)
        for distortion in self.distortions:
            corners = distortion(corners)
        return corners

    def resting_V(self, start_s: float, stop_s: float) -> float | None:
        """See `Resting.resting_V`."""
        if self.distortions or not self._can_rest:
            return None
        rest_V: float | None = self.source.resting_V(start_s, stop_s)  # type: ignore[attr-defined]
        return rest_V


class MeasuredSource(VoltageSource, Signal, Protocol):
    """A source that gives its own means, noise and all."""


@dataclass
class FaultyMeasuredSource(FaultySource):
    """The same for such a source: what is wrong adds to its means."""

    source: MeasuredSource

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """See `Signal.means`."""
        volts = self.source.means(starts_s, stops_s)
        if not self.distortions:
            return volts
        span = float(starts_s[0]), float(stops_s[-1])
        right, wrong = self.source.knots(*span), self.knots(*span)
        return volts + wrong.means(starts_s, stops_s) - right.means(starts_s, stops_s)


def faulty(source: VoltageSource) -> FaultySource:
    """`source` with nothing wrong yet."""
    if isinstance(source, Signal):
        return FaultyMeasuredSource(cast("MeasuredSource", source))
    return FaultySource(source)


@dataclass
class FaultySignal:
    """A `Signal` with whatever is wrong with the input that reads it."""

    signal: Signal = field(default_factory=Ground)
    distortions: list[Callable[[Array, Array], Array]] = field(default_factory=list)

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """See `Signal.means`."""
        volts = self.signal.means(starts_s, stops_s)
        for distortion in self.distortions:
            volts = distortion(starts_s, volts)
        return volts


def source_distortion(fault: Fault, since_s: float, stuck_V: Callable[[], float]) -> Distortion:
    """What `fault` does to a source's voltage from `since_s` on; `stuck_V` gives where it is stuck then."""
    until_s = math.inf if fault.stop_s is None else fault.stop_s

    def distort(corners: Knots) -> Knots:
        if corners.times_s[-1] <= since_s or corners.times_s[0] > until_s:
            return corners
        edges = np.array([since_s, since_s + _EDGE_s, until_s, until_s + _EDGE_s])
        if fault.kind == "compliance":
            edges = np.concatenate((edges, _crossings(corners, fault.level_V or 0.0)))
        corners = _with_corners(corners, edges)
        wrong = (corners.times_s > since_s) & (corners.times_s <= until_s)
        values = corners.values.copy()
        if fault.kind == "stuck":
            values[wrong] = stuck_V()
        elif fault.kind == "compliance":
            values[wrong] = np.clip(values[wrong], -(fault.level_V or 0.0), fault.level_V)
        else:
            values[wrong] += (fault.rate_V_per_s or 0.0) * (corners.times_s[wrong] - since_s)
        return Knots(corners.times_s, values, corners.opens)

    return distort


def input_distortion(fault: Fault, since_s: float) -> Callable[[Array, Array], Array]:
    """What `fault` does to the voltages that an input sees in windows that start at given instants."""
    until_s = math.inf if fault.stop_s is None else fault.stop_s

    def distort(starts_s: Array, volts: Array) -> Array:
        wrong = (starts_s >= since_s) & (starts_s < until_s)
        if fault.kind == "over_range":
            return np.where(wrong, _BEYOND_V if fault.level_V is None else fault.level_V, volts)
        if fault.kind == "not_a_number":
            return np.where(wrong, np.nan, volts)
        return volts + np.where(wrong, (fault.rate_V_per_s or 0.0) * (starts_s - since_s), 0.0)

    return distort


def _with_corners(corners: Knots, edges_s: Array) -> Knots:
    """The same function with further corners where they lie within its time."""
    inside = edges_s[(edges_s > corners.times_s[0]) & (edges_s < corners.times_s[-1])]
    if len(inside) == 0:
        return corners
    times_s = np.unique(np.concatenate((corners.times_s, inside)))
    opens = np.isin(times_s, corners.times_s[corners.opens]) | np.isin(times_s, inside)
    return Knots(times_s, corners.at(times_s), opens)


def _crossings(corners: Knots, level_V: float) -> Array:
    """Where the voltage crosses a limit on either side."""
    found = []
    for bound in (-level_V, level_V):
        beyond = corners.values - bound
        rows = np.flatnonzero(beyond[:-1] * beyond[1:] < 0.0)
        share = beyond[rows] / (beyond[rows] - beyond[rows + 1])
        found.append(corners.times_s[rows] + share * np.diff(corners.times_s)[rows])
    return np.concatenate(found)
