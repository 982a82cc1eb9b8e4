"""What a program did where a recording has something else, in words."""

import struct
from typing import Any

from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError

from simulators.recording.format import Block, Exchange, head_of
from simulators.recording.recording import Recording

_SHOWN = 100


class Divergence(VisaIOError):
    """A program has left the recording that it is answered from; VI_ERROR_IO to whoever knows only VISA.

    Attributes:
        description: what was expected next, where it stands in the recording, and what came instead.
    """

    exit_status = 4

    def __init__(self, description: str) -> None:
        super().__init__(StatusCode.error_io)
        self.description = description

    def __str__(self) -> str:
        return self.description

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.description,)


def diverged(recording: Recording, index: int, expected: Exchange, op: str, sent: Any) -> str:
    """The text for an exchange that is not the one which comes next.

    Args:
        index: of the expected exchange among those of its resource, from 1.
        op: what the program did.
        sent: the bytes it wrote, or the arguments of its call.
    """
    told = [
        f"the program has left the recording at {recording.place(expected)}, "
        f"exchange {index} with {expected.resource}:",
        f"  recorded:    {described(recording, expected)}",
        f"  the program: {op}{_content(sent)}",
    ]
    if op == "write" and expected.op == "write":
        told += _first_difference(recording.data(expected), sent)
    return "\n".join(told)


def described(recording: Recording, exchange: Exchange) -> str:
    """An exchange in one line."""
    content: Any = exchange.arguments
    if exchange.op in ("write", "read"):
        content = recording.data(exchange)
    status = "" if exchange.status >= 0 else f" [{status_name(exchange)}]"
    return f"{exchange.op}{_content(content)}{status}"


def status_name(exchange: Exchange) -> str:
    """The status by its VISA name, or what was raised instead."""
    if exchange.error:
        return exchange.error
    try:
        status = StatusCode(exchange.status)
    except ValueError:
        return str(exchange.status)
    prefix = "VI_ERROR_" if status < 0 else "VI_"
    return prefix + status.name.removeprefix("error_").upper()


def abbreviated(data: bytes | Block) -> str:
    """Data as a person reads them: text quoted, anything long by its head and length."""
    if isinstance(data, bytes) and data.isascii() and len(data) <= _SHOWN:
        return repr(data.decode("ascii"))
    head, length = (data.head, data.length) if isinstance(data, Block) else (head_of(data), len(data))
    return f"{head!r} and more, {length:,} bytes" if head else f"{length:,} bytes"


def _content(content: Any) -> str:
    if isinstance(content, bytes):
        from zlib import crc32

        short = content.isascii() and len(content) <= _SHOWN
        return f" {abbreviated(content)}" + ("" if short else f", CRC-32 {crc32(content):08x}")
    return " " + ", ".join(map(repr, content)) if content else ""


def _first_difference(recorded: bytes, sent: bytes) -> list[str]:
    starts = _block_start(recorded), _block_start(sent)
    if starts[0] is None or starts[1] is None:
        at = _apart(recorded, sent)
        window = slice(max(0, at - 20), at + 20)
        told = f"  they differ from byte {at + 1}"
        if max(len(recorded), len(sent)) > _SHOWN:
            told += f": recorded {recorded[window]!r}, now {sent[window]!r}"
        return [told]
    ours, theirs = recorded[starts[0] :], sent[starts[1] :]
    at = _apart(ours, theirs)
    told = f"  the blocks have {len(ours)} and {len(theirs)} bytes and differ from byte {at + 1}"
    lines = [told]
    for size, form in ((4, "f"), (8, "d")):
        place = at // size * size
        pieces = ours[place : place + size], theirs[place : place + size]
        if all(len(piece) == size for piece in pieces):
            one, other = (struct.unpack(f"<{form}", piece)[0] for piece in pieces)
            lines.append(
                f"  as little-endian {size * 8}-bit floats: element {at // size} "
                f"is {one:.9g} in the recording and {other:.9g} now"
            )
    return lines


def _apart(one: bytes, other: bytes) -> int:
    """The first place where they differ."""
    both = enumerate(zip(one, other, strict=False))
    return next((k for k, (a, b) in both if a != b), min(len(one), len(other)))


def _block_start(message: bytes) -> int | None:
    """Where the data of an IEEE 488.2 definite-length block in the message begin."""
    at = message.find(b"#")
    digits = message[at + 1 : at + 2]
    return at + 2 + int(digits) if at >= 0 and digits.isdigit() and digits != b"0" else None
