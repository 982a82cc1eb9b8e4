"""Ranges of a source or a meter: full scale, resolution, accuracy; and one specimen with its own errors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_BOUND = 3.0
"""A data sheet's accuracy in standard deviations of the specimens' errors."""


@dataclass(frozen=True)
class Range:
    """One range as the data sheet has it, in V or A: +-(gain * value + offset)."""

    span: float
    resolution: float
    gain: float
    offset: float


@dataclass(frozen=True)
class Scale:
    """All ranges of one quantity, smallest first.

    Each reaches `overrange` times its span; a meter reads a little further, up to `overload` times.
    """

    ranges: tuple[Range, ...]
    overrange: float = 1.05
    overload: float = 1.055

    @classmethod
    def of(
        cls, *rows: tuple[float, float, float, float], overrange: float = 1.05, overload: float = 1.055
    ) -> "Scale":
        """From rows of (span, resolution, gain, offset)."""
        return cls(tuple(Range(*row) for row in rows), overrange, overload)

    @property
    def largest(self) -> float:
        """The largest value that any range holds."""
        return self.overrange * self.ranges[-1].span

    def holding(self, value: float) -> Range:
        """The smallest range that a value fits in, the overrange included; the largest if none does."""
        reach = abs(value) * (1.0 - 1e-9)
        return next((item for item in self.ranges if item.span * self.overrange >= reach), self.ranges[-1])

    def nominal(self, value: float) -> Range:
        """The smallest range whose full scale is no less than a value, as a range is asked for."""
        reach = abs(value) * (1.0 - 1e-9)
        return next((item for item in self.ranges if item.span >= reach), self.holding(value))


@dataclass(frozen=True)
class Integration:
    """How a meter's noise falls with its integration, as a fraction of the range at each NPLC.

    Interpolated in logarithms; beyond the table it falls with the square root of the time.
    """

    cycles: Sequence[float]
    noise: Sequence[float]

    def relative_noise(self, cycles: float) -> float:
        """Standard deviation, of the range."""
        within = float(np.exp(np.interp(math.log(cycles), np.log(self.cycles), np.log(self.noise))))
        return within / math.sqrt(max(cycles / self.cycles[-1], 1.0))


class Converter:
    """The converter of one specimen: its gain and offset errors on every range lie within the data sheet's."""

    def __init__(self, scale: Scale, rng: np.random.Generator, noise: float = 1.0) -> None:
        self.scale, self._rng, self._noise = scale, rng, noise
        spread = np.clip(rng.normal(size=(len(scale.ranges), 2)) / _BOUND, -1.0, 1.0)
        self._errors = {
            item.span: (item.gain * gain, item.offset * offset)
            for item, (gain, offset) in zip(scale.ranges, spread.tolist(), strict=True)
        }

    def generated(self, value: float, span: Range) -> float:
        """What the converter of a source makes of a value that it is set to."""
        gain, offset = self._errors[span.span]
        return round(value / span.resolution) * span.resolution * (1.0 + gain) + offset

    def read(self, value: float, span: Range, relative_noise: float) -> float:
        """A reading, rounded to the resolution; +-infinity beyond the range."""
        gain, offset = self._errors[span.span]
        noise = self._noise * relative_noise * span.span * float(self._rng.normal())
        raw = value * (1.0 + gain) + offset + noise
        if abs(raw) > self.scale.overload * span.span:
            return math.copysign(math.inf, raw)
        return round(raw / span.resolution) * span.resolution
