"""The phases between the meshes are found from powers alone, wherever they are."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from calibration.errors import NotEnoughData, PlanError, ShapeError
from calibration.networks import ScreenPlan, fit_screens, read_screens
from hil.devices import EmulatedMeshNetwork
from simulators.models.mesh import Fabrication, Mesh, MeshLayout
from simulators.models.optical import ElectroOptic, MeshNetwork, fabricate_network

PORTS, READ = 8, 3


def chip(seed: int, screen_rad: float = 100.0) -> MeshNetwork:
    """Screens of 100 rad are phases from anywhere."""
    errors = Fabrication.perfect(splitter_rad=0.05, phase_rad=0.1)
    layout = MeshLayout("rectangular", PORTS)
    return fabricate_network(
        layout, errors, seed, meshes=3, activation=ElectroOptic(), readout=READ, screen_rad=screen_rad
    )


def without_screens(true: MeshNetwork) -> MeshNetwork:
    """What is known once each mesh has been calibrated on its own."""
    meshes = []
    for mesh in true.chain:
        known = Mesh(mesh.layout)
        known.load_state_dict(mesh.state_dict())
        known.output_offset.zero_()
        meshes.append(known)
    return MeshNetwork(meshes, true.activation, READ)


def apart(one: Tensor, other: Tensor) -> float:
    """Root mean square difference of two screens in rad, but for what all ports share."""
    turn = torch.exp(1j * (one - other))
    return float((turn * turn.mean().conj()).angle().square().mean().sqrt())


@pytest.mark.parametrize("seed", [1, 2])
def test_screens_from_anywhere_are_found(seed: int) -> None:
    true = chip(seed)
    device = EmulatedMeshNetwork(true, noise_relative=0.01, seed=seed)
    plan = ScreenPlan(seed=seed)
    twin, left = fit_screens(without_screens(true), read_screens(device, true, plan), plan)
    assert device.cost.readings == plan.settings * plan.inputs
    assert left < 0.0075  # amplitudes read with half the 1 % of the powers, a strong reading counting more
    for found, screen in zip(
        (twin.input_offset, *(mesh.output_offset for mesh in twin.chain[:-1])),
        (true.input_offset, *(mesh.output_offset for mesh in true.chain[:-1])),
        strict=True,
    ):
        assert apart(found, screen) < 0.01
    # and powers at settings and inputs that were never measured
    rng = np.random.default_rng(seed)
    phases, inputs = rng.uniform(0.0, 2.0 * np.pi, true.n_controls), rng.standard_normal((1, 50, 2 * PORTS))
    device.set_controls(phases)
    read = device.run(inputs).outputs[0]
    said = twin(torch.as_tensor(inputs[0]), torch.as_tensor(phases)).detach().numpy()
    np.testing.assert_allclose(np.linalg.norm(said - read) / np.linalg.norm(read), 0.0, atol=0.03)


def test_small_screens_are_found_without_taps() -> None:
    true = chip(3, screen_rad=0.1)
    device = EmulatedMeshNetwork(true, taps=False, noise_relative=0.01)
    plan = ScreenPlan()
    readings = read_screens(device, true, plan)
    assert [power is None for power in readings.powers] == [True, True, False]
    twin, left = fit_screens(without_screens(true), readings, plan)
    assert left < 0.0075
    for mesh, real in zip(twin.chain[:-1], true.chain[:-1], strict=True):
        assert apart(mesh.output_offset, real.output_offset) < 0.02


def test_a_saturated_detector_is_named() -> None:
    with pytest.raises(NotEnoughData, match="lower the mean_power"):
        read_screens(EmulatedMeshNetwork(chip(1), full_scale=1e-3), chip(1), ScreenPlan())


def test_a_device_of_another_size_is_refused_before_it_is_read() -> None:
    device = EmulatedMeshNetwork(chip(1))
    small = fabricate_network(
        MeshLayout("rectangular", 4), Fabrication.perfect(), 0, meshes=3, activation=ElectroOptic()
    )
    with pytest.raises(ShapeError, match="16 inputs"):
        read_screens(device, small, ScreenPlan())
    assert device.cost.readings == 0
    for wrong in ({"settings": 0}, {"mean_power": -1.0}, {"rate": math.nan}):
        with pytest.raises(PlanError, match=next(iter(wrong))):
            ScreenPlan(**wrong)  # type: ignore[arg-type]
