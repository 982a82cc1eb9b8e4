"""HiSLIP, byte by byte as IVI-6.1 has it, and through pyvisa-py."""

import socket
import struct
from collections.abc import Iterator

import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from simulators.server import Doors
from simulators.server.hislip_messages import MessageReader, PoorHeader, TooLarge
from tests.simulators.server.clients import PATIENCE_s, Stream
from tests.simulators.server.served import served

IDENTITY = b"hil,Supply,17,1.0\n"
HEADER = struct.Struct("!2sBBIQ")
# message types, IVI-6.1 table 4
INITIALIZE, FATAL, ERROR, LOCK, DATA, DATA_END = 0, 2, 3, 4, 6, 7
CLEAR_COMPLETE, TRIGGER, MAX_SIZE, ASYNC_INITIALIZE, ASYNC_CLEAR, STATUS, LOCK_INFO = (
    8,
    12,
    15,
    17,
    19,
    21,
    24,
)


class Raw:
    """One channel."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_s)

    def send(self, kind: int, control: int = 0, parameter: int = 0, payload: bytes = b"") -> None:
        self.socket.sendall(HEADER.pack(b"HS", kind, control, parameter, len(payload)) + payload)

    def receive(self) -> tuple[int, int, int, bytes]:
        prologue, kind, control, parameter, length = HEADER.unpack(self._exactly(HEADER.size))
        assert prologue == b"HS"
        return kind, control, parameter, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            more = self.socket.recv(count - len(got))
            if not more:
                raise ConnectionResetError
            got += more
        return got

    def ask(self, kind: int, control: int = 0, parameter: int = 0, payload: bytes = b""):
        self.send(kind, control, parameter, payload)
        return self.receive()


class Session:
    """Both channels."""

    def __init__(self, port: int, version: int = 0x0100) -> None:
        self.sync, self.asynchronous = Raw(port), Raw(port)
        kind, control, parameter, payload = self.sync.ask(INITIALIZE, 0, version << 16 | 0x7878, b"hislip0")
        assert (kind, control, payload) == (1, 0, b"")
        self.version, self.number = parameter >> 16, parameter & 0xFFFF
        kind, control, _, payload = self.asynchronous.ask(ASYNC_INITIALIZE, 0, self.number)
        assert (kind, control, payload) == (18, 0, b"")

    def ask(self, text: bytes, number: int, delivered: bool = True):
        return self.sync.ask(DATA_END, int(delivered), number, text)

    def close(self) -> None:
        self.sync.socket.close()
        self.asynchronous.socket.close()


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    with served("supply", "hislip") as all_doors:
        yield all_doors[0]


@pytest.fixture
def port(doors: Doors) -> int:
    assert doors.hislip is not None
    return int(doors.hislip.partition(",")[2].partition(":")[0])


@pytest.fixture
def session(port: int) -> Iterator[Session]:
    session = Session(port)
    session.ask(b"*CLS;*ESE 0;*SRE 0;*ESE?", 0xFFFFFF00 - 2)
    yield session
    session.close()


def test_the_version_is_the_lower_of_the_two(port: int) -> None:
    for asked, given in ((0x0100, 0x0100), (0x0101, 0x0101), (0x0200, 0x0200), (0x0300, 0x0200)):
        session = Session(port, asked)
        assert session.version == given
        session.close()


def test_an_answer_bears_the_messages_number(session: Session) -> None:
    assert session.ask(b"*IDN?\n", 0xFFFFFF00) == (DATA_END, 0, 0xFFFFFF00, IDENTITY)
    session.sync.send(DATA, 1, 0xFFFFFF02, b"*ID")
    assert session.sync.ask(DATA_END, 0, 0xFFFFFF04, b"N?") == (DATA_END, 0, 0xFFFFFF04, IDENTITY)


def test_a_long_answer_comes_in_messages_of_the_agreed_size(session: Session) -> None:
    kind, _, _, payload = session.asynchronous.ask(MAX_SIZE, 0, 0, struct.pack("!Q", 1016))
    assert kind == 16
    assert struct.unpack("!Q", payload)[0] >= 1 << 20
    session.sync.send(DATA_END, 1, 2, b'TRAC:DATA "a",#44000' + bytes(4000))
    session.sync.send(DATA_END, 0, 4, b'TRAC:DATA? "a"')
    parts = [session.sync.receive()]
    while parts[-1][0] == DATA:
        parts.append(session.sync.receive())
    assert [len(part[3]) for part in parts] == [1000] * 4 + [7]
    assert parts[-1][0] == DATA_END
    assert b"".join(part[3] for part in parts) == b"#44000" + bytes(4000) + b"\n"


def test_the_status_byte_tells_of_an_answer_that_has_not_been_read(session: Session) -> None:
    status = session.asynchronous.ask(STATUS, 1, 0xFFFFFF00)
    assert status[:3] == (22, 0, 0)
    session.ask(b"*IDN?", 0xFFFFFF00)
    assert session.asynchronous.ask(STATUS, 0, 0xFFFFFF02)[1] == 16
    assert session.asynchronous.ask(STATUS, 1, 0xFFFFFF02)[1] == 0


def test_an_answer_that_was_not_read_is_a_query_error(session: Session) -> None:
    session.ask(b"*IDN?", 2)
    assert session.ask(b"*ESE?", 4, delivered=False)[2:] == (4, b"0\n")
    assert session.ask(b"SYST:ERR?", 6)[3].startswith(b"-410,")
    assert session.ask(b"SYST:ERR?", 8)[3].startswith(b"0,")


def test_a_measurement_waits_for_the_trigger(session: Session) -> None:
    session.sync.send(TRIGGER, 1, 2)
    assert int(float(session.ask(b"FETC?", 4)[3])) >= 1


def test_device_clear_frees_a_session_that_waits(session: Session, doors: Doors) -> None:
    session.sync.send(DATA_END, 1, 2, b"*RST;:MEAS? 1;*ESE?")
    session.sync.receive()
    session.sync.send(DATA, 1, 4, b"*ID")
    assert session.asynchronous.ask(ASYNC_CLEAR)[0] == 23
    session.sync.send(DATA_END, 1, 6, b"*IDN?")  # comes before the clear is complete, and is dropped
    assert session.sync.ask(CLEAR_COMPLETE)[:2] == (9, 0)
    assert session.ask(b"*ESE?", 0xFFFFFF00) == (DATA_END, 0, 0xFFFFFF00, b"0\n")
    assert session.ask(b"SYST:ERR?", 0xFFFFFF02)[3].startswith(b"0,")


def test_an_exclusive_lock_holds_every_other_client_back(session: Session, port: int, doors: Doors) -> None:
    other = Session(port)
    assert session.asynchronous.ask(LOCK, 1, 0) == (5, 1, 0, b"")
    assert other.asynchronous.ask(LOCK_INFO) == (25, 1, 1, b"")
    assert other.asynchronous.ask(LOCK, 1, 20) == (5, 0, 0, b""), "refused after its 20 ms"
    beside = Stream(doors.socket)
    beside.send(b"*IDN?\n")
    other.sync.send(DATA_END, 1, 0xFFFFFF00, b"*IDN?")
    assert session.ask(b"*IDN?", 0xFFFFFF00)[3] == IDENTITY
    assert beside.arrived() == b""
    assert session.asynchronous.ask(LOCK, 0, 0xFFFFFF00) == (5, 1, 0, b"")
    assert other.sync.receive()[3] == IDENTITY
    assert beside.line() + b"\n" == IDENTITY
    assert session.asynchronous.ask(LOCK, 0, 0xFFFFFF00)[1] == 3, "there is none to let go"
    beside.close()
    other.close()


def test_a_shared_lock_is_for_those_who_know_the_key(session: Session, port: int) -> None:
    other = Session(port)
    assert session.asynchronous.ask(LOCK, 1, 0, b"key")[1] == 1
    assert other.asynchronous.ask(LOCK, 1, 0, b"key")[1] == 1
    assert other.asynchronous.ask(LOCK_INFO)[1:3] == (0, 2)
    assert session.asynchronous.ask(LOCK, 0, 0xFFFFFF00 - 2)[1] == 2
    other.close()  # its lock goes with it
    assert session.asynchronous.ask(LOCK, 1, 5000)[1] == 1
    assert session.asynchronous.ask(LOCK, 0, 0xFFFFFF00 - 2)[1] == 1


def test_what_is_wrong_is_said(session: Session, port: int) -> None:
    assert session.sync.ask(99)[:2] == (ERROR, 1)
    assert session.asynchronous.ask(99)[:2] == (ERROR, 1)
    assert session.asynchronous.ask(LOCK, 7)[:2] == (ERROR, 2)
    session.sync.socket.sendall(HEADER.pack(b"HS", DATA_END, 0, 2, 1 << 21) + bytes(1 << 21))
    assert session.sync.receive()[:2] == (ERROR, 4)
    assert session.ask(b"*IDN?", 4)[3] == IDENTITY, "the session goes on"


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", 1),
        (HEADER.pack(b"HS", DATA_END, 0, 0, 0), 3),
        (HEADER.pack(b"HS", INITIALIZE, 0, 1 << 24, 7) + b"hislip9", 3),
        (HEADER.pack(b"HS", ASYNC_INITIALIZE, 0, 60000, 0), 3),
    ],
)
def test_who_cannot_be_talked_to_is_told_and_cut_off(port: int, first: bytes, code: int) -> None:
    raw = Raw(port)
    raw.socket.sendall(first)
    assert raw.receive()[:2] == (FATAL, code)
    with pytest.raises(ConnectionError):
        raw.receive()
    raw.socket.close()


def test_both_channels_are_needed(port: int) -> None:
    raw = Raw(port)
    assert raw.ask(INITIALIZE, 0, 1 << 24, b"hislip0")[0] == 1
    assert raw.ask(DATA_END, 0, 0, b"*IDN?")[:2] == (FATAL, 2)
    raw.socket.close()


def test_the_session_ends_with_either_channel(port: int) -> None:
    session = Session(port)
    session.asynchronous.socket.close()
    with pytest.raises(ConnectionError):
        session.sync.receive()
    session.close()


def test_the_reader_keeps_no_more_than_one_message() -> None:
    reader = MessageReader()
    assert list(reader.feed(HEADER.pack(b"HS", DATA, 0, 0, 1 << 60)[:10])) == []
    told = list(reader.feed(HEADER.pack(b"HS", DATA, 0, 0, 1 << 60)[10:]))
    assert isinstance(told[0], TooLarge)
    for _ in range(8):
        assert list(reader.feed(bytes(1 << 20))) == []
    assert len(reader._buffer) == 0
    with pytest.raises(PoorHeader):
        list(MessageReader().feed(b"HX"))


def test_pyvisa_py(doors: Doors) -> None:
    manager = pyvisa.ResourceManager("@py")
    resource = manager.open_resource(doors.hislip, read_termination="\n", write_termination="\n")
    assert isinstance(resource, MessageBasedResource)
    assert resource.query("*IDN?") == IDENTITY.decode().strip()
    resource.write("*SRE 32;*ESE 32;*CLS;NONSENSE")
    assert resource.read_stb() == 64 + 32 + 4
    resource.clear()
    assert resource.query("SYST:ERR?").startswith("-113,")
    resource.write_binary_values('TRAC:DATA "x",', [float(k) for k in range(300_000)])
    assert resource.query_binary_values('TRAC:DATA? "x"')[299_999] == 299_999.0
    resource.close()
    manager.close()
