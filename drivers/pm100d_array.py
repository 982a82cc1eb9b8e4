"""Thorlabs PM100D consoles as one array of power meters, each through the stock driver.

The stock driver's own reading sleeps for 0.2 s and measures one console after the other. Here all are
started first and then waited for (`READ?`, PM100D operation manual, command reference).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from drivers.errors import InstrumentError, ShapeError
from drivers.response import Array
from drivers.visa import Line, split_errors, translated

if TYPE_CHECKING:
    from qcodes_contrib_drivers.drivers.Thorlabs.PM100D import Thorlab_PM100D

_SAMPLE_s = 3e-3
"""Of the averaging."""
_MOST_SAMPLES = 10_000
_OVERLOAD = 9.9e37
"""How SCPI writes infinity (SCPI-99, volume 1, 7.2.1.5)."""
_ZEROING_s, _ANSWER_s = 15.0, 5.0
_MOST_ERRORS = 100


class Pm100dArray:
    """A `PowerMeterArray` on stock `Thorlab_PM100D` consoles, in the order of the ports.

    Opening it sets every console to read power in W, on the range `range_W` (None: autorange), at the
    wavelength `wavelength_m` (None: as it is). Raises InstrumentError if one refuses any of it.
    """

    def __init__(
        self,
        meters: "Sequence[Thorlab_PM100D]",
        *,
        wavelength_m: float | None = None,
        range_W: float | None = None,
    ) -> None:
        if not meters or len({str(meter.address) for meter in meters}) != len(meters):
            raise ShapeError("an array needs power meters, at least one, and each only once")
        self._consoles = [_Console(meter) for meter in meters]
        self._wavelength_m, self._range_W = wavelength_m, range_W
        self._set_up()

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports' numbers."""
        return tuple(range(len(self._consoles)))

    @property
    def address(self) -> str:
        """Where the consoles are."""
        return ", ".join(console.address for console in self._consoles)

    def identity(self) -> str:
        """Every console's answer to `*IDN?`."""
        return "; ".join(console.ask("*IDN?") for console in self._consoles)

    def errors(self) -> list[str]:
        """Read and empty every console's error queue."""
        return [f"{console.address}: {said}" for console in self._consoles for said in console.errors()]

    def recover(self) -> None:
        """Clear every line, end what is under way and set the consoles up again."""
        for console in self._consoles:
            console.recover()
        self._set_up()

    def close(self) -> None:
        """Nothing is held."""

    def read(self, averaging_s: float) -> Array:
        """See `PowerMeterArray.read`; samples of the averaging last 3 ms."""
        for console in self._consoles:
            console.set_samples(_samples(averaging_s))
        try:
            for console in self._consoles:
                console.start()
            watts = np.array([console.take() for console in self._consoles])
        except BaseException:
            for console in self._consoles:  # some have an answer to come that nobody will read
                console.distrust()
            raise
        watts[watts >= _OVERLOAD] = np.inf
        return watts

    def wait(self, seconds: float) -> None:
        """Let the first console measure that long, and forget what it read."""
        console, left_s = self._consoles[0], seconds
        while left_s > 0.0:
            samples = _samples(left_s + 0.5 * _SAMPLE_s)
            console.set_samples(samples)
            console.start()
            console.take()
            left_s -= samples * _SAMPLE_s

    def set_range(self, watts: float | None) -> None:
        """See `PowerMeterArray.set_range`."""
        self._range_W = watts
        self._set_up()

    def set_wavelength(self, metres: float) -> None:
        """See `PowerMeterArray.set_wavelength`."""
        self._wavelength_m = metres
        self._set_up()

    def zero(self) -> None:
        """Zero all consoles at the same time, which takes some seconds."""
        for console in self._consoles:
            console.tell("SENS:CORR:COLL:ZERO")
        for console in self._consoles:
            console.await_zero()
        self._raise_errors("zeroing")

    def _set_up(self) -> None:
        for console in self._consoles:
            console.set_up(self._wavelength_m, self._range_W)
        self._raise_errors("setting up")

    def _raise_errors(self, what: str) -> None:
        if said := self.errors():
            raise InstrumentError(f"{'; '.join(said)} while {what}")


class _Console:
    """One console."""

    def __init__(self, meter: Any) -> None:
        self._meter = meter
        self._line = Line(meter)
        self.address = self._line.address
        self._samples = 0
        self.errors()  # the stock driver leaves one behind when it opens

    def tell(self, message: str) -> None:
        with self._line.exchange(f"sending {message}"):
            self._meter.write(message)

    def ask(self, question: str, timeout_s: float = _ANSWER_s) -> str:
        with (
            self._line.exchange(f"waiting for the answer to {question}"),
            self._meter.timeout.set_to(timeout_s),
        ):
            return str(self._meter.ask(question)).strip()

    def errors(self) -> list[str]:
        found: list[str] = []
        while len(found) < _MOST_ERRORS and (said := split_errors(self.ask("SYST:ERR?"))):
            found += said
        return found

    def set_up(self, wavelength_m: float | None, range_W: float | None) -> None:
        with self._line.exchange("setting up"):
            self._meter.write("CONF:POW")
            self._meter.write("SENS:POW:UNIT W")
            if wavelength_m is not None:
                self._meter.wavelength(float(wavelength_m))
            if range_W is None:
                self._meter.auto_range(True)
            else:
                self._meter.power_range(float(range_W))
        self._samples = 0

    def set_samples(self, samples: int) -> None:
        if samples != self._samples:
            self.tell(f"SENS:AVER {samples}")
            self._samples = samples

    def start(self) -> None:
        with self._line.exchange("starting a reading"):
            self._meter.visa_handle.write("READ?")

    def take(self) -> float:
        """Wait for the reading that was started, in W."""
        patience_s = self._samples * _SAMPLE_s * 1.5 + _ANSWER_s
        with self._meter.timeout.set_to(patience_s), translated("waiting for a reading", self.address):
            return float(self._meter.visa_handle.read())

    def distrust(self) -> None:
        self._line.distrust()

    def recover(self) -> None:
        self._line.resynchronise()
        self.tell("ABOR")
        self.errors()

    def await_zero(self) -> None:
        self.ask("*OPC?", _ZEROING_s)
        deadline_s = self._line.monotonic_s() + _ZEROING_s
        while int(self.ask("SENS:CORR:COLL:ZERO:STAT?")):
            if self._line.monotonic_s() > deadline_s:
                raise InstrumentError(f"{self.address}: still zeroing after {_ZEROING_s:g} s")


def _samples(seconds: float) -> int:
    return min(max(round(seconds / _SAMPLE_s), 1), _MOST_SAMPLES)
