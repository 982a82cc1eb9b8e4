"""A plain TCP socket: a stream of bytes each way, as instruments have on port 5025."""

import asyncio
import socket
from collections import deque
from typing import cast

from simulators.server.turns import Client, Served, Turns

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only
MOST_PENDING = 64  # messages; more of them wait in the client's own socket


def quicken(transport: asyncio.BaseTransport) -> None:
    """Let the next bytes be acknowledged at once; to be repeated, for the kernel forgets it.

    A client that writes twice and then reads would otherwise wait 40 ms: its kernel keeps the second write
    back until the first is acknowledged, and ours delays that, hoping to send an answer along.
    """
    if _QUICKACK is not None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


class StreamClient(Client):
    """A client whose connection marks no message's end: the instrument's own framing finds it."""

    def __init__(self, served: Served, turns: Turns) -> None:
        super().__init__(served, turns)
        self._framer = served.line.instrument.framer()
        self._messages: deque[bytes | Exception] = deque()

    def take(self, data: bytes) -> None:
        """Bytes from the client."""
        for message in self._framer.feed(data, False):
            self._messages.append(message)
            self.turns.submit(self, self._do_next)

    def forget_begun(self) -> None:
        """Drop what has come and has not been done."""
        self._framer.clear()
        self._messages.clear()

    def _do_next(self) -> None:
        message = self._messages.popleft()
        if isinstance(message, bytes):
            self.served.line.send(message, False)
        else:
            self.served.line.instrument.refuse(message)


class SocketClient(StreamClient, asyncio.Protocol):
    """One TCP connection."""

    _transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol; asyncio itself sets TCP_NODELAY."""
        self._transport = cast(asyncio.Transport, transport)
        if self.served.admit(self):
            quicken(transport)
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        quicken(self._transport)
        self.take(data)
        if len(self.pending) > MOST_PENDING:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """See asyncio.Protocol: what was sent before the end is still answered."""
        self.leaving = True
        self.turns.wake()
        return bool(self.pending) or self.served.client is self

    def settled(self) -> None:
        """See `Client`."""
        if self.leaving:
            self._transport.close()
        elif not self._transport.is_reading():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.turns.forget(self)

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self.writable = False

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self.writable = True
        self.turns.wake()

    def answer(self, chunk: bytes, end: bool) -> None:
        """See `Client`."""
        self._transport.write(chunk)

    def hang_up(self) -> None:
        """See `Client`."""
        self._transport.abort()
