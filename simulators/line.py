"""The line between a door and an instrument: what every exchange costs in virtual time."""

from dataclasses import dataclass
from typing import Protocol

from simulators.clock import VirtualClock
from simulators.instrument import VirtualInstrument


class Link(Protocol):
    """What the bench says of its lines."""

    @property
    def latency_s(self) -> float: ...  # noqa: D102
    @property
    def throughput_Bps(self) -> float: ...  # noqa: D102


@dataclass(kw_only=True)
class Line:
    """Carries bytes to one instrument and back; each message and each answer costs the latency once.

    `answering`: the instrument has given the beginning of an answer and not its end.
    """

    instrument: VirtualInstrument
    clock: VirtualClock
    latency_s: float = 0.0
    seconds_per_byte: float = 0.0
    answering: bool = False

    def send(self, data: bytes, end: bool) -> None:
        """Let the bytes travel, then hand them to the instrument; may raise Disconnected."""
        if self.latency_s or self.seconds_per_byte:
            self.clock.advance(self.latency_s + len(data) * self.seconds_per_byte)
        self.instrument.write(data, end)

    def receive(self, limit: int) -> tuple[bytes, bool]:
        """At most `limit` bytes of the answer and whether that was its end, after they have travelled.

        Raises what the instrument raises: NothingToRead, Disconnected.
        """
        chunk, end = self.instrument.read(limit)
        if self.latency_s or self.seconds_per_byte:
            opening = 0.0 if self.answering else self.latency_s
            self.clock.advance(opening + len(chunk) * self.seconds_per_byte)
        self.answering = not end
        return chunk, end


def seconds_per_byte(link: Link) -> float:
    """What one byte costs; nothing where the throughput is zero."""
    rate = link.throughput_Bps
    return 1 / rate if rate > 0 else 0.0
