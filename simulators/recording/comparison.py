"""A recorded session done again on another bench, to see what answers differently.

Every write, read and call is done in the recorded order, one after the other. An emulated bench's virtual
time follows the recorded one, so that pauses of the session are pauses there; a real one is not waited for.
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError
from pyvisa.highlevel import VisaLibraryBase

from simulators.errors import RecordingError
from simulators.recording.answers import Verdict, judge, lacks
from simulators.recording.difference import abbreviated, status_name
from simulators.recording.format import CALLS, Exchange
from simulators.recording.recording import Recording

_ERROR_QUERY = re.compile(rb":?syst(em)?:err(or)?(:next|:all)?\?\s*", re.IGNORECASE)
_UNDEFINED = -113
_EXAMPLES = 3
_CHUNK = 1 << 20
_ROUNDING_s = 2e-6  # of the times in a recording: no pause
_PARTIAL = StatusCode.success_max_count_read
_AT_TERMCHAR = StatusCode.success_termination_character_read


@dataclass
class Tally:
    """How the messages with one header fared.

    Attributes:
        header: in capitals, channel numbers as `<n>`; or the name of the VISA function in parentheses.
        count: messages; each is one of `equal` (answered as recorded, or taken as it was), `close` (numbers
            within the tolerance), `different`, `timeout` (no answer where there was one).
        undefined: messages that an emulated instrument had an error -113, "Undefined header", for, and the
            recorded one had not.
        largest: the largest relative difference between numbers.
        examples: the first few that were not equal or close, in words.
    """

    resource: str
    header: str
    count: int = 0
    equal: int = 0
    close: int = 0
    different: int = 0
    timeout: int = 0
    undefined: int = 0
    largest: float | None = None
    examples: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing was different."""
        return not (self.different or self.timeout or self.undefined)


@dataclass
class Comparison:
    """What came of doing a recorded session again.

    Attributes:
        missing: resources that could not be opened, with the reason.
    """

    recording: str
    against: str
    tolerance: float
    tallies: list[Tally]
    missing: dict[str, str]

    @property
    def agrees(self) -> bool:
        """Whether the bench answers the session as the recorded one did."""
        return not self.missing and all(tally.agrees for tally in self.tallies)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {"agrees": self.agrees, **asdict(self)}


def compare(recording: Recording, library: VisaLibraryBase, against: str, tolerance: float) -> Comparison:
    """Do the session again on the library's instruments; `against` is its name.

    Raises RecordingError for a tolerance that is none; what the instruments say is in the result.
    """
    if not 0.0 <= tolerance < float("inf"):
        raise RecordingError(f"the tolerance is {tolerance!r}; it must be 0 or more")
    again = _Again(recording, library, tolerance)
    for exchange in recording.exchanges:
        again.do(exchange)
    again.end()
    return Comparison(str(recording.path), against, tolerance, list(again.tallies.values()), again.missing)


class _Again:
    """The session while it is done again."""

    def __init__(self, recording: Recording, library: VisaLibraryBase, tolerance: float) -> None:
        self._library, self._tolerance = library, tolerance
        self._session = _Session(recording)
        self._clock = getattr(library, "clock", None)
        self._start_s = self._clock.now if self._clock is not None else 0.0
        self._standing_errors = getattr(library, "standing_errors", lambda handle: ())
        self._manager, _ = library.open_default_resource_manager()
        self._handles: dict[int, Any] = {}
        self._pending: dict[str, _Pending] = {}
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.missing: dict[str, str] = {}

    def do(self, exchange: Exchange) -> None:
        """Do one exchange, if it can be done here."""
        if self._clock is not None and self._start_s + exchange.time_s > self._clock.now + _ROUNDING_s:
            self._clock.advance_to(self._start_s + exchange.time_s)
        if exchange.op == "open":
            self._open(exchange)
            return
        handle = self._handles.get(exchange.session)
        if handle is None:
            return
        if exchange.op == "write":
            self._write(handle, exchange)
        elif exchange.op == "read" and exchange.line not in self._session.continued:
            self._read(handle, exchange)
        elif exchange.op == "set":
            number, value = exchange.arguments[0], exchange.value
            self._quietly(partial(self._library.set_attribute, handle, number, value))
        elif exchange.op in CALLS:
            self._call(handle, exchange)
        elif exchange.op == "close":
            self._settle(exchange.resource)
            self._quietly(partial(self._library.close, self._handles.pop(exchange.session)))

    def end(self) -> None:
        """Count what is left, and close what the recording left open."""
        for resource in list(self._pending):
            self._settle(resource)
        for handle in self._handles.values():
            self._quietly(partial(self._library.close, handle))
        self._quietly(partial(self._library.close, self._manager))

    def _open(self, exchange: Exchange) -> None:
        if exchange.status < 0 or exchange.resource in self.missing:
            return
        try:
            self._handles[exchange.session], _ = self._library.open(self._manager, exchange.resource)
        except Exception as error:
            self.missing[exchange.resource] = str(error)

    def _write(self, handle: Any, exchange: Exchange) -> None:
        self._settle(exchange.resource)
        data = self._session.recording.data(exchange)
        pending = self._begin(handle, exchange, header(data), data)
        try:
            self._library.write(handle, data)
        except Exception as error:
            pending.failed(exchange, "taken", error)
        else:
            if exchange.status < 0:
                pending.differs(exchange, status_name(exchange), "taken")

    def _read(self, handle: Any, exchange: Exchange) -> None:
        pending = self._pending.get(exchange.resource) or self._begin(handle, exchange, "(read)", b"")
        recorded = self._session.answers[exchange.line]
        good = exchange.status >= 0
        try:
            answered = self._message(handle, len(recorded) if exchange.status == _PARTIAL else None)
        except Exception as error:
            if good:
                pending.failed(exchange, abbreviated(recorded), error)
            return
        if good:
            pending.judged(exchange, recorded, answered, self._tolerance)
        else:
            pending.differs(exchange, status_name(exchange), abbreviated(answered))

    def _message(self, handle: Any, count: int | None) -> bytes:
        """A whole answer, termination characters within a block included, or `count` bytes of one."""
        whole = bytearray()
        while True:
            data, status = self._library.read(handle, count or _CHUNK)
            whole += data
            if count is not None or status == StatusCode.success:
                return bytes(whole)
            if status != _PARTIAL and not lacks(whole):
                return bytes(whole)

    def _call(self, handle: Any, exchange: Exchange) -> None:
        self._settle(exchange.resource)
        pending = self._begin(handle, exchange, f"({exchange.op})", b"")
        try:
            answer = getattr(self._library, exchange.op)(handle, *exchange.arguments)
        except Exception as error:
            if exchange.status >= 0:
                pending.failed(exchange, "done", error)
        else:
            value = tuple(answer[:-1]) if isinstance(answer, tuple) else None
            if exchange.status < 0:
                pending.differs(exchange, status_name(exchange), "done")
            elif exchange.op == "read_stb" and value != exchange.value:
                pending.differs(exchange, str(exchange.value), str(value))
        self._settle(exchange.resource)

    def _begin(self, handle: Any, exchange: Exchange, name: str, sent: bytes) -> "_Pending":
        tally = self.tallies.setdefault((exchange.resource, name), Tally(exchange.resource, name))
        tally.count += 1
        errors = len(self._standing_errors(handle))
        pending = self._pending[exchange.resource] = _Pending(handle, tally, exchange.line, sent, errors)
        return pending

    def _settle(self, resource: str) -> None:
        """Count the message that was last sent, with the error that the instrument made of it."""
        pending = self._pending.pop(resource, None)
        if pending is None:
            return
        new = self._standing_errors(pending.handle)[pending.errors :]
        if _UNDEFINED in new and not self._session.told_undefined(resource, pending.line):
            pending.undefined()
        setattr(pending.tally, pending.verdict, getattr(pending.tally, pending.verdict) + 1)

    @staticmethod
    def _quietly(action: Callable[[], Any]) -> None:
        """Do what changes no answer by itself, such as an attribute that this library does not have."""
        try:
            action()
        except (VisaIOError, NotImplementedError):
            return


class _Session:
    """The recorded session, its answers put together.

    Attributes:
        answers: by the line on which each begins. A read that stops at a termination character within a
            block is not an answer: noise puts that byte elsewhere each time.
        continued: the lines that only continue an answer.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.answers: dict[int, bytes] = {}
        self.continued: set[int] = set()
        self._undefined: dict[str, list[tuple[int, bool]]] = {}
        begun: dict[str, int] = {}
        asked: dict[str, bool] = {}
        for exchange in recording.exchanges:
            resource = exchange.resource
            if exchange.op == "read":
                first = begun.get(resource)
                if first is None:
                    first = begun[resource] = exchange.line
                    self.answers[first] = b""
                else:
                    self.continued.add(exchange.line)
                self.answers[first] += recording.data(exchange)
                if exchange.status != _AT_TERMCHAR or not lacks(self.answers[first]):
                    del begun[resource]
                if asked.get(resource):
                    told = str(_UNDEFINED).encode() in self.answers[first]
                    self._undefined.setdefault(resource, []).append((exchange.line, told))
            elif exchange.on_the_wire:
                begun.pop(resource, None)
                asked[resource] = exchange.op == "write" and bool(
                    _ERROR_QUERY.fullmatch(recording.data(exchange))
                )

    def told_undefined(self, resource: str, line: int) -> bool:
        """Whether the recorded instrument too, when next asked for its errors, knew an undefined header."""
        told = (undefined for at, undefined in self._undefined.get(resource, ()) if at > line)
        return next(told, False)


@dataclass
class _Pending:
    """A message whose answers may still come, and the worst that was said of them."""

    handle: Any
    tally: Tally
    line: int
    sent: bytes
    errors: int
    verdict: str = "equal"

    def judged(self, exchange: Exchange, recorded: bytes, answered: bytes, tolerance: float) -> None:
        """Two answers are compared."""
        verdict, relative = judge(recorded, answered, tolerance)
        if relative is not None:
            self.tally.largest = max(relative, self.tally.largest or 0.0)
        if verdict is Verdict.DIFFERENT:
            self.differs(exchange, abbreviated(recorded), abbreviated(answered))
        elif verdict is Verdict.CLOSE and self.verdict == "equal":
            self.verdict = "close"

    def differs(self, exchange: Exchange, recorded: str, answered: str) -> None:
        """Something else came than was recorded."""
        if self.verdict != "timeout":
            self.verdict = "different"
        self._example(f"line {exchange.line}: {recorded} was recorded, {answered} came")

    def failed(self, exchange: Exchange, recorded: str, error: Exception) -> None:
        """Nothing came, or an error, where something was recorded."""
        said = error.abbreviation if isinstance(error, VisaIOError) else f"{type(error).__name__}: {error}"
        self.differs(exchange, recorded, said)
        if isinstance(error, VisaIOError) and error.error_code == StatusCode.error_timeout:
            self.verdict = "timeout"

    def undefined(self) -> None:
        """The instrument does not know the header."""
        self.tally.undefined += 1
        self._example(f"line {self.line}: error {_UNDEFINED}, undefined header")

    def _example(self, text: str) -> None:
        if len(self.tally.examples) < _EXAMPLES:
            self.tally.examples.append((f"{abbreviated(self.sent)}, " if self.sent else "") + text)


def header(message: bytes) -> str:
    """The headers of a message in capitals, without its parameters and with `<n>` for channel numbers."""
    text = message.split(b"#", 1)[0].decode("ascii", "replace")
    units = [unit.split(None, 1)[0] for unit in re.sub(r'"[^"]*"', "", text).split(";") if unit.strip()]
    return re.sub(r"(?<=[A-Z])\d+(?=[:?]|$)", "<n>", ";".join(units).upper().replace(",", ""))
