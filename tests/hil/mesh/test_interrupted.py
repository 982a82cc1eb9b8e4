"""Calibrations that are killed or stopped: what was measured stays, the chip is at rest, the run goes on."""

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import hil
from calibration.mesh import MeshCalibration
from hil.mesh.calibrate import RECORD
from hil.store import RunStore
from tests.hil.lab import command
from tests.hil.mesh.lab import last_heater_volts, make_mesh_lab


def blocks(runs: Path) -> list[Path]:
    """The blocks that the one run in `runs` holds, in no order."""
    return list(runs.glob("*/data/blocks/*/*.safetensors"))


def start_and_wait(experiment: Path, count: int) -> "subprocess.Popen[str]":
    """Start a calibration in a process of its own and wait until it holds some blocks."""
    process = subprocess.Popen(command("calibrate", experiment), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while len(blocks(experiment.parent / "runs")) < count:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process


def only_run(experiment: Path) -> Path:
    (run,) = (path for path in (experiment.parent / "runs").iterdir() if path.name != "calibrations")
    return run


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> MeshCalibration:
    experiment = make_mesh_lab(tmp_path_factory.mktemp("whole") / "lab", 2, noiseless=True)
    return MeshCalibration.load(hil.calibrate(experiment).run / RECORD)


@pytest.mark.parametrize("count", [2, pytest.param(9, marks=pytest.mark.slow)])
def test_a_killed_calibration_goes_on_and_ends_the_same(
    tmp_path: Path, uninterrupted: MeshCalibration, count: int
) -> None:
    experiment = make_mesh_lab(tmp_path / "lab", 2, noiseless=True)
    process = start_and_wait(experiment, count)
    process.kill()
    process.communicate()
    run = only_run(experiment)
    before = {path: path.read_bytes() for path in blocks(run.parent)}
    assert len(before) >= count
    outcome = hil.calibrate(run)
    assert set(outcome.steps.values()) == {"done"}
    for path, data in before.items():
        assert path.read_bytes() == data  # nothing was measured twice
    found = MeshCalibration.load(run / RECORD)
    assert [(one.name, one.ok) for one in found.shifters] == [
        (one.name, one.ok) for one in uninterrupted.shifters
    ]
    # the bench's clock began anew, and with it the laser's slow drift: equal as far as that lets them be
    offsets = (one.twin.mesh.phase_offset.numpy() for one in (found, uninterrupted))
    np.testing.assert_allclose(np.exp(1j * next(offsets)), np.exp(1j * next(offsets)), atol=0.01)
    assert outcome.metrics["result"]["mean_fidelity"] > 0.999


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_ends_at_rest_and_says_how_to_go_on(tmp_path: Path, number: int, code: int) -> None:
    experiment = make_mesh_lab(tmp_path / "lab", 2, sweeps={"points": 400})
    process = start_and_wait(experiment, 3)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code, said
    run = only_run(experiment)
    assert f"hil calibrate {run}" in " ".join(said.split())
    assert "rest" in said
    with RunStore.open(run) as store:
        assert "interrupted" in {state.status for state in store.state.values()}
        store.verify()
    assert set(last_heater_volts(run).values()) == {0.0}
