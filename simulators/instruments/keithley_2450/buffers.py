"""Reading buffers, and what can be asked of a reading."""

import math
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from simulators.scpi import ScpiError

DEFAULTS = ("defbuffer1", "defbuffer2")
DEFAULT_SIZE, SMALLEST, LARGEST = 100_000, 10, 1_000_000
STYLES = ("STANdard", "COMPact", "FULL", "WRITable", "FULLWRITable")
ELEMENTS = (
    "DATE",
    "FORMatted",
    "FRACtional",
    "READing",
    "RELative",
    "SEConds",
    "SOURce",
    "SOURFORMatted",
    "SOURSTATus",
    "SOURUNIT",
    "STATus",
    "TIME",
    "TSTamp",
    "UNIT",
)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""What the instrument's calendar says when its clock starts."""
_UNITS = {"VOLT": "Volt DC", "AMP": "Amp DC", "OHM": "Ohm", "WATT": "Watt DC"}
_LETTERS = {"VOLT": "V", "AMP": "A", "OHM": "Ohm", "WATT": "W"}
_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


@dataclass(frozen=True)
class Reading:
    """One reading with all that belongs to it; `time_s` on the instrument's clock."""

    value: float
    unit: str
    source: float
    source_unit: str
    time_s: float
    status: int
    source_status: int

    def element(self, name: str, first_s: float) -> float | int | str:
        """One of `ELEMENTS`, by its short form; `first_s` is the time of the buffer's first reading."""
        when = EPOCH + timedelta(seconds=self.time_s)
        fraction = self.time_s - math.floor(self.time_s)
        found: dict[str, float | int | str] = {
            "DATE": when.strftime("%m/%d/%Y"),
            "FORM": readable(self.value, self.unit),
            "FRAC": fraction,
            "READ": self.value,
            "REL": self.time_s - first_s,
            "SEC": int(when.timestamp()),
            "SOUR": self.source,
            "SOURFORM": readable(self.source, self.source_unit),
            "SOURSTAT": self.source_status,
            "SOURUNIT": _UNITS[self.source_unit],
            "STAT": self.status,
            "TIME": when.strftime("%H:%M:%S"),
            "TST": f"{when:%m/%d/%Y %H:%M:%S}.{round(fraction * 1e9) % 10**9:09d}",
            "UNIT": _UNITS[self.unit],
        }
        return found[name]


def readable(value: float, unit: str) -> str:
    """A value as the front panel shows it."""
    if not math.isfinite(value):
        return "Overflow" if value > 0 else "-Overflow"
    power = min(max(3 * math.floor(math.log10(abs(value)) / 3), -15), 9) if value else 0
    return f"{value / 10.0**power:+.5f} {_PREFIXES[power]}{_LETTERS[unit]}"


@dataclass
class Buffer:
    """A reading buffer; one that fills continuously loses its oldest readings, another one refuses more."""

    size: int = DEFAULT_SIZE
    style: str = "STAN"
    continuous: bool = True
    readings: deque[Reading] = field(default_factory=deque)

    def add(self, reading: Reading) -> None:
        """Keep a reading; raises ScpiError 4915 when a buffer that fills once is full."""
        if len(self.readings) >= self.size:
            if not self.continuous:
                raise ScpiError(4915, text="Attempting to store past capacity of reading buffer")
            self.readings.popleft()
        self.readings.append(reading)

    def resize(self, size: int) -> None:
        """Take another size; all readings are lost."""
        self.size = size
        self.readings.clear()

    def values(self) -> list[float]:
        """The readings alone."""
        return [reading.value for reading in self.readings]

    def elements(self, start: int, stop: int, names: tuple[str, ...]) -> list[float | int | str]:
        """Elements of the readings from number `start` to number `stop`, both included, from 1."""
        if not 1 <= start <= stop <= len(self.readings):
            raise ScpiError(-222)
        first_s = self.readings[0].time_s
        return [self.readings[k].element(name, first_s) for k in range(start - 1, stop) for name in names]
