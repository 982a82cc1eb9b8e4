"""What is written is read back, and what is not a whole recording is told as what it is."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.errors import RecordingError
from simulators.recording import Recording
from simulators.recording.format import CALLS, side_file
from simulators.recording.recorder import Recorder

ROOT = Path(__file__).parents[3]
DATA = st.binary(max_size=600) | st.text(st.characters(max_codepoint=127), max_size=600).map(str.encode)
STATUS = st.sampled_from([0, 0x3FFF0005, 0x3FFF0006, -1073807339])
VALUE = (
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20) | st.binary(max_size=20)
)
MESSAGES = st.tuples(
    st.sampled_from(["write", "read"]), DATA, STATUS, st.sampled_from(["", "ConnectionResetError"])
)
CALLED = st.tuples(st.sampled_from(sorted(CALLS)), st.lists(VALUE, max_size=3), VALUE, STATUS)


def recorder(path: Path) -> Recorder:
    return Recorder(path, "@py", "monotonic", {})


@given(st.lists(MESSAGES | CALLED, max_size=12))
def test_a_recording_is_read_as_it_was_written(exchanges: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = recorder(Path(folder, "s.rec"))
        session = writer.new_session()
        writer.call("open", session, 0.0, 0.1, 0, resource="GPIB0::5::INSTR", library="@py")
        for k, (op, content, value, rest) in enumerate(exchanges, start=1):
            if op in CALLS:
                writer.call(op, session, k, k + 0.5, rest, args=content, value=value)
            else:
                writer.message(op, session, k, k + 0.5, content, value, rest)
        writer.close()
        recording = Recording(Path(folder, "s.rec"))
        assert not recording.cut
        assert recording.resources == ["GPIB0::5::INSTR"]
        found = recording.exchanges[1:-1]
        assert len(found) == len(exchanges)
        for k, (read, (op, content, value, rest)) in enumerate(zip(found, exchanges, strict=True), start=1):
            assert (read.op, read.resource, read.time_s, read.took_s) == (op, "GPIB0::5::INSTR", k, 0.5)
            if op in CALLS:
                assert (read.arguments, read.value, read.status) == (tuple(content), value, rest)
            else:
                assert (recording.data(read), read.status, read.error) == (content, value, rest)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    writer = recorder(tmp_path / "s.rec")
    writer.call("open", writer.new_session(), 0.0, 0.1, 0, resource="GPIB0::5::INSTR")
    writer.message("write", 1, 1.0, 1.1, b"*IDN?\n", 0)
    writer.message("read", 1, 2.0, 2.1, bytes(range(256)) * 4, 0)
    writer.close()
    return writer.path


@pytest.mark.parametrize("removed", range(1, 40))
def test_a_last_line_that_was_cut_is_passed_over(path: Path, removed: int) -> None:
    whole = Recording(path)
    path.write_bytes(path.read_bytes()[:-removed])
    cut = Recording(path)
    assert cut.cut
    assert cut.exchanges == whole.exchanges[:-1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no whole line"),
        (b"format: hil-bench/1\nname: x\n", "is no recording"),
        (b"[1, 2]\n", "is no recording"),
        (b'{"format": "hil-surrogate/1"}\n', "is no recording"),
        (b'{"format": "hil-recording/2"}\n{"op": 1}\n', "a newer one"),
        (b"\xff\xfe\n", "is no recording"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "s.rec").write_bytes(content)
    with pytest.raises(RecordingError, match=said):
        Recording(tmp_path / "s.rec")


@pytest.mark.parametrize(
    "line", [b"nonsense", b"{}", b'{"t": 0}', b"[]", b'{"t":"x","took":0,"op":"write","session":1}']
)
def test_damage_in_the_middle_is_named(path: Path, line: bytes) -> None:
    lines = path.read_bytes().split(b"\n")
    lines[2] = line
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(RecordingError, match="line 3"):
        Recording(path)


def test_a_block_that_was_altered_or_lost_is_named(path: Path) -> None:
    blocks = side_file(path)
    data = bytearray(blocks.read_bytes())
    data[7] ^= 1
    blocks.write_bytes(data)
    recording = Recording(path)
    with pytest.raises(RecordingError, match=r"line 4 .*not what was written"):
        recording.data(recording.exchanges[2])
    blocks.unlink()
    with pytest.raises(RecordingError, match="a recording is two files"):
        recording.data(recording.exchanges[2])


def test_a_recording_is_never_written_over(path: Path) -> None:
    before = path.read_bytes(), side_file(path).read_bytes()
    with pytest.raises(RecordingError, match="there already"):
        recorder(path)
    assert (path.read_bytes(), side_file(path).read_bytes()) == before


WRITER = """
import sys
import numpy as np
from pathlib import Path
from simulators.recording.recorder import Recorder

recorder = Recorder(Path(sys.argv[1]), "@py", "monotonic", {})
session = recorder.new_session()
recorder.call("open", session, 0.0, 0.0, 0, resource="GPIB0::5::INSTR")
k = 0
while True:
    k += 1
    recorder.message("write", session, k, k, b"%d " % k * (1 + k % 400), 0)
    if k % 50 == 0:
        print(k, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 3, 8, 20])
def test_a_recording_is_whole_after_a_kill(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "s.rec"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
    recording = Recording(path)
    assert recording.cut
    written = recording.exchanges[1:]
    assert len(written) >= told[-1]
    for k, exchange in enumerate(written, start=1):
        assert recording.data(exchange) == b"%d " % k * (1 + k % 400)


def test_the_header_says_where_it_comes_from(path: Path) -> None:
    header = json.loads(path.read_text().split("\n")[0])
    assert header["format"] == "hil-recording/1"
    assert header["library"] == "@py"
    assert {"started", "clock", "seeds", "versions", "system"} <= set(header)


def test_a_full_disk_never_comes_between_a_program_and_its_instrument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = recorder(tmp_path / "s.rec")
    writer.call("open", writer.new_session(), 0.0, 0.1, 0, resource="GPIB0::5::INSTR")
    real, left = os.write, 60

    def write(descriptor: int, data: bytes) -> int:
        nonlocal left
        if left <= 0:
            raise OSError(28, "No space left on device")
        taken = real(descriptor, data[:left])
        left -= taken
        return taken

    monkeypatch.setattr(os, "write", write)
    for _ in range(5):
        writer.message("write", 1, 1.0, 1.1, b"*IDN?\n", 0)
    monkeypatch.undo()
    writer.close()
    recording = Recording(tmp_path / "s.rec")
    assert recording.cut
    assert len(recording.exchanges) == 1
    assert "No space left" in caplog.text
