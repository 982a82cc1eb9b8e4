"""Matrices become phases mesh by mesh; what each mesh leaves undone, the next one makes good."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import unitary_group

from calibration.errors import PlanError, ShapeError
from calibration.mesh.correction import uncorrected
from calibration.mesh.twin import FitPlan
from calibration.networks import NetworkPlan, calibrate_network, deploy
from hil.devices import EmulatedMeshNetwork
from simulators.errors import ModelError
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.optical import ElectroOptic, MeshNetwork, fabricate_network

PORTS = 6


def chip(splitter_rad: float, seed: int = 1, meshes: int = 3) -> MeshNetwork:
    errors = Fabrication.perfect(splitter_rad=splitter_rad, phase_rad=0.3)
    layout = MeshLayout("rectangular", PORTS)
    return fabricate_network(layout, errors, seed, meshes=meshes, activation=ElectroOptic(), screen_rad=100.0)


def unitaries(count: int = 3) -> list[torch.Tensor]:
    drawn = unitary_group.rvs(PORTS, size=count, random_state=np.random.default_rng(4))
    return [torch.as_tensor(one) for one in drawn]


def error(network: MeshNetwork, phases: torch.Tensor, matrices: list[torch.Tensor]) -> float:
    """Relative, of the powers of random inputs, as against the matrices and activations written out."""
    inputs = 2.0 * torch.randn(20, 2 * PORTS, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    fields = network.fields(inputs)
    for k, matrix in enumerate(matrices):
        fields = (network.activation(fields) if k else fields) @ matrix.mT
    wanted = fields.abs().square()
    return float((network(inputs, phases) - wanted).norm() / wanted.norm())


def test_with_perfect_splitters_the_network_is_exact_whatever_its_phases() -> None:
    network, matrices = chip(splitter_rad=0.0), unitaries()
    found = deploy(matrices, network)
    assert error(network, found.phases, matrices) < 1e-9
    assert found.clipped == ((), (), ())
    assert ((found.phases >= 0.0) & (found.phases < 2.0 * math.pi)).all()


def test_splitters_are_corrected_but_for_what_clips() -> None:
    network, matrices = chip(splitter_rad=0.02), unitaries()
    found, plain = deploy(matrices, network), deploy(matrices, network, uncorrected)
    assert error(network, found.phases, matrices) < 0.3 * error(network, plain.phases, matrices)


def test_calibrated_from_powers_a_network_does_the_matrices() -> None:
    true, matrices = chip(splitter_rad=0.02), unitaries()
    design = fabricate_network(
        MeshLayout("rectangular", PORTS), Fabrication.perfect(), 0, meshes=3, activation=ElectroOptic()
    )
    device = EmulatedMeshNetwork(true, noise_relative=3e-3)
    said: list[str] = []
    plan = NetworkPlan(settings=60, phase_rad=0.3, fit=FitPlan(steps=150, refinements=0))
    found = calibrate_network(device, design, plan, said.append)
    assert len(said) == 4
    assert device.cost.readings == 3 * 60 * PORTS + 16 * 32
    assert found.screen_residual < 0.01
    best = error(true, deploy(matrices, true).phases, matrices)
    assert error(true, deploy(matrices, found.twin).phases, matrices) < best + 0.02


def test_what_does_not_fit_is_refused() -> None:
    network, matrices = chip(splitter_rad=0.0), unitaries()
    for wrong in (matrices[:2], [one[:5, :5] for one in matrices]):
        with pytest.raises(ShapeError, match="for 3 meshes of 6 ports"):
            deploy(wrong, network)
    with pytest.raises(ModelError):
        deploy([2.0 * matrices[0], *matrices[1:]], network)
    device = EmulatedMeshNetwork(chip(0.0, meshes=2))
    with pytest.raises(ShapeError, match="2 layers"):
        calibrate_network(device, network)
    assert device.cost.readings == 0
    for bad in ({"settings": 0}, {"amplitude": math.nan}):
        with pytest.raises(PlanError, match=next(iter(bad))):
            NetworkPlan(**bad)  # type: ignore[arg-type]
