"""Cutting one client's stream of bytes into messages, so that a door hands over whole messages only.

A door keeps one framer for each connection: half a message of one client never meets another client's.
"""

import re
from collections.abc import Sequence
from typing import Protocol

_LONGEST_LINE = 1 << 16
_END = re.compile(rb"[\r\n]")


class InputOverrun(Exception):
    """A message was longer than is kept of one, and has been dropped."""


class Framer(Protocol):
    """Collects bytes and gives messages, terminators included; what it keeps has a limit."""

    def feed(self, data: bytes, end: bool) -> Sequence[bytes | Exception]:
        """Take bytes, with the transport's END after the last one or not; give the messages they complete.

        An exception stands in the place of a message that was dropped because it was too long.
        """

    def clear(self) -> None:
        """Forget what has begun."""


class LineFramer:
    """Messages that end with a carriage return or a newline, at most `limit` bytes long."""

    def __init__(self, limit: int = _LONGEST_LINE) -> None:
        self.limit = limit
        self.clear()

    def clear(self) -> None:
        """See `Framer`."""
        self._begun = bytearray()
        self._overrun = False

    def feed(self, data: bytes, end: bool) -> list[bytes | Exception]:
        """See `Framer`."""
        messages: list[bytes | Exception] = []
        stop = 0
        for match in _END.finditer(data):
            messages.append(self._whole(data[stop : match.end()]))
            stop = match.end()
        rest = data[stop:]
        if end and (rest or self._begun or self._overrun):
            messages.append(self._whole(rest))
        elif rest:
            self._begun += rest
            if self._overrun or len(self._begun) > self.limit:
                self._overrun, self._begun = True, bytearray()
        return messages

    def _whole(self, last: bytes) -> bytes | Exception:
        message, overrun = bytes(self._begun) + last, self._overrun
        self.clear()
        if overrun or len(message) > self.limit:
            return InputOverrun(f"more than {self.limit} bytes without a line's end")
        return message
