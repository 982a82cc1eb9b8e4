"""The photodiode heads and the meter's current input behind them.

Ranges, resolution and bandwidth of the photodiode input, averaging: Thorlabs PM100D operation manual,
technical data. Wavelength ranges, power ranges and calibration uncertainties: Thorlabs, fibre and standard
photodiode sensors S150C, S154C and S155C. The curves are those of typical silicon and InGaAs photodiodes,
scaled to each head.
"""

import math
from dataclasses import dataclass

import numpy as np

from simulators.instruments.path import Array
from simulators.instruments.terminals import Light

RANGES_A = (50e-9, 500e-9, 5e-6, 50e-6, 500e-6, 5e-3)
SAMPLE_S = 3e-3
"""One sample of the averaging."""
_OVERRANGE = 1.05
_NOISE, _QUIET = 1e-4, 3e-5
"""Standard deviation of a sample, of the range: high bandwidth, and low (15 Hz)."""
_STEP = 1e-5
"""Of the range: the smallest step of a reading."""
_LOW_PASS_S = 1.0 / (2.0 * math.pi * 15.0)
_DARK_A = 20e-12
"""Typical dark current of a diode and offset of the input, before zeroing."""

_SILICON = (
    (350e-9, 0.09), (400e-9, 0.18), (500e-9, 0.31), (600e-9, 0.42), (700e-9, 0.50), (800e-9, 0.57),
    (900e-9, 0.62), (970e-9, 0.64), (1000e-9, 0.60), (1050e-9, 0.42), (1100e-9, 0.20),
)  # fmt: skip
_INGAAS = (
    (800e-9, 0.14), (900e-9, 0.42), (1000e-9, 0.68), (1100e-9, 0.76), (1200e-9, 0.84), (1300e-9, 0.90),
    (1400e-9, 0.96), (1500e-9, 1.01), (1550e-9, 1.03), (1600e-9, 1.04), (1650e-9, 0.92), (1700e-9, 0.45),
)  # fmt: skip


@dataclass(frozen=True)
class Head:
    """A kind of sensor head.

    Attributes:
        scale: of its diode's curve in A/W, for what is lost in front of the diode.
        most_W: the highest power it is made for.
        uncertainty: of its calibration, two standard deviations, as a fraction.
        default_m: wavelength after *RST.
    """

    curve: tuple[tuple[float, float], ...]
    scale: float
    most_W: float
    uncertainty: float
    default_m: float

    @property
    def shortest_m(self) -> float:
        """Where the calibration begins."""
        return self.curve[0][0]

    @property
    def longest_m(self) -> float:
        """Where the calibration ends."""
        return self.curve[-1][0]

    def responsivity(self, wavelength_m: float) -> float:
        """In A/W, as on the calibration sheet; next to nothing outside the diode's range."""
        where, amperes_per_watt = zip(*self.curve, strict=True)
        if not where[0] <= wavelength_m <= where[-1]:
            return 1e-6 * self.scale
        return self.scale * float(np.interp(wavelength_m, where, amperes_per_watt))


HEADS = {
    "S150C": Head(_SILICON, 0.8, 5e-3, 0.03, 635e-9),
    "S154C": Head(_INGAAS, 0.8, 3e-3, 0.05, 1310e-9),
    "S155C": Head(_INGAAS, 0.2, 20e-3, 0.05, 1310e-9),
}


class Photodiode:
    """One head on one meter: what it makes of light. `gain_error` is that of its calibration."""

    def __init__(self, head: Head, rng: np.random.Generator, noise: float) -> None:
        self.head, self._rng, self._noise = head, rng, noise
        self.gain_error = 0.5 * head.uncertainty * float(rng.normal())
        self._dark_A = _DARK_A * float(1.0 + rng.normal())

    def mean_current(self, light: Light, start_s: float, stop_s: float, low_bandwidth: bool) -> float:
        """The diode's mean current in A; in low bandwidth the window reaches back by the filter's time."""
        start_s = max(start_s - _LOW_PASS_S, 0.0) if low_bandwidth else start_s
        window: tuple[Array, Array] = np.array([start_s]), np.array([max(stop_s, start_s + 1e-9)])
        watts = float(light.means(*window)[0])
        if watts == 0.0:
            return self._dark_A
        responsivity = self.head.responsivity(light.wavelength_m(0.5 * (start_s + stop_s)))
        return watts * responsivity * (1.0 + self.gain_error) + self._dark_A

    def digitise(self, current_A: float, span_A: float, samples: int, low_bandwidth: bool) -> float:
        """A reading in A on a range, with its noise; infinity beyond the range."""
        sigma = self._noise * (_QUIET if low_bandwidth else _NOISE) * span_A / math.sqrt(samples)
        raw = current_A + sigma * float(self._rng.normal())
        if abs(raw) > _OVERRANGE * span_A:
            return math.copysign(math.inf, raw)
        step = _STEP * span_A
        return round(raw / step) * step


def range_for(current_A: float) -> float:
    """The smallest range that holds a current, or the largest there is."""
    return next((span for span in RANGES_A if span >= current_A * (1.0 - 1e-9)), RANGES_A[-1])
