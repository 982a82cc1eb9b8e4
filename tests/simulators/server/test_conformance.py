"""The suite of every virtual instrument, through every door, with the instruments in another process."""

from collections.abc import Iterator
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings

from simulators.server import Doors
from tests.conformance.virtual_instrument import PIECES, ScpiConformance
from tests.simulators.server.clients import Remote, RemoteHislip, RemoteSerial, RemoteSocket, RemoteVxi11
from tests.simulators.server.served import served

FEWER = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)


class ThroughADoor(ScpiConformance):
    """A bench of many instruments, so that every test has fresh ones."""

    kind: ClassVar[str]
    door: ClassVar[str]
    client: ClassVar[type[Remote]]
    count: ClassVar[int] = 90
    notices_timeouts = False
    _fresh: ClassVar[Iterator[Doors]]
    _open: ClassVar[list[Remote]]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def bench(cls) -> Iterator[None]:
        with served(cls.kind, cls.door, cls.count) as doors:
            cls._fresh, cls._open = iter(doors), []
            yield

    @pytest.fixture(autouse=True)
    def hung_up(self) -> Iterator[None]:
        yield
        while self._open:
            self._open.pop().close()

    def create_instrument(self) -> Remote:
        instrument = self.client(next(self._fresh))
        self._open.append(instrument)
        return instrument

    @FEWER
    @given(pieces=PIECES)
    def test_no_bytes_raise_or_deafen(self, pieces: list[tuple[bytes, bool]]) -> None:
        self.check_answers_after(pieces)


class ThroughAStream(ThroughADoor):
    interrupts = False
    test_a_serial_poll_takes_the_request_back = None  # a stream has none


class TestSocket(ThroughAStream):
    kind, door, client = "supply", "socket", RemoteSocket


class TestKeysight34465AOnASocket(ThroughAStream):
    kind, door, client = "keysight_34465a", "hislip", RemoteSocket


class TestQDac2OnASocket(ThroughAStream):
    kind, door, client = "qdac2", "socket", RemoteSocket


class TestPseudoTerminal(ThroughAStream):
    kind, door, client = "array", "serial", RemoteSerial
    test_clear_empties_both_buffers = (
        None  # no clear: see test_pseudo_terminal for what closing the port does
    )
    test_no_bytes_raise_or_deafen = None
    test_nothing_but_its_user_moves_the_clock = None


class TestHislip(ThroughADoor):
    kind, door, client = "supply", "hislip", RemoteHislip


class TestKeysight34465AOnHislip(ThroughADoor):
    kind, door, client = "keysight_34465a", "hislip", RemoteHislip


class TestVxi11(ThroughADoor):
    kind, door, client = "supply", "hislip", RemoteVxi11
