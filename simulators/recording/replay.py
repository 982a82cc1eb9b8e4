"""A PyVISA library that answers from a recording: no instrument, no model of one, no waiting."""

import atexit
import builtins
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, cast

from pyvisa import constants, rname
from pyvisa.attributes import AttributesByID
from pyvisa.constants import EventAttribute, EventMechanism, EventType, ResourceAttribute, StatusCode
from pyvisa.errors import VisaIOError
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession

from simulators.recording.difference import Divergence
from simulators.recording.format import CALLS, REPORTS_VARIABLE, Exchange
from simulators.recording.order import SILENCE, LooseOrder, Order, StrictOrder, canonical
from simulators.recording.recording import Recording
from simulators.recording.spelling import Spelling, read_spelling
from simulators.visa.attributes import initial, refusal

_TERMCHAR = int(ResourceAttribute.termchar)
_TERMCHAR_ENABLED = int(ResourceAttribute.termchar_enabled)

_replays: dict[tuple[str, str], "Replay"] = {}


class Replay:
    """A recording that is being replayed in this process, however often its library is opened."""

    def __init__(self, path: str, loose: bool) -> None:
        self.recording = Recording(path)
        self.order: Order = LooseOrder(self.recording) if loose else StrictOrder(self.recording)
        self.answers: dict[str, Answer] = {}
        self._times: Iterator[float] = iter(
            [exchange.value for exchange in self.recording.exchanges if exchange.op == "clock"]
        )
        self._time_s: float | None = None
        self.attributes = _recorded_attributes(self.recording)

    def monotonic_s(self) -> float:
        """The recorded time; it stands still when there is no more of it."""
        self._time_s = next(self._times, self._time_s)
        return time.monotonic() if self._time_s is None else self._time_s

    def report(self) -> dict[str, Any]:
        """What came of it, as plain values."""
        return {
            "recording": str(self.recording.path),
            "cut": self.recording.cut,
            **self.order.report(),
        }

    def write_report(self) -> None:
        """Leave the report where whoever started this process asked for it."""
        folder = os.environ.get(REPORTS_VARIABLE)
        if folder and os.path.isdir(folder):
            Path(folder, f"{os.getpid()}.json").write_text(json.dumps(self.report()), encoding="utf-8")


def replay(path: str, loose: bool) -> Replay:
    """The replay of the recording in this process; begun at the recording's start if there is none."""
    key = (os.path.abspath(path), "loose" if loose else "strict")
    if key not in _replays:
        _replays[key] = Replay(path, loose)
        _replays[key].write_report()  # so that also a process that is killed has said that it replays
        atexit.register(_replays[key].write_report)
    return _replays[key]


def rewind(path: str) -> None:
    """Let the next library on this recording begin at its start."""
    for key in [key for key in _replays if key[0] == os.path.abspath(path)]:
        atexit.unregister(_replays.pop(key).write_report)


class Answer:
    """An answer that is being read, in pieces of whatever size the program likes."""

    def __init__(self, exchange: Exchange, data: bytes) -> None:
        self.exchange, self._data, self._position = exchange, data, 0

    @property
    def status(self) -> int:
        """How it ends."""
        return self.exchange.status

    @property
    def unread(self) -> bool:
        """Whether there is more."""
        return self._position < len(self._data)

    def take(self, count: int, termchar: bytes | None) -> tuple[bytes, bool]:
        """Up to `count` bytes or a termination character, and whether that is what stopped it."""
        stop = min(self._position + count, len(self._data))
        after = 0 if termchar is None else self._data.find(termchar, self._position, stop) + 1
        chunk = self._data[self._position : after or stop]
        self._position = after or stop
        return chunk, after > 0


class ReplayLibrary(VisaLibraryBase):
    """PyVISA's view of a recording; statuses, timeouts and errors come as they were, and at once."""

    _replay: Replay
    _sessions: dict[int, "ReplaySession"]

    def _init(self) -> None:
        spelled = cast(Spelling, read_spelling(str(self.library_path)))
        self._replay = replay(spelled.path, loose=spelled.scheme == "replay-loose")
        self._sessions = {}
        self._contexts: dict[int, int] = {}
        self._handles = itertools.count(1)

    # Sessions ---------------------------------------------------------------------------------------------

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """viOpenDefaultRM."""
        handle = VISARMSession(next(self._handles))
        return handle, self.handle_return_value(handle, StatusCode.success)

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """viFindRsrc: what was opened in the recording."""
        return tuple(rname.filter(self._replay.recording.resources, query))

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """viOpen."""
        opening = self._told(lambda: self._replay.order.opened(resource_name))
        if opening is not None:
            self._end(None, opening)
        handle = VISASession(next(self._handles))
        known = self._replay.attributes.get(canonical(resource_name), {})
        self._sessions[handle] = ReplaySession(resource_name, int(session), known)
        return handle, self.handle_return_value(handle, StatusCode.success)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """viClose."""
        self._sessions.pop(session, None)
        self._contexts.pop(session, None)
        return StatusCode.success

    def get_attribute(
        self, session: VISASession | VISAEventContext | VISARMSession, attribute: Any
    ) -> tuple[Any, StatusCode]:
        """viGetAttribute: what was set here, or else what it was in the recording."""
        if session in self._contexts and attribute == EventAttribute.event_type:
            return EventType(self._contexts[session]), StatusCode.success
        attributes = self._session(session).attributes
        if attribute not in attributes:
            raise VisaIOError(StatusCode.error_nonsupported_attribute)
        return attributes[int(attribute)], self.handle_return_value(session, StatusCode.success)

    def set_attribute(self, session: VISASession, attribute: Any, attribute_state: Any) -> StatusCode:
        """viSetAttribute."""
        attributes = self._session(session).attributes
        refused = refusal(attributes, int(attribute))
        if refused is None:
            attributes[int(attribute)] = attribute_state
        return self.handle_return_value(session, refused or StatusCode.success)

    # Messages ---------------------------------------------------------------------------------------------

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """viWrite."""
        resource = self._session(session).resource
        left = self._replay.answers.pop(canonical(resource), None)
        unread = left is not None and left.unread
        found = self._told(lambda: self._replay.order.written(resource, bytes(data), unread))
        return len(data), self._end(session, found)

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """viRead."""
        present = self._session(session)
        key, order = canonical(present.resource), self._replay.order
        answer = self._replay.answers.pop(key, None)
        if answer is None:
            found = self._told(lambda: order.answer(present.resource))
            if found is None:
                self.handle_return_value(session, SILENCE)
            answer = self._answer(cast(Exchange, found))
        if not answer.unread:
            return b"", self._end(session, answer.exchange)
        termchar = present.termchar
        chunk, stopped = answer.take(count, termchar)
        if answer.unread or answer.status < 0:  # an answer that failed on the way fails at its end
            self._replay.answers[key] = answer
            status = StatusCode.success_termination_character_read if stopped else _MORE
            return chunk, self.handle_return_value(session, status)
        if answer.status == StatusCode.success_termination_character_read and termchar is None:
            # this program reads on where the recorded one stopped
            following = self._told(lambda: order.answer(present.resource, answer.exchange))
            if following is not None:
                self._replay.answers[key] = self._answer(following)
                return chunk, self.handle_return_value(session, _MORE)
            return chunk, self.handle_return_value(session, StatusCode.success)
        if answer.status == _MORE and stopped:
            return chunk, self.handle_return_value(session, StatusCode.success_termination_character_read)
        return chunk, self._end(session, answer.exchange)

    def monotonic_s(self) -> float:
        """The time in seconds that the recorded program was given."""
        return self._replay.monotonic_s()

    def wait_on_event(
        self, session: VISASession, in_event_type: EventType, timeout: int
    ) -> tuple[EventType, VISAEventContext, StatusCode]:
        """viWaitOnEvent."""
        value, status = self._call("wait_on_event", session, in_event_type, timeout)
        kind = EventType(value[0]) if value else in_event_type
        context = VISAEventContext(next(self._handles))
        self._contexts[context] = int(kind)
        return kind, context, status

    def enable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism, context: None = None
    ) -> StatusCode:
        """viEnableEvent: events come where the recording has one."""
        return self.handle_return_value(session, StatusCode.success)

    def disable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """viDisableEvent."""
        return StatusCode.success

    def discard_events(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """viDiscardEvents."""
        return StatusCode.success

    def set_buffer(self, session: VISASession, mask: constants.BufferType, size: int) -> StatusCode:
        """viSetBuf: any size will do."""
        return self.handle_return_value(session, StatusCode.success)

    def _call(self, name: str, session: Any, *arguments: Any) -> tuple[tuple[Any, ...], StatusCode]:
        """What the recorded call gave, its status last; raises what it raised."""
        resource = self._session(session).resource
        if name == "clear":
            self._replay.answers.pop(canonical(resource), None)
        plain = tuple(int(item) if isinstance(item, int) else item for item in arguments)
        found = self._told(lambda: self._replay.order.called(resource, name, plain))
        return (found.value or () if found is not None else ()), self._end(session, found)

    def _session(self, handle: int) -> "ReplaySession":
        try:
            return self._sessions[handle]
        except KeyError:
            raise VisaIOError(StatusCode.error_invalid_object) from None

    def _answer(self, exchange: Exchange) -> Answer:
        return Answer(exchange, self._replay.recording.data(exchange))

    def _told(self, ask: Callable[[], Exchange | None]) -> Exchange | None:
        try:
            return ask()
        except Divergence:
            self._replay.write_report()
            raise

    def _end(self, session: Any, exchange: Exchange | None) -> StatusCode:
        """End as the recorded exchange ended."""
        if exchange is None:
            return self.handle_return_value(session, StatusCode.success)
        if exchange.error:
            _raise_again(exchange)
        return self.handle_return_value(session, exchange.status)


_MORE = StatusCode.success_max_count_read


class ReplaySession:
    """An open session: its resource and its attributes."""

    def __init__(self, resource: str, manager: int, recorded: dict[int, Any]) -> None:
        self.resource = resource
        try:
            name = rname.ResourceName.from_string(resource)
            self.attributes = initial(name, manager) | recorded
        except rname.InvalidResourceName:  # an alias of the recorded computer
            self.attributes = dict(recorded)

    @property
    def termchar(self) -> bytes | None:
        """The termination character that ends a read, if one does."""
        enabled = self.attributes.get(_TERMCHAR_ENABLED, False)
        return bytes([self.attributes[_TERMCHAR]]) if enabled else None


def _recorded_attributes(recording: Recording) -> dict[str, dict[int, Any]]:
    """By resource, the first value of every attribute that was read before it was set."""
    found: dict[str, dict[int, Any]] = {}
    touched: set[tuple[str, int]] = set()
    for exchange in recording.exchanges:
        if exchange.op in ("get", "set") and exchange.arguments:
            key, number = canonical(exchange.resource), exchange.arguments[0]
            if (key, number) not in touched and exchange.op == "get" and number in AttributesByID:
                found.setdefault(key, {})[number] = exchange.value
            touched.add((key, number))
    return found


def _raise_again(exchange: Exchange) -> NoReturn:
    """Raise what was raised: its own kind if Python has it, an interruption for one, else a system error."""
    kind = getattr(builtins, exchange.error, None)
    said = f"recorded at line {exchange.line}"
    if isinstance(kind, type) and issubclass(kind, Exception):
        raise kind(said)
    if exchange.error == "KeyboardInterrupt":
        raise KeyboardInterrupt(said)
    error = VisaIOError(StatusCode.error_system_error)
    error.add_note(f"{exchange.error}, {said}")
    raise error


def _replayed_call(name: str) -> Callable[..., Any]:
    def call(self: ReplayLibrary, session: Any, *arguments: Any, **named: Any) -> Any:
        value, status = self._call(name, session, *arguments, *named.values())
        return (*value, status) if value else status

    call.__name__, call.__doc__ = name, getattr(VisaLibraryBase, name).__doc__
    return call


for _name in CALLS - {"wait_on_event"}:
    setattr(ReplayLibrary, _name, _replayed_call(_name))
