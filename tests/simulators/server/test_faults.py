"""Faults met through the doors: a line that goes down closes its connections, and the supervisor has a door too."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
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


@pytest.fixture
def client(server: BenchServer) -> Iterator[Callable[..., Stream]]:
    """Makes clients of an instrument, closed in the end."""
    with ExitStack() as stack:

        def connect(name: str, *, asked: bool = False) -> Stream:
            made = Stream(server.doors[name].socket, asked=asked)
            stack.callback(made.socket.close)
            return made

        yield connect


def test_a_line_that_goes_down_closes_its_connections_and_comes_back(client: Callable[..., Stream]) -> None:
    supervisor = client(SUPERVISOR)
    one, other = client(METER, asked=True), client(METER, asked=True)
    supervisor.send(b'FAULt:INJect "meter","disconnect","at","2","tries","1"\n')
    assert supervisor.ask("SYST:ERR?").startswith(("0,", "+0,"))
    assert "34465A" in one.ask("*IDN?")
    with pytest.raises(ConnectionResetError):
        one.ask("*IDN?")
    with pytest.raises(ConnectionResetError):
        other.ask("*IDN?")
    with pytest.raises(ConnectionResetError):
        client(METER).ask("*IDN?")  # refused once
    assert "34465A" in client(METER).ask("*IDN?")


def test_a_silent_instrument_keeps_nobody_else_waiting(client: Callable[..., Stream]) -> None:
    supervisor = client(SUPERVISOR)
    supervisor.send(b'FAULt:INJect "meter","no_answer","times","1"\n')
    assert "no_answer" in supervisor.ask("FAULt:LIST?")
    silenced = client(METER)
    silenced.send(b"*IDN?\n")
    assert "34465A" in client(METER).ask("*IDN?")
    assert silenced.arrived() == b""
