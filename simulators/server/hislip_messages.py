"""The messages of HiSLIP (IVI-6.1, 2.0): a header of 16 bytes and a payload."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_HEADER = struct.Struct("!2sBBIQ")
PROLOGUE = b"HS"
LARGEST = 1 << 20
"""The longest message that is taken, header included."""


class Kind(IntEnum):
    """Message types (table 4)."""

    INITIALIZE = 0
    INITIALIZE_RESPONSE = 1
    FATAL_ERROR = 2
    ERROR = 3
    ASYNC_LOCK = 4
    ASYNC_LOCK_RESPONSE = 5
    DATA = 6
    DATA_END = 7
    DEVICE_CLEAR_COMPLETE = 8
    DEVICE_CLEAR_ACKNOWLEDGE = 9
    ASYNC_REMOTE_LOCAL_CONTROL = 10
    ASYNC_REMOTE_LOCAL_RESPONSE = 11
    TRIGGER = 12
    INTERRUPTED = 13
    ASYNC_INTERRUPTED = 14
    ASYNC_MAX_MSG_SIZE = 15
    ASYNC_MAX_MSG_SIZE_RESPONSE = 16
    ASYNC_INITIALIZE = 17
    ASYNC_INITIALIZE_RESPONSE = 18
    ASYNC_DEVICE_CLEAR = 19
    ASYNC_SERVICE_REQUEST = 20
    ASYNC_STATUS_QUERY = 21
    ASYNC_STATUS_RESPONSE = 22
    ASYNC_DEVICE_CLEAR_ACKNOWLEDGE = 23
    ASYNC_LOCK_INFO = 24
    ASYNC_LOCK_INFO_RESPONSE = 25


class Fatal(IntEnum):
    """Codes of FatalError: the connection ends."""

    UNIDENTIFIED = 0
    POOR_HEADER = 1
    ONE_CHANNEL = 2
    INITIALIZATION = 3
    TOO_MANY = 4


class Fault(IntEnum):
    """Codes of Error: the message is ignored."""

    MESSAGE_TYPE = 1
    CONTROL_CODE = 2
    TOO_LARGE = 4


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `kind` is a plain number where the standard knows none."""

    kind: int
    control: int = 0
    parameter: int = 0
    payload: bytes = b""

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        head = _HEADER.pack(PROLOGUE, self.kind, self.control, self.parameter, len(self.payload))
        return head + self.payload


class PoorHeader(Exception):
    """What came is no HiSLIP header."""


class TooLarge(Exception):
    """A message was longer than LARGEST; it is skipped."""


class MessageReader:
    """Cuts a stream into messages; never keeps more than one of LARGEST bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 0

    def feed(self, data: bytes) -> Iterator[Message | TooLarge]:
        """The messages that the bytes complete; raises PoorHeader where there can be no going on."""
        self._buffer += data
        while True:
            if self._skip:
                skipped = min(self._skip, len(self._buffer))
                del self._buffer[:skipped]
                self._skip -= skipped
                if self._skip:
                    return
            if len(self._buffer) < _HEADER.size:
                if not PROLOGUE.startswith(bytes(self._buffer[:2])):
                    raise PoorHeader
                return
            prologue, kind, control, parameter, length = _HEADER.unpack_from(self._buffer)
            if prologue != PROLOGUE:
                raise PoorHeader
            if length > LARGEST - _HEADER.size:
                self._skip = _HEADER.size + length
                yield TooLarge(f"{length} bytes; at most {LARGEST - _HEADER.size} are taken")
                continue
            stop = _HEADER.size + length
            if len(self._buffer) < stop:
                return
            payload = bytes(memoryview(self._buffer)[_HEADER.size : stop])
            del self._buffer[:stop]
            yield Message(kind, control, parameter, payload)
