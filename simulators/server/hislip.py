"""HiSLIP (IVI-6.1): message-based instruments over two TCP connections for each client.

Synchronized mode, versions 1.0 to 2.0 without encryption. The server pushes nothing on the asynchronous
channel (no AsyncServiceRequest, no AsyncInterrupted): clients that wait there for the answer to a question of
their own, as pyvisa-py does, would take it for that answer. A client tells stale answers by their MessageID.
"""

import asyncio
import itertools
import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

from pyvisa.constants import StatusCode

from simulators.instrument import Disconnected
from simulators.server.hislip_messages import (
    LARGEST,
    Fatal,
    Fault,
    Kind,
    Message,
    MessageReader,
    PoorHeader,
    TooLarge,
)
from simulators.server.sockets import MOST_PENDING, quicken
from simulators.server.turns import Client, Served, Turns

_NEWEST = 0x0200
_VENDOR = int.from_bytes(b"HL", "big")
_MESSAGE_AVAILABLE = 1 << 4
_BEFORE_ALL = 0xFFFF_FF00 - 2  # the MessageID before a client's first
_SMALLEST = 1 << 8
_LOOK_s, _LOOKS = 1e-3, 50  # how often and how many times the synchronous channel is waited for
_MOST_CHANNELS = 512


class HislipDoor:
    """All sessions of one port; the instruments by sub-address."""

    def __init__(self, served: Mapping[str, Served], turns: Turns) -> None:
        self.served, self.turns = served, turns
        self.sessions: dict[int, HislipClient] = {}
        self.channels: set[Channel] = set()
        self._numbers = itertools.count(1)

    def open_session(self, channel: "Channel", address: str) -> "HislipClient | None":
        """A session to the instrument at the sub-address, None where it has too many."""
        client = HislipClient(self, channel, self.served[address])
        number = next(n for n in (k & 0xFFFF for k in self._numbers) if n and n not in self.sessions)
        if not client.served.admit(client):
            return None
        client.number = number
        self.sessions[number] = client
        return client

    def close(self) -> None:
        """End every session."""
        for channel in list(self.channels):
            channel.close()


class Channel(asyncio.Protocol):
    """One TCP connection: synchronous or asynchronous is what its first message says."""

    _transport: asyncio.Transport

    def __init__(self, door: HislipDoor) -> None:
        self._door = door
        self._reader = MessageReader()
        self.take: Callable[[Message], None] = self._initialize
        self.session: HislipClient | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)
        self._door.channels.add(self)
        if len(self._door.channels) > _MOST_CHANNELS:
            self._transport.abort()
        else:
            quicken(transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        quicken(self._transport)
        try:
            for message in self._reader.feed(data):
                if self._transport.is_closing():
                    return
                if isinstance(message, TooLarge):
                    self.complain(Fault.TOO_LARGE, str(message))
                elif message.kind == Kind.FATAL_ERROR:
                    self.close()
                elif message.kind != Kind.ERROR:
                    self.take(message)
        except PoorHeader:
            self.fail(Fatal.POOR_HEADER, "this is no HiSLIP header")

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol: with one of its channels the whole session ends."""
        self._door.channels.discard(self)
        if self.session is not None:
            self.session.end()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._transport.pause_reading()
        if self.session is not None:
            self.session.writable = False

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self.hold_back(False)
        if self.session is not None:
            self.session.writable = True
            self._door.turns.wake()

    def send(self, kind: Kind, control: int = 0, parameter: int = 0, payload: bytes = b"") -> None:
        """Send one message."""
        self._transport.write(Message(kind, control, parameter, payload).encoded())

    def complain(self, fault: Fault, text: str) -> None:
        """Error: the message at fault is ignored."""
        self.send(Kind.ERROR, fault, 0, text.encode())

    def fail(self, fault: Fatal, text: str) -> None:
        """FatalError: the connection ends."""
        self.send(Kind.FATAL_ERROR, fault, 0, text.encode())
        self.close()

    def close(self) -> None:
        """Send what is still to be sent, then end the connection."""
        self._transport.close()

    def hold_back(self, full: bool) -> None:
        """Let the client's further bytes wait in its own socket, or take them again."""
        if self._transport.is_closing() or full != self._transport.is_reading():
            return
        if full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _initialize(self, message: Message) -> None:
        if message.kind == Kind.INITIALIZE:
            self._initialize_synchronous(message)
        elif message.kind == Kind.ASYNC_INITIALIZE:
            session = self._door.sessions.get(message.parameter)
            if session is None or session.asynchronous is not None:
                self.fail(Fatal.INITIALIZATION, f"no session {message.parameter} awaits its second channel")
                return
            self.session, session.asynchronous = session, self
            self.take = session.take_asynchronous
            self.send(Kind.ASYNC_INITIALIZE_RESPONSE, 0, _VENDOR)
        else:
            self.fail(Fatal.INITIALIZATION, "the first message must be Initialize or AsyncInitialize")

    def _initialize_synchronous(self, message: Message) -> None:
        address = message.payload.decode("latin-1") or "hislip0"
        if address not in self._door.served:
            known = ", ".join(self._door.served)
            self.fail(Fatal.INITIALIZATION, f"no instrument {address[:40]!r}; there are {known}")
            return
        session = self._door.open_session(self, address)
        if session is None:
            self.fail(Fatal.TOO_MANY, f"{address} has as many clients as it takes")
            return
        self.session, self.take = session, session.take_synchronous
        version = min(message.parameter >> 16, _NEWEST)
        self.send(Kind.INITIALIZE_RESPONSE, 0, version << 16 | session.number)


class HislipClient(Client):
    """One session."""

    def __init__(self, door: HislipDoor, synchronous: Channel, served: Served) -> None:
        super().__init__(served, door.turns)
        self.number = 0
        self.asynchronous: Channel | None = None
        self._door = door
        self._synchronous = synchronous
        self._framer = served.line.instrument.framer()
        self._fresh = True  # the next Data message is the first of a program message
        self._delivered = True
        self._latest = _BEFORE_ALL  # MessageID of the newest message on the synchronous channel
        self._answering = 0  # MessageID of the message whose answer is sent now
        self._unread = False  # an answer was sent, and the client has not said that it has been read
        self._clearing = False
        self._largest = LARGEST
        self._loop = asyncio.get_running_loop()

    # The instrument's side --------------------------------------------------------------------------------

    def answer(self, chunk: bytes, end: bool) -> None:
        """See `Client`."""
        room = self._largest - 16
        for start in range(0, len(chunk), room):
            piece = chunk[start : start + room]
            last = end and start + room >= len(chunk)
            self._synchronous.send(Kind.DATA_END if last else Kind.DATA, 0, self._answering, piece)
        self._unread = True

    def hang_up(self) -> None:
        """See `Client`."""
        self._synchronous.fail(Fatal.UNIDENTIFIED, "the line to the instrument is down")
        self.end()

    def settled(self) -> None:
        """See `Client`."""
        self._synchronous.hold_back(False)

    def end(self) -> None:
        """The session is over."""
        if self._door.sessions.pop(self.number, None) is None:
            return
        self.turns.forget(self)
        self._synchronous.close()
        if self.asynchronous is not None:
            self.asynchronous.close()

    # Synchronous channel ----------------------------------------------------------------------------------

    def take_synchronous(self, message: Message) -> None:
        """A message on the synchronous channel."""
        if self.asynchronous is None:
            self._synchronous.fail(Fatal.ONE_CHANNEL, "the asynchronous channel is not open yet")
        elif message.kind == Kind.DEVICE_CLEAR_COMPLETE:
            self._clearing = False
            self._synchronous.send(Kind.DEVICE_CLEAR_ACKNOWLEDGE)
        elif message.kind not in (Kind.DATA, Kind.DATA_END, Kind.TRIGGER):
            self._synchronous.complain(Fault.MESSAGE_TYPE, f"message type {message.kind}")
        elif not self._clearing:
            self._latest = message.parameter
            if self._fresh:
                self._delivered = bool(message.control & 1)
            if message.kind == Kind.TRIGGER:
                self._submit(message.parameter, self.served.line.instrument.trigger)
            else:
                self._take_data(message)

    def _take_data(self, message: Message) -> None:
        end = message.kind == Kind.DATA_END
        self._fresh = end
        whole = self._framer.feed(message.payload, end)
        data = b"".join(part for part in whole if isinstance(part, bytes))
        for error in (part for part in whole if isinstance(part, Exception)):
            self._submit(message.parameter, partial(self.served.line.instrument.refuse, error))
        if data:
            self._submit(message.parameter, partial(self.served.line.send, data, end))

    def _submit(self, number: int, action: Callable[[], None]) -> None:
        self.turns.submit(self, partial(self._do, number, self._delivered, action))
        self._synchronous.hold_back(len(self.pending) > MOST_PENDING)

    def _do(self, number: int, delivered: bool, action: Callable[[], None]) -> None:
        if self._unread and not delivered:
            self.served.line.instrument.answer_lost()
        self._unread = False
        self._answering = number
        action()

    # Asynchronous channel ---------------------------------------------------------------------------------

    def take_asynchronous(self, message: Message) -> None:
        """A message on the asynchronous channel."""
        channel = self.asynchronous
        if channel is None:
            return
        try:
            if message.kind == Kind.ASYNC_STATUS_QUERY:
                self._caught_up(message.parameter, partial(self._tell_status, bool(message.control & 1)))
            elif message.kind == Kind.ASYNC_MAX_MSG_SIZE:
                self._agree_size(channel, message)
            elif message.kind == Kind.ASYNC_DEVICE_CLEAR:
                self._clear(channel)
            elif message.kind == Kind.ASYNC_LOCK:
                self._lock(channel, message)
            elif message.kind == Kind.ASYNC_LOCK_INFO:
                exclusive, holders = self.served.lock.holders()
                channel.send(Kind.ASYNC_LOCK_INFO_RESPONSE, exclusive, holders)
            elif message.kind == Kind.ASYNC_REMOTE_LOCAL_CONTROL:
                channel.send(Kind.ASYNC_REMOTE_LOCAL_RESPONSE)
            else:
                channel.complain(Fault.MESSAGE_TYPE, f"message type {message.kind}")
        except Disconnected:
            self.hang_up()

    def _caught_up(self, number: int, then: Callable[[], None], looks: int = _LOOKS) -> None:
        """Do `then` once the synchronous channel has come as far as the client, or after a while."""
        ahead = (number - self._latest) & 0xFFFFFFFF
        if (ahead <= 2 and not self.pending) or not looks:  # clients send the last number, or the next
            then()
        elif self.number in self._door.sessions:
            self._loop.call_later(_LOOK_s, self._caught_up, number, then, looks - 1)

    def _tell_status(self, delivered: bool) -> None:
        if self.asynchronous is None:
            return
        if delivered:
            self._unread = False
        try:
            self.turns.now()
            byte = self.served.line.instrument.status_byte()
        except Disconnected:
            self.hang_up()
            return
        available = _MESSAGE_AVAILABLE if self._unread else 0
        self.asynchronous.send(Kind.ASYNC_STATUS_RESPONSE, (byte | available) & 0xFF)

    def _agree_size(self, channel: Channel, message: Message) -> None:
        if len(message.payload) != 8:
            channel.complain(Fault.CONTROL_CODE, "AsyncMaxMsgSize has a payload of 8 bytes")
            return
        self._largest = min(max(struct.unpack("!Q", message.payload)[0], _SMALLEST), LARGEST)
        channel.send(Kind.ASYNC_MAX_MSG_SIZE_RESPONSE, 0, 0, struct.pack("!Q", LARGEST))

    def _clear(self, channel: Channel) -> None:
        self._clearing = True
        self._framer.clear()
        self._fresh, self._unread, self._latest = True, False, _BEFORE_ALL
        self.turns.withdraw(self)
        self.turns.clear(self)
        self._synchronous.hold_back(False)
        channel.send(Kind.ASYNC_DEVICE_CLEAR_ACKNOWLEDGE)

    # Locks ------------------------------------------------------------------------------------------------

    def _lock(self, channel: Channel, message: Message) -> None:
        if message.control == 0:
            self._caught_up(message.parameter, partial(self._release, channel))
        elif message.control == 1:
            key = message.payload.decode("latin-1") or None
            self.turns.lock(self, key, message.parameter / 1000, partial(self._tell_locked, channel))
        else:
            channel.complain(Fault.CONTROL_CODE, f"control code {message.control} of AsyncLock")

    def _tell_locked(self, channel: Channel, status: StatusCode) -> None:
        refused = 0 if status == StatusCode.error_resource_locked else 3
        channel.send(Kind.ASYNC_LOCK_RESPONSE, 1 if status >= 0 else refused)

    def _release(self, channel: Channel) -> None:
        exclusive = self.served.lock.is_exclusive(id(self))
        status = self.served.lock.release(id(self))
        channel.send(Kind.ASYNC_LOCK_RESPONSE, 3 if status < 0 else 1 if exclusive else 2)
        self.turns.wake()
