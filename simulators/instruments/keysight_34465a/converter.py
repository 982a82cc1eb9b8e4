"""The meter's converter: ranges, resolution, noise, quantisation and overload.

Ranges, integration times and resolutions: Keysight Truevolt Series, Operating and Service Guide, tables of
range, resolution and NPLC of the 34465A with the DIG option.
"""

from dataclasses import dataclass

import numpy as np

from simulators.instruments.path import Array

LINE_HZ = 50.0
OVERLOAD = 9.9e37
NOT_A_NUMBER = 9.91e37
"""In blocks as in text, SCPI writes these two for infinity and for no number at all (SCPI-99, 7.2.1.5)."""
NPLC = (0.001, 0.002, 0.006, 0.02, 0.06, 0.2, 1.0, 10.0, 100.0)
RESOLUTION = (30e-6, 15e-6, 6e-6, 3e-6, 1.5e-6, 0.7e-6, 0.3e-6, 0.1e-6, 0.03e-6)
"""Of the range, at each NPLC; also the standard deviation of the noise."""
_STEPS_PER_RESOLUTION = 4.0
_OVERRANGE = 1.2

RANGES: dict[str, tuple[float, ...]] = {
    "VOLT": (0.1, 1.0, 10.0, 100.0, 1000.0),
    "VOLT:AC": (0.1, 1.0, 10.0, 100.0, 750.0),
    "CURR": (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 3.0, 10.0),
    "CURR:AC": (1e-4, 1e-3, 1e-2, 0.1, 1.0, 3.0, 10.0),
    "RES": (100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9),
    "FRES": (100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9),
}


def relative_resolution(aperture_s: float) -> float:
    """Resolution, of the range, at an aperture: the table's, interpolated in logarithms."""
    cycles = aperture_s * LINE_HZ
    return float(np.exp(np.interp(np.log(cycles), np.log(NPLC), np.log(RESOLUTION))))


@dataclass(frozen=True)
class Converter:
    """Turns mean voltages into readings; `gain_error` and `offset_error` (of the range) are this meter's.

    `noise` scales the noise of the data sheet.
    """

    gain_error: float
    offset_error: float
    rng: np.random.Generator
    noise: float = 1.0

    def read(self, volts: Array, aperture_s: float, span_V: float, automatic: bool) -> Array:
        """Readings in V; beyond 120 % of the range they are +-9.9E37.

        With autorange each reading is taken on the smallest range that holds it.
        """
        spans = self._spans(volts) if automatic else np.full_like(volts, span_V)
        resolution = relative_resolution(aperture_s) * spans
        raw = volts * (1.0 + self.gain_error) + self.offset_error * spans
        raw = raw + self.noise * resolution * self.rng.normal(size=len(volts))
        step = resolution / _STEPS_PER_RESOLUTION
        readings = np.round(raw / step) * step
        over = np.abs(raw) > np.where(spans >= 1000.0, 1.05, _OVERRANGE) * spans
        return np.where(over, np.copysign(OVERLOAD, raw), readings)

    @staticmethod
    def _spans(volts: Array) -> Array:
        ranges = np.array(RANGES["VOLT"])
        row = np.searchsorted(_OVERRANGE * ranges, np.abs(volts))
        return ranges[np.minimum(row, len(ranges) - 1)]


def range_for(function: str, value: float) -> float:
    """The smallest range that a value fits in, or the largest there is."""
    return next((span for span in RANGES[function] if span >= value * (1.0 - 1e-9)), RANGES[function][-1])
