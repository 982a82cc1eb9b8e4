"""What a calibration measured is kept block by block, and an interrupted one goes on where it stopped."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from calibration.device import Device
from calibration.mesh import Block, Blocks, MeshCalibration
from hil.devices.emulated_mesh import EmulatedMesh
from hil.interrupts import Stopped
from hil.mesh.calibrate import RECORD, calibrate_on, keep_record, stage_folder
from hil.mesh.design import design
from hil.mesh.records import Records
from hil.mesh.session import MESH, MeshSession
from hil.session import open_session
from simulators.models.mesh import Fabrication, PhotonicSpecimen, fabricate
from tests.hil.mesh.lab import make_mesh_lab


class Lit:
    """A stage that lights one input after the other; its figure is what all detectors read together."""

    def __init__(self, name: str, factor: float) -> None:
        self.name, self._factor = name, factor
        self.blocks = 3
        self.measured: list[str] = []

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        before = start.figures.get("first", {}).get("total_W", 0.0)
        self._start, self._total = start, before
        for port in range(3):
            name = f"m{port}"
            if name in known:
                arrays = known[name]
            else:
                self.measured.append(name)
                volts = np.zeros((1, 2, 3))
                volts[..., port] = 3.0
                arrays = {"volts": volts, "powers": device.run(volts).outputs}
                yield Block(name, arrays)
            self._total += self._factor * float(arrays["powers"].sum())

    def result(self) -> MeshCalibration:
        return self._start.noted(self.name, {"total_W": self._total})


def device(session: MeshSession) -> EmulatedMesh:
    layout = session.bench.chip.mesh
    chip = fabricate(layout, Fabrication(), seed=5)
    return EmulatedMesh(PhotonicSpecimen(chip, 0.0, 5), noise_W=0.0, noise_relative=0.0, name="chip")


def stages() -> list[Lit]:
    return [Lit("first", 1.0), Lit("second", 2.0)]


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    return make_mesh_lab(tmp_path / "lab")


def whole(lab: Path) -> MeshCalibration:
    with open_session(MESH, lab) as session:
        todo = stages()
        calibrate_on(session, device(session), todo)
        keep_record(session, todo[-1].name)
        return MeshCalibration.load(session.folder / RECORD)


def test_every_block_and_what_was_known_after_each_stage_is_in_the_run(lab: Path) -> None:
    with open_session(MESH, lab) as session:
        calibrate_on(session, device(session), stages())
        blocks = session.store.blocks("first").read()
        assert list(blocks) == ["m0", "m1", "m2"]
        assert blocks["m1"].meta == {"readings": 2, "chip_time_s": pytest.approx(0.04)}
        total = sum(float(block.arrays["powers"].sum()) for block in blocks.values())
        known = MeshCalibration.load(stage_folder(session, "first"))
        assert known.figures["first"]["total_W"] == pytest.approx(total)
        assert session.metrics()["spent"]["stages"]["first"]["readings"] == 6
        assert session.metrics()["spent"]["readings"] == 12
        assert {name: session.status(name) for name in ("first", "second")} == dict.fromkeys(
            ("first", "second"), "done"
        )


@pytest.mark.parametrize("after", range(1, 6))
def test_a_resumed_calibration_measures_nothing_twice_and_ends_the_same(lab: Path, after: int) -> None:
    expected = whole(lab)
    with open_session(MESH, lab) as session:
        folder, chip, todo = session.folder, device(session), stages()

        count = 0
        original = chip.run

        def run(inputs: np.ndarray) -> object:
            nonlocal count
            count += 1
            session.interrupts.stopping = count == after
            return original(inputs)

        chip.run = run  # type: ignore[method-assign,assignment]
        with pytest.raises(Stopped):
            calibrate_on(session, chip, todo)
        assert sum(len(stage.measured) for stage in todo) == after
    with open_session(MESH, folder) as session:
        rest = stages()
        calibrate_on(session, device(session), rest)
        keep_record(session, rest[-1].name)
        assert sum(len(stage.measured) for stage in rest) == 6 - after
        found = MeshCalibration.load(session.folder / RECORD)
    assert found.figures["first"] == expected.figures["first"]
    assert found.figures["second"] == expected.figures["second"]
    assert found.version == expected.version + 1


def test_the_record_is_kept_beside_the_runs_once(lab: Path) -> None:
    first = whole(lab)
    records = Records(lab.parent / "runs", "chip")
    assert records.versions == (1,)
    kept = MeshCalibration.load(records.latest())
    assert (kept.version, kept.date, kept.identity) == (first.version, first.date, first.identity)
    run = next(path for path in (lab.parent / "runs").iterdir() if path.name != "calibrations")
    with open_session(MESH, run) as session:
        keep_record(session, "second")
    assert records.versions == (1,)
    assert whole(lab).version == 2


def test_a_record_whose_step_was_cut_short_is_not_kept_twice(lab: Path) -> None:
    whole(lab)
    run = next(path for path in (lab.parent / "runs").iterdir() if path.name != "calibrations")
    state = json.loads((run / "state.json").read_text())
    state[RECORD]["status"] = "running"  # as after a kill
    (run / "state.json").write_text(json.dumps(state))
    with open_session(MESH, run) as session:
        keep_record(session, "second")
    assert Records(lab.parent / "runs", "chip").versions == (1,)


def test_the_design_is_what_the_bench_file_says(lab: Path) -> None:
    with open_session(MESH, lab) as session:
        section = session.bench.chip
        chip = design(section.model_copy(update={"heaters": section.heaters.model_copy(
            update={"unconnected": ["t1_1"]})}))  # fmt: skip
    ohms = dict(zip(section.mesh.shifters, chip.heaters.resistance_ohm.tolist(), strict=True))
    assert ohms.pop("t1_1") == float("inf")
    assert set(ohms.values()) == {1000.0}
    assert chip.heaters.gamma_rad_per_W.tolist() == pytest.approx([np.pi / 0.02] * len(section.mesh.shifters))
    assert chip.laser_W == 1e-3
