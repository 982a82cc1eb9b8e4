"""In-situ backpropagation reads the gradient of the true chip off the chip, errors and all."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from calibration.device import Flag
from calibration.errors import PlanError, ReadingFailed
from calibration.tuning import Backpropagation, Bidirectional, Limits, Method, Passage, Problem, Update
from calibration.tuning.backpropagation import AdjointQuery
from hil.devices import EmulatedBidirectionalNetwork
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.optical import ElectroOptic, MeshNetwork, fabricate_network
from tests.conformance.method import TURN, Lab, MethodConformance, small_lab

ERRORS = Fabrication.perfect(splitter_rad=0.1, phase_rad=0.3)
QUIET = {"noise_relative": 0.0, "noise_floor": 0.0, "field_noise": 0.0}


def network(meshes: int, fabrication: Fabrication = ERRORS, seed: int = 5) -> MeshNetwork:
    layout = MeshLayout("rectangular", 4)
    return fabricate_network(
        layout, fabrication, seed, meshes=meshes, activation=ElectroOptic(), readout=2, screen_rad=1.0
    )


def design(meshes: int) -> MeshNetwork:
    """What a method is told: no error of the chip's."""
    return fabricate_network(
        MeshLayout("rectangular", 4),
        Fabrication.perfect(),
        0,
        meshes=meshes,
        activation=ElectroOptic(),
        readout=2,
    )


def lab_of(true: MeshNetwork, seed: int = 0, **settings: float) -> Lab:
    lab = small_lab(seed)
    device = EmulatedBidirectionalNetwork(true, seed=seed, **settings)
    rng = np.random.default_rng(seed)
    start = rng.uniform(0.0, TURN, true.n_controls)
    limits = Limits.of(device.controls, turn=TURN)
    problem = Problem(lab.problem.task, limits, model=design(len(true.sizes)), seed=seed)
    return Lab(device, problem, start)


class TestBackpropagation(MethodConformance):
    readings = 2000

    def create_method(self) -> Method:
        return Backpropagation(Update(rate=0.02), batch=16)

    def create_lab(self, seed: int = 0) -> Lab:
        return lab_of(network(2), seed)


def gradients(lab: Lab, true: MeshNetwork, *, opposed: bool = False) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Read off the chip, and of the true network by autograd."""
    rows, problem = np.arange(20), lab.problem
    theta = problem.limits.theta(lab.start)
    found = AdjointQuery(theta, rows, opposed).take(problem, lab.device).gradient
    controls = torch.tensor(lab.start, requires_grad=True)
    outputs = true(torch.as_tensor(problem.task.training.inputs[rows]), controls)
    loss = problem.task.loss(outputs, problem.task.training.targets[rows]).mean()
    (expected,) = torch.autograd.grad(loss, controls)
    return found, expected.numpy()


@pytest.mark.parametrize("opposed", [False, True])
@pytest.mark.parametrize("meshes", [1, 3])
def test_without_noise_it_is_the_gradient_of_the_true_chip(meshes: int, opposed: bool) -> None:
    true = network(meshes)
    lab = lab_of(true, **QUIET)
    found, expected = gradients(lab, true, opposed=opposed)
    np.testing.assert_allclose(found, expected, atol=1e-12 * np.abs(expected).max() + 1e-12)
    assert np.abs(expected).max() > 0.01
    # what is reported is what was read: 1 + 2 (or 3) readings of each example on each mesh
    assert lab.device.cost.readings == 20 * (1 + (3 if opposed else 2) * meshes)


def test_the_models_phases_and_splitters_are_not_used() -> None:
    true = network(2)
    lab = lab_of(true, **QUIET)
    _, expected = gradients(lab, true)
    told = fabricate_network(
        MeshLayout("rectangular", 4), ERRORS, 99, meshes=2, activation=ElectroOptic(), readout=2
    )
    found, _ = gradients(replace(lab, problem=replace(lab.problem, model=told)), true)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_error_falls_as_the_light_grows() -> None:
    # detectors with a floor: in linear stages the signal grows with the power, the error of the direction falls
    errors = []
    for power in (1.0, 100.0):
        true = network(1)
        lab = lab_of(true, noise_relative=0.0, noise_floor=0.3, field_noise=0.1)
        for examples in (lab.problem.task.training, lab.problem.task.probe):
            examples.inputs[:] *= np.sqrt(power)
        found, expected = gradients(lab, true)
        errors.append(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    assert errors[0] > 0.03
    assert errors[1] < 0.2 * errors[0]


def test_lost_light_is_a_bias_that_opposite_signs_mend() -> None:
    true = network(2, Fabrication.perfect(splitter_rad=0.1, phase_rad=0.3, mzi_loss_dB=0.5))
    angles = []
    for opposed in (False, True):
        found, expected = gradients(lab_of(true, **QUIET), true, opposed=opposed)
        angles.append(found @ expected / np.linalg.norm(found) / np.linalg.norm(expected))
    assert angles[1] > 0.99 > angles[0]


def test_interference_beyond_the_range_of_the_taps_is_left_out() -> None:
    # light and its adjoint together have up to four times the power of the light
    true = network(2)
    quiet, _ = gradients(lab_of(true, **QUIET), true)
    powers = lab_of(true, **QUIET).device.traverse(lab_of(true).problem.task.training.inputs[:20])  # type: ignore[attr-defined]
    most = max(passage.shifters.max() for passage in powers.passages)
    some, _ = gradients(lab_of(true, **QUIET, full_scale=1.3 * most), true)
    assert some @ quiet / np.linalg.norm(some) / np.linalg.norm(quiet) > 0.8
    assert not np.allclose(some, quiet)


def test_interference_of_which_nothing_is_in_range_is_named() -> None:
    class Glaring(EmulatedBidirectionalNetwork):
        def send(self, mesh: int, fields: np.ndarray, *, backward: bool = False) -> Passage:  # type: ignore[type-arg]
            passage = super().send(mesh, fields, backward=backward)
            return replace(passage, flags=np.full_like(passage.flags, Flag.CLIPPED))

    lab = lab_of(network(2))
    with pytest.raises(ReadingFailed, match="mesh 1 are flagged; with less light"):
        AdjointQuery(lab.start, np.arange(5)).take(lab.problem, Glaring(network(2)))


def test_a_sample_without_a_gradient_has_none() -> None:
    true = network(2)
    lab = lab_of(true, **QUIET)
    task = replace(lab.problem.task, loss=lambda outputs, targets: 0.0 * outputs.sum(dim=-1))
    found = AdjointQuery(lab.problem.limits.theta(lab.start), np.arange(5)).take(
        replace(lab.problem, task=task), lab.device
    )
    np.testing.assert_array_equal(found.gradient, 0.0)


def test_a_device_whose_light_goes_one_way_is_refused() -> None:
    lab = small_lab()
    assert not isinstance(lab.device, Bidirectional)
    with pytest.raises(PlanError, match="coherent receivers"):
        Backpropagation().check(lab.problem, lab.device)
    with pytest.raises(PlanError, match="differentiable model"):
        Backpropagation().check(replace(lab.problem, model=None), lab_of(network(2)).device)
    with pytest.raises(PlanError):
        Backpropagation(batch=0)
