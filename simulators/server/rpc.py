"""ONC remote procedure calls over TCP (RFC 5531, XDR of RFC 4506), as much as VXI-11 and its port mapper need."""

import asyncio
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import cast

from simulators.server.sockets import quicken

_LARGEST = (1 << 20) + 1024  # bytes of one call
_LAST = 0x80000000
_CALL, _REPLY = 0, 1
_PROGRAM_UNAVAILABLE, _PROCEDURE_UNAVAILABLE, _GARBAGE = 1, 3, 4
_PORT_MAPPER, _GET_PORT, _TCP = 100000, 3, 6

Reply = Callable[[bytes], None]
"""Takes the encoded result of a call and sends it."""


class GarbageArguments(Exception):
    """The arguments of a call cannot be decoded."""


class NoSuchProcedure(Exception):
    """The program has no procedure of this number."""


class Arguments:
    """Decodes XDR from the front of `data`; raises GarbageArguments where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def unsigned(self) -> int:
        """An unsigned integer."""
        return int.from_bytes(self._take(4), "big")

    def opaque(self) -> bytes:
        """Bytes of variable length."""
        length = self.unsigned()
        data = self._take(length)
        self._take(-length % 4)
        return data

    def _take(self, count: int) -> bytes:
        start, self._at = self._at, self._at + count
        if self._at > len(self._data):
            raise GarbageArguments
        return self._data[start : self._at]


def unsigned(*values: int) -> bytes:
    """Unsigned integers in XDR."""
    return struct.pack(f"!{len(values)}I", *values)


def opaque(data: bytes) -> bytes:
    """Bytes of variable length in XDR."""
    return unsigned(len(data)) + data + bytes(-len(data) % 4)


class Program(ABC):
    """What one connection calls."""

    number: int

    @abstractmethod
    def call(self, procedure: int, arguments: Arguments, reply: Reply) -> None:
        """Do it, and `reply` now or later; raises GarbageArguments or NoSuchProcedure."""

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """The connection is over."""


class PortMapper(Program):
    """Says where the one other program listens."""

    number = _PORT_MAPPER

    def __init__(self, program: int, port: int) -> None:
        self._program, self._port = program, port

    def call(self, procedure: int, arguments: Arguments, reply: Reply) -> None:
        """See `Program`."""
        if procedure == 0:
            reply(b"")
            return
        if procedure != _GET_PORT:
            raise NoSuchProcedure
        program, _, protocol = arguments.unsigned(), arguments.unsigned(), arguments.unsigned()
        reply(unsigned(self._port if (program, protocol) == (self._program, _TCP) else 0))


class RpcConnection(asyncio.Protocol):
    """One TCP connection to a program: records in, replies out."""

    _transport: asyncio.Transport

    def __init__(self, program: Program, open_ones: "set[RpcConnection]") -> None:
        self._program, self._open = program, open_ones
        self._buffer = bytearray()
        self._record = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)
        self._open.add(self)
        quicken(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._open.discard(self)
        self._program.close()

    def pause_writing(self) -> None:
        """See asyncio.Protocol: who does not read replies cannot ask for more."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._transport.resume_reading()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        quicken(self._transport)
        self._buffer += data
        while len(self._buffer) >= 4 and not self._transport.is_closing():
            head = int.from_bytes(self._buffer[:4], "big")
            length = head & ~_LAST
            if length + len(self._record) > _LARGEST:
                self._transport.abort()
                return
            if len(self._buffer) < 4 + length:
                return
            self._record += self._buffer[4 : 4 + length]
            del self._buffer[: 4 + length]
            if head & _LAST:
                record, self._record = bytes(self._record), bytearray()
                self._dispatch(Arguments(record))

    def _dispatch(self, arguments: Arguments) -> None:
        try:
            number, kind, _ = arguments.unsigned(), arguments.unsigned(), arguments.unsigned()
            program, _, procedure = arguments.unsigned(), arguments.unsigned(), arguments.unsigned()
            for _ in ("credentials", "verifier"):
                arguments.unsigned()
                arguments.opaque()
        except GarbageArguments:
            self._transport.abort()
            return
        if kind != _CALL:
            return

        def send(status: int, result: bytes) -> None:
            record = unsigned(number, _REPLY, 0, 0, 0, status) + result
            if not self._transport.is_closing():
                self._transport.write(unsigned(_LAST | len(record)) + record)

        if program != self._program.number:
            send(_PROGRAM_UNAVAILABLE, b"")
            return
        try:
            self._program.call(procedure, arguments, lambda result: send(0, result))
        except GarbageArguments:
            send(_GARBAGE, b"")
        except NoSuchProcedure:
            send(_PROCEDURE_UNAVAILABLE, b"")
