"""A laser as far as the light on a chip shows it: power, wavelength, relative intensity noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.errors import ModelError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Laser:
    """One laser; its noise is common to all that it lights.

    Attributes:
        power_W: mean power.
        wavelength_m: in vacuum.
        rin_dB_per_Hz: one-sided density of the relative intensity noise; -inf for none.
    """

    power_W: float = 1e-3
    wavelength_m: float = 1.55e-6
    rin_dB_per_Hz: float = -145.0

    def __post_init__(self) -> None:
        if not (self.power_W >= 0.0 and np.isfinite(self.power_W)):
            raise ModelError(f"laser: power_W = {self.power_W} should be a number, not negative")
        if not (self.wavelength_m > 0.0 and np.isfinite(self.wavelength_m)):
            raise ModelError(f"laser: wavelength_m = {self.wavelength_m} should be positive")
        if not self.rin_dB_per_Hz < 0.0:
            raise ModelError(f"laser: rin_dB_per_Hz = {self.rin_dB_per_Hz} should be negative, such as -145")

    def relative_deviation(self, bandwidth_Hz: float) -> float:
        """Standard deviation of the power in a bandwidth, as a share of the power: √(10^(RIN/10) B)."""
        return float(np.sqrt(10.0 ** (self.rin_dB_per_Hz / 10.0) * bandwidth_Hz))

    def powers(self, samples: int, bandwidth_Hz: float, rng: np.random.Generator) -> Array:
        """Power (samples,) in W at instants further apart than the bandwidth's inverse, never below zero."""
        swing = self.relative_deviation(bandwidth_Hz) * rng.standard_normal(samples)
        return self.power_W * np.maximum(1.0 + swing, 0.0)
