"""The 2450's commands for reading buffers and the format of what is read from them."""

import numpy as np

from simulators.instruments.keithley_2450.buffers import (
    DEFAULT_SIZE,
    DEFAULTS,
    ELEMENTS,
    LARGEST,
    SMALLEST,
    STYLES,
    Buffer,
)
from simulators.instruments.keithley_2450.settings import Settings
from simulators.scpi import (
    Boolean,
    Choice,
    Integer,
    Later,
    Optional,
    Rest,
    ScpiError,
    ScpiInstrument,
    Text,
    command,
    query,
)

Answer = list[float | int | str] | bytes
NAME = Optional(Text(), DEFAULTS[0])
WANTED = Rest(Choice(*ELEMENTS))


class TraceCommands(ScpiInstrument):
    """See the module."""

    settings: Settings
    buffers: dict[str, Buffer]

    def measure_into(self, name: str) -> Later:
        """Make a measurement into a buffer; the result is there when it is over."""
        raise NotImplementedError

    def buffer(self, name: str) -> Buffer:
        """A buffer by its name; raises ScpiError -224 for one that is not there."""
        if name not in self.buffers:
            raise ScpiError(-224)
        return self.buffers[name]

    def given(self, buffer: Buffer, start: int, stop: int, names: tuple[str, ...]) -> Answer:
        """Elements of readings, in the format that is set."""
        values = buffer.elements(start, stop, names or ("READ",))
        if self.settings.data_format == "ASC":
            return values
        if any(isinstance(value, str) for value in values):
            raise ScpiError(-221)
        wide = "f8" if self.settings.data_format == "REAL" else "f4"
        finite = np.clip(np.array(values, dtype=float), -9.9e37, 9.9e37)
        return finite.astype(("<" if self.settings.swapped else ">") + wide).tobytes()

    @command(
        "TRACe:MAKE", Text(), Integer(SMALLEST, LARGEST, DEFAULT_SIZE), Optional(Choice(*STYLES), "STAN")
    )
    def make_buffer(self, name: str, size: int, style: str) -> None:
        """A new buffer."""
        if name in self.buffers or not name.isidentifier():
            raise ScpiError(-224)
        self.buffers[name] = Buffer(size, style, continuous=False)

    @command("TRACe:DELete", Text())
    def delete_buffer(self, name: str) -> None:
        """Give up a buffer; the default ones stay."""
        self.buffer(name)
        if name in DEFAULTS:
            raise ScpiError(-221)
        del self.buffers[name]

    @command("TRACe:CLEar", NAME)
    def clear_buffer(self, name: str) -> None:
        """Empty a buffer."""
        self.buffer(name).readings.clear()

    @command("TRACe:POINts", Integer(SMALLEST, LARGEST, DEFAULT_SIZE), NAME)
    def resize_buffer(self, size: int, name: str) -> None:
        """How many readings a buffer takes; it is emptied."""
        self.buffer(name).resize(size)

    @query("TRACe:POINts", NAME)
    def buffer_size(self, name: str) -> int:
        """How many readings a buffer takes."""
        return self.buffer(name).size

    @query("TRACe:ACTual", NAME)
    def count_readings(self, name: str) -> int:
        """How many readings are in a buffer."""
        return len(self.buffer(name).readings)

    @query("TRACe:ACTual:STARt", NAME)
    def first_reading(self, name: str) -> int:
        """The number of the oldest reading, 0 if there is none."""
        return min(len(self.buffer(name).readings), 1)

    @query("TRACe:ACTual:END", NAME)
    def last_reading(self, name: str) -> int:
        """The number of the newest reading, 0 if there is none."""
        return len(self.buffer(name).readings)

    @command("TRACe:FILL:MODE", Choice("CONTinuous", "ONCE"), NAME)
    def set_fill_mode(self, mode: str, name: str) -> None:
        """Whether a full buffer loses its oldest readings or takes no more."""
        self.buffer(name).continuous = mode == "CONT"

    @query("TRACe:FILL:MODE", NAME)
    def fill_mode(self, name: str) -> str:
        """Whether a full buffer loses its oldest readings or takes no more."""
        return "CONT" if self.buffer(name).continuous else "ONCE"

    @command("TRACe:LOG:STATe", Boolean(), NAME)
    def set_logging(self, on: bool, name: str) -> None:
        """Whether a buffer writes down how full it is; accepted."""
        self.buffer(name)

    @query("TRACe:DATA", Integer(1), Integer(1), NAME, WANTED)
    def data(self, start: int, stop: int, name: str, names: tuple[str, ...]) -> Answer:
        """Elements of the readings from number `start` to number `stop`."""
        return self.given(self.buffer(name), start, stop, names)

    @command("TRACe:TRIGger", NAME)
    def trigger_into(self, name: str) -> Later:
        """Measure into a buffer."""
        return self.measure_into(name)

    def _values(self, name: str) -> np.ndarray:
        values = np.array(self.buffer(name).values())
        values = values[np.isfinite(values)]
        if len(values) == 0:
            raise ScpiError(-230)
        return values

    @query("TRACe:STATistics:AVERage", NAME)
    def average(self, name: str) -> float:
        """The mean of a buffer's readings."""
        return float(np.mean(self._values(name)))

    @query("TRACe:STATistics:MAXimum", NAME)
    def maximum(self, name: str) -> float:
        """The largest of a buffer's readings."""
        return float(np.max(self._values(name)))

    @query("TRACe:STATistics:MINimum", NAME)
    def minimum(self, name: str) -> float:
        """The smallest of a buffer's readings."""
        return float(np.min(self._values(name)))

    @query("TRACe:STATistics:PK2Pk", NAME)
    def peak_to_peak(self, name: str) -> float:
        """From the smallest to the largest of a buffer's readings."""
        return float(np.ptp(self._values(name)))

    @query("TRACe:STATistics:STDDev", NAME)
    def deviation(self, name: str) -> float:
        """The standard deviation of a buffer's readings."""
        values = self._values(name)
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    @command("FORMat[:DATA]", Choice("ASCii", "REAL", "SREal"))
    def set_data_format(self, kind: str) -> None:
        """ASCII, or blocks of 64-bit or 32-bit numbers."""
        self.settings.data_format = kind

    @query("FORMat[:DATA]")
    def data_format(self) -> str:
        """ASCII, or blocks of 64-bit or 32-bit numbers."""
        return self.settings.data_format

    @command("FORMat:BORDer", Choice("NORMal", "SWAPped"))
    def set_byte_order(self, order: str) -> None:
        """Most or least significant byte first."""
        self.settings.swapped = order == "SWAP"

    @query("FORMat:BORDer")
    def byte_order(self) -> str:
        """Most or least significant byte first."""
        return "SWAP" if self.settings.swapped else "NORM"

    @command("FORMat:ASCii:PRECision", Integer(0, 16, 0))
    def set_digits(self, digits: int) -> None:
        """Digits in ASCII; seven are sent whatever is asked for."""
