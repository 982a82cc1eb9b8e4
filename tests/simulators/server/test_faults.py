"""Faults met through the doors: a line that goes down closes its connections, and the supervisor has a door too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.bench import load
from simulators.server import BenchServer
from tests.simulators.server.clients import Stream

METER, SUPERVISOR = "TCPIP0::192.168.8.18::inst0::INSTR", "TCPIP0::192.168.8.99::5025::SOCKET"
BENCH = f"""
station: {{instruments: {{meter: {{address: "{METER}"}}}}}}
emulator:
  seed: 1
  supervisor: {SUPERVISOR}
  instruments: {{meter: {{model: keysight_34465a}}}}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BenchServer]:
    (tmp_path / "bench.yaml").write_text(BENCH)
    with BenchServer(load(tmp_path / "bench.yaml")) as running:
        yield running


def test_a_line_that_goes_down_closes_its_connections_and_comes_back(server: BenchServer) -> None:
    supervisor = Stream(server.doors[SUPERVISOR].socket)
    client, other = (Stream(server.doors[METER].socket, asked=True) for _ in range(2))
    supervisor.send(b'FAULt:INJect "meter","disconnect","at","2","tries","1"\n')
    assert supervisor.ask("SYST:ERR?").startswith(("0,", "+0,"))
    assert "34465A" in client.ask("*IDN?")
    with pytest.raises(ConnectionResetError):
        client.ask("*IDN?")
    with pytest.raises(ConnectionResetError):
        other.ask("*IDN?")
    with pytest.raises(ConnectionResetError):
        Stream(server.doors[METER].socket).ask("*IDN?")  # refused once
    assert "34465A" in Stream(server.doors[METER].socket).ask("*IDN?")


def test_a_silent_instrument_keeps_nobody_else_waiting(server: BenchServer) -> None:
    supervisor = Stream(server.doors[SUPERVISOR].socket)
    supervisor.send(b'FAULt:INJect "meter","no_answer","times","1"\n')
    assert "no_answer" in supervisor.ask("FAULt:LIST?")
    silenced = Stream(server.doors[METER].socket)
    silenced.send(b"*IDN?\n")
    assert "34465A" in Stream(server.doors[METER].socket).ask("*IDN?")
    assert silenced.arrived() == b""
