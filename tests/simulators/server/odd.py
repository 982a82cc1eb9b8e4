"""Instruments that are not SCPI: one with a protocol of lines, one whose line goes down."""

from collections import deque

from simulators.clock import VirtualClock
from simulators.instrument import Disconnected, NothingToRead, VirtualInstrument
from tests.simulators.scpi.supply import Supply


class Terse(VirtualInstrument):
    """A serial thing: a number and a carriage return set it, `?` asks; the answer takes 0.25 s."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self._begun = b""
        self._value = b"0"
        self._answers: deque[tuple[float, bytes]] = deque()

    def write(self, data: bytes, end: bool = True) -> None:
        *lines, self._begun = (self._begun + data).split(b"\r")
        for line in lines:
            if line == b"?":
                self._answers.append((self.clock.now + 0.25, self._value + b"\r"))
            else:
                self._value = line

    def read(self, limit: int) -> tuple[bytes, bool]:
        if not self._answers:
            raise NothingToRead
        due, answer = self._answers[0]
        if due > self.clock.now:
            raise NothingToRead(due)
        self._answers.popleft()
        if len(answer) > limit:
            self._answers.appendleft((due, answer[limit:]))
        return answer[:limit], len(answer) <= limit

    def clear(self) -> None:
        self._begun = b""
        self._answers.clear()

    def status_byte(self) -> int:
        return 0

    def trigger(self) -> None:
        pass


class Dropping(Supply):
    """A supply whose line goes down at every message with DROP in it."""

    def write(self, data: bytes, end: bool = True) -> None:
        if b"DROP" in data:
            raise Disconnected
        super().write(data, end)
