"""Several clients of one instrument, the ill-behaved ones included: each gets its own answers and no other's."""

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import pyvisa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyvisa.resources import MessageBasedResource

from tests.simulators.server.clients import Stream, address
from tests.simulators.server.served import Process, served, serving

MEGABYTE = 1 << 20
IDENTITY = "hil,Supply,17,1.0"


@pytest.fixture(scope="module")
def supply() -> Iterator[Process]:
    with serving("supply", "hislip") as process:
        yield process


@pytest.fixture
def socket_name(supply: Process) -> str:
    return supply.doors[0].socket


@pytest.fixture
def hislip_port(supply: Process) -> int:
    assert supply.doors[0].hislip is not None
    return int(supply.doors[0].hislip.partition(",")[2].partition(":")[0])


@pytest.fixture
def good(socket_name: str) -> Iterator[Stream]:
    stream = Stream(socket_name)
    stream.ask("*CLS;*IDN?")
    yield stream
    assert stream.ask("*IDN?") == IDENTITY, "the well-behaved client must not be harmed"
    stream.close()


def test_each_client_gets_its_own_answers(socket_name: str) -> None:
    wrong: list[str] = []

    def use(channel: int) -> None:
        stream = Stream(socket_name)
        for k in range(150):
            # every client has a channel of its own and asks for that alone
            stream.send(f"SOUR{channel}:VOLT {k * 0.01 * channel:.6g}\n".encode())
            answer = stream.ask(f"SOUR{channel}:VOLT?")
            if abs(float(answer) - k * 0.01 * channel) > 1e-9:
                wrong.append(f"{channel}: {answer} at {k}")
        stream.close()

    threads = [threading.Thread(target=use, args=(channel,)) for channel in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong


def test_a_client_that_says_nothing(good: Stream, socket_name: str) -> None:
    silent = [Stream(socket_name) for _ in range(5)]
    assert good.ask("*IDN?") == IDENTITY
    for stream in silent:
        stream.close()


def test_half_a_message_stays_its_senders(good: Stream, socket_name: str) -> None:
    other = Stream(socket_name)
    other.send(b"VOLT 1;*ID")
    assert good.ask("SYST:ERR?").startswith("0,")
    other.send(b"N?\n")
    assert other.line().decode().strip() == IDENTITY
    assert good.ask("SYST:ERR?").startswith("0,")
    other.send(b'TRAC:DATA "a",#9000001000xxxx')  # the rest of the block never comes
    other.close()
    assert good.ask("SYST:ERR?").startswith("0,")


def test_a_message_that_is_too_long_is_refused(good: Stream, socket_name: str) -> None:
    other = Stream(socket_name)
    other.send(b"VOLT " + b"1" * (3 * MEGABYTE) + b"\n")  # the supply takes 2 MiB
    assert other.ask("*IDN?") == IDENTITY
    assert other.ask("SYST:ERR?").startswith("-363,")
    other.send(b'TRAC:DATA "a",#7' + b"%d" % (3 * MEGABYTE) + b"\n" * (3 * MEGABYTE) + b"\n")
    assert other.ask("*IDN?") == IDENTITY
    assert other.ask("SYST:ERR?").startswith("-363,")
    other.close()


def test_megabytes_without_an_end_cost_no_memory(supply: Process, good: Stream, socket_name: str) -> None:
    before_MB = supply.resident_MB
    others = [Stream(socket_name) for _ in range(3)]
    for other in others:
        for _ in range(24):
            other.send(b"x" * MEGABYTE)
    assert good.ask("*IDN?") == IDENTITY
    for other in others:
        assert other.ask("\n*IDN?") == IDENTITY
        other.close()
    assert supply.resident_MB - before_MB < 24.0, (
        "2 MiB for each client's message, and room for the allocator"
    )


def test_a_client_that_never_reads(supply: Process, good: Stream, socket_name: str) -> None:
    before_MB = supply.resident_MB
    good.send(b'TRAC:DATA "a",#6' + b"%d" % 800000 + bytes(800000) + b"\n")
    deaf = Stream(socket_name)
    deaf.socket.setblocking(False)
    sent, deadline = 0, time.monotonic() + 2.0
    while sent < MEGABYTE and time.monotonic() < deadline:  # until the server takes no more from it
        try:
            sent += deaf.socket.send(b'TRAC:DATA? "a"\n' * 100)
        except BlockingIOError:
            assert good.ask("*IDN?") == IDENTITY
    assert supply.resident_MB - before_MB < 64.0
    deaf.close()


def test_a_client_that_resets_its_connection(good: Stream, socket_name: str) -> None:
    for _ in range(20):
        other = Stream(socket_name)
        other.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        other.send(b"MEAS? 1\n*IDN?\n*ID")
        other.close()
    assert good.ask("*IDN?") == IDENTITY


def test_one_who_leaves_while_waiting_forever_sets_the_others_free(good: Stream, socket_name: str) -> None:
    other = Stream(socket_name)
    other.send(b"FETC?\n")  # waits for a trigger that never comes
    good.send(b"*IDN?\n")
    other.close()
    assert good.line().decode().strip() == IDENTITY


def test_answers_come_to_one_who_has_said_all(socket_name: str) -> None:
    other = Stream(socket_name)
    other.send(b"*IDN?\nMEAS? 0.5\n")
    other.socket.shutdown(socket.SHUT_WR)
    assert other.line().decode().strip() == IDENTITY
    assert other.line()
    assert other.socket.recv(1) == b""
    other.close()


def test_a_flood_of_messages_lets_others_in_between(supply: Process, good: Stream, socket_name: str) -> None:
    flood = Stream(socket_name)
    flood.socket.setblocking(False)
    before_MB, waits_s = supply.resident_MB, []
    for _ in range(20):
        try:
            while True:
                flood.socket.send(b"\n" * MEGABYTE)
        except BlockingIOError:
            pass
        start = time.monotonic()
        assert good.ask("*IDN?") == IDENTITY
        waits_s.append(time.monotonic() - start)
    flood.close()
    assert sorted(waits_s)[len(waits_s) // 2] < 0.5
    assert supply.resident_MB - before_MB < 32.0


def test_a_crowd_is_limited(good: Stream, socket_name: str) -> None:
    crowd = [socket.create_connection(address(socket_name), timeout=20) for _ in range(100)]
    assert good.ask("*IDN?") == IDENTITY
    served_ones = 0
    for one in crowd:
        try:
            one.sendall(b"*IDN?\n")
            served_ones += one.recv(100).startswith(b"hil")
        except ConnectionError:
            pass
        one.close()
    assert 32 < served_ones < 100


def test_a_line_that_goes_down_can_be_taken_up_again() -> None:
    with served("dropping", "socket") as doors:
        first, beside = Stream(doors[0].socket), Stream(doors[0].socket)
        assert first.ask("*IDN?") == beside.ask("*IDN?") == IDENTITY
        first.send(b"DROP\n")
        with pytest.raises(ConnectionError):
            first.line()
        assert beside.ask("*IDN?") == IDENTITY
        again = Stream(doors[0].socket)
        assert again.ask("*IDN?") == IDENTITY
        for stream in (first, beside, again):
            stream.close()


def test_a_line_that_goes_down_behind_the_other_doors() -> None:
    with served("dropping", "hislip") as (doors,):
        manager = pyvisa.ResourceManager("@py")
        for name in (doors.hislip, doors.vxi11):
            for _ in range(2):
                resource = manager.open_resource(name, read_termination="\n", write_termination="\n")
                assert isinstance(resource, MessageBasedResource)
                assert resource.query("*IDN?") == IDENTITY
                with pytest.raises((pyvisa.VisaIOError, RuntimeError, OSError)):
                    resource.query("DROP")
                resource.close()
        manager.close()


def test_a_protocol_that_is_not_scpi() -> None:
    with served("terse", "serial") as doors:
        first, second = Stream(doors[0].socket), Stream(doors[0].socket)
        first.send(b"4")
        second.send(b"7\r?\r")
        assert second.socket.recv(100) == b"7\r"
        first.send(b"2\r?\r")
        assert first.socket.recv(100) == b"42\r"
        first.send(b"9" * (1 << 17) + b"\r?\r")
        assert first.socket.recv(100) == b"42\r", "a line that is too long is dropped"
        first.close()
        second.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(max_size=200), max_size=5), scpi=st.booleans())
def test_no_bytes_crash_or_hang_the_server(
    supply: Process, hislip_port: int, pieces: list[bytes], scpi: bool
) -> None:
    where = address(supply.doors[0].socket) if scpi else ("127.0.0.1", hislip_port)
    with socket.create_connection(where, timeout=20) as bad:
        try:
            for piece in pieces:
                bad.sendall(piece)
        except ConnectionError:
            pass
    good = Stream(supply.doors[0].socket)
    assert good.ask("*IDN?") == IDENTITY
    good.close()


def test_a_lot_of_garbage_costs_no_memory(supply: Process, hislip_port: int) -> None:
    rng = random.Random(1)
    before_MB = supply.resident_MB
    good = Stream(supply.doors[0].socket, asked=True)
    for k in range(200):
        where = address(supply.doors[0].socket) if k % 2 else ("127.0.0.1", hislip_port)
        with socket.create_connection(where, timeout=20) as bad, suppress(ConnectionError):
            bad.sendall((b"HS" if k % 4 == 0 else b"") + rng.randbytes(20_000))
    assert good.ask("*IDN?") == IDENTITY
    good.close()
    assert supply.resident_MB - before_MB < 16.0
