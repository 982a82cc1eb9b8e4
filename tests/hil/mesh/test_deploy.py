"""A matrix on a chip whose calibration is the truth itself: what is left is noise and what the chip cannot do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import unitary_group

from calibration.errors import NotEnoughData, WrongChip
from calibration.mesh import MeshCalibration
from hil.devices.emulated_mesh import EmulatedMesh
from hil.mesh.acceptance import DEPLOYED, missed
from hil.mesh.deploy import deploy_on
from hil.mesh.session import MESH
from hil.mesh.target import Target, as_target, haar
from hil.session import open_session
from simulators.models.mesh import Fabrication, MeshLayout, PhotonicChip, PhotonicSpecimen, fabricate
from tests.hil.mesh.lab import make_mesh_lab

PORTS = 4


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    return make_mesh_lab(tmp_path / "lab", PORTS)


def chip(seed: int = 3) -> PhotonicChip:
    return fabricate(MeshLayout("rectangular", PORTS), Fabrication(mzi_loss_spread_dB=0.0), seed)


def device(made: PhotonicChip, name: str = "chip") -> EmulatedMesh:
    return EmulatedMesh(PhotonicSpecimen(made, 0.0, 3), noise_relative=1e-4, dark_W=0.0, name=name)


def truth(made: PhotonicChip) -> MeshCalibration:
    return MeshCalibration.blank({"kind": "mesh", "name": "chip"}, made)


def deployed(lab: Path, made: PhotonicChip, calibration: MeshCalibration, wanted: Target) -> dict[str, Any]:
    with open_session(MESH, lab, label="deploy") as session:
        deploy_on(session, device(made), wanted, calibration)
        return session.metrics()


def test_correction_brings_a_random_unitary_onto_the_chip(lab: Path) -> None:
    made = chip()
    metrics = deployed(lab, made, truth(made), haar(PORTS, 2))
    fidelity = metrics[DEPLOYED]["fidelity"]
    assert fidelity["corrected"] > 0.9998  # judged by the powers that the chip gave
    assert fidelity["as designed"] < 0.95  # phases of anything from 0 to 2 π
    assert fidelity["as designed"] < fidelity["calibrated"] < fidelity["corrected"]
    with open_session(MESH, lab) as session:
        assert not missed(session.experiment, metrics)
        assert missed(session.experiment, {DEPLOYED: {"achieved": 0.99}})


def test_the_chips_true_matrix_is_then_the_target(lab: Path) -> None:
    made = chip()
    wanted = haar(PORTS, 5)
    metrics = deployed(lab, made, truth(made), wanted)
    volts = torch.tensor([list(metrics[DEPLOYED]["volts"].values())], dtype=torch.float64)
    found = np.abs(made.mesh.matrix(made.heaters.phases(made.heaters.powers(volts)))[0].detach().numpy())
    found /= np.linalg.norm(found, axis=0)
    assert (found * np.abs(wanted.unitary)).sum() / PORTS > 0.9999


def test_a_failed_shifter_is_named_with_what_it_costs(lab: Path) -> None:
    made = chip()
    known = truth(made)
    shifters = tuple(one.failed("open") if one.name == "t1_1" else one for one in known.shifters)
    metrics = deployed(lab, made, replace(known, shifters=shifters), haar(PORTS, 2))
    found = metrics[DEPLOYED]
    assert found["failed"] == {"t1_1": "open"}
    assert found["volts"]["t1_1"] == 0.0
    assert any(
        told.startswith("t1_1: its heater is dead") and "rad off" in told for told in found["unreached"]
    )
    # the others make up for it as far as they can
    assert found["fidelity"]["corrected"] < found["fidelity"]["refined"] == found["achieved"]


def test_what_splitters_cannot_do_is_told(lab: Path) -> None:
    made = chip()
    metrics = deployed(lab, made, truth(made), as_target(np.eye(PORTS), "the identity", PORTS))
    assert metrics[DEPLOYED]["clipped"]  # bar states are out of reach of splitters that are not even
    assert all("possible" in told for told in metrics[DEPLOYED]["clipped"])


def test_a_smaller_matrix_is_padded_and_that_is_said(lab: Path) -> None:
    made = chip()
    wanted = as_target(unitary_group.rvs(2, random_state=1), "U", PORTS)
    found = deployed(lab, made, truth(made), wanted)[DEPLOYED]
    assert any("padded from 2 to 4" in note for note in found["notes"])
    assert found["shape"] == [2, 2]


def test_the_calibration_of_another_chip_is_refused_before_anything_is_set(lab: Path) -> None:
    made = chip()
    other = device(made, "other")
    with (
        open_session(MESH, lab, label="deploy") as session,
        pytest.raises(WrongChip, match="other"),
    ):
        deploy_on(session, other, haar(PORTS, 1), truth(made))
    assert other.cost.readings == 0


def judged_by(
    lab: Path, made: PhotonicChip, seen: PhotonicChip, full_scale_W: float = 1e-3
) -> dict[str, Any]:
    """A deployment of a swap, all light of an input on one detector, on a bench that sees `seen`."""
    bench = EmulatedMesh(
        PhotonicSpecimen(seen, 0.0, 3),
        noise_relative=1e-4,
        noise_W=0.0,
        dark_W=0.0,
        full_scale_W=full_scale_W,
        name="chip",
    )
    swap = as_target(np.eye(PORTS)[::-1], "a swap", PORTS)
    with open_session(MESH, lab, label="deploy") as session:
        deploy_on(session, bench, swap, truth(made))
        found: dict[str, Any] = session.metrics()[DEPLOYED]
    return found


def test_a_dead_detector_is_told_and_the_others_judge(lab: Path) -> None:
    made, seen = chip(), chip()
    seen.port_transmission.data[2] = 0.0
    found = judged_by(lab, made, seen)
    assert any(note.startswith("out2 saw no light") for note in found["notes"])
    assert 0.99 < found["achieved"] <= 1.0


def test_detectors_at_their_end_are_told_and_the_others_judge(lab: Path) -> None:
    made = chip()
    through = made.modulators.peak.square().flip(0) * made.port_transmission
    brightest = made.laser_W * through.sort().values.numpy()
    left = float(made.mesh.transmission.mean()) ** (2 * PORTS)  # of the power, by every MZI on the way
    found = judged_by(lab, made, made, float(brightest[-2:].mean()) * left)
    assert any("at their detector's end" in note for note in found["notes"])
    assert 0.99 < found["achieved"] <= 1.0
    with pytest.raises(NotEnoughData, match="0% of the wanted light could be read"):
        judged_by(lab, made, made, 1e-12)
