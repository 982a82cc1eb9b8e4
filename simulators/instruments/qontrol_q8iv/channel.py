"""One output of a Q8iv: a voltage or a current driven into whatever hangs on it, both measured."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.loads import Loads
from simulators.instruments.path import Knots, Path

VFULL, IFULL = 12.0, 24e-3
"""Full scale in V and A (qontrol 1.1.20, properties of the Q8iv)."""
OVER_VOLTAGE, OVER_CURRENT = 1, 2
_STEPS = 2**16 - 1
_GAIN_ERROR = 1e-3
_NOISE = 2e-5
"""Standard deviation of a reading, of full scale."""
_SLEW_V_PER_S, _SHORTEST_S = 1.2e5, 10e-6
_TRIP_S = 1e-3
"""How long a limit must be passed before the protection switches the output off."""
_MEMORY_S = 5.0
_CLOSE = 1e-9


@dataclass(frozen=True)
class Errors:
    """How far this channel's converters are off, as fractions of what they should give."""

    set_V: float
    set_A: float
    read_V: float
    read_A: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Errors":
        """Typical ones."""
        return cls(*(_GAIN_ERROR * rng.normal(size=4)).tolist())


class OutputChannel:
    """A source from 0 V to 12 V and 24 mA; a `VoltageSource`.

    In voltage mode the voltage is held until full-scale current flows; in current mode it is whatever the
    load needs, up to full scale. Above `limit_V` or `limit_A` for a millisecond the output goes to 0 V and
    `trips` is told the number of the error; set points equal to the limits are allowed.
    """

    noise_V = 0.0

    def __init__(
        self,
        clock: VirtualClock,
        rng: np.random.Generator,
        errors: Errors,
        noise: float,
        trips: Callable[[int], None],
    ) -> None:
        self._clock, self._rng, self._errors, self._noise, self._trips = clock, rng, errors, noise, trips
        self.loads = Loads()
        self.limit_V, self.limit_A = VFULL, IFULL
        self.keep_from: Callable[[], float] = lambda: clock.now
        self._path = Path()
        self._by_current = False
        self._wanted = 0.0
        self._watched = False

    def keep_for(self, needs_since: Callable[[], float]) -> None:
        """Ask `needs_since` for the oldest instant that must be remembered."""
        self.keep_from = needs_since

    # Driving ----------------------------------------------------------------------------------------------

    def set_voltage(self, volts: float) -> None:
        """Hold a voltage, quantised to 16 bits."""
        self._by_current, self._wanted = False, quantised(volts, VFULL) * (1.0 + self._errors.set_V)
        self.follow()

    def set_current(self, amperes: float) -> None:
        """Hold a current, quantised to 16 bits."""
        self._by_current, self._wanted = True, quantised(amperes, IFULL) * (1.0 + self._errors.set_A)
        self.follow()

    def limit_voltage(self, volts: float) -> None:
        """Set the voltage above which the output is switched off."""
        self.limit_V = quantised(volts, VFULL)
        self.follow()

    def limit_current(self, amperes: float) -> None:
        """Set the current above which the output is switched off."""
        self.limit_A = quantised(amperes, IFULL)
        self.follow()

    def follow(self) -> None:
        """Go where the load and the set point now ask the output to be, and watch the limits."""
        self._move(self._target_V())
        if not self._watched and self._beyond():
            self._watched = True
            self._clock.schedule(self._clock.now + _TRIP_S, self._check)

    def _target_V(self) -> float:
        now = self._clock.now
        if self._wanted <= 0.0:
            return 0.0
        if self._by_current:
            return self.loads.voltage_V(self._wanted, 0.0, VFULL, now)
        if self.loads.drawn_A(self._wanted, now) <= IFULL:
            return self._wanted
        return self.loads.voltage_V(IFULL, 0.0, self._wanted, now)

    def _beyond(self) -> int:
        """The error of a limit that the settled output passes; 0 for none."""
        now, volts = self._clock.now, self._path.final
        drawn_A = self.loads.drawn_A(volts, now)
        slack = 1.0 + 5.0 * _GAIN_ERROR
        if drawn_A > self.limit_A * slack + _CLOSE or (
            not self._by_current and volts < self._wanted - _CLOSE
        ):
            return OVER_CURRENT
        if volts > self.limit_V * slack + _CLOSE or (self._by_current and drawn_A < self._wanted - _CLOSE):
            return OVER_VOLTAGE
        return 0

    def _check(self) -> None:
        self._watched = False
        error = self._beyond()
        if error:
            self.set_voltage(0.0)
            self._trips(error)

    def _move(self, volts: float) -> None:
        if volts == self._path.final:
            return
        now = self._clock.now
        value = self._path.cut(now)
        move_s = max(abs(volts - value) / _SLEW_V_PER_S, _SHORTEST_S)
        self._path.extend(np.array([now, now + move_s]), np.array([value, volts]), np.array([True, False]))
        self._path.prune(min(now, self.keep_from()) - _MEMORY_S)

    # Measuring --------------------------------------------------------------------------------------------

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """See `VoltageSource.knots`."""
        return self._path.knots(start_s, stop_s)

    def resting_V(self, start_s: float, stop_s: float) -> float | None:
        """See `Resting.resting_V`."""
        return self._path.resting(start_s)

    def at(self, instant: float) -> float:
        """The voltage at an instant."""
        return self._path.at(instant)

    def read_voltage(self) -> float:
        """The voltage now, as the unit measures it."""
        self.follow()
        return self._reading(self.at(self._clock.now), VFULL, self._errors.read_V)

    def read_current(self) -> float:
        """The current now, as the unit measures it."""
        self.follow()
        now = self._clock.now
        return self._reading(self.loads.drawn_A(self.at(now), now), IFULL, self._errors.read_A)

    def _reading(self, value: float, full: float, error: float) -> float:
        noisy = value * (1.0 + error) + self._noise * _NOISE * full * self._rng.normal()
        return round(noisy / full * _STEPS) * full / _STEPS


def quantised(value: float, full: float) -> float:
    """The nearest of the 65536 values from 0 to full scale."""
    return round(value / full * _STEPS) * full / _STEPS
