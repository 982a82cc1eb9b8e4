"""The form of a recording: a file of JSON lines and, beside it, the blocks.

The first line is the header. Every other line is one exchange with `t` (seconds since the start, on the
computer's monotonic clock or, as the header says, on the virtual one of an emulated bench), `took` (seconds),
`op`, `session` and `status` (VISA's, negative for an error):

    {"t": 0.01, "took": 0.2, "op": "open", "session": 1, "status": 0, "resource": "GPIB0::5::INSTR", "library": "@py"}
    {"t": 0.22, "took": 0.0001, "op": "write", "session": 1, "status": 0, "text": "*IDN?\\n"}
    {"t": 0.23, "took": 0.0040, "op": "read", "session": 1, "status": 0, "text": "a,b,c,1\\n"}

`op` is open, close, write, read, set or get (an attribute; `get` only when its value is news), clock (the
program asked for the time), end (the last line of a process that ended by itself) or the name of the PyVISA
library function that was called, with `args` and `value`. A `read` is one answer up to END, the termination
character or an error, in however many pieces it was fetched. Data that are long or not ASCII lie in the side
file, and the line has `block`: [offset, length, CRC-32] and `head`, the text they begin with. `error` is the
name of an exception that was not VISA's.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = "hil-recording/1"
FAMILY = "hil-recording/"
SUFFIX = ".rec"
REPORTS_VARIABLE = "HIL_REPLAY_REPORTS"
"""The environment names a folder where every process that replays says, as JSON, what came of it."""

INLINE = 400
"""Longer data, and those that are not ASCII, go to the side file."""

WIRE = frozenset({"write", "read"})
CALLS = frozenset(
    {
        "assert_trigger",
        "assert_utility_signal",
        "buffer_read",
        "buffer_write",
        "clear",
        "flush",
        "gpib_command",
        "gpib_control_atn",
        "gpib_control_ren",
        "gpib_pass_control",
        "gpib_send_ifc",
        "lock",
        "read_stb",
        "unlock",
        "usb_control_in",
        "usb_control_out",
        "vxi_command_query",
        "wait_on_event",
    }
)
"""Functions of a PyVISA library, beside write and read, that reach an instrument or depend on it."""


def side_file(path: Path) -> Path:
    """Where the blocks of a recording are."""
    return path.with_name(path.name + ".bin")


def head_of(data: bytes) -> str:
    """The text that data begin with, which may be none."""
    text = data[:40].split(b"#")[0]
    return text.decode("ascii") if text.isascii() else ""


@dataclass(frozen=True, slots=True)
class Block:
    """Data in the side file; `head` is the text they begin with."""

    offset: int
    length: int
    crc32: int
    head: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line of a recording.

    Attributes:
        line: its number in the file, from 1 (the header).
        time_s, took_s: when it began, since the start of the recording, and how long it took.
        status: VISA's; negative for an error.
        data: what was written or read.
        arguments, value: of a function call; of an attribute, its number and value.
        error: the name of an exception that was not VISA's, or empty.
    """

    line: int
    time_s: float
    took_s: float
    op: str
    session: int
    resource: str
    status: int
    data: bytes | Block = b""
    arguments: tuple[Any, ...] = ()
    value: Any = None
    error: str = ""

    @property
    def on_the_wire(self) -> bool:
        """Whether the exchange reached the instrument, so that a replay must do it too."""
        return self.op in WIRE or self.op in CALLS


def plain(value: Any) -> Any:
    """A value as JSON can say it; bytes become {"base64": ...}."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)  # PyVISA's enumerations are integers too
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return str(value)


def restored(value: Any) -> Any:
    """The inverse of `plain`; sequences come back as tuples."""
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    if isinstance(value, list):
        return tuple(restored(item) for item in value)
    return value


def read_line(number: int, line: bytes, resources: dict[int, str]) -> Exchange:
    """One exchange; `resources` by session is brought up to date. Raises ValueError for any other line."""
    try:
        fields = json.loads(line)
        session = int(fields["session"])
        op = str(fields["op"])
        if op == "open":
            resources[session] = str(fields["resource"])
        data: bytes | Block = str(fields.get("text", "")).encode("ascii")
        if "block" in fields:
            offset, length, crc32 = fields["block"]
            data = Block(int(offset), int(length), int(crc32), str(fields.get("head", "")))
        return Exchange(
            number,
            float(fields["t"]),
            float(fields["took"]),
            op,
            session,
            resources.get(session, ""),
            int(fields["status"]),
            data,
            tuple(restored(item) for item in fields.get("args", ())),
            restored(fields.get("value")),
            str(fields.get("error", "")),
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not an exchange: {error}") from None
