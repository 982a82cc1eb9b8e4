"""The serial line to a chain of Qontrol units: requests, replies, and errors that come at any time.

A request is one line, `V0=1.5` or `V0?`; a set is answered `OK`, a query by one or more lines, a refusal or
an event by `E02:03`: error 2 on channel 3 (qontrol 1.1.20). Nothing in a reply says what it answers. So
every request is followed by `ID?`: what comes before the identity belongs to it, and a stale reply shows as
a line too many.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pyvisa.errors

from drivers.errors import InstrumentError
from drivers.visa import translated

_ERROR = re.compile(r"[A-Za-z]{1,3}(\d+):(\d+)")
_IDENTITY = re.compile(r"Q\w+-[0-9A-Fa-f*]+")
_FENCE = "ID?"
_DRAIN_s = 0.05
_TRIES = 5
_MOST_LINES = 4096
_GARBLED = 15
_REFUSALS = (10, 11, 12, 13, 14)
TRIPS = {
    1: "over-voltage: is the heater open?",
    2: "over-current: is the heater shorted?",
    3: "power fault: check the supply of the unit",
    5: "output fault: have the unit looked at",
    90: "the unit was switched on again, with its limits at full scale",
}
"""Events after which outputs are off."""
_MEANINGS = TRIPS | {
    0: "unknown error",
    4: "calibration fault",
    10: "command not known to this firmware",
    11: "value not accepted",
    12: "no such channel",
    13: "not allowed",
    14: "more was sent at once than the unit can hold",
    15: "the unit could not read what was sent",
    16: "the unit gave up on a command",
    17: "SPI fault",
    18: "ADC fault",
    19: "I2C fault",
    30: "too many errors, some are not reported",
    31: "firmware fault",
}

T = TypeVar("T")


@dataclass(frozen=True)
class UnitError:
    """One error as a unit reports it."""

    number: int
    channel: int

    def __str__(self) -> str:
        return f"E{self.number:02d} on channel {self.channel} ({_MEANINGS.get(self.number, 'unknown error')})"


class _OutOfStep(Exception):
    """The reply is not one to this request."""


class QontrolLine:
    """Requests and replies over an open VISA resource; `seen` are the events that came in between.

    Raises InstrumentTimeout or InstrumentError for what fails. After a failure the line is drained and the
    unit asked who it is before anything else.
    """

    def __init__(self, handle: Any, address: str) -> None:
        self._handle = handle
        self.address = address
        self.identity = ""
        self.seen: list[UnitError] = []
        self._in_step = False

    def ask(self, request: str, lines: int | None = None) -> list[str]:
        """The reply to a query, `lines` lines of it (any number if None); asked again if it is garbled."""

        def reply() -> list[str]:
            found = self._exchange(request)
            if lines is not None and len(found) != lines:
                raise _OutOfStep(f"{len(found)} lines where {lines} were expected")
            return found

        return self._again(request, reply)

    def tell(self, request: str) -> None:
        """Send a setting, which the unit has to confirm; sent again if the confirmation is garbled."""

        def confirmed() -> None:
            found = self._exchange(request)
            if found != ["OK"]:
                raise _OutOfStep(f"{found} where OK was expected; QUIET=1 keeps it back, set QUIET=0")

        self._again(request, confirmed)

    def shout(self, request: str) -> None:
        """Send a setting to a unit that may not answer any more."""
        self._in_step = False
        with translated(f"sending {request}", self.address):
            self._handle.write(f"\n{request}")  # the newline ends a line that was cut short

    def resynchronise(self) -> None:
        """Drop what is left on the line, but for events; raises InstrumentError if another unit answers."""
        with translated("finding the step", self.address):
            self._handle.write("")  # ends a line that was cut short
            self._drain()
            self.seen = [error for error in self.seen if error.number not in (*_REFUSALS, _GARBLED)]
            answer = ""
            for _ in range(_TRIES):
                self._handle.write(_FENCE)
                answer = self._next_line()
                if answer == self.identity or (not self.identity and _IDENTITY.fullmatch(answer)):
                    self.identity = answer
                    self._in_step = True
                    return
        raise InstrumentError(
            f"{self.address}: answers {answer!r} to {_FENCE}, where {self.identity or 'a Qontrol unit'!r} was"
            " expected; check the address and the daisy chain"
        )

    def _again(self, request: str, exchange: Callable[[], T]) -> T:
        try:
            return exchange()
        except _OutOfStep:
            self._in_step = False
        try:
            return exchange()
        except _OutOfStep as still:
            self._in_step = False
            raise InstrumentError(f"{self.address}: {still} as the answer to {request!r}") from None

    def _exchange(self, request: str) -> list[str]:
        """All that is answered to a request, without errors; a refusal becomes InstrumentError."""
        if not self._in_step:
            self.resynchronise()
        self._in_step = False
        before = len(self.seen)
        found: list[str] = []
        fence_alone = request.strip().upper() in ("", _FENCE)
        with translated(f"waiting for the answer to {request or _FENCE!r}", self.address):
            self._handle.write(_FENCE if fence_alone else f"{request}\n{_FENCE}")
            while (line := self._next_line()) != self.identity:
                found.append(line)
                if len(found) > _MOST_LINES:
                    raise InstrumentError(f"{self.address}: answers {request!r} without an end")
        self._in_step = True
        if fence_alone and request:
            found.append(self.identity)
        refusals = [error for error in self.seen[before:] if error.number in (*_REFUSALS, _GARBLED)]
        self.seen = [error for error in self.seen if error not in refusals]
        if any(error.number == _GARBLED for error in refusals):
            raise _OutOfStep("E15, garbled")
        if refusals and found:
            raise _OutOfStep(f"{refusals[0]} together with {found}")
        if refusals:
            raise InstrumentError(f"{self.address}: {request!r} was refused: {refusals[0]}")
        return found

    def _next_line(self) -> str:
        """The next line that is no error; errors are kept in `seen`."""
        while True:
            line = str(self._handle.read()).strip("\x00\r\n ")
            error = _ERROR.fullmatch(line)
            if error is None:
                return line
            self.seen.append(UnitError(int(error[1]), int(error[2])))

    def _drain(self) -> None:
        patience, self._handle.timeout = self._handle.timeout, _DRAIN_s * 1e3
        try:
            for _ in range(_MOST_LINES):
                self._next_line()
        except pyvisa.errors.VisaIOError:
            pass  # silence at last
        finally:
            self._handle.timeout = patience
