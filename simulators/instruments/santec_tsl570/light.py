"""The laser's light: power and wavelength as functions of time, with their errors.

Tuning range, power, intensity noise and stabilities: santec TSL-570 data sheet (typical values). What it
does not give is a plain guess: how long tuning, the attenuator and warming up take.
"""

import math
from collections.abc import Callable

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Array, Mask, Path, staircase

SPEED_OF_LIGHT = 299_792_458.0
TUNING_M_PER_S = 100e-9
PEAK_W, EDGE_W = 20e-3, 10e-3
"""Most power, in the middle of the range and at its ends."""
_FLAT = 0.6
"""The middle part of the range that has the peak power."""
_SHORTEST_TUNE_S, _POWER_S, _SHUTTER_S = 20e-3, 20e-3, 5e-3
_WARM_UP_S = 300.0
_COLD_POWER, _COLD_M = -0.02, 5e-12
"""What a cold laser is off by, in power and wavelength."""
_POWER_ERROR, _RIPPLE, _RIPPLE_M = 0.02, 0.02, 12e-9
"""Standard deviation of the calibration; depth and period of the ripple over wavelength."""
_DRIFT, _DRIFT_PERIODS_S = 0.002, (611.0, 1709.0, 5003.0)
_WAVELENGTH_ERROR_M, _WAVELENGTH_DRIFT_M = 2e-12, 1e-12
_RIN_PER_HZ = 10.0**-14.5
_FINE_M = 1e-13
"""Shift by one unit of fine tuning."""
_CURVE = np.array([0.0, 0.15, 0.35, 0.6, 0.9, 1.3, 1.8, 2.5, 3.5, 5.0, 7.0])
"""Corners, in time constants, by which warming up and cooling down are followed."""
_MEMORY_S = 5.0


class LaserLight:
    """A `Light`. `shortest_m` and `longest_m` are the ends of the tuning range; nothing after `held_since_s`
    is forgotten.

    Slow drifts are the same for whoever looks; the intensity noise is drawn anew by every detector.
    """

    def __init__(
        self,
        clock: VirtualClock,
        rng: np.random.Generator,
        noise: float,
        shortest_m: float,
        longest_m: float,
        wavelength_m: float,
    ) -> None:
        self._clock, self._rng, self._noise = clock, rng, noise
        self.shortest_m, self.longest_m = shortest_m, longest_m
        self.tuning = Path(wavelength_m)
        self.fine, self.offset_m = 0.0, 0.0
        self.held_since_s = np.inf
        self.needs_since: Callable[[], float] = lambda: clock.now
        self._level_W, self._gate, self._warmth = Path(1e-3), Path(0.0), Path(0.0)
        self._power_error = _POWER_ERROR * float(rng.normal())
        self._wavelength_error_m = _WAVELENGTH_ERROR_M * float(rng.normal())
        self._monitor_error = 0.5 * _POWER_ERROR * float(rng.normal())
        self._ripple_phase = float(rng.uniform(0.0, 2.0 * np.pi))
        self._drift_phases = rng.uniform(0.0, 2.0 * np.pi, size=(2, len(_DRIFT_PERIODS_S)))

    # What the instrument does -----------------------------------------------------------------------------

    def tune(self, wavelength_m: float) -> float:
        """Go to a wavelength; gives when it will be there."""
        now = self._clock.now
        value = self.tuning.cut(now)
        corners = staircase(now, value, np.array([wavelength_m]), 1e3, TUNING_M_PER_S, _SHORTEST_TUNE_S)
        self.follow(*corners)
        return self.tuning.end_s

    def follow(self, times_s: Array, wavelengths_m: Array, opens: Mask) -> None:
        """Plan further corners of the wavelength."""
        self._forget()
        self.tuning.extend(times_s, wavelengths_m, opens)

    def set_level(self, watts: float) -> None:
        """The power that is asked for behind the open shutter, at an attenuation of one."""
        self._move(self._level_W, watts, _POWER_S)

    def set_gate(self, transmission: float) -> None:
        """What shutter and attenuator let through."""
        self._move(self._gate, transmission, _SHUTTER_S)

    def warm(self, on: bool) -> None:
        """The diode begins to warm up or to cool down."""
        now, target = self._clock.now, float(on)
        value = self._warmth.cut(now)
        decay = np.append(np.exp(-_CURVE), 0.0)
        times_s = now + _WARM_UP_S * np.append(_CURVE, 10.0)
        self._warmth.extend(times_s, target + (value - target) * decay, np.zeros(len(decay), dtype=bool))

    def _move(self, path: Path, value: float, seconds: float) -> None:
        self._forget()
        now = self._clock.now
        ends = np.array([path.cut(now), value])
        path.extend(np.array([now, now + seconds]), ends, np.array([True, False]))

    def _forget(self) -> None:
        """Give up history that no reading needs."""
        before_s = min(self._clock.now, self.held_since_s, self.needs_since()) - _MEMORY_S
        for path in (self.tuning, self._level_W, self._gate, self._warmth):
            path.prune(before_s)

    @property
    def settled_s(self) -> float:
        """When wavelength and power are where they were sent."""
        return max(self.tuning.end_s, self._level_W.end_s, self._gate.end_s)

    def available_W(self, wavelengths_m: Array) -> Array:
        """The most power at each wavelength."""
        middle_m = 0.5 * (self.shortest_m + self.longest_m)
        half_m = 0.5 * (self.longest_m - self.shortest_m)
        out = np.abs(wavelengths_m - middle_m) / half_m
        return PEAK_W - (PEAK_W - EDGE_W) * np.clip((out - _FLAT) / (1.0 - _FLAT), 0.0, 1.0)

    # What comes out ---------------------------------------------------------------------------------------

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """See `Light.means`."""
        drawn = np.sqrt(_RIN_PER_HZ / (2.0 * (stops_s - starts_s))) * self._rng.normal(size=len(starts_s))
        return self._steady(starts_s, stops_s) * (1.0 + self._noise * drawn)

    def wavelength_m(self, instant: float) -> float:
        """See `Light.wavelength_m`."""
        cold = 1.0 - self._warmth.at(instant)
        slow = _WAVELENGTH_DRIFT_M * float(self._drift(np.array([instant]), 1)[0])
        shift_m = _FINE_M * self.fine + self.offset_m
        return self.tuning.at(instant) + shift_m + self._wavelength_error_m + slow + _COLD_M * cold

    def monitored(self, starts_s: Array, stops_s: Array) -> Array:
        """What the built-in monitor makes of the mean power in W over each window."""
        return self._steady(starts_s, stops_s) * (1.0 + self._monitor_error)

    def _steady(self, starts_s: Array, stops_s: Array) -> Array:
        """Mean power over each window but for the intensity noise."""
        ends = float(starts_s[0]), float(stops_s[-1])
        middles_s = 0.5 * (starts_s + stops_s)
        wavelengths_m = self.tuning.along(middles_s)
        watts = np.minimum(self._level_W.along(middles_s), self.available_W(wavelengths_m))
        watts = watts * self._gate.knots(*ends).means(starts_s, stops_s)
        ripple = _RIPPLE * np.sin(2.0 * np.pi * wavelengths_m / _RIPPLE_M + self._ripple_phase)
        cold = _COLD_POWER * (1.0 - self._warmth.along(middles_s))
        return watts * (1.0 + self._power_error + ripple + cold + _DRIFT * self._drift(middles_s, 0))

    def _drift(self, instants_s: Array, which: int) -> Array:
        turns = 2.0 * np.pi * instants_s[:, None] / np.array(_DRIFT_PERIODS_S)
        return np.sin(turns + self._drift_phases[which]).mean(axis=1)


def dbm(watts: float) -> float:
    """Power in dBm; -infinity for none."""
    return 10.0 * math.log10(watts / 1e-3) if watts > 0.0 else -math.inf
