"""The two timing engines at work: an output generation and an input acquisition, from trigger to stop."""

import math
from collections.abc import Sequence

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.ni_cdaq.input import Input
from simulators.instruments.ni_cdaq.output import Output
from simulators.instruments.path import Array


class Generation:
    """Steps some outputs together at every edge of a sample clock.

    Args:
        samples: what to put out, shape (output, sample) in V; repeated until `count` samples are out.
        dt_s: real time between edges.
        count: infinity for a generation that goes on until it is stopped.
    """

    def __init__(
        self, clock: VirtualClock, outputs: Sequence[Output], samples: Array, dt_s: float, count: float
    ) -> None:
        self._clock, self._outputs, self._samples = clock, outputs, samples
        self._dt_s, self.count = dt_s, count
        self._start_s = math.inf
        self._stopped = False

    @property
    def done_at_s(self) -> float:
        """When the last sample is put out; infinity while that is not known."""
        return self._start_s + (self.count - 1.0) * self._dt_s

    @property
    def generated(self) -> int:
        """Samples per channel put out so far."""
        if self._clock.now < self._start_s:
            return 0
        edges = math.floor((self._clock.now - self._start_s) / self._dt_s * (1.0 + 1e-12)) + 1
        return int(min(edges, self.count))

    def start(self) -> None:
        """The trigger comes: the first edge is now."""
        self._start_s = self._clock.now
        self._plan(0)

    def _plan(self, first: int) -> None:
        """Plan one round of the samples; one that goes on plans the next round when it comes to it."""
        if self._stopped or first >= self.count:
            return
        length = self._samples.shape[1]
        rows = int(min(length, self.count - first))
        times_s = self._start_s + self._dt_s * np.arange(float(first), float(first + rows))
        for output, volts in zip(self._outputs, self._samples, strict=True):
            output.play(times_s, volts[:rows], self._dt_s)
        self._clock.schedule(
            self._start_s + self._dt_s * (first + length), lambda: self._plan(first + length)
        )

    def stop(self) -> None:
        """Stop the clock; every output holds what the last edge told it."""
        if self._stopped:
            return
        done = self.generated
        self._stopped = True
        if 0 < done < self.count:
            for output, volts in zip(self._outputs, self._samples, strict=True):
                output.hold(float(volts[(done - 1) % len(volts)]))


class Acquisition:
    """Reads some inputs together at every edge of a sample clock.

    The reading of an edge is older than the edge by `delay_s`: it is the mean over the sample interval around
    that earlier instant. Readings are taken from their signals when they are asked for.
    """

    def __init__(
        self, clock: VirtualClock, inputs: Sequence[Input], dt_s: float, delay_s: float, count: float
    ) -> None:
        self._clock, self._inputs = clock, inputs
        self._dt_s, self._delay_s, self.count = dt_s, delay_s, count
        self._start_s = math.inf
        self._given = 0
        self._over = False

    @property
    def done_at_s(self) -> float:
        """When the last reading is there; infinity while that is not known."""
        return self.available_at_s(self.count)

    @property
    def settled(self) -> int:
        """Readings until one is of the time after the start only."""
        return math.ceil(self._delay_s / self._dt_s + 0.5)

    def available_at_s(self, readings: float) -> float:
        """When that many readings per channel are there."""
        return self._start_s + (readings - 1.0) * self._dt_s

    @property
    def acquired(self) -> int:
        """Readings per channel so far."""
        if self._clock.now < self._start_s:
            return 0
        edges = math.floor((self._clock.now - self._start_s) / self._dt_s * (1.0 + 1e-12)) + 1
        return int(min(edges, self.count))

    @property
    def needs_since(self) -> float:
        """The oldest instant whose voltage is still to be read."""
        if self._over or self._given >= self.count:
            return math.inf
        edge_s = min(self._start_s, self._clock.now) + self._given * self._dt_s
        return edge_s - self._delay_s - self._dt_s

    def start(self) -> None:
        """The trigger comes: the first edge is now."""
        self._start_s = self._clock.now

    def read(self, first: int, readings: int) -> Array:
        """Readings from `first` on, shape (input, reading) in V; those before are given up."""
        middles_s = (
            self._start_s + self._dt_s * np.arange(float(first), float(first + readings)) - self._delay_s
        )
        starts_s, stops_s = middles_s - 0.5 * self._dt_s, middles_s + 0.5 * self._dt_s
        self._given = first + readings
        return np.stack([one.read(starts_s, stops_s) for one in self._inputs])

    def stop(self) -> None:
        """Stop the clock; nothing more is needed of the past."""
        self._over = True
