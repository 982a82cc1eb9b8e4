"""What instruments are wired by: voltages, currents, light and trigger pulses, as functions of virtual time."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from simulators.instruments.loads import Load
from simulators.instruments.path import Array, Knots


class VoltageSource(Protocol):
    """A terminal that drives a piecewise-linear voltage; `noise_V` is the noise on top of it."""

    noise_V: float

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """The voltage's corners from `start_s` to `stop_s`, in V."""


@runtime_checkable
class Resting(Protocol):
    """A source that can say cheaply that it does not move; who watches many of them asks this first."""

    def resting_V(self, start_s: float, stop_s: float) -> float | None:
        """The voltage in V that it holds from `start_s` to `stop_s`; None where it moves, or needs a closer look."""


class Grounded:
    """A `VoltageSource` of 0 V: what a wire from ground gives."""

    noise_V = 0.0

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """See `VoltageSource.knots`."""
        return Knots(np.array([start_s, stop_s]), np.zeros(2), np.ones(2, dtype=bool))

    def resting_V(self, start_s: float, stop_s: float) -> float:
        """See `Resting.resting_V`."""
        return 0.0


@runtime_checkable
class Signal(Protocol):
    """A terminal whose voltage, or the current into it, can be averaged over windows of time."""

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """Mean in V or A over each window; windows follow one another in time."""


class Light(Protocol):
    """Light in a fibre or a beam."""

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """Mean power in W over each window."""

    def wavelength_m(self, instant: float) -> float:
        """Vacuum wavelength in m."""


class Dark:
    """What a detector sees that nothing shines on."""

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """Zero."""
        return np.zeros_like(starts_s)

    def wavelength_m(self, instant: float) -> float:
        """No light has no wavelength."""
        return math.nan


@dataclass(frozen=True)
class Attenuated:
    """Light behind something that lets only a part of its power through."""

    light: Light
    transmission: float

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """See `Light.means`."""
        return self.transmission * self.light.means(starts_s, stops_s)

    def wavelength_m(self, instant: float) -> float:
        """See `Light.wavelength_m`."""
        return self.light.wavelength_m(instant)


class Ground:
    """What an input that is not wired sees."""

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """Zero."""
        return np.zeros_like(starts_s)


Distortion = Callable[[Knots], Knots]
"""What makes another voltage of the one that should be there."""


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

    A source that gives its own `means` too is read by them; others are read along their corners. `inputs`
    take a voltage that is averaged, `driven` one whose whole course matters; both load nothing but what
    `input_loads` says. `current_inputs` take the current into a virtual ground. `groups` are names of several
    terminals in their order, for wires that come in a ribbon. `loads` is told what hangs on a source, for
    those that feel it. `needs_since` gives the oldest instant that a measurement under way will still ask
    for; `keepers` are told where to ask before history is forgotten.
    `shown` distorts a source's voltage where the instrument's own read-back shows it; None ends that.
    """

    sources: dict[str, VoltageSource] = field(default_factory=dict)
    inputs: dict[str, Callable[[Signal], None]] = field(default_factory=dict)
    driven: dict[str, Callable[[VoltageSource], None]] = field(default_factory=dict)
    current_inputs: dict[str, Callable[[Signal], None]] = field(default_factory=dict)
    light_outputs: dict[str, Light] = field(default_factory=dict)
    light_inputs: dict[str, Callable[[Light], None]] = field(default_factory=dict)
    trigger_outputs: dict[str, TriggerOutput] = field(default_factory=dict)
    trigger_inputs: dict[str, Callable[[Pulse], None]] = field(default_factory=dict)
    loads: dict[str, Callable[[Load], None]] = field(default_factory=dict)
    shown: dict[str, Callable[[Distortion | None], None]] = field(default_factory=dict)
    input_loads: dict[str, Load] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    keepers: list[Callable[[Callable[[], float]], None]] = field(default_factory=list)
    needs_since: Callable[[], float] = lambda: math.inf
