"""`hil deploy` on the emulated bench: exit codes, the chip at rest or held, what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import hil
from calibration.errors import WrongChip
from calibration.mesh import MeshCalibration
from hil.config.bench import MeshBench, load_chip_bench
from hil.errors import ConfigError, NoCalibration, StepError
from hil.mesh.design import design
from hil.mesh.records import Records
from hil.store import RunStore
from tests.hil.lab import run_here
from tests.hil.mesh.lab import last_heater_volts, make_mesh_lab


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A lab whose record is the design: nothing was ever measured."""
    experiment = make_mesh_lab(tmp_path / "lab", acceptance={"min_fidelity": 0.1})
    keep(experiment, "chip", "chip")
    return experiment


def keep(experiment: Path, chip: str, says: str) -> None:
    section = load_chip_bench(experiment.with_name("bench.yaml"), MeshBench).chip
    record = MeshCalibration.blank({"kind": "mesh", "name": says}, design(section)).dated()
    Records(experiment.parent / "runs", chip).publish(record, "by hand")


def test_the_chip_is_at_rest_afterwards_and_the_run_tells_what_was_set(lab: Path) -> None:
    done = hil.deploy(lab, haar=3)
    found = done.metrics["deployed"]
    assert done.steps == {"deploy": "done", "report": "done"}
    assert set(found["fidelity"]) >= {"as designed", "calibrated", "corrected"}
    assert 0.0 < found["achieved"] < 0.999  # a design knows no phase offsets
    assert max(found["volts"].values()) > 0.5
    assert set(last_heater_volts(done.run).values()) == {0.0}
    assert done.report is not None
    assert "fidelity, corrected" in done.report.read_text()
    with RunStore.open(done.run) as store:
        assert store.manifest["deploys"]["version"] == 1
        assert store.blocks("deploy").read()["corrected"].arrays["powers_W"].shape == (3, 3)


def test_a_chip_is_held_only_where_that_is_asked_for(lab: Path) -> None:
    done = hil.deploy(lab, haar=3, hold=True)
    set_volts, volts = last_heater_volts(done.run), done.metrics["deployed"]["volts"]
    assert max(set_volts.values()) > 0.5
    for channel, value in enumerate(volts.values()):
        assert set_volts.get(channel, 0.0) == pytest.approx(value, abs=2e-3)


def test_an_array_and_a_file_are_taken_alike(lab: Path, tmp_path: Path) -> None:
    matrix = np.array([[0.6, 0.8], [-0.8, 0.6]])
    np.save(tmp_path / "U.npy", matrix)
    by_file, by_array = hil.deploy(lab, tmp_path / "U.npy"), hil.deploy(lab, matrix)
    for done in (by_file, by_array):
        assert "padded from 2 to 3" in done.metrics["deployed"]["notes"][0]
    assert by_file.metrics["deployed"]["volts"] == by_array.metrics["deployed"]["volts"]


def test_a_deployment_is_not_gone_on_with(lab: Path) -> None:
    done = hil.deploy(lab, haar=3)
    with pytest.raises(StepError, match="is a deployment"):
        hil.calibrate(done.run)
    with pytest.raises(NoCalibration, match="no finished calibration"):
        hil.deploy(done.run, haar=3)
    with pytest.raises(StepError, match=r"a photonic mesh.*a dopant network"):
        hil.fit(done.run)
    assert hil.report(done.run).steps["report"] == "done"


def test_what_cannot_be_deployed_is_refused_before_a_run_begins(lab: Path) -> None:
    np.save(lab.with_name("large.npy"), np.eye(4))
    with pytest.raises(ConfigError, match="larger than the mesh of 3 ports"):
        hil.deploy(lab, lab.with_name("large.npy"))
    with pytest.raises(ConfigError, match="one matrix"):
        hil.deploy(lab)
    with pytest.raises(ConfigError, match="one matrix"):
        hil.deploy(lab, np.eye(3), haar=1)
    bench = yaml.safe_load(lab.with_name("bench.yaml").read_text())
    bench["chip"]["name"] = "second"
    lab.with_name("bench.yaml").write_text(yaml.safe_dump(bench))
    with pytest.raises(NoCalibration, match="second"):
        hil.deploy(lab, haar=1)
    keep(lab, "second", "chip")  # as one that was copied by hand
    with pytest.raises(WrongChip, match="'second'"):
        hil.deploy(lab, haar=1)
    assert [path.name for path in (lab.parent / "runs").iterdir()] == ["calibrations"]


def test_the_commands_exit_codes(lab: Path) -> None:
    lab.write_text(lab.read_text().replace("min_fidelity: 0.1", "min_fidelity: 0.9999"))
    missed = run_here("deploy", lab, "--haar", 3, "--json")
    assert missed.returncode == 5, missed.stderr
    assert json.loads(missed.stdout)["missed"]
    nothing = run_here("deploy", lab, "--target", lab.with_name("none.npy"))
    assert nothing.returncode == 2
    assert "no such file" in " ".join(nothing.stderr.split())
    listed = run_here("runs", lab.parent / "runs")
    assert "deployed" in listed.stderr
