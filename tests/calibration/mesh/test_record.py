"""A calibration record survives the disk, and is refused when it is altered, foreign or another chip's."""

from pathlib import Path

import numpy as np
import pytest
import torch

from calibration.errors import ModelFileError, WrongChip
from calibration.mesh import MeshCalibration
from simulators.models.mesh import Fabrication, MeshLayout, fabricate

IDENTITY = {"kind": "mesh", "name": "chip7"}


def calibration() -> MeshCalibration:
    chip = fabricate(MeshLayout("rectangular", 4), Fabrication(bits=8), seed=3)
    return MeshCalibration.blank(IDENTITY, chip).noted("darks", {"readings": 8}).dated()


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    stored = calibration()
    stored.save(tmp_path)
    read = MeshCalibration.load(tmp_path)
    assert (read.identity, read.figures, read.date) == (stored.identity, stored.figures, stored.date)
    assert read.shifters == stored.shifters
    assert read.twin.heaters.bits == 8
    inputs, controls = torch.full((4,), 2.0).double(), torch.linspace(0, 8, 12).double()
    assert torch.equal(read.twin(inputs, controls), stored.twin(inputs, controls))
    np.testing.assert_array_equal(read.dark_W, stored.dark_W)


@pytest.mark.parametrize("name", ["calibration.json", "twin/chip.json", "twin/chip.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "gone", "empty"])
def test_a_damaged_record_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    calibration().save(tmp_path)
    path = tmp_path / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 100 if damage == "cut" else 0])
    with pytest.raises(ModelFileError, match=str(tmp_path)):
        MeshCalibration.load(tmp_path)


def test_another_chip_is_named() -> None:
    stored = calibration()
    stored.check(IDENTITY)
    with pytest.raises(WrongChip, match=r"name 'chip7'.*'chip8'"):
        stored.check({"kind": "mesh", "name": "chip8"})
