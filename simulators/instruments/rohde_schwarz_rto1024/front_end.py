"""One input of the oscilloscope: from the voltage at its socket to the codes of its converter."""

import numpy as np

from simulators.instruments.path import Array
from simulators.instruments.rohde_schwarz_rto1024.settings import (
    BANDWIDTH_HZ,
    LIMITS_HZ,
    OHM,
    ChannelSettings,
)
from simulators.instruments.terminals import Ground, Signal

LEVELS = 253
"""Steps of the 8-bit converter on the screen."""
WORD = 256
"""A step of the converter, in 16-bit codes."""
BITS, FINE_BITS = 8, 16
_LAST = 127
_TAPS = ((-0.5, 0.25), (0.0, 0.5), (0.5, 0.25))
_WIDTH = 0.2845
"""Of 1/bandwidth: with this window, thrice at the taps, the response is down by 3 dB at the bandwidth."""
_AC_S = 0.1
_GAIN_ERROR, _OFFSET_ERROR = 4e-3, 1e-3
_NOISE, _NOISE_V = 2e-3, 150e-6
"""At the full bandwidth, of the range and in V."""


class FrontEnd:
    """An input; an `Ohmic` load: 50 ohm or 1 Mohm to ground.

    The bandwidth is that of a short weighted mean around each sample, close to a Gaussian's. AC coupling takes
    away the mean of the tenth of a second before. A probe's factor multiplies what is shown, as no probe stands
    in the wires.
    """

    def __init__(self, settings: ChannelSettings, rng: np.random.Generator, noise: float) -> None:
        self.settings = settings
        self.signal: Signal = Ground()
        self._rng, self._noise = rng, noise
        self._gain = 1.0 + _GAIN_ERROR * float(rng.normal())
        self._offset = _OFFSET_ERROR * float(rng.normal())

    def connect(self, signal: Signal) -> None:
        """Plug a cable in."""
        self.signal = signal

    @property
    def ohm(self) -> float:
        """The resistance to ground."""
        return OHM[self.settings.coupling]

    def drawn_A(self, volts: float, instant: float) -> float:
        """See `Load.drawn_A`."""
        return volts / self.ohm

    def bandwidth_Hz(self, limit_Hz: float) -> float:
        """The bandwidth of this input, when all are limited to `limit_Hz`."""
        return min(limit_Hz, LIMITS_HZ[self.settings.bandwidth])

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """Mean in shown V over windows: no bandwidth but theirs, no noise."""
        settings = self.settings
        if settings.grounded:
            return np.full_like(starts_s, self._offset * settings.range_V)
        begins_s = np.maximum(starts_s, 0.0)
        volts = self.signal.means(begins_s, begins_s + (stops_s - starts_s))
        if settings.coupling == "AC":
            end_s = max(float(begins_s[-1]), _AC_S)
            volts = volts - self.signal.means(np.array([end_s - _AC_S]), np.array([end_s]))
        gain = (-1.0 if settings.inverted else 1.0) * settings.probe * self._gain
        return gain * volts + self._offset * settings.range_V

    def at(self, times_s: Array, limit_Hz: float) -> Array:
        """Shown V at instants, as the bandwidth lets them through, without noise."""
        width_s = _WIDTH / self.bandwidth_Hz(limit_Hz)
        each = [
            weight * self.means(times_s + (shift - 0.5) * width_s, times_s + (shift + 0.5) * width_s)
            for shift, weight in _TAPS
        ]
        return np.sum(each, axis=0)

    def codes(self, volts: Array, limit_Hz: float, bits: int = BITS) -> Array:
        """What the converter makes of shown volts: 16-bit codes of which the first `bits` mean something.

        Zero is the middle of the screen; what is beyond the converter's range stays at its end.
        """
        settings = self.settings
        spread_V = self._noise * np.hypot(_NOISE * settings.range_V, _NOISE_V * settings.probe)
        spread_V *= np.sqrt(self.bandwidth_Hz(limit_Hz) / BANDWIDTH_HZ)
        seen = volts + spread_V * self._rng.normal(size=len(volts))
        finer = 1 << (bits - BITS)
        steps = np.round((seen - settings.middle_V) / settings.range_V * LEVELS * finer) / finer
        return np.clip(steps, -_LAST, _LAST) * WORD
