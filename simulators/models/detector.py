"""Photodetectors: optical power to current, with the noise of light and of the amplifier, and a converter behind."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import Boltzmann, elementary_charge

from simulators.errors import ModelError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Converter:
    """An analogue-to-digital converter from zero current to a full scale, rounding and saturating.

    Attributes:
        full_scale_A: what its highest code stands for.
        bits: of resolution.
    """

    full_scale_A: float
    bits: int = 16

    def __post_init__(self) -> None:
        if not (self.full_scale_A > 0.0 and np.isfinite(self.full_scale_A)):
            raise ModelError(f"converter: full_scale_A = {self.full_scale_A} should be positive")
        if not 1 <= self.bits <= 32:
            raise ModelError(f"converter: {self.bits} bits; there are converters of 1 to 32")

    @property
    def step_A(self) -> float:
        """One step (LSB)."""
        return self.full_scale_A / (2**self.bits - 1)

    def converted(self, currents_A: ArrayLike) -> Array:
        """Currents of any shape as the converter gives them."""
        held = np.clip(np.asarray(currents_A, dtype=np.float64), 0.0, self.full_scale_A)
        return np.rint(held / self.step_A) * self.step_A

    def saturated(self, currents_A: ArrayLike) -> NDArray[np.bool_]:
        """Where currents are beyond the full scale, or below zero."""
        currents = np.asarray(currents_A)
        return (currents > self.full_scale_A) | (currents < 0.0)


@dataclass(frozen=True)
class Detector:
    """A photodiode and its amplifier; all figures are referred to the photocurrent.

    Attributes:
        responsivity_A_per_W: current of the light.
        dark_A: current without light.
        bandwidth_Hz: noise bandwidth B.
        load_ohm: resistance whose thermal noise, 4 k T B / R, is read with the current; None where an amplifier's
            `amplifier_A_per_rtHz` says it all.
        temperature_K: of the load.
        amplifier_A_per_rtHz: input-referred noise density of the amplifier.
        converter: behind it; None for readings as they are.
    """

    responsivity_A_per_W: float = 0.9
    dark_A: float = 1e-9
    bandwidth_Hz: float = 1e6
    load_ohm: float | None = None
    temperature_K: float = 300.0
    amplifier_A_per_rtHz: float = 0.0
    converter: Converter | None = None

    def __post_init__(self) -> None:
        for name in ("responsivity_A_per_W", "bandwidth_Hz", "temperature_K"):
            if not (getattr(self, name) > 0.0 and np.isfinite(getattr(self, name))):
                raise ModelError(f"detector: {name} = {getattr(self, name)} should be positive")
        for name in ("dark_A", "amplifier_A_per_rtHz"):
            if not (getattr(self, name) >= 0.0 and np.isfinite(getattr(self, name))):
                raise ModelError(f"detector: {name} = {getattr(self, name)} should be a number, not negative")
        if self.load_ohm is not None and not self.load_ohm > 0.0:
            raise ModelError(f"detector: load_ohm = {self.load_ohm} should be positive, or None for none")

    def current(self, powers_W: ArrayLike) -> Array:
        """Mean currents in A for powers of any shape."""
        return self.responsivity_A_per_W * np.asarray(powers_W, dtype=np.float64) + self.dark_A

    def variance(self, powers_W: ArrayLike, rin_dB_per_Hz: float = -np.inf) -> Array:
        """Variance of the current in A², the converter's left out.

        Shot noise 2 q (i + i_dark) B, thermal noise 4 k T B / R, the amplifier's i_n² B, and of light that carries
        a laser's relative intensity noise 10^(RIN/10) i² B.
        """
        light = self.responsivity_A_per_W * np.asarray(powers_W, dtype=np.float64)
        density = 2.0 * elementary_charge * (light + self.dark_A) + self.amplifier_A_per_rtHz**2
        if self.load_ohm is not None:
            density = density + 4.0 * Boltzmann * self.temperature_K / self.load_ohm
        return (density + 10.0 ** (rin_dB_per_Hz / 10.0) * light**2) * self.bandwidth_Hz

    def read(self, powers_W: ArrayLike, rng: np.random.Generator) -> Array:
        """Currents in A as they are read, for powers of any shape at instants that are further apart than 1 / B.

        The laser's noise has to be in the powers already (`Laser.powers`): it is common to all detectors.
        """
        mean = self.current(powers_W)
        read = mean + np.sqrt(self.variance(powers_W)) * rng.standard_normal(mean.shape)
        return read if self.converter is None else self.converter.converted(read)

    def bits(self, powers_W: ArrayLike, rin_dB_per_Hz: float = -np.inf) -> Array:
        """How many bits the noise leaves: log₂ of the light's current over its deviation, the converter's included.

        A power of zero has none (-inf).
        """
        variance = self.variance(powers_W, rin_dB_per_Hz)
        if self.converter is not None:
            variance = variance + self.converter.step_A**2 / 12.0
        light = self.responsivity_A_per_W * np.asarray(powers_W, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(light > 0.0, np.log2(light / np.sqrt(variance)), -np.inf)
