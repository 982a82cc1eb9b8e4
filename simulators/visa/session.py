"""An open VISA session and the port it shares with other sessions to the same instrument."""

import math
from dataclasses import dataclass, field
from typing import Any

from pyvisa import rname
from pyvisa.constants import VI_TMO_INFINITE, InterfaceType, ResourceAttribute, StatusCode

from simulators.instrument import NothingToRead
from simulators.line import Line
from simulators.visa.attributes import initial
from simulators.visa.locks import ResourceLock

_FOREVER_s = 86400.0  # what an infinite timeout is worth: a virtual day, so that nothing ever hangs
_LOOKS_PER_TIMEOUT = 1000  # how finely a wait whose end nobody knows is divided

_TIMEOUT = int(ResourceAttribute.timeout_value)
_TERMCHAR = int(ResourceAttribute.termchar)
_TERMCHAR_ENABLED = int(ResourceAttribute.termchar_enabled)
_SEND_END = int(ResourceAttribute.send_end_enabled)


@dataclass(kw_only=True)
class Port(Line):
    """One instrument as the library sees it: all sessions to it share what follows."""

    name: rname.ResourceName
    lock: ResourceLock = field(default_factory=ResourceLock)
    held: bytes = b""  # taken from the instrument, beyond a termination character
    _position: int = 0

    @property
    def is_stream(self) -> bool:
        """Whether the transport is a plain stream: no END, no device clear, no serial poll."""
        return self.name.interface_type_const == InterfaceType.asrl or self.name.resource_class == "SOCKET"

    @property
    def stops_at_termchar(self) -> bool:
        """Whether a termination character ends a read; a GPIB board sees to it, whatever the instrument does."""
        ignored = self.instrument.ignores_termchar and self.name.interface_type_const != InterfaceType.gpib
        return self.is_stream or not ignored

    @property
    def unread(self) -> bool:
        """Whether the rest of an answer that was begun is still to be read."""
        return self.answering or bool(self.held)

    def take(self, count: int, termchar: bytes | None) -> tuple[bytes, StatusCode]:
        """Up to `count` bytes, a termination character or the end of the answer; may raise NothingToRead."""
        if not self.held:
            chunk, end = self.receive(count)
            after = 0 if termchar is None else chunk.find(termchar) + 1
            if not after or after == len(chunk):
                return chunk, _status(end, after > 0)
            self.held, self._position = chunk, 0
        start = self._position
        stop = min(start + count, len(self.held))
        after = 0 if termchar is None else self.held.find(termchar, start, stop) + 1
        stop = self._position = after or stop
        chunk = self.held[start:stop]
        last = stop == len(self.held)
        if last:
            self.held = b""
        return chunk, _status(last and not self.answering, after > 0)

    def drop(self) -> None:
        """Forget the rest of an answer that is not read to its end."""
        self.held, self._position, self.answering = b"", 0, False

    def drain(self) -> None:
        """Throw away what the instrument has already sent."""
        self.drop()
        try:
            while True:
                self.instrument.read(1 << 20)
        except NothingToRead:
            return


def _status(end: bool, stopped: bool) -> StatusCode:
    if end:
        return StatusCode.success
    return StatusCode.success_termination_character_read if stopped else StatusCode.success_max_count_read


class Session:
    """One open session; timeouts are in virtual time."""

    def __init__(self, port: Port, handle: int, manager: int) -> None:
        self.port = port
        self.lock = port.lock
        self.handle = handle
        self.stream = port.is_stream
        self.attributes: dict[int, Any] = initial(port.name, manager)
        self.service_requests_enabled = False
        self.service_request_seen = False
        self.lost = False  # its line went down
        self.timeout_s = 0.0
        self.termchar: bytes | None = None
        self.send_end = True
        self.refresh()

    def refresh(self) -> None:
        """Take over attributes that have changed."""
        milliseconds = self.attributes[_TIMEOUT]
        self.timeout_s = _FOREVER_s if milliseconds == VI_TMO_INFINITE else milliseconds / 1000
        enabled = self.attributes.get(_TERMCHAR_ENABLED, False) and self.port.stops_at_termchar
        self.termchar = bytes([self.attributes[_TERMCHAR]]) if enabled else None
        self.send_end = not self.stream and bool(self.attributes.get(_SEND_END, True))

    def write(self, data: bytes) -> None:
        """Send bytes."""
        port = self.port
        if port.clock.paced:
            port.clock.pass_idle()
        if (port.answering or port.held) and not self.stream:
            port.drop()
        port.send(data, self.send_end)

    def read(self, count: int) -> tuple[bytes, StatusCode]:
        """Read up to `count` bytes, a termination character or the end of the answer."""
        if self.port.clock.paced:
            self.port.clock.pass_idle()
        try:
            return self.port.take(count, self.termchar)
        except NothingToRead as nothing:
            return self._wait(nothing, count)

    def _wait(self, nothing: NothingToRead, count: int) -> tuple[bytes, StatusCode]:
        """Let virtual time pass until there is an answer or the timeout has come."""
        port, clock = self.port, self.port.clock
        deadline = clock.now + self.timeout_s
        look = self.timeout_s / _LOOKS_PER_TIMEOUT
        while clock.now < deadline:
            instant = nothing.ready_at
            if instant is None or instant <= clock.now:
                # nobody knows: another instrument's event may bring it, so look again now and then
                instant = max(clock.now + look, math.nextafter(clock.now, math.inf))
            clock.advance_to(min(instant, deadline))
            try:
                return port.take(count, self.termchar)
            except NothingToRead as still_nothing:
                nothing = still_nothing
        if not self.stream:
            port.instrument.query_timed_out()
        return b"", StatusCode.error_timeout

    def wait_for_service_request(self, timeout_s: float) -> bool:
        """Let virtual time pass until the instrument requests service; false when it does not."""
        clock = self.port.clock
        deadline = clock.now + min(timeout_s, _FOREVER_s)
        look = min(timeout_s, _FOREVER_s) / _LOOKS_PER_TIMEOUT
        while True:
            requested = bool(getattr(self.port.instrument, "service_requested", False))
            if requested and not self.service_request_seen:
                self.service_request_seen = True
                return True
            self.service_request_seen = requested
            if clock.now >= deadline:
                return False
            clock.advance_to(min(deadline, max(clock.now + look, math.nextafter(clock.now, math.inf))))
