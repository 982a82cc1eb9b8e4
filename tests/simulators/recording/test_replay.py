"""A program that does what it did is answered as it was; one that does not is told where it left."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.errors import VisaIOError

from simulators.errors import RecordingError
from simulators.recording import Recording, finish
from simulators.recording.difference import Divergence
from simulators.recording.replay import replay
from tests.simulators.visa.bench import GPIB, LAN, SOCKET

POINTS = np.linspace(-1, 1, 200_000, dtype="<f4")

Record = Callable[..., Path]
Replayed = Callable[..., pyvisa.ResourceManager]


def opened(manager: pyvisa.ResourceManager, name: str = LAN) -> Any:
    return manager.open_resource(name, read_termination="\n", write_termination="\n")


def session(manager: pyvisa.ResourceManager) -> None:
    supply = opened(manager)
    assert supply.query("*IDN?") == "hil,Supply,17,1.0"
    supply.write("SOUR3:VOLT 2.5")
    assert supply.query("SOUR3:VOLT?") == "+2.50000000E+00"
    supply.write("SOUR3:VOLT 0.5")
    assert supply.query("SOUR3:VOLT?") == "+5.00000000E-01"
    other = opened(manager, SOCKET)
    assert other.query("*IDN?").startswith("hil")


def arrays(manager: pyvisa.ResourceManager, chunk: int) -> None:
    supply = opened(manager)
    supply.write_binary_values('TRAC:DATA "a",', POINTS)
    supply.read_termination = None
    supply.chunk_size = chunk
    np.testing.assert_array_equal(supply.query_binary_values('TRAC:DATA? "a"', container=np.array), POINTS)


def test_the_same_program_is_answered_in_the_same_way(record: Record, replayed: Replayed) -> None:
    path = record(session)
    session(replayed(path))
    report = replay(str(path), loose=False).report()
    assert report["divergence"] is None
    assert report["unused"] == {}
    assert report["answered"] == sum(exchange.on_the_wire for exchange in Recording(path).exchanges) > 0


@pytest.mark.parametrize("chunk", [1 << 20, 20 * 1024, 777])
def test_an_answer_replays_in_pieces_of_any_size(record: Record, replayed: Replayed, chunk: int) -> None:
    path = record(lambda manager: arrays(manager, 20 * 1024))
    assert sum(exchange.op == "read" for exchange in Recording(path).exchanges) == 1
    arrays(replayed(path), chunk)


def failing(manager: pyvisa.ResourceManager) -> list[Any]:
    supply = opened(manager)
    supply.timeout = 60_000
    seen: list[Any] = [supply.timeout]
    for action in (supply.read, lambda: supply.query("NO:SUCH?"), lambda: supply.query("*IDN?")):
        try:
            seen.append(action())
        except VisaIOError as error:
            seen.append(error.error_code)
    seen += [supply.read_stb(), supply.query("SYST:ERR?")]
    supply.clear()
    supply.assert_trigger()
    supply.write("*IDN?")
    seen += [supply.read_stb(), supply.read(), supply.last_status]
    stream = manager.open_resource(SOCKET, write_termination="\n")
    try:
        seen.append(stream.assert_trigger())
    except VisaIOError as error:
        seen.append(error.error_code)
    stream.write("*IDN?")
    seen += [stream.read_bytes(3), stream.read_bytes(2)]
    seen.append(stream.get_visa_attribute(ResourceAttribute.tcpip_port))
    return seen


def test_timeouts_errors_and_statuses_come_as_they_were_and_at_once(
    record: Record, replayed: Replayed
) -> None:
    seen: list[list[Any]] = []
    path = record(lambda manager: seen.append(failing(manager)))
    assert StatusCode.error_timeout in seen[0]
    assert StatusCode.error_nonsupported_operation in seen[0]
    began = time.monotonic()
    assert failing(replayed(path)) == seen[0]
    assert time.monotonic() - began < 10  # two timeouts of a minute were recorded


def test_termination_characters_cut_an_answer_as_they_do_on_the_bench(
    record: Record, replayed: Replayed
) -> None:
    def whole(manager: pyvisa.ResourceManager) -> str:
        supply = manager.open_resource(LAN, write_termination="\n")
        supply.write("*IDN?")  # type: ignore[attr-defined]
        return str(supply.read())  # type: ignore[attr-defined]

    path = record(whole)
    manager = replayed(path)
    supply: Any = manager.open_resource(LAN, write_termination="\n", read_termination=",")
    supply.write("*IDN?")
    assert [supply.read() for _ in range(3)] == ["hil", "Supply", "17"]
    supply.read_termination = None
    assert supply.read() == "1.0\n"

    def pieces(manager: pyvisa.ResourceManager) -> None:
        supply: Any = manager.open_resource(LAN, write_termination="\n", read_termination=",")
        supply.write("*IDN?")
        assert [supply.read() for _ in range(3)] == ["hil", "Supply", "17"]
        supply.read_termination = None
        supply.read()

    assert whole(replayed(record(pieces, "pieces.rec"))) == "hil,Supply,17,1.0\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda supply: supply.write("SOUR3:VOLT 2.6"),
            ["line 7", "SOUR3:VOLT 2.5", "SOUR3:VOLT 2.6", "byte 14"],
        ),
        (lambda supply: supply.query("SOUR3:VOLT?"), ["SOUR3:VOLT 2.5", "SOUR3:VOLT?"]),
        (lambda supply: supply.read(), ["write 'SOUR3:VOLT 2.5", "the program: read"]),
        (lambda supply: supply.clear(), ["write 'SOUR3:VOLT 2.5", "the program: clear"]),
    ],
)
def test_the_first_difference_ends_a_strict_replay(
    record: Record, replayed: Replayed, change: Callable[[Any], Any], said: list[str]
) -> None:
    path = record(session)
    supply = opened(replayed(path))
    supply.query("*IDN?")
    with pytest.raises(Divergence) as caught:
        change(supply)
    assert isinstance(caught.value, VisaIOError)
    assert caught.value.error_code == StatusCode.error_io
    for text in said:
        assert text in str(caught.value)
    with pytest.raises(VisaIOError):  # also for a program that takes no notice
        supply.write("SOUR3:VOLT 2.5")
    assert replay(str(path), loose=False).report()["divergence"] == str(caught.value)


def test_a_difference_within_a_block_names_its_element(record: Record, replayed: Replayed) -> None:
    path = record(lambda manager: arrays(manager, 1 << 20))
    supply = opened(replayed(path))
    points = POINTS.copy()
    points[1234] = 0.25
    with pytest.raises(Divergence) as caught:
        supply.write_binary_values('TRAC:DATA "a",', points)
    assert f"element 1234 is {float(POINTS[1234]):.9g} in the recording and 0.25 now" in str(caught.value)
    assert "CRC-32" in str(caught.value)


def test_going_on_before_the_end_of_an_answer_is_a_difference(record: Record, replayed: Replayed) -> None:
    supply = opened(replayed(record(session)))
    supply.write("*IDN?")
    supply.read_bytes(3)
    with pytest.raises(Divergence, match="read to its end"):
        supply.write("SOUR3:VOLT 2.5")


def test_resources_may_interleave_in_another_way(record: Record, replayed: Replayed) -> None:
    path = record(session)
    manager = replayed(path)
    assert opened(manager, SOCKET).query("*IDN?").startswith("hil")
    assert opened(manager).query("*IDN?").startswith("hil")
    rest = replay(str(path), loose=False).report()["unused"]
    assert rest[LAN]["exchanges"] == 6
    assert "SOUR3:VOLT 2.5" in rest[LAN]["first"]
    assert SOCKET not in rest


def test_a_resource_that_was_not_recorded_is_a_difference(record: Record, replayed: Replayed) -> None:
    path = record(session)
    with pytest.raises(Divergence, match=r"GPIB0::5::INSTR was not opened.*192\.168\.8\.18"):
        replayed(path).open_resource(GPIB)


def test_a_failed_opening_fails_again(record: Record, replayed: Replayed) -> None:
    def missing(manager: pyvisa.ResourceManager) -> None:
        with pytest.raises(VisaIOError) as caught:
            manager.open_resource("GPIB0::17::INSTR")
        assert caught.value.error_code == StatusCode.error_resource_not_found

    missing(replayed(record(missing)))


def test_a_recording_that_was_cut_replays_to_the_cut(record: Record, replayed: Replayed) -> None:
    path = record(session)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(lines[:8]) + b"\n" + lines[8][:10])
    supply = opened(replayed(path))
    supply.query("*IDN?")
    supply.write("SOUR3:VOLT 2.5")
    with pytest.raises(Divergence, match=r"ends here.*cut short"):
        supply.query("SOUR3:VOLT?")


def test_beyond_the_end_of_a_whole_recording_is_told_too(record: Record, replayed: Replayed) -> None:
    manager = replayed(record(session))
    session(manager)
    with pytest.raises(Divergence, match=r"ends here.*all is done.*\*RST"):
        opened(manager).write("*RST")


def test_a_library_that_is_opened_again_goes_on(record: Record, replayed: Replayed) -> None:
    path = record(session)
    manager = replayed(path)
    opened(manager).query("*IDN?")
    manager.close()
    again = pyvisa.ResourceManager(f"replay:{path}@hil")
    opened(again).write("SOUR3:VOLT 2.5")


def test_loose_answers_by_command_and_counts(record: Record, replayed: Replayed) -> None:
    path = record(session)
    supply = opened(replayed(path, "replay-loose"))
    supply.timeout = 60_000
    assert [supply.query("SOUR3:VOLT?") for _ in range(3)] == ["+2.50000000E+00"] + ["+5.00000000E-01"] * 2
    assert supply.query("*IDN?") == "hil,Supply,17,1.0"
    supply.write("SOUR9:VOLT 1")
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        supply.query("SOUR9:VOLT?")
    report = replay(str(path), loose=True).report()
    assert report["loosely"]["repeated"] == {f"{LAN}: SOUR3:VOLT?": 1}
    assert report["loosely"]["out_of_order"] == {f"{LAN}: SOUR3:VOLT?": 2, f"{LAN}: *IDN?": 1}
    assert report["loosely"]["unknown"] == {f"{LAN}: SOUR9:VOLT 1": 1, f"{LAN}: SOUR9:VOLT?": 1}
    assert report["answered"] == 4


def test_in_order_loose_counts_nothing(record: Record, replayed: Replayed) -> None:
    path = record(session)
    session(replayed(path, "replay-loose"))
    assert not any(replay(str(path), loose=True).report()["loosely"].values())


def test_the_time_that_a_program_was_given_comes_again(record: Record, replayed: Replayed) -> None:
    told: list[float] = []
    path = record(lambda manager: told.extend(manager.visalib.monotonic_s() for _ in range(3)))
    library: Any = replayed(path).visalib
    assert [library.monotonic_s() for _ in range(4)] == [*told, told[-1]]


def test_a_recording_is_not_written_over_by_a_second_process(record: Record, tmp_path: Path) -> None:
    path = record(session)
    with pytest.raises(RecordingError, match="there already"):
        pyvisa.ResourceManager(f"record:{path}:bench.yaml@hil@hil")


SIM = """
spec: "1.1"
devices:
  supply:
    eom: {TCPIP INSTR: {q: "\\n", r: "\\n"}}
    dialogues: [{q: "*IDN?", r: "sim,Supply,1,0"}]
resources:
  TCPIP0::192.168.8.18::inst0::INSTR: {device: supply}
"""


def test_another_library_is_recorded_too(tmp_path: Path, replayed: Replayed) -> None:
    (tmp_path / "sim.yaml").write_text(SIM)
    path = tmp_path / "s.rec"
    manager = pyvisa.ResourceManager(f"record:{path}:{tmp_path / 'sim.yaml'}@sim@hil")
    assert manager.list_resources() == (LAN,)
    assert opened(manager).query("*IDN?") == "sim,Supply,1,0"
    manager.close()
    finish(str(path))
    assert opened(replayed(path)).query("*IDN?") == "sim,Supply,1,0"


class Server(threading.Thread):
    """Answers one connection, line by line, with the number of the line; the third answer never comes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self) -> None:
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rwb", buffering=0) as stream:
            for number, line in enumerate(stream, start=1):
                if number != 3:
                    stream.write(b"%d: %s" % (number, line))


def talk(manager: pyvisa.ResourceManager, port: int) -> list[str]:
    resource = opened(manager, f"TCPIP0::127.0.0.1::{port}::SOCKET")
    resource.timeout = 300
    answers = []
    for word in ("one", "two", "three", "four"):
        try:
            answers.append(resource.query(word))
        except VisaIOError as error:
            answers.append(error.abbreviation)
    resource.close()
    return answers


def test_a_session_over_a_real_socket_replays_with_nobody_there(tmp_path: Path, replayed: Replayed) -> None:
    server = Server()
    server.start()
    path = tmp_path / "s.rec"
    manager = pyvisa.ResourceManager(f"record:{path}:@py@hil")
    answers = talk(manager, server.port)
    assert answers == ["1: one", "2: two", "VI_ERROR_TMO", "4: four"]
    manager.close()
    finish(str(path))
    server.listener.close()
    assert talk(replayed(path), server.port) == answers
