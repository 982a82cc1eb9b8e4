"""The curve of one amplitude modulator: light against voltage."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from calibration.device import Array

_UNEVEN = 0.05  # of the peak, root mean square, above which a curve is not that of such a modulator
_CLOSED_WITHIN = 1.0  # in half-wave voltages


@dataclass(frozen=True)
class ModulatorCurve:
    """power = peak_W (floor + sin(π (V - closed) / (2 half wave)))² + under_W: see `Modulators`.

    Attributes:
        under_W: light that does not depend on this modulator.
        residual: root mean square of what the fit leaves, over the highest power.
        ok: whether the curve is of this kind at all.
    """

    closed_V: float
    half_wave_V: float
    floor: float
    peak_W: float
    under_W: float
    residual: float
    ok: bool


def fit_modulator(volts: Array, light_W: Array, closed_V: float, half_wave_V: float) -> ModulatorCurve:
    """Fit light (T,) at voltages (T,), from what the modulator was designed to be."""
    top, least = float(np.max(light_W)), float(np.min(light_W))

    def model(unknown: Array) -> Array:
        height, closed, stretch, floor, under = unknown
        field = floor + np.sin(np.pi / 2.0 * (volts - closed) / (half_wave_V * stretch))
        return np.asarray(height * field**2 + under)

    begun = [1.0 - least / top, closed_V, 1.0, 0.0, max(least / top, 0.0)]
    found = least_squares(
        lambda unknown: model(unknown) - light_W / top, begun, x_scale=[1.0, 0.1, 0.1, 0.02, 0.01]
    )
    height, closed, stretch, floor, under = (float(value) for value in found.x)
    residual = float(np.sqrt(np.mean(found.fun**2)))
    near = abs(closed - closed_V) < _CLOSED_WITHIN * half_wave_V
    ok = residual < _UNEVEN and height > 0.0 and 0.5 < stretch < 2.0 and near
    return ModulatorCurve(
        closed, half_wave_V * stretch, floor, height * top, under * top, residual, bool(found.success and ok)
    )
