"""The command line as a person or a script meets it: exit codes, stdout and stderr."""

import json
import socket
from pathlib import Path

import pytest

from tests.hil.lab import make_lab, rewrite, run, run_here


@pytest.mark.parametrize(
    "words",
    [
        "init",
        "check",
        "calibrate",
        "sample",
        "fit",
        "search",
        "verify",
        "report",
        "runs",
        "demo",
        "export",
        "station",
        "record",
        "replay",
        "compare",
        "show",
        "keep",
    ],
)
def test_every_command_shows_an_example(words: str) -> None:
    told = run(words, "--help")
    assert told.returncode == 0
    assert f"hil {words}" in told.stdout


def test_a_session_speaks_json_on_stdout_and_prose_on_stderr(tmp_path: Path) -> None:
    experiment = make_lab(tmp_path / "lab", **{"min_margin_over_noise: 3": "min_margin_over_noise: 1e9"})
    done = run("calibrate", experiment, "--json")
    assert done.returncode == 5, done.stderr
    told = json.loads(done.stdout)
    assert told["steps"]["report"] == "done"
    assert any("margin over noise" in text for text in told["missed"])
    listed = json.loads(run("runs", experiment.parent / "runs", "--json").stdout)
    assert len(listed) == 1
    exported = tmp_path / "samples.npz"
    assert run("export", told["run"], exported).returncode == 0
    assert exported.exists()


def test_check_passes_on_the_example_and_drives_nothing(tmp_path: Path) -> None:
    experiment = make_lab(tmp_path / "lab")
    done = run("check", experiment.with_name("bench.yaml"), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"]
    assert {"connection", "identity of dac", "self-test of meter", "dry run", "outputs"} <= {
        item["what"] for item in told["items"]
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"sample_rate: 1 kHz": "sample_rate: 1"}, 2, "has no unit"),
        ({"dac: QDAC-II": "dac: QDAC-I9"}, 4, "QDAC-I9"),
        ({"low: -1.2 V": "low: -12 V"}, 2, "-12 V"),
        ({"Keysight.Keysight34465A": "Keysight.Keysight99999"}, 2, "cannot be imported"),
        ({"dac.7 -> chip.e7": "dac.7 -> chip.e9"}, 2, "e9"),
        (
            {"  readout:\n": "  limits: {differences: [{between: [e3, e9], limit: 1 V}]}\n  readout:\n"},
            2,
            "e9",
        ),
        (
            {"  readout:\n": "  limits: {spread: 1.5 V}\n  readout:\n"},
            3,
            "largest difference between channels",
        ),
        ({"gain: 10.13 MV/A": "gain: 30 MV/A"}, 4, "nominal"),
    ],
)
def test_a_bench_that_cannot_be_used_ends_with_one_clear_message(
    tmp_path: Path, changes: dict[str, str], code: int, said: str
) -> None:
    experiment = make_lab(tmp_path / "lab")
    rewrite(experiment.with_name("bench.yaml"), changes)
    done = run_here("sample", experiment)
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_an_address_that_nobody_answers_ends_with_4(tmp_path: Path) -> None:
    experiment = make_lab(tmp_path / "lab")
    address = f"TCPIP0::127.0.0.1::{free_port()}::SOCKET"
    rewrite(
        experiment.with_name("bench.yaml"),
        {'visa: "@hil"': 'visa: "@py"', "TCPIP0::192.168.8.17::5025::SOCKET": address},
    )
    done = run("sample", experiment)
    assert done.returncode == 4, done.stderr
    assert address in "".join(done.stderr.split())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["calibrate", "nothing.yaml"], 2),
        (["fit", "nowhere"], 1),
        (["frobnicate"], 2),
        (["init", "soen", "x"], 2),
        (["import", "brainspy", "nothing.pt", "-o", "chip"], 2),
        (["runs", "nowhere"], 2),
    ],
)
def test_wrong_words_end_with_the_stated_code(tmp_path: Path, words: list[str], code: int) -> None:
    done = run_here(*words)
    assert done.returncode == code, done.stderr
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
