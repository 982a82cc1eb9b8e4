"""`hil tune` from file to best controls: killed, stopped, refused."""

import inspect
import json
import re
import signal
import subprocess
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import hil
from calibration.errors import BudgetTooSmall, NotRepeatable, OutsideLimits, PlanError
from calibration.tuning.registry import METHODS
from hil.cli import main as cli
from hil.cli.exit_codes import ACCEPTANCE, USAGE, exit_code
from hil.cli.tables import outcome_table, runs_table
from hil.errors import ConfigError
from hil.store import RunStore
from simulators.models.mesh import MeshLayout
from tests.hil.lab import command, rewrite
from tests.hil.tuning.lab import make_tuning


def steps_of(folder: Path, name: str) -> list[dict[str, object]]:
    """The lines of one method's steps, by number, the last of each."""
    with RunStore.open(folder) as store:
        lines = [line for line in store.metrics() if line["step"] == name]
    return list({line["number"]: {**line, "t": None} for line in lines}.values())


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
    rewrite(experiment, {"  train: {steps: 60, rate: 0.03}": f"  file: {outcome.run}"})
    again = hil.tune(experiment, readings=1500)
    best = max(runs, key=lambda one: one["best_score"])
    assert again.metrics["tuning"][0]["start_loss"] == pytest.approx(best["best_loss"], rel=0.05)


QUIET = {"noise_relative: 0.01, noise_floor: 1.0e-7": "noise_relative: 0, noise_floor: 0"}


def test_a_killed_run_goes_on_to_the_same_steps(tmp_path: Path) -> None:
    whole, experiment = make_tuning(tmp_path / "whole"), make_tuning(tmp_path / "killed")
    for one in (whole, experiment):
        rewrite(one.with_name("device.yaml"), QUIET)
    steps = steps_of(hil.tune(whole).run, "spsa-0")
    process = subprocess.Popen(command("tune", experiment), stderr=subprocess.DEVNULL)
    wait_for(experiment, process, lines=9)
    process.kill()
    process.wait()
    folder = the_run(experiment)
    before = steps_of(folder, "spsa-0")
    assert 9 <= len(before) < len(steps)
    outcome = hil.tune(folder)
    assert outcome.steps["spsa-0"] == "done"
    with RunStore.open(folder) as store:
        assert store.state["spsa-0"].attempts == 2
    # the step that was cut is taken again, and no other: the readings count on as if nothing had happened
    after = steps_of(folder, "spsa-0")
    assert after[: len(before)] == before
    assert after == steps


def test_ctrl_c_keeps_the_best_and_says_how_to_go_on(tmp_path: Path) -> None:
    experiment = make_tuning(tmp_path / "lab", **{"readings: 3000": "readings: 3000000"})
    process = subprocess.Popen(command("tune", experiment), stderr=subprocess.PIPE, text=True)
    wait_for(experiment, process, lines=3)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    run = the_run(experiment)
    assert f"hil tune {run}" in " ".join(told.split())
    assert len(json.loads((run / "best" / "spsa-0.json").read_text())["controls"]) == 24
    # what there is so far can be looked at
    outcome = hil.report(run)
    assert outcome.steps == {"spsa-0": "interrupted", "report": "done"}
    assert outcome.metrics["tuning"][0]["curve"][0]["verdict"] == "start"
    assert hil.runs(run.parent)[0].steps["spsa-0"] == "interrupted"


def wait_for(experiment: Path, process: "subprocess.Popen[Any]", lines: int) -> None:
    """Until the run has that many steps in its log."""
    deadline = time.monotonic() + 120
    while sum(log.read_text().count("\n") for log in experiment.parent.glob("runs/*/metrics.jsonl")) < lines:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_the_help_names_every_method() -> None:
    told = inspect.signature(cli.tune).parameters["method"].annotation.__metadata__[0].help
    assert set(re.findall(r"[a-z-]+(?=[,;])", told)) - {"more"} == set(METHODS)


def test_what_cannot_be_run_is_refused_before_a_reading(tmp_path: Path) -> None:
    experiment = make_tuning(tmp_path / "lab")
    with pytest.raises(ConfigError, match="no method 'magic'") as unknown:
        hil.tune(experiment, ["magic"])
    assert exit_code(unknown.value) == USAGE
    assert not (experiment.parent / "runs").exists()
    with pytest.raises(BudgetTooSmall, match="raise the budget") as refused:
        hil.tune(experiment, readings=10)
    assert exit_code(refused.value) == USAGE
    assert steps_of(the_run(experiment), "spsa-0") == []


def test_a_method_that_does_not_apply_leaves_the_others_running(tmp_path: Path) -> None:
    experiment = make_tuning(tmp_path / "lab")
    with pytest.raises(PlanError, match="before an activation") as refused:
        hil.tune(experiment, ["parameter-shift", "spsa"], readings=1000)
    assert "the other methods have run" in refused.value.__notes__[0]
    outcome = hil.report(the_run(experiment))
    assert outcome.steps["parameter-shift-0"] == "failed"
    assert [one["method"] for one in outcome.metrics["tuning"]] == ["spsa"]
    shown = Console(width=150, file=StringIO())
    shown.print(outcome_table(outcome), runs_table(hil.runs(outcome.run.parent), outcome.run.parent))
    told = shown.file.getvalue()  # type: ignore[attr-defined]
    assert "spsa, seed 0: score 0." in told
    assert re.search(r"parameter-shift-0 failed │ score 0\.\d+ +│ spsa", told)


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
    with pytest.raises(OutsideLimits, match=r"1\.t0_0: the start") as refused:
        hil.tune(experiment)
    assert exit_code(refused.value) == USAGE


def test_a_restless_chip_is_told_before_the_budget_is_spent(tmp_path: Path) -> None:
    experiment = make_tuning(tmp_path / "lab", **{"checks: 4": "sought: 1.0e-9\n  checks: 4"})
    with pytest.raises(NotRepeatable, match="make the device quieter") as refused:
        hil.tune(experiment)
    assert exit_code(refused.value) == ACCEPTANCE
    assert steps_of(the_run(experiment), "spsa-0") == []
    assert (the_run(experiment) / "best" / "spsa-0.json").exists()
