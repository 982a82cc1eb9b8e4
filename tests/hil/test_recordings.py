"""Whole sessions recorded, replayed with nothing there, compared and shown, as a user runs them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hil
from hil.config import load_bench
from hil.connection import open_station
from hil.session import _standing_alone
from hil.store import RunStore
from simulators.errors import RecordingError
from tests.hil.lab import command, make_lab, rewrite, run
from tests.hil.test_interrupted_sessions import samples

NO_BENCH = """
import sys
from hil.cli.main import main
try:
    main()
finally:
    chips = ("simulators.bench", "simulators.models.hopping", "simulators.instruments.qdac2",
             "simulators.instruments.keysight_34465a")
    loaded = [name for name in sys.modules if name.startswith(chips)]
    open(sys.argv[-1] + ".modules", "w").write(repr(loaded))
"""


SHORT = {
    "batches: 80": "batches: 4",
    "batch_time: 2 s": "batch_time: 100 ms",
    "gates: [AND, OR, NAND, NOR, XOR, XNOR]": "gates: [AND]",
    "restarts: 256": "restarts: 4\n  steps: 5",
}


def the_run(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def without_emulator(bench: Path) -> None:
    text = bench.read_text()
    bench.write_text(text[: text.index("# What only the emulator knows")])


def timeless(value: Any) -> Any:
    """Figures without what differs from one run to the next by nature: durations and rates."""
    if isinstance(value, dict):
        timed = ("seconds", "duration_s", "samples_per_s", "started", "finished")
        return {key: timeless(item) for key, item in value.items() if key not in timed}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def plain_page(run: Path) -> str:
    """The report's words and figures without drawings, dates, durations and paths."""
    page = (run / "report.html").read_text()
    page = page[: page.index('<section id="run">')] + page[page.index("<h3>Versions</h3>") :]
    page = re.sub(r"<img [^>]*>", "", page)
    page = re.sub(r"<dt>(trained in|samples trained a second)</dt><dd>.*?</dd>", "", page)
    page = re.sub(r'<div class="name">Duration</div>.*?all steps together', "", page, flags=re.DOTALL)
    page = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "", page)
    page = re.sub(r"<dt>(bench|experiment).yaml \(SHA-256\)</dt><dd>.*?</dd>", "", page)
    return page.replace(run.name, "").replace(str(run.parent), "")


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab with a calibration that was recorded in s.rec."""
    folder = tmp_path_factory.mktemp("recorded")
    experiment = make_lab(folder / "lab", **SHORT)
    done = run("record", folder / "s.rec", "--", "hil", "calibrate", experiment)
    assert done.returncode == 5, done.stderr  # a surrogate of seconds does not meet the acceptance
    assert re.search(r"recorded \d,\d{3} exchanges", done.stderr)
    return folder


def test_a_calibration_replays_to_the_same_surrogate_and_report(calibrated: Path, tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    for name in ("bench.yaml", "experiment.yaml"):
        (lab / name).write_text((calibrated / "lab" / name).read_text())
    without_emulator(lab / "bench.yaml")
    experiment = lab / "experiment.yaml"
    rewrite(experiment, {"runs: runs": "runs: replayed"})
    words = [sys.executable, "-c", NO_BENCH, "calibrate", str(experiment)]
    done = run("replay", calibrated / "s.rec", "--json", "--", *words)
    assert done.returncode == 5, done.stderr
    told = json.loads(done.stdout)
    assert (told["divergence"], told["unused"], told["cut"]) == (None, {}, False)
    assert told["answered"] > 3000
    assert Path(f"{experiment}.modules").read_text() == "[]"

    first, again = the_run(calibrated / "lab" / "runs"), the_run(lab / "replayed")
    recorded, replayed = samples(first), samples(again)
    assert recorded.keys() == replayed.keys() >= {"inputs", "outputs", "flags"}
    for name, values in recorded.items():
        np.testing.assert_array_equal(replayed[name], values)
    weights = sorted((first / "models").rglob("*.safetensors"))
    assert weights
    for file in weights:
        assert (again / file.relative_to(first)).read_bytes() == file.read_bytes()
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in (first, again)]
    assert metrics[0]["surrogate"]["rmse_A"] > 0
    assert timeless(metrics[0]) == timeless(metrics[1])
    assert plain_page(again) == plain_page(first)
    with RunStore.open(again) as store:
        assert store.manifest["instruments"]["source"].startswith("QDevil, QDAC-II")


def test_a_bench_file_may_name_the_recording_itself(calibrated: Path, tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    for name in ("bench.yaml", "experiment.yaml"):
        (lab / name).write_text((calibrated / "lab" / name).read_text())
    for name in ("s.rec", "s.rec.bin"):
        (lab / name).write_bytes((calibrated / name).read_bytes())
    without_emulator(lab / "bench.yaml")
    rewrite(lab / "bench.yaml", {'visa: "@hil"': 'visa: "replay:s.rec@hil"'})
    path = tmp_path / "run" / "bench.yaml"  # a run keeps a copy, in a folder of its own
    path.parent.mkdir()
    path.write_text(_standing_alone(lab / "bench.yaml"))
    with open_station(load_bench(path), path) as station:
        assert station.components["dac"].visa_handle.visalib.library_path == f"replay:{lab / 's.rec'}"


def test_another_experiment_leaves_the_recording_and_ends_with_4(calibrated: Path, tmp_path: Path) -> None:
    experiment = make_lab(tmp_path / "lab", **SHORT)
    rewrite(experiment, {"seed: 1 ": "seed: 2 "})
    done = run("replay", calibrated / "s.rec", "--", "hil", "sample", experiment)
    assert done.returncode == 4, done.stderr
    told = " ".join(done.stderr.split())
    assert "the program has left the recording at" in told
    assert "recorded: write 'sour1:list:volt '" in told
    assert re.search(r"element \d+ is \S+ in the recording and \S+ now", told)
    assert "SafeStateError" not in told
    assert "Traceback" not in told


def test_compare_finds_a_bench_equal_to_itself(calibrated: Path) -> None:
    same = hil.compare(calibrated / "s.rec", calibrated / "lab" / "bench.yaml")
    assert same.agrees, [tally for tally in same.tallies if not tally.agrees]
    assert len(same.tallies) > 60
    assert sum(tally.count for tally in same.tallies) > 1000


def test_show_lists_and_sums_up(calibrated: Path) -> None:
    done = run("show", calibrated / "s.rec", "--instrument", "34465a")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) > 300
    assert all("192.168.8.18" in line for line in lines)
    assert any("-> 'FETCh?\\n'" in line for line in lines)
    assert "Keysight Technologies,34465A" in done.stderr
    told = json.loads(run("show", calibrated / "s.rec", "--json").stdout)
    assert told["header"]["seeds"] == {"emulator": 20}
    assert told["header"]["clock"] == "virtual"
    assert len(told["summary"]["instruments"]) == 2
    none = run("show", calibrated / "s.rec", "--instrument", "nobody")
    assert none.returncode == 2
    assert "no instrument 'nobody'" in none.stderr


SCRIPT = """
import sys
import pyvisa

manager = pyvisa.ResourceManager()
dac = manager.open_resource("TCPIP0::192.168.8.17::5025::SOCKET", read_termination="\\n", write_termination="\\n")
print(dac.query("*IDN?"), flush=True)
dac.write(f"sour1:volt {sys.argv[1]}")
print(dac.query("sour1:volt?"), flush=True)
"""


SIM = """
spec: "1.1"
devices:
  supply:
    eom: {TCPIP SOCKET: {q: "\\n", r: "\\n"}}
    dialogues: [{q: "*IDN?", r: "sim,Supply,1,0"}]
    properties:
      volt: {default: 0, getter: {q: "sour1:volt?", r: "{:g}"}, setter: {q: "sour1:volt {:g}"}, specs: {type: float}}
resources: {"TCPIP0::192.168.8.17::5025::SOCKET": {device: supply}}
"""
RACK = """
format: hil-bench/1
name: one source
station:
  instruments:
    dac: {type: qcodes_contrib_drivers.drivers.QDevil.QDAC2.QDac2, address: TCPIP0::192.168.8.17::5025::SOCKET}
emulator:
  seed: 1
  instruments:
    dac: {model: qdac2, serial: "1018"}
  wires: [dac.1 -> 10 kOhm -> ground]
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A lab script, and a library that is not ours for it to use."""
    (tmp_path / "sim.yaml").write_text(SIM)
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def python(script: Path, *words: str) -> list[str]:
    return [sys.executable, str(script), *words]


def test_an_unchanged_script_is_recorded_and_replayed(script: Path, tmp_path: Path) -> None:
    recording, library = tmp_path / "s.rec", tmp_path / "sim.yaml"
    done = run("record", recording, "--visa", f"{library}@sim", "--", *python(script, "0.5"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["sim,Supply,1,0", "0.5"]
    library.unlink()
    again = run("replay", recording, "--", *python(script, "0.5"))
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout
    other = run("replay", recording, "--", *python(script, "0.6"))
    assert other.returncode == 4, other.stderr
    assert "Divergence" in other.stderr  # the script's own traceback
    assert "sour1:volt 0.6" in other.stderr
    loose = run("replay", recording, "--loose", "--", *python(script, "0.6"))
    assert loose.returncode == 0, loose.stderr
    assert loose.stdout == done.stdout
    assert "unknown, 1 times" in loose.stderr
    script.write_text(SCRIPT[: SCRIPT.index("dac.write")] + "sys.exit(7)")
    short = run("replay", recording, "--", *python(script, "0.5"))
    assert short.returncode == 7, short.stderr
    assert "3 more with TCPIP0::192.168.8.17::5025::SOCKET were not asked for" in short.stderr


def test_compare_shows_where_an_emulated_rack_differs(script: Path, tmp_path: Path) -> None:
    rack, recording = tmp_path / "rack.yaml", tmp_path / "s.rec"
    rack.write_text(RACK)
    done = run("record", recording, "--visa", f"{tmp_path / 'sim.yaml'}@sim", "--", *python(script, "0.5"))
    assert done.returncode == 0, done.stderr
    shown = run("compare", recording, rack)
    assert shown.returncode == 0, shown.stderr
    assert re.search(r"\*IDN\?\s+1\s+1\s", shown.stderr)
    assert "'sim,Supply,1,0\\n' was recorded, 'QDevil, QDAC-II, 1018, 13-1.57\\n' came" in shown.stderr
    assert "2 of 3 headers answer as recorded" in shown.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["record", "s.rec"], 2, "no command"),
        (["record", "s.txt", "--", "true"], 2, ".rec"),
        (["record", "nowhere/s.rec", "--", "true"], 2, "not a folder"),
        (["record", "s.rec", "--", "no-such-command"], 2, "no-such-command"),
        (["record", "s.rec", "--", sys.executable, "-c", ""], 1, "nothing was recorded"),
        (["replay", "missing.rec", "--", "true"], 2, "cannot be read"),
        (["replay", "wrong.rec", "--", "true"], 2, "is no recording"),
        (["replay", "newer.rec", "--", "true"], 2, "a newer one"),
        (["replay", "good.rec"], 2, "no command"),
        (["replay", "good.rec", "--", sys.executable, "-c", ""], 1, "nothing was replayed"),
        (["record", "good.rec", "--", "true"], 2, "there already"),
        (["show", "wrong.rec"], 2, "is no recording"),
        (["compare", "good.rec", "missing.yaml"], 2, "missing.yaml"),
        (["compare", "good.rec", "@py"], 3, "no envelope is checked"),
    ],
)
def test_wrong_words_end_with_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, said: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.rec").write_text("format: hil-bench/1\n")
    (tmp_path / "newer.rec").write_text('{"format": "hil-recording/9"}\n')
    (tmp_path / "good.rec").write_text('{"format": "hil-recording/1"}\n')
    done = run(*words)
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_newer_recording_is_refused_by_the_function_too(tmp_path: Path) -> None:
    (tmp_path / "s.rec").write_text('{"format": "hil-recording/9"}\n')
    with pytest.raises(RecordingError, match="a newer one"):
        hil.show(tmp_path / "s.rec")


PATIENT = """
import signal
import pyvisa

manager = pyvisa.ResourceManager()
dac = manager.open_resource("TCPIP0::192.168.8.17::5025::SOCKET", read_termination="\\n", write_termination="\\n")

def stop(number, frame):
    raise SystemExit(40 + number)

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
print(dac.query("*IDN?"), flush=True)
while True:
    signal.pause()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_command(script: Path, tmp_path: Path, number: signal.Signals) -> None:
    script.write_text(PATIENT)
    words = command(
        "record", tmp_path / "s.rec", "--visa", f"{tmp_path / 'sim.yaml'}@sim", "--", *python(script)
    )
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("sim,Supply")
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 40 + number, told
    assert not hil.show(tmp_path / "s.rec").recording.cut


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_recording_whose_process_is_killed_is_read_to_the_cut(script: Path, tmp_path: Path) -> None:
    script.write_text(PATIENT + "# no end\n")
    script.write_text(PATIENT.replace("print(dac", "import os; print(os.getpid(), flush=True); print(dac"))
    words = command(
        "record", tmp_path / "s.rec", "--visa", f"{tmp_path / 'sim.yaml'}@sim", "--", *python(script)
    )
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert process.stdout.readline().startswith("sim,Supply")
        began = time.monotonic()
        os.kill(child, signal.SIGKILL)
        _, told = process.communicate(timeout=60)
    assert time.monotonic() - began < 60
    assert process.returncode == 128 + signal.SIGKILL, told
    assert "without a proper end" in told
    listing = hil.show(tmp_path / "s.rec")
    assert listing.recording.cut
    (share,) = listing.shares.values()
    assert share.identity == "sim,Supply,1,0"
