"""What instruments are wired by: voltages, currents and trigger pulses, as functions of virtual time."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from simulators.instruments.path import Array, Knots


class VoltageSource(Protocol):
    """A terminal that drives a piecewise-linear voltage; `noise_V` is the noise on top of it."""

    noise_V: float

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """The voltage's corners from `start_s` to `stop_s`, in V."""


class Signal(Protocol):
    """A terminal whose voltage can be averaged over windows of time."""

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """Mean voltage in V over each window; windows follow one another in time."""


class Ground:
    """What an input that is not wired sees."""

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """Zero."""
        return np.zeros_like(starts_s)


@dataclass(frozen=True)
class Driven:
    """A voltage source read directly, without anything in between."""

    source: VoltageSource

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """See `Signal.means`."""
        corners = self.source.knots(float(starts_s[0]), float(stops_s[-1]))
        return corners.means(starts_s, stops_s)


@dataclass(frozen=True)
class Pulse:
    """A trigger pulse: a rise and a fall; an inverted one falls first."""

    start_s: float
    width_s: float
    inverted: bool = False

    @property
    def rise_s(self) -> float:
        """When the line goes high."""
        return self.start_s + (self.width_s if self.inverted else 0.0)

    @property
    def fall_s(self) -> float:
        """When the line goes low."""
        return self.start_s + (0.0 if self.inverted else self.width_s)


@dataclass
class TriggerOutput:
    """A socket that sends pulses down whatever cables are plugged into it."""

    listeners: list[Callable[[Pulse], None]] = field(default_factory=list)

    def send(self, pulse: Pulse) -> None:
        """Send a pulse that starts now."""
        for listener in self.listeners:
            listener(pulse)


@dataclass
class Terminals:
    """The sockets of one instrument, by the names that wires use.

    `loads` tells a source what resistance hangs on it, `drains` what current in A is drawn from it at an
    instant. `needs_since` gives the oldest instant that a
    measurement under way will still ask for; `keepers` are told where to ask before history is forgotten.
    """

    sources: dict[str, VoltageSource] = field(default_factory=dict)
    inputs: dict[str, Callable[[Signal], None]] = field(default_factory=dict)
    trigger_outputs: dict[str, TriggerOutput] = field(default_factory=dict)
    trigger_inputs: dict[str, Callable[[Pulse], None]] = field(default_factory=dict)
    loads: dict[str, Callable[[float], None]] = field(default_factory=dict)
    drains: dict[str, Callable[[Callable[[float], float]], None]] = field(default_factory=dict)
    keepers: list[Callable[[Callable[[], float]], None]] = field(default_factory=list)
    needs_since: Callable[[], float] = lambda: math.inf
