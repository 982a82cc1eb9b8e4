"""The Keysight 34465A or 34470A as a digitizer, through the stock QCoDeS driver.

Readings are paced by the meter's sample timer from one external trigger (Keysight Truevolt manual,
`SAMPle:SOURce TIMer`) and come back as one block of 64-bit floats where the firmware has it.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from drivers.errors import GarbledAnswer, InstrumentError
from drivers.response import Array
from drivers.visa import Line

if TYPE_CHECKING:
    from qcodes.instrument_drivers.Keysight import Keysight34465A

_OVERLOAD_V, _NO_NUMBER = 9.9e37, 9.91e37
"""How SCPI writes infinity and no number at all (SCPI-99, volume 1, 7.2.1.5), in text and in blocks."""
_TIMING = "TRIGger:SOURce?;DELay?;:SAMPle:SOURce?;TIMer?;:VOLTage:DC:APERture?"
_ANSWER_s = 5.0  # an answer that needs no measurement
_LONGEST_DELAY_s, _WAITING_APERTURE_s = 3600.0, 1e-3
"""The longest trigger delay of the meter, and how long a reading averages that nobody wants."""


class KeysightDigitizer:
    """A `Digitizer` on a stock `Keysight34465A`, in DC voltage on the fixed range `range_V`.

    Setting it up raises InstrumentError if the meter refuses any of it.
    """

    def __init__(self, meter: "Keysight34465A", range_V: float = 10.0) -> None:
        self._meter: Any = meter
        self._line = Line(meter)
        self._range_V = range_V
        with self._line.exchange("setting up"):
            self._errors()  # what others left behind is not ours
            self._set_up()
            self._line_frequency_Hz = float(meter.line_frequency())
        self._raise_errors("setting up")
        self._binary = self._takes_blocks()
        self._armed = 0

    @property
    def address(self) -> str:
        """Where the instrument is, as it was opened."""
        return self._line.address

    @property
    def max_readings(self) -> int:
        """Readings that the memory holds."""
        return 2_000_000 if self._meter.has_MEM else 50_000

    @property
    def range_V(self) -> float:
        """Full scale of the fixed range in V."""
        return self._range_V

    @property
    def line_frequency_Hz(self) -> float:
        """The mains frequency that the meter found, in Hz."""
        return self._line_frequency_Hz

    def identity(self) -> str:
        """The answer to `*IDN?`; raises InstrumentError or InstrumentTimeout."""
        with self._line.exchange("asking who it is"):
            return str(self._meter.ask("*IDN?")).strip()

    def errors(self) -> list[str]:
        """Read and empty the error queue, oldest first."""
        with self._line.exchange("reading its error queue"):
            return self._errors()

    def arm(self, readings: int, period_s: float, aperture_s: float, delay_s: float) -> None:
        """Set the burst up and wait for the external trigger.

        Reading the error queue last also makes sure that the meter waits before anybody triggers it.
        """
        with self._line.exchange("arming"):
            self._configure("EXT", readings, aperture_s, delay_s)
            self._meter.sample.source("TIM")
            self._meter.sample.timer(float(period_s))
            self._verify(aperture_s, delay_s, period_s)
            self._meter.init_measurement()
        self._armed = readings
        self._raise_errors("arming")

    def fetch(self, timeout_s: float) -> Array:
        """Wait for the armed readings, shape (readings,) in V; overload reads as +-inf, no number as NaN.

        Raises GarbledAnswer when their number is not what was armed, InstrumentError for anything in the queue.
        """
        wanted, self._armed = self._armed, 0
        volts = self._fetch(timeout_s)
        self._raise_errors("measuring")
        if len(volts) != wanted:
            raise GarbledAnswer(f"{self.address}: {len(volts)} readings where {wanted} were armed")
        return volts

    def read(self, readings: int, aperture_s: float, delay_s: float) -> Array:
        """Take readings at once, one after the other, shape (readings,) in V; overload as in `fetch`."""
        with self._line.exchange("measuring"):
            self._configure("IMM", readings, aperture_s, delay_s)
            self._meter.sample.source("IMM")
            self._meter.init_measurement()
        # A reading without the sample timer waits for the trigger delay each time.
        volts = self._fetch(readings * (aperture_s + delay_s) * 2.0 + _ANSWER_s)
        self._raise_errors("measuring")
        return volts

    def wait(self, seconds: float) -> None:
        """Take readings after long trigger delays, and forget them."""
        left_s = seconds
        while left_s > 0.0:
            delay_s = min(left_s, _LONGEST_DELAY_s)
            self.read(1, _WAITING_APERTURE_s, delay_s)
            left_s -= delay_s

    def abort(self) -> None:
        """Leave the wait for the trigger or the measurement under way."""
        self._armed = 0
        self._line.reconnect()
        with self._line.exchange("aborting", answers=False):
            self._meter.abort_measurement()
            self._restore_text()

    def recover(self) -> None:
        """Clear the line, leave the measurement, set the meter up as at first and drop stale errors."""
        self._armed = 0
        self._line.resynchronise()
        with self._line.exchange("starting over"):
            self._meter.abort_measurement()
            self._set_up()
            self._restore_text()
            self._meter.write("FORMat:BORDer NORMal")
            self._errors()

    def close(self) -> None:
        """Leave the wait for a trigger, if the meter still answers to it."""
        if self._armed:
            self.abort()

    def _set_up(self) -> None:
        """What stays the same from reading to reading."""
        self._meter.sense_function("DC Voltage")
        self._meter.range(self._range_V)
        # Autozero doubles the time of a reading; the offset is measured with the amplifier's instead.
        self._meter.autozero("OFF")
        self._meter.trigger.slope("POS")
        if self._meter.has_DIG:
            self._meter.sample.pretrigger_count(0)

    def _configure(self, source: str, readings: int, aperture_s: float, delay_s: float) -> None:
        self._meter.trigger.source(source)
        self._meter.trigger.count(1)
        self._meter.trigger.delay(round(float(delay_s), 6))
        self._meter.aperture_time(float(aperture_s))
        self._meter.sample.count(int(readings))
        if self._binary:
            self._meter.write("FORMat:DATA REAL,64")

    def _verify(self, aperture_s: float, delay_s: float, period_s: float) -> None:
        """Ask when the readings will be taken: a setting that was lost on its way would shift them unseen."""
        source, delay, pace, timer, aperture = str(self._meter.ask(_TIMING)).strip().split(";")
        wrong = [
            f"{what} {float(found):g} s where {asked:g} s was set"
            for what, found, asked, within in (
                ("trigger delay", delay, delay_s, 1e-6),
                ("sample timer", timer, period_s, 1e-6),
                ("aperture", aperture, aperture_s, 0.01 * aperture_s),
            )
            if not abs(float(found) - asked) <= within
        ]
        if source != "EXT" or pace != "TIM":
            wrong.append(f"trigger source {source}, sample source {pace}")
        if wrong:
            raise GarbledAnswer(f"{self.address}: {'; '.join(wrong)}; it missed a command, or others set it")

    def _restore_text(self) -> None:
        """The stock driver reads text, and others may use it beside us."""
        self._meter.write("FORMat:DATA ASCii")

    def _takes_blocks(self) -> bool:
        with self._line.exchange("asking for binary readings"):
            self._meter.write("FORMat:BORDer NORMal")
            self._meter.write("FORMat:DATA REAL,64")
            refused = self._errors()
            self._restore_text()
            self._errors()
        return not refused

    def _fetch(self, timeout_s: float) -> Array:
        with (
            self._line.exchange(f"waiting {timeout_s:.3g} s for readings"),
            self._meter.timeout.set_to(timeout_s),
        ):
            if not self._binary:
                return _plain(self._meter.fetch())
            block = self._meter.visa_handle.query_binary_values(
                "FETCh?", datatype="d", is_big_endian=True, container=np.array
            )
            self._restore_text()
        return _plain(block)

    def _errors(self) -> list[str]:
        found = []
        while (error := self._meter.error())[0] != 0:
            found.append(f'{error[0]}, "{error[1]}"')
            if len(found) > 100:  # an instrument that never runs out of errors
                break
        return found

    def _raise_errors(self, what: str) -> None:
        if said := self.errors():
            raise InstrumentError(f"{self.address}: {'; '.join(said)} while {what}")


def _plain(readings: object) -> Array:
    """Readings as they came, with infinity and NaN for what SCPI writes in their place."""
    volts = np.array(readings, dtype=float)
    volts[volts == _NO_NUMBER] = np.nan
    volts[np.abs(volts) >= _OVERLOAD_V] *= np.inf
    return volts
