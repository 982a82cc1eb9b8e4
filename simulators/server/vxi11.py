"""VXI-11 (TCP/IP Instrument Protocol, revision 1.0): the core channel, without abort and interrupt channels.

Clients find its port by the port mapper on port 111, or are told it, as pyvisa-py is by
`TCPIP::host,port::inst0::INSTR`.
"""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pyvisa.constants import Lock

from simulators.instrument import Disconnected
from simulators.server.rpc import (
    Arguments,
    GarbageArguments,
    NoSuchProcedure,
    Program,
    Reply,
    opaque,
    unsigned,
)
from simulators.server.sockets import MOST_PENDING
from simulators.server.turns import Client, Served, Turns

DEVICE_CORE = 0x0607AF
_LARGEST_WRITE = 1 << 20
_MOST_UNREAD = 1 << 20
_MOST_LINKS = 16  # of one connection
_MESSAGE_AVAILABLE = 1 << 4
# flags of an operation, and reasons for which a read ends
_WAIT_LOCK, _END, _TERMINATOR_SET = 1, 8, 128
_BY_COUNT, _BY_TERMINATOR, _BY_END = 1, 2, 4
# error codes (table B.2)
_OK, _NO_DEVICE, _NO_LINK, _UNSUPPORTED, _NO_RESOURCES = 0, 3, 4, 8, 9
_LOCKED, _NOT_LOCKED, _TIMEOUT, _IO_ERROR = 11, 12, 15, 17


@dataclass
class _Read:
    """A device_read that waits for the answer."""

    count: int
    terminator: bytes | None
    reply: Reply
    expiry: asyncio.TimerHandle


class Link(Client):
    """One link to one instrument; `lost` once the line to the instrument has gone down."""

    def __init__(self, served: Served, turns: Turns) -> None:
        super().__init__(served, turns)
        self._framer = served.line.instrument.framer()
        self._unread = bytearray()
        self._ended = False  # the last byte of `_unread` is the end of an answer
        self._read: _Read | None = None
        self.lost = False
        self._loop = asyncio.get_running_loop()

    # The instrument's side --------------------------------------------------------------------------------

    def answer(self, chunk: bytes, end: bool) -> None:
        """See `Client`."""
        self._unread += chunk
        self._ended = end
        self.writable = len(self._unread) <= _MOST_UNREAD
        self._serve()

    def hang_up(self) -> None:
        """See `Client`: every later operation is an error."""
        self.lost = True
        self._finish_read(_IO_ERROR)

    def end(self) -> None:
        """The link is destroyed."""
        if self._read is not None:
            self._read.expiry.cancel()
        self.turns.forget(self)

    # The controller's side --------------------------------------------------------------------------------

    def write(self, data: bytes, end: bool, reply: Reply) -> None:
        """device_write."""
        if len(self.pending) > MOST_PENDING:
            reply(unsigned(_NO_RESOURCES, 0))
            return
        whole = self._framer.feed(data, end)
        for error in (part for part in whole if isinstance(part, Exception)):
            self.turns.submit(self, partial(self.served.line.instrument.refuse, error))
        message = b"".join(part for part in whole if isinstance(part, bytes))
        if not message:
            reply(unsigned(_OK, len(data)))
            return

        def send() -> None:
            if self._unread:
                self._unread.clear()
                self.served.line.instrument.answer_lost()
            try:
                self.served.line.send(message, end)
            except Disconnected:
                reply(unsigned(_IO_ERROR, 0))
                raise
            reply(unsigned(_OK, len(data)))

        self.turns.submit(self, send)

    def read(self, count: int, timeout_s: float, terminator: bytes | None, reply: Reply) -> None:
        """device_read: answered as soon as there is something, or after the timeout."""
        self._finish_read(_IO_ERROR)
        self._read = _Read(count, terminator, reply, self._loop.call_later(timeout_s, self._expire))
        self._serve()

    def trigger(self, reply: Reply) -> None:
        """device_trigger, in order with the messages before it."""
        if len(self.pending) > MOST_PENDING:
            reply(unsigned(_NO_RESOURCES))
            return

        def do() -> None:
            try:
                self.served.line.instrument.trigger()
            except Disconnected:
                reply(unsigned(_IO_ERROR))
                raise
            reply(unsigned(_OK))

        self.turns.submit(self, do)

    def clear(self) -> None:
        """device_clear."""
        self._framer.clear()
        self._unread.clear()
        self.writable = True
        self.turns.withdraw(self)
        self.turns.clear(self)

    def status(self) -> int:
        """device_readstb; may raise Disconnected."""
        self.turns.now()
        available = _MESSAGE_AVAILABLE if self._unread else 0
        return (self.served.line.instrument.status_byte() | available) & 0xFF

    def _serve(self) -> None:
        waiting = self._read
        if waiting is None or not self._unread:
            return
        stop = min(waiting.count, len(self._unread))
        found = -1 if waiting.terminator is None else self._unread.find(waiting.terminator, 0, stop)
        stop = found + 1 or stop
        reason = _BY_TERMINATOR if found >= 0 else 0
        if stop == len(self._unread) and self._ended:
            reason |= _BY_END
        if stop == waiting.count:
            reason |= _BY_COUNT
        data = bytes(self._unread[:stop])
        del self._unread[:stop]
        self.writable = len(self._unread) <= _MOST_UNREAD
        self._finish_read(_OK, reason, data)
        self.turns.wake()

    def _expire(self) -> None:
        self._finish_read(_TIMEOUT)
        try:
            self.served.line.instrument.query_timed_out()
        except Disconnected:
            self.hang_up()

    def _finish_read(self, error: int, reason: int = 0, data: bytes = b"") -> None:
        if self._read is not None:
            waiting, self._read = self._read, None
            waiting.expiry.cancel()
            waiting.reply(unsigned(error, reason) + opaque(data))


class Vxi11Core(Program):
    """The calls of one connection; the instruments by device name."""

    number = DEVICE_CORE

    def __init__(self, served: Mapping[str, Served], turns: Turns) -> None:
        self._served, self._turns = served, turns
        self._links: dict[int, Link] = {}
        self._numbers = itertools.count(1)
        self._procedures: dict[int, Callable[[Link, Arguments, Reply], None]] = {
            11: self._write,
            12: self._read,
            13: self._read_status,
            14: self._trigger,
            15: self._clear,
            16: self._nothing,  # remote and local: there is no front panel
            17: self._nothing,
            18: self._lock,
            19: self._unlock,
            23: self._destroy,
        }

    def call(self, procedure: int, arguments: Arguments, reply: Reply) -> None:
        """See `Program`."""
        if procedure == 0:
            reply(b"")
        elif procedure == 10:
            self._create(arguments, reply)
        elif procedure in (20, 25, 26):  # service requests and their channel
            reply(unsigned(_UNSUPPORTED))
        elif procedure == 22:  # docmd
            reply(unsigned(_UNSUPPORTED) + opaque(b""))
        elif procedure in self._procedures:
            link = self._links.get(arguments.unsigned())
            if link is None or link.lost:
                # what follows the error in a result, all of it empty
                rest = {11: unsigned(0), 12: unsigned(0) + opaque(b""), 13: unsigned(0)}
                reply(unsigned(_NO_LINK if link is None else _IO_ERROR) + rest.get(procedure, b""))
                return
            self._procedures[procedure](link, arguments, reply)
        else:
            raise NoSuchProcedure

    def close(self) -> None:
        """See `Program`."""
        for link in self._links.values():
            link.end()
        self._links.clear()

    def _create(self, arguments: Arguments, reply: Reply) -> None:
        arguments.unsigned()  # the client's number
        lock, _ = arguments.unsigned(), arguments.unsigned()
        served = self._served.get(arguments.opaque().decode("latin-1") or "inst0")
        if served is None:
            reply(unsigned(_NO_DEVICE, 0, 0, 0))
            return
        link = Link(served, self._turns)
        if len(self._links) >= _MOST_LINKS or not served.admit(link):
            reply(unsigned(_NO_RESOURCES, 0, 0, 0))
            return
        if lock and served.lock.acquire(id(link), Lock.exclusive)[1] < 0:
            link.end()
            reply(unsigned(_LOCKED, 0, 0, 0))
            return
        number = next(self._numbers)
        self._links[number] = link
        reply(unsigned(_OK, number, 0, _LARGEST_WRITE))

    def _write(self, link: Link, arguments: Arguments, reply: Reply) -> None:
        _, _, flags = arguments.unsigned(), arguments.unsigned(), arguments.unsigned()
        link.write(arguments.opaque(), bool(flags & _END), reply)

    def _read(self, link: Link, arguments: Arguments, reply: Reply) -> None:
        count, timeout_ms, _ = arguments.unsigned(), arguments.unsigned(), arguments.unsigned()
        flags, character = arguments.unsigned(), arguments.unsigned()
        if not count:
            raise GarbageArguments
        terminator = bytes([character & 0xFF]) if flags & _TERMINATOR_SET else None
        link.read(count, timeout_ms / 1000, terminator, reply)

    def _read_status(self, link: Link, arguments: Arguments, reply: Reply) -> None:
        try:
            reply(unsigned(_OK, link.status()))
        except Disconnected:
            link.hang_up()
            reply(unsigned(_IO_ERROR, 0))

    def _trigger(self, link: Link, arguments: Arguments, reply: Reply) -> None:
        link.trigger(reply)

    def _clear(self, link: Link, arguments: Arguments, reply: Reply) -> None:
        link.clear()
        reply(unsigned(_IO_ERROR if link.lost else _OK))

    def _nothing(self, link: Link, arguments: Arguments, reply: Reply) -> None:
        reply(unsigned(_OK))

    def _lock(self, link: Link, arguments: Arguments, reply: Reply) -> None:
        flags, timeout_ms = arguments.unsigned(), arguments.unsigned()
        timeout_s = timeout_ms / 1000 if flags & _WAIT_LOCK else 0.0
        self._turns.lock(
            link, None, timeout_s, lambda status: reply(unsigned(_OK if status >= 0 else _LOCKED))
        )

    def _unlock(self, link: Link, arguments: Arguments, reply: Reply) -> None:
        status = link.served.lock.release(id(link))
        reply(unsigned(_OK if status >= 0 else _NOT_LOCKED))
        self._turns.wake()

    def _destroy(self, link: Link, arguments: Arguments, reply: Reply) -> None:
        self._links = {number: one for number, one in self._links.items() if one is not link}
        link.end()
        reply(unsigned(_OK))
