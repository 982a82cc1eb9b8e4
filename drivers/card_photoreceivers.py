"""Photoreceivers on the inputs of NI-DAQmx cards as an array of power meters."""

import math
from collections.abc import Sequence

import numpy as np

from drivers.errors import InstrumentError, ShapeError
from drivers.nidaqmx_cards import NICards
from drivers.response import Array

_NEAR_FULL_SCALE = 1.0 - 1e-6
_ANSWER_s = 5.0
_ZERO_s = 0.5
_BRIGHT = 0.05
"""More than this share of the range is no darkness to zero in."""


class CardPhotoreceivers:
    """A `PowerMeterArray` on inputs of `NICards`, in the order of the ports.

    `gains_V_per_W` are the photoreceivers' own, responsivity included, at the wavelength that they are stated
    for; the cards cannot correct them for another, and have one range. Raises ShapeError for inputs and gains
    that do not match.
    """

    def __init__(self, cards: NICards, inputs: Sequence[int], gains_V_per_W: Sequence[float]) -> None:
        fits = len(inputs) == len(gains_V_per_W) == len(set(inputs)) > 0
        if not (fits and all(0.0 < abs(gain) < math.inf for gain in gains_V_per_W)):
            raise ShapeError(
                f"photoreceivers on inputs {list(inputs)} with gains {list(gains_V_per_W)} V/W: every input needs "
                "a gain, and counts once"
            )
        self._cards, self._inputs = cards, list(inputs)
        self._gains_V_per_W = np.array(gains_V_per_W, dtype=float)
        self._zero_V = np.zeros(len(inputs))

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports' numbers."""
        return tuple(range(len(self._inputs)))

    @property
    def address(self) -> str:
        """The chassis' name."""
        return self._cards.address

    def identity(self) -> str:
        """Products and serial numbers."""
        return self._cards.identity()

    def errors(self) -> list[str]:
        """Empty: NI-DAQmx says what went wrong at the call that it went wrong in."""
        return []

    def recover(self) -> None:
        """Stop measuring, and make sure that the cards answer."""
        self.close()
        self._cards.identity()

    def close(self) -> None:
        """Stop measuring."""
        self._cards.end_acquisition()

    def read(self, averaging_s: float) -> Array:
        """See `PowerMeterArray.read`; as many conversions are averaged as the time holds."""
        volts = self._read_volts(averaging_s)
        return np.where(np.isinf(volts), np.inf, (volts - self._zero_V) / self._gains_V_per_W)

    def wait(self, seconds: float) -> None:
        """Measure that long, and forget it."""
        if seconds > 0.0:
            self._read_volts(seconds)

    def set_range(self, watts: float | None) -> None:
        """Nothing to choose: the cards have one range."""

    def set_wavelength(self, metres: float) -> None:
        """Nothing to correct: the gains are stated for one wavelength."""

    def zero(self) -> None:
        """See `PowerMeterArray.zero`."""
        volts = self._read_volts(_ZERO_s)
        if not (np.abs(volts) < _BRIGHT * self._cards.range_V).all():
            raise InstrumentError(f"{self.address}: too much light to zero; shut it out first")
        self._zero_V = volts

    def _read_volts(self, seconds: float) -> Array:
        """Mean of every input over a time from now on, infinity where a conversion is at the end of the range."""
        rate_Hz = self._cards.fastest_reading_Hz
        count = max(math.ceil(seconds * rate_Hz - 1e-6), 1)
        with self._cards.reading(self._inputs, (count + 1) / rate_Hz) as run:
            first = run.first(0.0)
            volts = run.fetch(count / rate_Hz + _ANSWER_s)[:, first : first + count]
        over = (np.abs(volts) >= _NEAR_FULL_SCALE * self._cards.range_V).any(axis=1)
        return np.where(over, np.inf, volts.mean(axis=1))
