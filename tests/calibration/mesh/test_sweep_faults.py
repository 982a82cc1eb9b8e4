"""What is broken is named, and the rest is calibrated all the same."""

from pathlib import Path

import numpy as np
import pytest
import torch

from calibration.device import Response
from calibration.errors import NotEnoughData, ShapeError
from calibration.mesh import MeshCalibration
from calibration.mesh.plan import sweep_stages
from calibration.mesh.probing import HEATER_CURRENTS
from hil.devices import EmulatedMesh
from simulators.models.mesh import Fabrication, MeshLayout, PhotonicChip, fabricate
from tests.calibration.mesh.lab import Lab

torch.set_num_threads(1)


def reasons(known: MeshCalibration) -> dict[str, str]:
    return {shifter.name: shifter.reason for shifter in known.shifters if not shifter.ok}


def test_an_open_heater_is_gone_round_and_its_phase_told_all_the_same(tmp_path: Path) -> None:
    lab = Lab(hurt=lambda chip, of: chip.heaters.resistance_ohm[of("t1_1")].fill_(np.inf))
    known = lab.calibrated()[-1]
    assert list(reasons(known)) == ["t1_1"]
    assert "heater t1_1 is open: it draws 0 µA at 0.9 V" in reasons(known)["t1_1"]
    k = lab.layout.shifters.index("t1_1")
    true = float(lab.chip.mesh.phase_offset[k])
    assert np.cos(known.shifters[k].figures["phase_rad"]) == pytest.approx(np.cos(true), abs=0.1)
    assert lab.fidelity(known, dead=["t1_1"]) > 0.998
    known.save(tmp_path)
    assert MeshCalibration.load(tmp_path).shifters == known.shifters


@pytest.mark.parametrize(
    ("reads", "reason"),
    [(np.nan, "its current could not be read"), (1e-3, "its current does not follow its voltage")],
)
def test_a_current_that_says_nothing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reads: float, reason: str
) -> None:
    lab = Lab(ports=2)
    honest = EmulatedMesh.run

    def run(device: EmulatedMesh, inputs: np.ndarray) -> Response:
        read = honest(device, inputs)
        read.taps[HEATER_CURRENTS][..., 0] = reads
        return read

    monkeypatch.setattr(EmulatedMesh, "run", run)
    known = lab.run(sweep_stages()[1], lab.blank(), {})
    assert reasons(known) == {"t0_0": f"heater t0_0: {reason}"}
    known.save(tmp_path)


def test_a_shorted_heater_stays_cold() -> None:
    lab = Lab(hurt=lambda chip, of: chip.heaters.resistance_ohm[of("p2_2")].fill_(50.0))
    known = lab.calibrated()[-1]
    assert list(reasons(known)) == ["p2_2"]
    assert "heater p2_2 is shorted: 51.2 Ω where 1e+03 Ω were designed" in reasons(known)["p2_2"]
    assert torch.isinf(known.twin.heaters.resistance_ohm[lab.layout.shifters.index("p2_2")])
    assert lab.phase_errors(known).max() < 0.05
    driven = [block for name, block in lab.seen["internal"].items() if block["heater_V"][-2] != 0.0]
    assert driven == []
    assert lab.fidelity(known, dead=["p2_2"]) > 0.998  # the fringe of another shifter has told its phase


def test_a_dead_heater_in_the_first_column_has_a_phase_that_nothing_tells() -> None:
    lab = Lab(hurt=lambda chip, of: chip.heaters.resistance_ohm[of("p0_0")].fill_(np.inf))
    known = lab.calibrated()[-1]
    assert list(reasons(known)) == ["p0_0"]
    assert "phase_rad" not in known.shifters[lab.layout.shifters.index("p0_0")].figures
    assert lab.fidelity(known, dead=["p0_0"]) > 0.998  # one input at a time does not need it


@pytest.mark.parametrize("port", [0, 2])
def test_a_dead_detector_is_named(port: int) -> None:
    lab = Lab(hurt=lambda chip, of: chip.port_transmission[port].fill_(0.0))
    known = lab.calibrated()[-1]
    assert known.figures["ports"]["dead_outputs"] == [f"out{port}"]
    assert f"detector out{port} never reacts" in known.figures["ports"]["notes"][0]
    assert reasons(known) == {}
    assert lab.fidelity(known) > 0.998


def test_a_detector_at_its_end_is_named() -> None:
    lab = Lab(hurt=lambda chip, of: chip.port_transmission[1].fill_(500.0))
    known = lab.calibrated()[-1]
    assert known.figures["ports"]["saturated_outputs"] == ["out1"]
    assert "detector out1 is at its end" in known.figures["ports"]["notes"][0]
    assert reasons(known) == {}
    assert lab.fidelity(known) > 0.998


def test_all_detectors_at_their_ends_is_one_error() -> None:
    lab = Lab(full_scale_W=1e-9)
    with pytest.raises(NotEnoughData, match=r"no detector can be used.*4 are at their end"):
        lab.calibrated()


def test_no_light_at_all_is_one_error() -> None:
    lab = Lab(hurt=lambda chip, of: chip.modulators.peak.fill_(0.0))
    with pytest.raises(NotEnoughData, match="no input lets light through"):
        lab.calibrated()


def test_a_dead_input_is_named_and_what_only_it_can_tell() -> None:
    lab = Lab(hurt=lambda chip, of: chip.modulators.peak[1].fill_(0.0))
    known = lab.calibrated()[-1]
    assert known.figures["ports"]["dead_inputs"] == ["m1"]
    assert "input m1 lets no light through" in known.figures["ports"]["notes"][0]
    assert "no light comes through" in known.figures["ports"]["modulators"]["m1"]["reason"]
    assert reasons(known) == {"p0_0": "p0_0: no two inputs can be made to meet at its MZI alone"}
    assert lab.fidelity(known) > 0.998


def test_a_low_voltage_limit_still_does() -> None:
    lab = Lab(high_V=6.0)
    known = lab.calibrated()[-1]
    assert reasons(known) == {}
    assert lab.phase_errors(known).max() < 0.05


def test_a_limit_of_less_than_half_a_turn_tells_nothing() -> None:
    lab = Lab(high_V=4.0, ports=2)
    known = lab.calibrated()[-1]
    assert list(reasons(known)) == ["t0_0", "p0_0"]
    assert (
        "its heater's limit allows 0.41 turns of its phase, half a turn is needed" in reasons(known)["t0_0"]
    )


def test_a_device_of_another_shape_is_refused() -> None:
    lab = Lab(ports=3)
    other: PhotonicChip = fabricate(MeshLayout("rectangular", 4), Fabrication.perfect(), 0)
    with pytest.raises(ShapeError, match=r"3 inputs and 6 controls, a rectangular mesh of 4 ports has 4"):
        lab.run(sweep_stages()[0], MeshCalibration.blank(lab.device.identity, other), {})
