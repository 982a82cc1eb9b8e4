"""A chain of Q8iv units as its controller sees it: one line in, one or more lines out.

Commands, units, replies and error numbers are those that the maker's library sends and expects (qontrol
1.1.20). What it does not show is decided as follows. `VIP0?` answers voltage, current and power. `LOG?`
gives past errors with their time since power-up and ends with OK; `LOG=0` forgets them. `QUIET=1` keeps OK
back, not errors. `ROCOM=1` keeps errors between commands back until the next command. `SAFE=1` puts all
outputs to 0 V and forbids to set them until `SAFE=0`. Calibration and memory registers are forbidden. The
library knows no ECHO, and there is none. Binary commands are not emulated.
"""

import re
import zlib
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import numpy as np

from simulators.clock import VirtualClock
from simulators.instrument import Example, NothingToRead, VirtualInstrument
from simulators.instruments.qontrol_q8iv.channel import IFULL, VFULL, Errors, OutputChannel
from simulators.instruments.terminals import Terminals

PER_MODULE = 8
MOST_CHANNELS = 64
FIRMWARE = "1.3.1"
UNRECOGNISED_COMMAND, BAD_PARAMETER, BAD_CHANNEL, FORBIDDEN, BUFFER_OVERFLOW, POWERED_UP = (
    10,
    11,
    12,
    13,
    14,
    90,
)
_LINE = re.compile(r"\s*([A-Z]+?)(ALL|VEC)?(\d*)\s*(?:([?=])\s*(.*?))?\s*", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d{1,2})?", re.IGNORECASE)
_LONGEST_LINE = 1024
_UNREAD, _LOGGED = 4096, 256
_PROTECTED = ("VCAL", "ICAL", "VERR", "IERR", "NVM")


class Refused(Exception):
    """A command is answered with an error number."""

    def __init__(self, number: int, channel: int = 0) -> None:
        super().__init__(number, channel)
        self.number, self.channel = number, channel


class QontrolQ8iv(VirtualInstrument):
    """Emulated Qontrol Q8iv phase-shifter drivers, daisy-chained behind one serial port.

    Sockets: sources "0" to "n-1", the channel numbers of the chain.

    Args:
        serial: of the first unit, in hexadecimal; the others count up from it.
        rng: draws each channel's gain errors and the noise of its readings.
        clock_error: of no effect, nothing here is timed by its clock.
        channels: 8 for each unit, 64 at most.
    """

    title = "Qontrol Q8iv: heater drivers, voltage or current, 8 channels each"
    stock_driver = "drivers.qontrol.QontrolQ8iv"
    example = Example(address="ASRL3::INSTR")

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
        *,
        channels: int = PER_MODULE,
    ) -> None:
        super().__init__(clock)
        if not isinstance(channels, int) or channels % PER_MODULE or not 0 < channels <= MOST_CHANNELS:
            raise ValueError(
                f"channels: {channels!r}; units have 8 channels each: write 8, 16, ... up to {MOST_CHANNELS}"
            )
        self._first = _hexadecimal(serial)
        errors = [Errors.draw(rng) for _ in range(channels)]
        self.channels = [
            OutputChannel(clock, rng, errors[k], noise, partial(self._tripped, k)) for k in range(channels)
        ]
        self._line = bytearray()
        self._overflow = False
        self._output: deque[bytes] = deque(maxlen=_UNREAD)
        self._held_back: list[bytes] = []
        self._log: deque[tuple[float, str]] = deque([(0.0, _error(POWERED_UP, 0))], maxlen=_LOGGED)
        self._flags = {"QUIET": False, "ROCOM": False, "SAFE": False, "LED": True}
        self._born_s = 3600.0 * float(rng.integers(10, 2000))
        self.terminals = Terminals(
            sources={str(k): channel for k, channel in enumerate(self.channels)},
            loads={str(k): channel.loads.add for k, channel in enumerate(self.channels)},
            keepers=[channel.keep_for for channel in self.channels],
        )

    # The door's side --------------------------------------------------------------------------------------

    def write(self, data: bytes, end: bool = True) -> None:
        """Take bytes; a serial line has no end of message but the newline."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._collect(line)
            self._obey(bytes(self._line))
            self._line.clear()
        self._collect(rest)

    def _collect(self, data: bytes) -> None:
        self._line += data
        if len(self._line) > _LONGEST_LINE:
            self._line.clear()
            self._overflow = True

    def read(self, limit: int) -> tuple[bytes, bool]:
        """Give what has been sent, reply by reply."""
        if not self._output:
            raise NothingToRead
        reply = self._output.popleft()
        if len(reply) > limit:
            self._output.appendleft(reply[limit:])
        return reply[:limit], len(reply) <= limit

    def clear(self) -> None:
        """Forget what was begun on the line and what was not read."""
        self._line.clear()
        self._overflow = False
        self._output.clear()

    def status_byte(self) -> int:
        """A serial line has none."""
        return 0

    def trigger(self) -> None:
        """A serial line has none."""

    # Errors -----------------------------------------------------------------------------------------------

    def _tripped(self, channel: int, number: int) -> None:
        line = self._report(number, channel)
        if self._flags["ROCOM"]:
            self._held_back.append(line)
        else:
            self._output.append(line)

    def _report(self, number: int, channel: int) -> bytes:
        text = _error(number, channel)
        self._log.append((self.clock.now, text))
        return text.encode() + b"\n"

    # Commands ---------------------------------------------------------------------------------------------

    def _obey(self, line: bytes) -> None:
        self._output.extend(self._held_back)
        self._held_back.clear()
        overflow, self._overflow = self._overflow, False
        try:
            if overflow:
                raise Refused(BUFFER_OVERFLOW)
            text = line.decode("latin-1").strip("\r\x00 \t")
            reply = self._answer(text) if text else ""
        except Refused as refusal:
            self._output.append(self._report(refusal.number, refusal.channel))
            return
        if reply:
            self._output.append(reply.encode())

    def _answer(self, text: str) -> str:
        match = _LINE.fullmatch(text)
        if match is None or not text.isascii():
            raise Refused(UNRECOGNISED_COMMAND)
        word, scope = match[1].upper(), (match[2] or "").upper()
        number = int(match[3][:6]) if match[3] else None
        if match[4] == "?" and not match[5]:
            return self._get(word, scope, number)
        if match[4] == "=":
            self._set(word, scope, number, match[5])
        elif match[4] is None and word == "SAFE" and not scope:
            self._set(word, scope, number, "1")
        elif not (match[4] is None and (word, scope) == ("OK", "")):
            raise Refused(UNRECOGNISED_COMMAND)
        return "" if self._flags["QUIET"] else "OK\n"

    def _numbers(self, scope: str, number: int | None) -> range:
        """The channels that a query or a command is about."""
        if scope == "ALL":
            return range(len(self.channels))
        first = 0 if number is None and scope == "VEC" else number
        if first is None or first >= len(self.channels):
            raise Refused(BAD_CHANNEL, first or 0)
        return range(first, len(self.channels) if scope == "VEC" else first + 1)

    def _get(self, word: str, scope: str, number: int | None) -> str:
        read = self._measured.get(word)
        if read is not None and scope != "VEC":
            return "".join(f"{read(self.channels[k])}\n" for k in self._numbers(scope, number))
        if word == "NUP" and number is None and scope != "VEC":
            modules = range(len(self.channels) // PER_MODULE)
            return "".join(f"{self._identity(k)}:{k}\n" for k in modules)
        if word in _PROTECTED:
            raise Refused(FORBIDDEN, number or 0)
        if scope:
            raise Refused(UNRECOGNISED_COMMAND)
        if word == "LOG":
            return "".join(f"{instant:.3f} s {event}\n" for instant, event in self._log) + "OK\n"
        if word in self._flags:
            return f"{int(self._flags[word])}\n"
        facts: dict[str, Callable[[], str]] = {
            "ID": lambda: self._identity(0),
            "FIRMWARE": lambda: FIRMWARE,
            "NCHAN": lambda: str(PER_MODULE),
            "LIFETIME": lambda: f"{self._born_s + self.clock.now:.0f} s",
            "VFULL": lambda: f"{VFULL:+.4f} V",
            "IFULL": lambda: f"{1e3 * IFULL:+.4f} mA",
        }
        if word not in facts:
            raise Refused(UNRECOGNISED_COMMAND)
        return facts[word]() + "\n"

    _measured: ClassVar[dict[str, Callable[[OutputChannel], str]]] = {
        "V": lambda channel: f"{channel.read_voltage():+.4f} V",
        "I": lambda channel: f"{1e3 * channel.read_current():+.4f} mA",
        "VMAX": lambda channel: f"{channel.limit_V:+.4f} V",
        "IMAX": lambda channel: f"{1e3 * channel.limit_A:+.4f} mA",
        "VIP": lambda channel: _both(channel.read_voltage(), channel.read_current()),
    }

    def _set(self, word: str, scope: str, number: int | None, text: str) -> None:
        values = [_number(part, number or 0) for part in text.split(",")]
        if word in ("V", "I", "VMAX", "IMAX"):
            self._set_channels(word, scope, number, values)
        elif word in _PROTECTED:
            raise Refused(FORBIDDEN, number or 0)
        elif scope or number is not None or len(values) != 1:
            raise Refused(UNRECOGNISED_COMMAND if scope else BAD_PARAMETER)
        elif word in ("NUP", "LOG"):
            if values[0] != 0.0:
                raise Refused(BAD_PARAMETER)
            if word == "LOG":
                self._log.clear()
        elif word in self._flags:
            if values[0] not in (0.0, 1.0):
                raise Refused(BAD_PARAMETER)
            self._flags[word] = bool(values[0])
            if word == "SAFE" and values[0]:
                for channel in self.channels:
                    channel.set_voltage(0.0)
        else:
            raise Refused(UNRECOGNISED_COMMAND)

    def _set_channels(self, word: str, scope: str, number: int | None, values: list[float]) -> None:
        where = list(self._numbers(scope, number))
        if scope == "VEC":
            if len(values) > len(where):
                raise Refused(BAD_PARAMETER, where[0])
            where = where[: len(values)]
        elif len(values) != 1:
            raise Refused(BAD_PARAMETER, where[0])
        else:
            values = values * len(where)
        full = VFULL if word[0] == "V" else IFULL
        scaled = values if word[0] == "V" else [1e-3 * value for value in values]
        for k, value in zip(where, scaled, strict=True):
            if not 0.0 <= value <= full * (1.0 + 1e-9):
                raise Refused(BAD_PARAMETER, k)
            if self._flags["SAFE"] and len(word) == 1 and value > 0.0:
                raise Refused(FORBIDDEN, k)
        for k, value in zip(where, scaled, strict=True):
            self._setters[word](self.channels[k], value)

    _setters: ClassVar[dict[str, Callable[[OutputChannel, float], None]]] = {
        "V": OutputChannel.set_voltage,
        "I": OutputChannel.set_current,
        "VMAX": OutputChannel.limit_voltage,
        "IMAX": OutputChannel.limit_current,
    }

    def _identity(self, module: int) -> str:
        return f"Q8iv-{(self._first + module) & 0xFFFF:04X}"


def _error(number: int, channel: int) -> str:
    return f"E{number:02d}:{channel:02d}"


def _both(volts: float, amperes: float) -> str:
    return f"{volts:+.4f} V, {1e3 * amperes:+.4f} mA, {1e3 * volts * amperes:+.4f} mW"


def _number(text: str, channel: int) -> float:
    if _NUMBER.fullmatch(text.strip()) is None:
        raise Refused(BAD_PARAMETER, channel)
    return float(text)


def _hexadecimal(serial: str) -> int:
    try:
        return int(serial, 16)
    except ValueError:
        return zlib.crc32(serial.encode())
