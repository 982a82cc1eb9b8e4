"""VXI-11 through pyvisa-py, and garbage to its port."""

import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import pyvisa
from pyvisa.constants import StatusCode
from pyvisa.resources import MessageBasedResource

from simulators.server import BenchServer, Doors
from tests.simulators.server.served import made_up, served

IDENTITY = "hil,Supply,17,1.0"


@pytest.fixture(scope="module")
def doors() -> Iterator[list[Doors]]:
    with served("supply", "hislip", 2) as all_doors:
        yield all_doors


def opened(name: str | None) -> MessageBasedResource:
    manager = pyvisa.ResourceManager("@py")
    resource = manager.open_resource(name, read_termination="\n", write_termination="\n", timeout=10_000)
    assert isinstance(resource, MessageBasedResource)
    return resource


@pytest.fixture
def resource(doors: list[Doors]) -> Iterator[MessageBasedResource]:
    resource = opened(doors[0].vxi11)
    resource.write("*RST;*CLS;*SRE 0;*ESE 0")
    yield resource
    resource.close()


def test_questions_and_answers(resource: MessageBasedResource, doors: list[Doors]) -> None:
    assert resource.query("*IDN?") == IDENTITY
    assert float(resource.query("VOLT 2.5;:VOLT?")) == 2.5
    other = opened(doors[1].vxi11)
    assert float(other.query("VOLT?")) == 0.0, "inst1 is another instrument"
    other.close()


def test_an_answer_in_pieces_and_a_long_one(resource: MessageBasedResource) -> None:
    resource.write("*IDN?")
    assert resource.read_bytes(4) + resource.read_bytes(len(IDENTITY) - 3) == IDENTITY.encode() + b"\n"
    resource.write_binary_values('TRAC:DATA "x",', [float(k) for k in range(300_000)])
    assert resource.query_binary_values('TRAC:DATA? "x"')[299_999] == 299_999.0


def test_status_trigger_clear(resource: MessageBasedResource) -> None:
    resource.write("*SRE 32;*ESE 32;NONSENSE")
    assert resource.read_stb() == 64 + 32 + 4
    assert resource.query("SYST:ERR?").startswith("-113,")
    resource.assert_trigger()
    assert float(resource.query("FETC?")) >= 1.0
    resource.write("*IDN?")
    assert resource.read_stb() & 16
    resource.clear()
    assert not resource.read_stb() & 16
    assert resource.query("*ESE?") == "32"


def test_query_errors(resource: MessageBasedResource) -> None:
    resource.timeout = 50
    with pytest.raises(pyvisa.VisaIOError) as error:
        resource.read()
    assert error.value.error_code == StatusCode.error_timeout
    resource.timeout = 10_000
    assert resource.query("SYST:ERR?").startswith("-420,")
    resource.write("*IDN?")
    assert resource.query("*ESE?") == "0"
    assert resource.query("SYST:ERR?").startswith("-410,")


def test_a_lock_holds_others_back(resource: MessageBasedResource, doors: list[Doors]) -> None:
    other = opened(doors[0].vxi11)
    resource.lock_excl()
    with pytest.raises(pyvisa.VisaIOError):
        other.lock_excl(timeout=20)
    resource.unlock()
    assert other.query("*IDN?") == IDENTITY
    other.close()


def test_garbage(resource: MessageBasedResource, doors: list[Doors]) -> None:
    assert doors[0].vxi11 is not None
    port = int(doors[0].vxi11.partition(",")[2].partition(":")[0])
    rng = random.Random(1)
    for k in range(60):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as bad, suppress(ConnectionError):
            size = rng.randrange(200)
            bad.sendall((0x80000000 | size if k % 2 else size).to_bytes(4, "big") + rng.randbytes(size))
    assert resource.query("*IDN?") == IDENTITY


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="port 111 is for the superuser")
def test_plain_names_with_the_port_mapper() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 111))
        except OSError:
            pytest.skip("port 111 is taken or not allowed")
    with BenchServer(made_up("supply", "hislip", 1), port_mapper=True) as server:
        (door,) = server.doors.values()
        assert door.vxi11 == "TCPIP0::127.0.0.1::inst0::INSTR"
        resource = opened(door.vxi11)
        start = time.monotonic()
        assert resource.query("*IDN?") == IDENTITY
        assert time.monotonic() - start < 5
        resource.close()
