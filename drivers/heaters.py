"""The one way to a chip's heaters: a supply behind the safety envelope, alone and together.

Every setting starts from what the supply reads back and is checked as a whole before a byte of it is sent.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from drivers.envelope import SafetyEnvelope
from drivers.errors import EnvelopeError, InstrumentError, ReadbackError, TripError
from drivers.mesh_layout import Heater
from drivers.response import Array
from drivers.roles import HeaterSource

Pause = Callable[[float], None]

_STEP_s = 0.02
"""Of a ramp."""
_ROUNDING_W = 1e-9
_log = logging.getLogger(__name__)


class Heaters:
    """Named heaters on a supply. `pause` is how a ramp waits between its steps."""

    def __init__(
        self, source: HeaterSource, heaters: Sequence[Heater], envelope: SafetyEnvelope, pause: Pause
    ) -> None:
        self.source, self.envelope, self.names = source, envelope, envelope.names
        self._heaters, self._pause = tuple(heaters), pause
        self._channels = [heater.channel for heater in heaters]
        self.ramped_s = 0.0
        """Seconds of ramps so far."""
        # Not a cache to start from: only ever compared with a read-back.
        self._sent: Array = np.full(len(self.names), np.nan)
        self._confined = False

    def confine(self) -> None:
        """Let the supply itself switch a heater off that passes its limits; nothing moves.

        Raises EnvelopeError for a limit beyond what the supply has, ShapeError for a channel that it lacks.
        """
        for heater in self._heaters:
            self.source.set_limit(heater.channel, volts=heater.high_V, amperes=heater.max_current_A)
        self._confined = True

    def check(self, points: Array) -> None:
        """Check settings of all heaters, shape (points, n) in V; raises ShapeError or EnvelopeError."""
        try:
            self.envelope.check_points(points)
        except EnvelopeError as error:
            for heater in self._heaters:
                if heater.name == error.channel and error.limit == heater.highest_V < heater.high_V:
                    why = f"{heater.max_current_A:g} A into {heater.resistance_ohm:g} ohm"
                    error.args = (f"{error} ({heater.highest_V:g} V is where it draws {why})",)
            raise

    def stand(self) -> Array:
        """Where every heater stands, shape (n,) in V, asked of the supply; see `SafetyEnvelope.standing`."""
        stands = self.envelope.standing(self._read_back(), self._sent, self.source.accuracy_V, "heaters")
        self._sent = np.where(np.isnan(self._sent), stands, self._sent)
        return stands

    def move(self, start: Array, stop: Array) -> None:
        """Bring the heaters from where they stand to `stop`, both (n,) in V, in steps within their slew.

        What falls goes first in every step, so that the joint power is within its limit all the way. Raises
        EnvelopeError with nothing sent, TripError with the heater's name, InstrumentError.
        """
        self.check(stop[None])
        if not self._confined:
            self.confine()
        ramp = self.envelope.ramp(start, stop, _STEP_s)
        for k, point in enumerate(ramp):
            if k:
                self._pause(_STEP_s)
                self.ramped_s += _STEP_s
            self._set(start, np.minimum(start, point))
            self._set(np.minimum(start, point), point)
            start = point

    def confirm(self) -> None:
        """Read back and compare with what was last sent; raises TripError or ReadbackError."""
        self.check_trips()
        found = self._read_back()
        wrong = np.flatnonzero(np.abs(found - self._sent) > self.source.accuracy_V)
        if len(wrong):
            says = ", ".join(
                f"{self.names[j]} at {found[j]:.4g} V, sent {self._sent[j]:.4g} V" for j in wrong
            )
            raise ReadbackError(
                f"{self.source.address}: heaters do not stand where they were put: {says}; "
                "check their wires and who else uses the supply"
            )

    def check_trips(self) -> None:
        """Raise TripError, with the heaters' names, for what the supply has switched off."""
        with self._naming():
            self.source.check_trips()

    def read_voltage(self, name: str) -> float:
        """One heater's voltage as measured now."""
        return float(self._read_back()[self.names.index(name)])

    def read_currents(self) -> Array:
        """What every heater draws now, shape (n,) in A."""
        return self.source.read_currents()[self._rows()]

    def safe_state(self) -> None:
        """Bring every heater to 0 V within its slew, then every channel of the supply, ramp or no ramp.

        Raises SafeStateError for channels that do not read 0 V in the end.
        """
        for _ in range(2):  # the first may only tell of a heater that has tripped
            try:
                found = self.envelope.clip(self._read_back())
                whole = SafetyEnvelope(self.envelope.channels)
                for point in whole.ramp(found, np.zeros(len(found)), _STEP_s)[:-1]:
                    self._set(found, point)
                    self._pause(_STEP_s)
                    self.ramped_s += _STEP_s
                    found = point
                break
            except InstrumentError as error:
                _log.warning("no ramp on the way to 0 V: %s", error)
        self._sent = np.full(len(self.names), np.nan)
        with self._naming():
            self.source.safe_state()
        self._sent = np.zeros(len(self.names))

    def _set(self, start: Array, stop: Array) -> None:
        """Send what differs."""
        rows = np.flatnonzero(stop != start)
        if len(rows):
            self._sent[rows] = np.nan
            with self._naming():
                self.source.set_voltages({self._channels[row]: float(stop[row]) for row in rows})
            self._sent[rows] = stop[rows]

    def _read_back(self) -> Array:
        return self.source.read_voltages()[self._rows()]

    def _rows(self) -> list[int]:
        return [self.source.heaters.index(channel) for channel in self._channels]

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Say which heaters have tripped."""
        try:
            yield
        except TripError as trip:
            self._confined = False  # a unit that was off for a moment has limits of its own again
            names = [heater.name for heater in self._heaters if heater.channel in trip.channels]
            raise TripError(f"heater {', '.join(names) or 'of none'}: {trip}", trip.channels) from trip
