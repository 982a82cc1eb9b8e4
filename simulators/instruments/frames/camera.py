"""A camera: photons to electrons to counts, with shot noise, read noise, dark current, saturation and bits.

It speaks no bytes: see `simulators.frames`. Counts are those of the EMVA 1288 model: electrons are Poisson's around
quantum efficiency times photons plus dark current times exposure, read noise is added, and what a bias and the
conversion make of them is rounded and clipped to the converter's range. The figures are of the order of data sheets',
not quoted from them.
"""

import math
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.clock import VirtualClock
from simulators.instruments.path import Array
from simulators.instruments.terminals import Terminals
from simulators.quantity import parse

_JOULE_METRE = 6.62607015e-34 * 299792458.0
_SHORTEST_s, _LONGEST_s = 10e-6, 10.0


class View(Protocol):
    """What a camera sees."""

    def seen_W(self, start_s: float, stop_s: float) -> Array:
        """Mean power on each pixel in W, (rows, columns), between two instants."""

    def wavelength_m(self, instant: float) -> float:
        """Vacuum wavelength in m."""


class Camera:
    """The camera; in the dark until `look` says what it sees.

    Args:
        noise: how loud shot and read noise are beside what they should be: 0 for a camera without.
        rows, columns, bits: its pixels and its converter.
        frame_rate: the fastest, with its unit.
        quantum_efficiency: electrons per photon.
        electrons_per_count, full_well: conversion, and how many electrons a pixel holds.
        read_noise: standard deviation in electrons.
        dark_current: in electrons a second.
        bias: counts without any electron.

    Raises:
        ValueError: an option that is no such thing.
    """

    title: ClassVar[str] = "Camera: counts with shot and read noise, 12 bits and other, for frames"

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
        *,
        rows: int = 1024,
        columns: int = 1280,
        bits: int = 12,
        frame_rate: str = "100 Hz",
        quantum_efficiency: float = 0.6,
        electrons_per_count: float = 2.5,
        full_well: float = 10500.0,
        read_noise: float = 3.0,
        dark_current: float = 5.0,
        bias: float = 20.0,
    ) -> None:
        for name, whole, most in (("rows", rows, 65536), ("columns", columns, 65536), ("bits", bits, 16)):
            if not isinstance(whole, int) or not 1 <= whole <= most:
                raise ValueError(f"{name} is {whole!r}; it is a whole number from 1 to {most}")
        for name, value in (("quantum_efficiency", quantum_efficiency), ("electrons_per_count", electrons_per_count),
                            ("full_well", full_well)):  # fmt: skip
            if not 0.0 < value < math.inf:
                raise ValueError(f"{name} is {value!r}; it is positive")
        for name, value in (("read_noise", read_noise), ("dark_current", dark_current), ("bias", bias)):
            if not 0.0 <= value < math.inf:
                raise ValueError(f"{name} is {value!r}; it is not negative")
        rate_Hz = parse(frame_rate, "Hz")
        if not 0.0 < rate_Hz < math.inf:
            raise ValueError(f"frame_rate is {frame_rate!r}; it is positive")
        self.frame_s = (1.0 + clock_error) / rate_Hz
        self.clock, self.serial, self._rng, self._noise = clock, serial, rng, noise
        self.shape, self.bits = (rows, columns), bits
        self.exposure_range_s = _SHORTEST_s, _LONGEST_s
        self.exposure_s = 1e-3
        self._efficiency, self._conversion, self._full_well = (
            quantum_efficiency,
            electrons_per_count,
            full_well,
        )
        self._read_noise, self._dark_current, self._bias = read_noise, dark_current, bias
        self._view: View | None = None
        self.terminals = Terminals()

    def look(self, view: View) -> None:
        """See this from now on."""
        self._view = view

    def expose(self) -> NDArray[np.uint16]:
        """Take one frame from now on, and let the time that it takes pass."""
        begin_s = self.clock.now
        self.clock.advance(max(self.exposure_s, self.frame_s))
        mean = np.full(self.shape, self._dark_current * self.exposure_s)
        if self._view is not None:
            end_s = begin_s + self.exposure_s
            power_W = self._view.seen_W(begin_s, end_s)
            photon_J = _JOULE_METRE / self._view.wavelength_m(end_s)
            mean = mean + self.exposure_s * self._efficiency / photon_J * power_W
        electrons = mean
        if self._noise > 0.0:
            shot = self._rng.poisson(mean) - mean
            electrons = mean + self._noise * (shot + self._read_noise * self._rng.standard_normal(self.shape))
        counts = self._bias + np.minimum(electrons, self._full_well) / self._conversion
        return np.clip(np.rint(counts), 0, 2**self.bits - 1).astype(np.uint16)
