"""`hil tune` from file to best controls: killed, stopped, refused, and through the instruments of every chip."""

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import hil
from calibration.errors import NotRepeatable, OutsideLimits
from hil.errors import ConfigError
from hil.store import RunStore
from simulators.models.mesh import MeshLayout
from tests.hil.lab import command, rewrite, run
from tests.hil.tuning.lab import make_tuning


def steps_of(folder: Path, name: str) -> list[dict[str, object]]:
    """The lines of one method's steps, by number, the last of each."""
    with RunStore.open(folder) as store:
        return [line for line in store.metrics() if line["step"] == name]


def the_run(experiment: Path) -> Path:
    (found,) = (path for path in (experiment.parent / "runs").iterdir() if (path / "manifest.json").exists())
    return found


def test_methods_run_from_the_same_start_and_leave_their_best(tmp_path: Path) -> None:
    experiment = make_tuning(tmp_path / "lab")
    outcome = hil.tune(experiment, ["spsa", "pat"])
    assert outcome.steps["spsa-0"] == outcome.steps["pat-0"] == "done"
    runs = outcome.metrics["tuning"]
    assert [one["method"] for one in runs] == ["spsa", "pat"]
    assert runs[0]["start_loss"] == pytest.approx(runs[1]["start_loss"], rel=1e-6)
    for one in runs:
        assert one["readings"] <= 3000
        assert one["best_loss"] < one["start_loss"]
        best = json.loads((outcome.run / "best" / f"{one['method']}-0.json").read_text())
        assert best["loss"] == one["best_loss"]
    # what was kept is a start for the next run
    rewrite(
        experiment, {"  train: {steps: 60, rate: 0.03}": f"  file: {outcome.run / 'best' / 'spsa-0.json'}"}
    )
    again = hil.tune(experiment, readings=1500)
    assert again.metrics["tuning"][0]["start_loss"] == pytest.approx(runs[0]["best_loss"], rel=0.05)


def test_a_killed_run_goes_on_after_its_last_step(tmp_path: Path) -> None:
    whole = make_tuning(tmp_path / "whole")
    steps = steps_of(hil.tune(whole).run, "spsa-0")
    experiment = make_tuning(tmp_path / "killed")
    process = subprocess.Popen(command("tune", experiment), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    log = lambda: next((experiment.parent / "runs").glob("*/metrics.jsonl"), None)  # noqa: E731
    while not (log() and log().read_text().count("\n") > 9):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.wait()
    folder = the_run(experiment)
    before = steps_of(folder, "spsa-0")
    assert 9 <= len(before) < len(steps)
    done = run("tune", folder, "--json")
    assert done.returncode == 0, done.stderr
    after = steps_of(folder, "spsa-0")
    assert after[: len(before)] == before
    assert [line["number"] for line in after[len(before) :]] == [
        line["number"] for line in steps[-len(after) + len(before) :]
    ]
    # the step that was cut is read again and no other: at most one step of 32 readings and one check besides
    assert steps[-1]["readings"] - 160 <= after[-1]["readings"] <= 3000


def test_ctrl_c_keeps_the_best_and_says_how_to_go_on(tmp_path: Path) -> None:
    experiment = make_tuning(tmp_path / "lab", **{"readings: 3000": "readings: 3000000"})
    process = subprocess.Popen(command("tune", experiment), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list((experiment.parent / "runs").glob("*/tuning/spsa-0.safetensors")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert f"hil tune {the_run(experiment)}" in " ".join(told.split())


def test_what_cannot_be_run_is_refused_before_a_reading(tmp_path: Path) -> None:
    experiment = make_tuning(tmp_path / "lab")
    done = run("tune", experiment, "--budget", 10)
    assert done.returncode == 2
    assert "raise the budget" in " ".join(done.stderr.split())
    with pytest.raises(ConfigError, match="no method 'magic'"):
        hil.tune(experiment, ["magic"])


MATRIX = {
    "kind: classes": "kind: matrix",
    "clusters: {": "haar: 7  # {",
    "amplitude: 3": "# 3",
    "probe: 0.4": "probes: 2",
    "  test: 0.2": "  # test",
}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (MATRIX, "nothing that a mesh-network chip can be asked"),
        ({"batch: 16": "bach: 16"}, "has no setting 'bach'"),
        ({"batch: 16": "batch: 0"}, "at least 1"),
        ({"amplitude: 3": "amplitude: 300"}, "change amplitude"),
        ({"  train: {steps: 60, rate: 0.03}": "  file: nowhere.json"}, "nowhere.json cannot be read"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, str], text: str) -> None:
    experiment = make_tuning(tmp_path / "lab", **changes)
    with pytest.raises(ConfigError, match=text):
        hil.tune(experiment)


def test_a_start_that_the_limits_exclude_is_named(tmp_path: Path) -> None:
    experiment = make_tuning(tmp_path / "lab", **{"  train: {steps: 60, rate: 0.03}": "  file: start.json"})
    shifters = [f"{mesh}.{name}" for mesh in (0, 1) for name in MeshLayout("rectangular", 4).shifters]
    start = {**dict.fromkeys(shifters, 0.5), "1.t0_0": 40.0}
    (tmp_path / "lab" / "start.json").write_text(json.dumps(start))
    with pytest.raises(OutsideLimits, match=r"1\.t0_0: the start"):
        hil.tune(experiment)


def test_a_restless_chip_is_told_before_the_budget_is_spent(tmp_path: Path) -> None:
    experiment = make_tuning(tmp_path / "lab", **{"checks: 4": "sought: 1.0e-9\n  checks: 4"})
    with pytest.raises(NotRepeatable):
        hil.tune(experiment)
    assert steps_of(the_run(experiment), "spsa-0") == []


DNPU = {
    "readings: 60000": "readings: 9000",
    "checks: 6": "checks: 2",
    "plateau: 10 ms": "plateau: 3 ms",
    "probes: 8": "probes: 2",
    "min_score: 1.0": "min_score: 0.1",
}
MESH = {"readings: 3000": "readings: 150", "checks: 5": "checks: 2", "min_gain: 0.01": "min_gain: -1.0"}
DIFFRACTIVE = {"readings: 600": "readings: 250", "checks: 4": "checks: 2"}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("dnpu-tuning", DNPU), ("mesh-tuning", MESH), ("diffractive-tuning", DIFFRACTIVE)],
)
def test_through_the_instruments_of_every_chip(tmp_path: Path, kind: str, changes: dict[str, str]) -> None:
    hil.init(kind, tmp_path / "lab")
    experiment = tmp_path / "lab" / "tune.yaml"
    rewrite(experiment, changes)
    outcome = hil.tune(experiment)
    (one,) = outcome.metrics["tuning"]
    assert one["curve"][0]["verdict"] == "start"
    assert np.isfinite([one["start_loss"], one["best_loss"]]).all()
    with RunStore.open(outcome.run) as store:
        told = [event["kind"] for event in store.events()]
    assert "connected" in told or kind == "diffractive-tuning"
