"""A source-measure unit without its front: an output terminal between the converters of its source and meter."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.source_measure.output import Drive, OutputTerminal
from simulators.instruments.source_measure.ranges import Converter, Integration, Range, Scale
from simulators.instruments.terminals import Signal, Terminals

LINE_HZ = 50.0


@dataclass(frozen=True)
class UnitFacts:
    """What the data sheet says of a model.

    Attributes:
        source, meter: the ranges of its source and of its meter, for voltage and for current.
        integration: the meter's noise.
        source_noise: noise of the voltage source, of its range.
        settling_s: how long a step of the level takes.
    """

    source: Mapping[Drive, Scale]
    meter: Mapping[Drive, Scale]
    integration: Integration
    source_noise: float
    settling_s: float


class Measured(NamedTuple):
    """One measurement: V and A, +-infinity beyond the range, and whether the output was in compliance."""

    volts: float
    amps: float
    limited: bool


class SourceMeasureUnit:
    """Sources and measures at one terminal.

    Sockets: source "output"; current input "input", which sinks a chip's readout at the output's virtual
    ground (as at the real terminal, a current into it reads negative); input "sense", the voltage of the
    sense leads, used in remote sensing. Sense leads that are not wired sense the output itself.

    Args:
        rng: draws the errors of this specimen and the noise of its readings.
        noise: scales the noise of the data sheet.

    Attributes:
        measures_since_s: the start of a measurement under way; infinity while there is none.
    """

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, facts: UnitFacts, noise: float = 1.0
    ) -> None:
        self.clock, self.facts, self._noise = clock, facts, noise
        self.sources = {drive: Converter(scale, rng, noise) for drive, scale in facts.source.items()}
        self.meters = {drive: Converter(scale, rng, noise) for drive, scale in facts.meter.items()}
        self.output = OutputTerminal(clock, facts.source[Drive.VOLTS].largest)
        self.measures_since_s = math.inf
        self._sensed: Signal | None = None

    def sockets(self) -> Terminals:
        """Its terminals."""
        return Terminals(
            sources={"output": self.output},
            inputs={"sense": self._sense},
            current_inputs={"input": self._sink},
            loads={"output": self.output.add_load},
            keepers=[self.output.keep_for],
            needs_since=lambda: self.measures_since_s,
        )

    def _sense(self, signal: Signal) -> None:
        self._sensed = signal

    def _sink(self, signal: Signal) -> None:
        self.output.inflow_A = lambda start_s, stop_s: float(
            signal.means(np.array([start_s]), np.array([stop_s]))[0]
        )

    def drive(
        self, drive: Drive, level: float, span: Range, limit: float, over_s: float | None = None
    ) -> None:
        """Source a level on a range, with a limit, from now on; `over_s` is how long a ramp to it takes."""
        volts = drive is Drive.VOLTS
        self.output.noise_V = self._noise * self.facts.source_noise * span.span if volts else 0.0
        generated = self.sources[drive].generated(level, span)
        self.output.source(drive, generated, limit, over_s or self.facts.settling_s)

    def open(self) -> None:
        """Open the output's relay."""
        self.output.noise_V = 0.0
        self.output.open()

    def measure(
        self,
        start_s: float,
        stop_s: float,
        ranges: Mapping[Drive, Range | None],
        *,
        remote: bool = False,
        readings: int = 1,
    ) -> Measured:
        """Mean voltage and current over a window.

        Args:
            ranges: the range of each; None takes the smallest one that holds the value.
            remote: whether the voltage is that of the sense leads.
            readings: into how many readings, which are averaged, the window is cut.
        """
        average = self.output.average(start_s, stop_s)
        self.measures_since_s = math.inf
        volts = average.volts
        if remote and self._sensed is not None:
            volts = float(self._sensed.means(np.array([start_s]), np.array([stop_s]))[0])
        noise = self.facts.integration.relative_noise((stop_s - start_s) * LINE_HZ / readings)
        noise /= math.sqrt(readings)
        found = [
            self.meters[drive].read(value, ranges[drive] or self.meters[drive].scale.holding(value), noise)
            for drive, value in ((Drive.VOLTS, volts), (Drive.AMPS, average.amps))
        ]
        return Measured(found[0], found[1], average.limited)
