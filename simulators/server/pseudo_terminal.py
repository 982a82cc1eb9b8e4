"""A pseudo-terminal for a serial instrument, which any program opens as it would a serial port.

POSIX only. A serial line has no connection to lose: what is sent while the line is down is gone.
"""

import asyncio
import os
import select
from contextlib import suppress

from simulators.errors import BenchError
from simulators.instrument import Disconnected
from simulators.server.sockets import StreamClient
from simulators.server.turns import Served, Turns

_LOOK_s = 20e-3  # how often a port that nobody has open is looked at: the kernel does not tell
_READ = 1 << 16
_MOST_UNSENT = 1 << 16


class SerialClient(StreamClient):
    """Whoever has the port open; `path` is its name.

    Raises BenchError where the system has no pseudo-terminals.
    """

    def __init__(self, served: Served, turns: Turns) -> None:
        super().__init__(served, turns)
        try:
            import pty
            import tty
        except ImportError:
            raise BenchError(
                f"{served.name}: this system has no pseudo-terminals; use the instrument's TCP socket instead"
            ) from None
        self._loop = asyncio.get_running_loop()
        self._controller, port = pty.openpty()
        tty.setraw(port)
        self.path = os.ttyname(port)
        os.close(port)  # so that the kernel reports when the last program closes it
        os.set_blocking(self._controller, False)
        self._unsent = bytearray()
        self._poll = select.poll()
        self._poll.register(self._controller, select.POLLIN)
        self._watch: asyncio.TimerHandle | None = None
        self._await_open()

    def _await_open(self) -> None:
        """Look now and then whether a program has opened the port."""
        events = self._poll.poll(0)
        self._watch = None
        if events and events[0][1] & select.POLLIN:
            self._receive()
        if events and events[0][1] & select.POLLHUP:
            self._watch = self._loop.call_later(_LOOK_s, self._await_open)
        else:
            with suppress(
                Disconnected
            ):  # a port that is open stays so: its bytes are lost while the line is down
                self.served.line.instrument.connected()
            self._loop.add_reader(self._controller, self._readable)

    def _readable(self) -> None:
        if not self._receive():
            self._loop.remove_reader(self._controller)
            self._loop.remove_writer(self._controller)
            self.forget_begun()
            self._unsent.clear()
            self.writable = True
            self.turns.forget(self)
            self._await_open()

    def _receive(self) -> bool:
        """Take what has come; false when nobody has the port open."""
        try:
            self.take(os.read(self._controller, _READ))
        except BlockingIOError:
            return True
        except OSError:  # EIO
            return False
        return True

    def answer(self, chunk: bytes, end: bool) -> None:
        """See `Client`."""
        self._unsent += chunk
        self._send()

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: os.write(self._controller, self._unsent)]
        except BlockingIOError:
            self._loop.add_writer(self._controller, self._send)
        except OSError:
            self._unsent.clear()
        else:
            self._loop.remove_writer(self._controller)
        self._note_room()

    def _note_room(self) -> None:
        writable = len(self._unsent) <= _MOST_UNSENT
        if writable and not self.writable:
            self.turns.wake()
        self.writable = writable

    def hang_up(self) -> None:
        """See `Client`: the bytes are lost, the port stays."""
        self.forget_begun()

    def close(self) -> None:
        """Take the port away."""
        if self._watch is not None:
            self._watch.cancel()
        self._loop.remove_reader(self._controller)
        self._loop.remove_writer(self._controller)
        with suppress(OSError):
            os.close(self._controller)
