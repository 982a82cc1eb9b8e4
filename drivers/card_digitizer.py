"""NI-DAQmx cards as a digitizer: an input of an NI-9202, started by the outputs' start trigger."""

import math

import numpy as np

from drivers.daqmx import InputRun
from drivers.errors import InstrumentError
from drivers.nidaqmx_cards import NICards
from drivers.response import Array

_NEAR_FULL_SCALE = 1.0 - 1e-6
_ANSWER_s = 5.0


class CardDigitizer:
    """A `Digitizer` on the readout input of `NICards`.

    The card converts as fast as it can at a whole number of readings per sample of the waveform. Of those, the
    ones that lie wholly inside a sample's aperture, filter delay taken off, are averaged.
    """

    max_readings = 100_000

    def __init__(self, cards: NICards) -> None:
        self._cards = cards
        self._armed: InputRun | None = None
        self._rows = np.empty((0, 0), dtype=np.intp)

    @property
    def address(self) -> str:
        """The chassis' name."""
        return self._cards.address

    @property
    def range_V(self) -> float:
        """Full scale in V."""
        return self._cards.range_V

    @property
    def line_frequency_Hz(self) -> float:
        """The mains frequency that the lab gave."""
        return self._cards.line_frequency_Hz

    def identity(self) -> str:
        """Products and serial numbers; raises InstrumentError."""
        return self._cards.identity()

    def errors(self) -> list[str]:
        """Empty: NI-DAQmx says what went wrong at the call that it went wrong in."""
        return []

    def arm(self, readings: int, period_s: float, aperture_s: float, delay_s: float) -> None:
        """Wait for the outputs to start; see `Digitizer.arm`.

        Raises InstrumentError for an aperture that no conversion fits into.
        """
        span_s = (readings - 1) * period_s + delay_s + aperture_s
        run = self._cards.acquire([self._cards.readout], period_s, span_s, triggered=True)
        first, last = run.first(delay_s), run.last(delay_s + aperture_s)
        if last < first:
            self._cards.end_acquisition()
            raise InstrumentError(
                f"{self.address}: no conversion of {1e6 / run.rate_Hz:g} us lies wholly inside an aperture of "
                f"{aperture_s * 1e6:g} us; make it {2e6 / run.rate_Hz:g} us"
            )
        self._rows = first + run.ratio * np.arange(readings)[:, None] + np.arange(last - first + 1)
        run.start()
        self._armed = run

    def fetch(self, timeout_s: float) -> Array:
        """Wait for the armed readings and give them; see `Digitizer.fetch`."""
        run, self._armed = self._armed, None
        if run is None or not self._cards.is_under_way(run):
            raise InstrumentError(
                f"{self.address}: no readings are under way; arm them, and read nothing else"
            )
        try:
            return self._averaged(run.fetch(timeout_s)[0])
        finally:
            self._cards.end_acquisition()

    def read(self, readings: int, aperture_s: float, delay_s: float) -> Array:
        """Read now, one after the other; an aperture is a whole number of conversions, the nearest one."""
        rate_Hz = self._cards.fastest_reading_Hz
        each = max(round(aperture_s * rate_Hz), 1)
        apart = math.ceil(delay_s * rate_Hz) + each
        with self._cards.reading([self._cards.readout], (readings * apart + 1) / rate_Hz) as run:
            self._rows = run.first(delay_s) + apart * np.arange(readings)[:, None] + np.arange(each)
            return self._averaged(run.fetch(readings * apart / rate_Hz + _ANSWER_s)[0])

    def wait(self, seconds: float) -> None:
        """Measure that long, a second at a time, and forget it."""
        left_s = seconds
        while left_s > 0.0:
            delay_s = min(left_s, 1.0)
            self.read(1, 1.0 / self._cards.fastest_reading_Hz, delay_s)
            left_s -= delay_s

    def abort(self) -> None:
        """Stop waiting or measuring."""
        self._armed = None
        self._cards.end_acquisition()

    def recover(self) -> None:
        """Stop waiting or measuring, and make sure that the card answers."""
        self.abort()
        self._cards.identity()

    def close(self) -> None:
        """Stop waiting or measuring."""
        self.abort()

    def _averaged(self, volts: Array) -> Array:
        """Mean of each reading's conversions; one at the end of the range is an overload."""
        chosen = volts[self._rows]
        over = np.abs(chosen) >= _NEAR_FULL_SCALE * self.range_V
        means = chosen.mean(axis=1)
        return np.where(over.any(axis=1), np.copysign(np.inf, means), means)
