"""Finding the end of a program message in a stream of bytes.

A newline ends a message unless it is inside a block: `#<n><length>` is skipped by its length, `#0` runs to
the transport's END. A newline does end an unfinished string, so that a lost quote costs one message.
"""

import re

from simulators.scpi.errors import ScpiError

_CARE = re.compile(rb"[\n\"'#]")
_BLOCK_MAY_FOLLOW = frozenset(b" \t,")


class MessageFramer:
    """Collects bytes and gives whole messages; at most `limit` bytes of one message are kept.

    A longer message is dropped whole, up to its end, and reported as ScpiError -363 in its place. Messages
    come without their newline, or with it and nothing taken away if `whole`.
    """

    def __init__(self, limit: int, *, whole: bool = False) -> None:
        self.limit = limit
        self.whole = whole
        self._buffer = bytearray()
        self._scanned = 0
        self._quote = 0
        self._indefinite = False
        self._overrun = False

    @property
    def pending(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._overrun or bool(self._buffer)

    def clear(self) -> None:
        """Forget what has begun."""
        self._buffer = bytearray()
        self._restart()
        self._overrun = False

    def _restart(self) -> None:
        self._scanned = 0
        self._quote = 0
        self._indefinite = False

    def feed(self, data: bytes, end: bool) -> list[bytes | ScpiError]:
        """Take bytes, with END after the last one or not, and give the messages they complete."""
        if not self._buffer and not self._overrun and len(data) <= self.limit:
            # the common case: one message in one piece, with nothing in it that could hide a newline
            stop = data.find(b"\n")
            if (stop == len(data) - 1 or (stop < 0 and end)) and b"#" not in data:
                return [data if stop < 0 or self.whole else data[:stop]] if data else []
        self._buffer += data
        messages: list[bytes | ScpiError] = []
        start = 0
        while (newline := self._find_end(start)) is not None:
            messages.append(self._take(start, newline + self.whole))
            start = newline + 1
        if end and (start < len(self._buffer) or self._overrun):
            message = self._take(start, len(self._buffer))
            if self._indefinite and isinstance(message, bytes) and not self.whole:
                message = message.removesuffix(b"\n")
            messages.append(message)
            start = len(self._buffer)
            self._restart()
        if start:
            del self._buffer[:start]
            self._scanned -= min(start, self._scanned)
        if len(self._buffer) > self.limit:
            self._overrun = True
        if self._overrun:
            self._forget_scanned()
        return messages

    def _take(self, start: int, stop: int) -> bytes | ScpiError:
        too_long = self._overrun or stop - start > self.limit
        self._overrun = False
        if too_long:
            return ScpiError(-363, f"more than {self.limit} bytes in one message")
        with memoryview(self._buffer) as view:
            return bytes(view[start:stop])

    def _forget_scanned(self) -> None:
        """Keep only what is still needed to find the end of a message that is dropped anyway."""
        keep = max(0, min(self._scanned, len(self._buffer)) - 1)
        del self._buffer[:keep]
        self._scanned -= keep

    def _find_end(self, start: int) -> int | None:
        buffer = self._buffer
        position = max(self._scanned, start)
        while not self._indefinite:
            match = _CARE.search(buffer, position)
            if match is None:
                self._scanned = max(position, len(buffer))
                return None
            at = match.start()
            character = buffer[at]
            if character == 0x0A:
                self._scanned = at + 1
                self._quote = 0
                return at
            if self._quote:
                if character == self._quote:
                    self._quote = 0
            elif character != 0x23:
                self._quote = character
            elif at > start and buffer[at - 1] in _BLOCK_MAY_FOLLOW:
                after = self._after_block(at)
                if after is None:
                    self._scanned = at
                    return None
                position = after
                continue
            position = at + 1
        return None

    def _after_block(self, at: int) -> int | None:
        """Where scanning goes on after the # at `at`; None if its header is not all there yet."""
        digits = bytes(self._buffer[at + 1 : at + 2])
        if not digits:
            return None
        if digits == b"0":
            self._indefinite = True
            return at + 2
        if not digits.isdigit():
            return at + 1
        length = bytes(self._buffer[at + 2 : at + 2 + int(digits)])
        if length and not length.isdigit():
            return at + 1
        if len(length) < int(digits):
            return None
        return at + 2 + int(digits) + int(length)
