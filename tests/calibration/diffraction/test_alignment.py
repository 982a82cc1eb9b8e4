"""Where the planes stand, found from readings of a network whose truth stays hidden till the end."""

import numpy as np
import pytest
import torch

from calibration.diffraction import AlignmentPlan, fit_alignment, read_alignment
from calibration.errors import NotEnoughData, PlanError, ShapeError
from hil.devices import EmulatedDiffractive
from simulators.models.diffraction import (
    Assembly,
    DiffractiveDesign,
    DiffractiveNetwork,
    Grid,
    LookUpTable,
    Region,
    assemble,
)

CORNERS = [(3, 3), (3, 10), (10, 3), (10, 10), (6, 6)]
DESIGN = DiffractiveDesign(
    grid=Grid((16, 16), 8e-6),
    wavelength_m=532e-9,
    distances_m=(3e-3, 3e-3, 3e-3),
    pixels=(16, 16),
    input_region=Region(2, 2, 12, 12),
    input_pixels=(4, 4),
    detectors={f"d{k}": Region(top, left, 3, 3) for k, (top, left) in enumerate(CORNERS)},
    power_W=20e-9,
)
PLAN = AlignmentPlan(blocks=(4, 2), settings=16, inputs=4, expected_misfit=0.03)
OFF = Assembly.perfect(shift_m=6e-6, rotation_rad=0.02, distance_m=50e-6, mask_rad=0.05)


def test_shifts_and_turns_are_found_and_explain_readings_of_another_kind() -> None:
    true = assemble(DESIGN, OFF, seed=4)
    device = EmulatedDiffractive(true)
    ideal = DiffractiveNetwork(DESIGN)
    readings = read_alignment(device, ideal, PLAN)
    assert device.cost.readings == PLAN.readings == 128
    found = fit_alignment(ideal, readings, PLAN)
    twin = found.applied(ideal)
    assert float((found.shift_m - true.shift_m).abs().max()) < 0.2 * float(true.shift_m.abs().max())
    turns = true.planes.rotation_rad
    assert float((found.rotation_rad - turns).abs().max()) < 0.5 * float(turns.abs().max())
    assert found.misfit < 0.08
    rng = np.random.default_rng(1)
    controls = torch.as_tensor(rng.uniform(0.0, 6.0, true.n_controls))
    inputs = torch.as_tensor(rng.random((20, true.n_inputs)))
    with torch.no_grad():
        wanted, before, after = (model(inputs, controls) for model in (true, ideal, twin))
    assert (after - wanted).norm() < 0.3 * (before - wanted).norm()
    assert not ideal.shift_m.any()


def test_a_brighter_light_is_found_too_and_levels_are_asked_for_as_levels() -> None:
    table = LookUpTable.of_curve(64, 6.2)
    true = assemble(DESIGN, Assembly.perfect(shift_m=3e-6), seed=1, table=table)
    true.pattern.illumination.mul_(1.1)
    ideal = DiffractiveNetwork(DESIGN, table)
    plan = AlignmentPlan(blocks=(4,), settings=16, inputs=4)
    found = fit_alignment(ideal, read_alignment(EmulatedDiffractive(true), ideal, plan), plan)
    assert found.gain == pytest.approx(1.21, rel=0.03)


def test_what_cannot_be_fitted_is_refused() -> None:
    ideal = DiffractiveNetwork(DESIGN)
    device = EmulatedDiffractive(ideal)
    with pytest.raises(ShapeError, match="the network 16, 512 and 5"):
        read_alignment(device.with_inputs(["p0_0_0"]), ideal)
    with pytest.raises(NotEnoughData, match="saturated"):
        read_alignment(EmulatedDiffractive(ideal, full_scale_W=1e-15), ideal)
    readings = read_alignment(device, ideal, AlignmentPlan(blocks=(8,), settings=1, inputs=1))
    readings.powers.zero_()
    with pytest.raises(NotEnoughData, match="no light"):
        fit_alignment(ideal, readings)


@pytest.mark.parametrize(
    "settings", [{"blocks": ()}, {"inputs": 0}, {"shift_m": 0.0}, {"distance_m": np.inf}]
)
def test_plans_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        AlignmentPlan(**settings)  # type: ignore[arg-type]
