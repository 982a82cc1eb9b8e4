"""A recording as a person reads it: one line an exchange, and a summary by instrument."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pyvisa.attributes import AttributesByID

from simulators.recording.difference import abbreviated, status_name
from simulators.recording.format import Block, Exchange
from simulators.recording.recording import Recording

_ARROWS = {"write": "->", "read": "<-"}


@dataclass(frozen=True)
class Row:
    """One exchange; `content` is what was sent, answered or called, abbreviated, `status` empty if good."""

    line: int
    time_s: float
    took_s: float
    resource: str
    op: str
    content: str
    status: str

    def __str__(self) -> str:
        arrow = _ARROWS.get(self.op, "  ")
        named = "" if self.op in _ARROWS else self.op + (" " if self.content else "")
        status = f"  [{self.status}]" if self.status else ""
        return f"{self.time_s:12.6f}  {self.resource}  {arrow} {named}{self.content}{status}"


@dataclass
class Share:
    """What a recording has of one resource."""

    resource: str
    identity: str = ""
    writes: int = 0
    reads: int = 0
    bytes_written: int = 0
    bytes_read: int = 0
    timeouts: int = 0
    errors: int = 0
    busy_s: float = 0.0


class Listing:
    """The exchanges of a recording with the instruments that `instrument` names, all if None.

    An instrument is named by a part of its resource name or of its answer to `*IDN?`, in any case.
    """

    def __init__(self, recording: Recording, instrument: str | None = None) -> None:
        self.recording = recording
        shares = _shares(recording)
        wanted = (instrument or "").lower()
        self.shares = {
            name: share
            for name, share in shares.items()
            if wanted in name.lower() or wanted in share.identity.lower()
        }

    def rows(self) -> Iterator[Row]:
        """One after the other, in the order in which they ended."""
        for exchange in self.recording.exchanges:
            if exchange.resource in self.shares:
                bad = exchange.status < 0 or exchange.error
                yield Row(
                    exchange.line,
                    exchange.time_s,
                    exchange.took_s,
                    exchange.resource,
                    exchange.op,
                    _content(exchange),
                    status_name(exchange) if bad else "",
                )

    @property
    def duration_s(self) -> float:
        """From the start of the recording to the end of its last exchange."""
        return max((one.time_s + one.took_s for one in self.recording.exchanges), default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "recording": str(self.recording.path),
            "header": self.recording.header,
            "exchanges": [asdict(row) for row in self.rows()],
            "summary": {
                "duration_s": self.duration_s,
                "cut": self.recording.cut,
                "instruments": [asdict(share) for share in self.shares.values()],
            },
        }


def _content(exchange: Exchange) -> str:
    if exchange.op in ("write", "read"):
        return abbreviated(exchange.data)
    if exchange.op in ("set", "get"):
        known = AttributesByID.get(exchange.arguments[0])
        return f"{known.visa_name if known else exchange.arguments[0]} = {exchange.value!r}"
    shown = ", ".join(map(repr, exchange.arguments))
    return shown if exchange.value is None else f"{shown} = {exchange.value!r}".strip()


def _shares(recording: Recording) -> dict[str, Share]:
    shares: dict[str, Share] = {}
    asked = ""
    for exchange in recording.exchanges:
        if not exchange.resource:
            continue
        share = shares.setdefault(exchange.resource, Share(exchange.resource))
        data = exchange.data
        length = data.length if isinstance(data, Block) else len(data)
        share.busy_s += exchange.took_s
        share.errors += exchange.status < 0
        if exchange.op == "write":
            share.writes += 1
            share.bytes_written += length
            asked = "" if isinstance(data, Block) else data.decode("ascii").strip().upper()
        elif exchange.op == "read":
            share.reads += 1
            share.bytes_read += length
            share.timeouts += status_name(exchange) == "VI_ERROR_TIMEOUT"
            if asked == "*IDN?" and not share.identity and not isinstance(data, Block):
                share.identity = data.decode("ascii").strip()
    return shares
