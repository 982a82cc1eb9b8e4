"""The twin of a whole chip from voltages and powers, and what it is tried on; the truth stays in the emulator."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from calibration.errors import NotEnoughData, ShapeError, WrongChip
from calibration.mesh import MeshCalibration
from calibration.mesh.drift import DriftStage
from calibration.mesh.readings import PowerNoise
from calibration.mesh.twin import FitPlan
from calibration.mesh.twin_stage import NOISE, TwinStage
from calibration.mesh.verify import VerifyStage
from hil.devices.emulated_mesh import EmulatedMesh
from simulators.models.mesh import Fabrication, MeshLayout, PhotonicChip, PhotonicSpecimen, fabricate

PORTS = 4
LAYOUT = MeshLayout("rectangular", PORTS)
FABRICATION = Fabrication(splitter_rad=0.05, phase_rad=0.1, bits=12, drift_rad=0.0)
PLAN = FitPlan(steps=150, refinements=10)


def chip(seed: int = 1) -> PhotonicChip:
    return fabricate(LAYOUT, FABRICATION, seed)


def device(hidden: PhotonicChip, **changed: Any) -> EmulatedMesh:
    settings = {"noise_relative": 0.005, "dark_W": 0.0, **changed}
    return EmulatedMesh(PhotonicSpecimen(hidden, 0.0, 1), **settings)


def known(hidden: PhotonicChip, chip_device: EmulatedMesh) -> MeshCalibration:
    """What is known before the fit: the design, and what currents and modulators have told."""
    design = fabricate(
        LAYOUT,
        Fabrication.perfect(
            mzi_loss_dB=0.1, crosstalk=0.01, bits=12, input_loss_dB=2.0, port_loss_dB=1.5, rise_per_W=1.5
        ),
        0,
    )
    design.heaters.resistance_ohm.data = hidden.heaters.resistance_ohm.data.clone()
    design.modulators.closed_V.data = hidden.modulators.closed_V.data.clone()
    design.modulators.half_wave_V.data = hidden.modulators.half_wave_V.data.clone()
    return MeshCalibration.blank(chip_device.identity, design)


Blocks = dict[str, Mapping[str, np.ndarray[Any, Any]]]


def fitted(hidden: PhotonicChip, **changed: Any) -> tuple[EmulatedMesh, MeshCalibration, Blocks]:
    bench = device(hidden, **changed)
    stage = TwinStage(40, plan=PLAN)
    blocks: Blocks = {block.name: block.arrays for block in stage.run(bench, known(hidden, bench), {})}
    assert len(blocks) == stage.blocks
    return bench, stage.result(), blocks


@pytest.fixture(scope="module")
def good() -> tuple[EmulatedMesh, MeshCalibration, Blocks]:
    return fitted(chip())


def true_distance(hidden: PhotonicChip, twin: PhotonicChip) -> float:
    """Mean infidelity of the amplitudes at settings that nobody has measured, free of noise."""
    rng = np.random.default_rng(7)
    volts = torch.as_tensor(6.0 * rng.random((20, 1, len(LAYOUT.shifters))))
    inputs = torch.diag(hidden.modulators.half_wave_V.data) + hidden.modulators.closed_V.data
    with torch.no_grad():
        powers, others = hidden(inputs, volts), twin(inputs, volts)
    shares, other_shares = (light / light.sum(-1, keepdim=True) for light in (powers, others))
    return float(1.0 - (shares * other_shares).sqrt().sum(-1).mean())


def test_the_twin_reaches_the_noise_floor_and_the_truth(
    good: tuple[EmulatedMesh, MeshCalibration, Blocks],
) -> None:
    bench, calibration, blocks = good
    figures = calibration.figures["twin"]
    assert figures["verdict"] == "at the noise floor"
    assert figures["start_residual_over_noise"] > 30.0
    assert 0.9 < figures["corrected_residual_over_noise"] < 1.1
    assert figures["fitted_residual_over_noise"] < figures["residual_over_noise"] < 2.0
    assert figures["noise_relative"] == pytest.approx(0.005, rel=0.2)
    assert figures["splitter_rms_rad"] == pytest.approx(0.05, rel=0.5)
    hidden = chip()
    assert true_distance(hidden, known(hidden, bench).twin) > 1e-3
    assert true_distance(hidden, calibration.twin) < 2e-5
    assert figures["left_out_readings"] == 0
    assert set(blocks) == {NOISE, *(f"setting {number}" for number in range(40))}


def test_blocks_that_are_known_are_not_measured_again(
    good: tuple[EmulatedMesh, MeshCalibration, Blocks],
) -> None:
    _, calibration, blocks = good
    hidden = chip()
    fresh = device(hidden, seed=9)
    first = {name: blocks[name] for name in list(blocks)[:30]}
    stage = TwinStage(40, plan=PLAN)
    rest = {block.name: block.arrays for block in stage.run(fresh, known(hidden, fresh), first)}
    assert set(rest) == set(blocks) - set(first)
    for name, arrays in rest.items():
        np.testing.assert_array_equal(arrays["controls_V"], blocks[name]["controls_V"])
    again = TwinStage(40, plan=PLAN)
    assert not list(again.run(fresh, known(hidden, fresh), blocks))
    assert torch.equal(again.result().twin.mesh.splitter_in, calibration.twin.mesh.splitter_in)


def test_random_unitaries_are_better_with_correction_than_without(
    good: tuple[EmulatedMesh, MeshCalibration, Blocks],
) -> None:
    bench, calibration, _ = good
    stage = VerifyStage(6, 5)
    assert len(list(stage.run(bench, calibration, {}))) == stage.blocks
    figures = stage.result().figures["verify"]
    assert figures["corrected"]["mean_fidelity"] > 0.999
    assert figures["corrected"]["mean_fidelity"] > figures["uncorrected"]["mean_fidelity"]
    assert figures["corrected"]["total_variation"] < figures["uncorrected"]["total_variation"]
    assert figures["corrected"]["against_twin"] > 0.9999
    assert figures["unseen"]["mean_fidelity"] > 0.9999
    assert figures["unseen"]["residual_over_noise"] < 1.4
    assert len(figures["corrected"]["fidelities"]) == 6


def test_drift_of_phases_is_found_and_the_offsets_are_refreshed(
    good: tuple[EmulatedMesh, MeshCalibration, Blocks],
) -> None:
    bench, calibration, blocks = good
    for earlier in (blocks, None):
        steady = DriftStage(earlier, 12)
        list(steady.run(bench, calibration, {}))
        assert steady.result().figures["drift"]["verdict"] == "steady"
        assert steady.result().twin is calibration.twin
    later = chip()
    later.mesh.phase_offset.data += 0.03 * torch.randn(
        len(LAYOUT.shifters), generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )
    for earlier in (blocks, None):
        moved = DriftStage(earlier, 12)
        list(moved.run(device(later), calibration, {}))
        figures = moved.result().figures["drift"]
        assert figures["refresh"] is True
        assert figures["residual_over_noise"] > 3.0
        assert true_distance(later, moved.result().twin) < 0.1 * true_distance(later, calibration.twin)


def test_a_change_that_is_none_of_phases_asks_for_a_calibration(
    good: tuple[EmulatedMesh, MeshCalibration, Blocks],
) -> None:
    _, calibration, blocks = good
    other = chip()
    other.heaters.gamma_rad_per_W.data *= 1.03
    other.port_transmission.data *= torch.linspace(0.8, 1.2, PORTS).double()
    stage = DriftStage(blocks, 12)
    list(stage.run(device(other), calibration, {}))
    figures = stage.result().figures["drift"]
    assert figures["verdict"].endswith("calibrate again")
    assert stage.result().twin is calibration.twin


@pytest.mark.parametrize("what", ["heaters", "far crosstalk"])
def test_what_the_model_does_not_know_shows_above_the_noise_floor(what: str) -> None:
    hidden = chip()
    if what == "heaters":
        hidden.heaters.rise_per_W.data *= 4.0
    else:
        heaters = hidden.heaters
        every = torch.arange(len(LAYOUT.shifters))
        far = torch.stack((every.roll(5), every.roll(-5)), dim=1)
        heaters.neighbours = torch.cat((heaters.neighbours, far), dim=1)
        strength = 0.02 * heaters.gamma_rad_per_W.data[:, None].expand(-1, 2)
        heaters.crosstalk_rad_per_W.data = torch.cat((heaters.crosstalk_rad_per_W.data, strength), dim=1)
    bench = device(hidden)
    start = known(chip(), bench)
    stage = TwinStage(40, plan=PLAN)
    list(stage.run(bench, start, {}))
    figures = stage.result().figures["twin"]
    assert figures["residual_over_noise"] > 2.0
    assert figures["verdict"].startswith("above the noise floor")


def test_dead_heaters_and_detectors_are_left_out() -> None:
    hidden = chip()
    hidden.heaters.resistance_ohm.data[2] = torch.inf
    hidden.port_transmission.data[3] = 0.0
    bench = device(hidden)
    start = known(chip(), bench)
    shifters = list(start.shifters)
    shifters[2] = shifters[2].failed("open")
    start = replace(start, shifters=tuple(shifters))
    stage = TwinStage(40, plan=PLAN)
    blocks = {block.name: block.arrays for block in stage.run(bench, start, {})}
    assert all(arrays["controls_V"][2] == 0.0 for arrays in blocks.values())
    figures = stage.result().figures["twin"]
    assert figures["failed_shifters"] == [shifters[2].name]
    assert figures["dead_detectors"] == ["out3"]
    assert figures["verdict"] == "at the noise floor"
    stage_of_unitaries = VerifyStage(2, 2)
    list(stage_of_unitaries.run(bench, stage.result(), {}))
    assert stage_of_unitaries.result().figures["verify"]["unseen"]["mean_fidelity"] > 0.9999


def test_saturated_readings_are_left_out_and_counted() -> None:
    hidden = chip()
    # a sixth of the laser at most leaves a port; half of that saturates here
    _, calibration, blocks = fitted(hidden, full_scale_W=6e-5)
    figures = calibration.figures["twin"]
    full = sum(int((arrays["powers_W"] >= 6e-5).sum()) for name, arrays in blocks.items() if name != NOISE)
    assert full > 20
    assert figures["left_out_readings"] == full
    assert true_distance(hidden, calibration.twin) < 1e-4


def test_what_cannot_be_fitted_is_named() -> None:
    hidden = chip()
    bench = device(hidden)
    start = known(hidden, bench)
    with pytest.raises(NotEnoughData, match="4 settings"):
        TwinStage(2)
    few = TwinStage(4, plan=PLAN)
    with pytest.raises(NotEnoughData, match="usable readings"):
        list(few.run(bench, start, {}))
    with pytest.raises(NotEnoughData, match="no fitted twin"):
        list(VerifyStage(1, 1).run(bench, start, {}))
    with pytest.raises(WrongChip):
        list(TwinStage(40).run(bench, replace(start, identity={"kind": "mesh", "name": "other"}), {}))
    larger = device(fabricate(MeshLayout("rectangular", 5), FABRICATION, 1))
    with pytest.raises(ShapeError, match="4 ports"):
        list(TwinStage(40).run(larger, start, {}))
    dark = device(hidden, full_scale_W=1e-30)
    with pytest.raises(NotEnoughData, match="no detector"):
        list(TwinStage(40).run(dark, start, {}))


def test_the_noise_is_known_from_repeats() -> None:
    rng = np.random.default_rng(5)
    powers = 1e-6 * rng.random(200) ** 6
    noise = PowerNoise(1e-9, 0.01)
    found = PowerNoise.of_repeats(powers + noise.std(powers) * rng.standard_normal((40, 200)))
    assert found.floor_W == pytest.approx(1e-9, rel=0.1)
    assert found.relative == pytest.approx(0.01, rel=0.1)
    with pytest.raises(NotEnoughData):
        PowerNoise.of_repeats(powers[None])
