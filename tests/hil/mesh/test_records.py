"""Records are kept under rising versions, once a run, and never changed."""

import multiprocessing
from pathlib import Path

import pytest

from calibration.errors import WrongChip
from calibration.mesh import MeshCalibration
from hil.errors import NoCalibration
from hil.mesh.records import Records
from simulators.models.mesh import Fabrication, MeshLayout, fabricate


def record(name: str = "chip") -> MeshCalibration:
    design = fabricate(MeshLayout("rectangular", 2), Fabrication.perfect(), seed=0)
    return MeshCalibration.blank({"kind": "mesh", "name": name}, design).dated()


def publish(runs: Path, run: str) -> int:
    return Records(runs, "chip").publish(record(), run).version


def test_each_run_has_the_next_version_once(tmp_path: Path) -> None:
    records = Records(tmp_path, "chip")
    with pytest.raises(NoCalibration, match="hil calibrate"):
        records.latest()
    assert [publish(tmp_path, run) for run in ("first", "second", "second", "third")] == [1, 2, 2, 3]
    assert records.latest() == tmp_path / "calibrations" / "chip" / "3"
    assert MeshCalibration.load(records.latest()).version == 3
    assert records.versions == (1, 2, 3)


def test_what_a_killed_writer_left_is_no_record(tmp_path: Path) -> None:
    publish(tmp_path, "first")
    (tmp_path / "calibrations" / "chip" / ".2.77.partial").mkdir()
    assert Records(tmp_path, "chip").versions == (1,)


def test_two_at_once_get_two_versions(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(publish, [(tmp_path, f"run{k}") for k in range(4)])
    assert sorted(found) == [1, 2, 3, 4]


def test_a_record_of_another_chip_is_told(tmp_path: Path) -> None:
    publish(tmp_path, "first")
    with pytest.raises(WrongChip, match="other"):
        MeshCalibration.load(Records(tmp_path, "chip").latest()).check({"kind": "mesh", "name": "other"})
