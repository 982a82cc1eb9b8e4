"""The fast generators of a channel: sine, square, triangle and arbitrary waves, added to the DC voltage."""

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Array, Knots
from simulators.instruments.qdac2.generator import UPDATE_S, Generator
from simulators.instruments.qdac2.triggers import TriggerLines

_SINE_CORNERS = 64
"""Straight pieces per period of a sine: they miss it by less than 1.3e-3 of the amplitude."""

Kind = Literal["SYMM", "POS", "NEG"]


class WaveGenerator(Generator):
    """A generator that adds a wave while it runs, and nothing before and after."""

    def __init__(self, clock: VirtualClock, lines: TriggerLines, tick: float = 1.0) -> None:
        super().__init__(clock, lines, tick)
        self.offset_V = 0.0
        self._cycle: tuple[Array, Array] = (np.empty(0), np.empty(0))

    def shape(self) -> tuple[Array, Array]:
        """Corners of one period: times after its start in s, rising to its length, and voltages."""
        raise NotImplementedError

    def begin(self, instant: float) -> None:
        """See `Generator.begin`; the shape is taken over at the start of the run."""
        if not self.running and self.ready():
            after_s, volts = self.shape()
            self._cycle = self.tick * after_s, volts
            super().begin(instant)

    @property
    def cycle_s(self) -> float:
        """See `Generator.cycle_s`."""
        return float(self._cycle[0][-1])

    @property
    def step_s(self) -> float:
        """A period is one step."""
        return self.cycle_s

    def plan_cycle(self, start_s: float, value: float) -> Knots:
        """See `Generator.plan_cycle`."""
        after_s, volts = self._cycle
        furthest = self.slew_V_per_s * np.diff(after_s, prepend=0.0)
        if np.any(np.abs(np.diff(volts, prepend=value)) > furthest * (1.0 + 1e-9)):
            volts = _chase(value, volts, furthest)
        return Knots(
            np.concatenate(([start_s], start_s + after_s)),
            np.concatenate(([value], volts)),
            np.ones(len(volts) + 1, dtype=bool),
        )

    def finished(self) -> None:
        """Back to adding nothing."""
        self._to_zero()

    def stop(self) -> None:
        """See `Generator.stop`."""
        super().stop()
        self._to_zero()

    def _to_zero(self) -> None:
        now = self.clock.now
        value = self.path.cut(now)
        if value != 0.0:
            fall_s = max(abs(value) / self.slew_V_per_s, UPDATE_S)
            self.path.extend(np.array([now, now + fall_s]), np.array([value, 0.0]), np.array([True, False]))

    def reset(self) -> None:
        """See `Generator.reset`."""
        super().reset()
        self.offset_V = 0.0


def _chase(value: float, targets: Array, furthest: Array) -> Array:
    """Follow `targets`, moving by at most `furthest` each time."""
    reached = np.empty_like(targets)
    for k, (target, step) in enumerate(zip(targets.tolist(), furthest.tolist(), strict=True)):
        value += min(max(target - value, -step), step)
        reached[k] = value
    return reached


class PeriodicGenerator(WaveGenerator):
    """What sine, square and triangle have in common."""

    def __init__(self, clock: VirtualClock, lines: TriggerLines, tick: float = 1.0) -> None:
        super().__init__(clock, lines, tick)
        self.reset()

    def reset(self) -> None:
        """See `Generator.reset`: 1 kHz, 200 mV, without end."""
        super().reset()
        self.period_s, self.span_V, self.inverted = 1e-3, 0.2, False
        self.count = math.inf

    @property
    def _height(self) -> float:
        return -self.span_V if self.inverted else self.span_V


class SineGenerator(PeriodicGenerator):
    """A sine that starts upwards through its offset."""

    def shape(self) -> tuple[Array, Array]:
        """See `WaveGenerator.shape`."""
        pieces = max(min(_SINE_CORNERS, int(self.period_s / UPDATE_S)), 4)
        phase = np.arange(1, pieces + 1) / pieces
        return self.period_s * phase, self.offset_V + 0.5 * self._height * np.sin(2.0 * np.pi * phase)


class TriangleGenerator(PeriodicGenerator):
    """A triangle that starts upwards through its offset; the duty cycle is the rising part."""

    def __init__(self, clock: VirtualClock, lines: TriggerLines, tick: float = 1.0) -> None:
        super().__init__(clock, lines, tick)
        self.duty = 0.5

    def reset(self) -> None:
        """See `Generator.reset`."""
        super().reset()
        self.duty = 0.5

    def shape(self) -> tuple[Array, Array]:
        """See `WaveGenerator.shape`."""
        rise = 0.5 * self.duty * self.period_s
        times = np.array([max(rise, UPDATE_S), min(self.period_s - rise, self.period_s - UPDATE_S)])
        height = 0.5 * self._height
        return np.append(times, self.period_s), self.offset_V + np.array([height, -height, 0.0])


class SquareGenerator(PeriodicGenerator):
    """A square wave that starts with its high part."""

    def __init__(self, clock: VirtualClock, lines: TriggerLines, tick: float = 1.0) -> None:
        super().__init__(clock, lines, tick)
        self.duty = 0.5
        self.kind: Kind = "SYMM"

    def reset(self) -> None:
        """See `Generator.reset`."""
        super().reset()
        self.duty, self.kind = 0.5, "SYMM"

    def shape(self) -> tuple[Array, Array]:
        """See `WaveGenerator.shape`."""
        low, high = {"SYMM": (-0.5, 0.5), "POS": (0.0, 1.0), "NEG": (-1.0, 0.0)}[self.kind]
        if self.inverted:
            low, high = high, low
        edge_s = max(self.span_V / self.slew_V_per_s, UPDATE_S)
        down_s = max(self.duty * self.period_s, edge_s)
        times = np.array([edge_s, down_s, down_s + edge_s, max(self.period_s, down_s + edge_s)])
        volts: Array = self.offset_V + self.span_V * np.array([high, high, low, low])
        return times, volts


class ArbitraryGenerator(WaveGenerator):
    """Plays a trace of the instrument's memory at 1 MS/s, scaled and shifted."""

    def __init__(
        self, clock: VirtualClock, lines: TriggerLines, traces: Mapping[str, Array], tick: float = 1.0
    ) -> None:
        super().__init__(clock, lines, tick)
        self._traces = traces
        self.trace = ""
        self.scale = 1.0

    def reset(self) -> None:
        """See `Generator.reset`."""
        super().reset()
        self.trace, self.scale = "", 1.0

    def ready(self) -> bool:
        """Whether the trace exists and holds anything."""
        return len(self._traces.get(self.trace, ())) > 0

    def shape(self) -> tuple[Array, Array]:
        """See `WaveGenerator.shape`."""
        volts = self._traces[self.trace]
        times: Array = UPDATE_S * np.arange(1.0, len(volts) + 1.0)
        return times, self.offset_V + self.scale * volts
