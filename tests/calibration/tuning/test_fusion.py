"""What was measured takes the place of what was modelled; slopes are the model's, at the measured states."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from calibration.device import Array
from calibration.errors import NotFinite
from calibration.tuning import Answer, Limits, Problem, Query, Reading
from calibration.tuning.fusion import Batch, in_stages, passed, precision
from hil.devices import EmulatedMeshNetwork, EmulatedNoisyNetwork
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.optical import ElectroOptic, MeshNetwork, NoiseLevels, NoisyNetwork, fabricate_network
from tests.calibration.tuning.whole import Whole
from tests.conformance.method import TURN, small_lab


def meshes(seed: int, splitter_rad: float = 0.1) -> MeshNetwork:
    made = Fabrication.perfect(splitter_rad=splitter_rad, phase_rad=0.3)
    return fabricate_network(
        MeshLayout("rectangular", 4), made, seed, meshes=3, activation=ElectroOptic(), readout=2
    )


def read(true: MeshNetwork, inputs: Tensor, controls: Tensor) -> dict[int, Tensor]:
    device = EmulatedMeshNetwork(true, noise_relative=0.0, noise_floor=0.0)
    device.set_controls(controls.numpy())
    response = device.run(inputs.numpy()[None])
    values = (*(response.taps[name][0] for name in true.tap_names), response.outputs[0])
    return {k: torch.as_tensor(one) for k, one in enumerate(values)}


@pytest.fixture
def asked() -> tuple[Tensor, Tensor]:
    """Inputs and controls."""
    generator = torch.Generator().manual_seed(0)
    inputs = 2.0 * torch.randn(20, 8, generator=generator, dtype=torch.float64)
    return inputs, TURN * torch.rand(36, generator=generator, dtype=torch.float64)


def test_a_fused_state_has_measured_amplitudes_and_modelled_phases(asked: tuple[Tensor, Tensor]) -> None:
    true, model = meshes(1), meshes(2)
    measured = read(true, *asked)
    handed: list[tuple[Tensor, Tensor]] = []

    def watch(k: int, before: Tensor, behind: Tensor) -> Tensor:
        handed.append((before, behind))
        return behind

    found = passed(model, *asked, measured, watch)
    for k in (0, 1):
        # the activation sees the power alone: undone, what went into the next stage is the fused state
        fused = model.measured(k, handed[k][1], measured[k])
        torch.testing.assert_close(handed[k + 1][0], model.activation(fused))
        torch.testing.assert_close(fused.abs().square(), measured[k])
        torch.testing.assert_close(fused.angle(), handed[k][1].angle())
    for k, reading in measured.items():
        torch.testing.assert_close(found[k].fused, reading)
        assert float((found[k].modelled - reading).abs().max()) > 0.05


def test_without_readings_it_is_the_model(asked: tuple[Tensor, Tensor]) -> None:
    model = meshes(2)
    for one, other in zip(passed(model, *asked, {}), model.chained(*asked), strict=True):
        torch.testing.assert_close(one.modelled, other)
        torch.testing.assert_close(one.fused, other)


@pytest.mark.parametrize("inner", [True, False])
def test_with_a_perfect_model_the_gradient_is_that_of_the_chip(inner: bool) -> None:
    lab = small_lab(4)
    true = meshes(5)
    device = EmulatedMeshNetwork(true, noise_relative=0.0, noise_floor=0.0)
    problem = replace(lab.problem, model=true, limits=Limits.of(device.controls, turn=TURN))
    theta = np.random.default_rng(0).uniform(0.0, TURN, true.n_controls)
    rows = np.arange(40)
    answer = Query(theta, rows).take(problem, device)
    batch = Batch.of(problem, rows, answer, inner=inner)
    leaf = torch.tensor(theta, requires_grad=True)
    examples = problem.task.training.at(rows)
    loss = problem.task.loss(true(torch.as_tensor(examples.inputs), leaf), examples.targets).mean()
    (exact,) = torch.autograd.grad(loss, leaf)
    np.testing.assert_allclose(batch.task_gradient(problem, theta), exact.numpy(), atol=1e-12)


def test_measured_states_mend_the_gradient_of_a_poor_model() -> None:
    # of a network of real layers, whose states are measured whole: the model errs in its first layer alone
    generator = torch.Generator().manual_seed(0)
    network = NoisyNetwork((3, 6, 6, 2), "tanh", NoiseLevels.uniform(3, 0.0))
    controls = network.initial(generator)
    lab = small_lab()
    inputs = lab.problem.task.training.inputs[:, :3]
    device = EmulatedNoisyNetwork(network)
    task = replace(lab.problem.task, training=replace(lab.problem.task.training, inputs=inputs))
    model = _Astray((3, 6, 6, 2), "tanh", NoiseLevels.uniform(3, 0.0))
    limits = Limits.of(device.controls, scale=1.0)
    theta, rows = limits.theta(controls.numpy()), np.arange(40)
    problem = Problem(task, limits, model=model)
    leaf = controls.clone().requires_grad_()
    loss = task.loss(network(torch.as_tensor(inputs[rows]), leaf), task.training.targets[rows]).mean()
    exact = torch.autograd.grad(loss, leaf)[0].numpy()
    answer = Query(theta, rows).take(problem, device)
    error = {
        inner: float(
            np.linalg.norm(Batch.of(problem, rows, answer, inner=inner).task_gradient(problem, theta) - exact)
        )
        for inner in (True, False)
    }
    assert error[True] < 0.6 * error[False]


class _Astray(NoisyNetwork):
    """Behind its first layer everything is off."""

    def stage(self, k: int, state: Tensor, part: Tensor) -> Tensor:
        behind = super().stage(k, state, part)
        return behind + 0.5 if k == 0 else behind


def test_a_model_without_stages_is_one_stage(asked: tuple[Tensor, Tensor]) -> None:
    whole = in_stages(Whole(meshes(2)))
    reading = torch.rand(20, 2, dtype=torch.float64)
    (found,) = passed(whole, *asked, {0: reading})
    torch.testing.assert_close(found.fused, reading)
    torch.testing.assert_close(found.modelled, meshes(2)(*asked))
    assert in_stages(meshes(2)).tap_names == ("mesh0", "mesh1")


def test_flagged_samples_are_left_out() -> None:
    lab = small_lab()
    rows, theta = np.arange(10), lab.problem.limits.theta(lab.start)
    answer = Query(theta, rows).take(lab.problem, lab.device)
    usable = torch.arange(10) != 3
    spoilt = answer.reading.outputs.clone()
    spoilt[3] = math.nan
    again = Answer(Reading(spoilt, answer.reading.taps, usable), answer.losses, answer.scores, answer.targets)
    kept: Array = Batch.of(lab.problem, rows, again, inner=True).task_gradient(lab.problem, theta)
    others = np.delete(rows, 3)
    fewer = Answer(answer.reading.at(others), answer.losses, answer.scores, answer.targets[others])
    expected = Batch.of(lab.problem, others, fewer, inner=True).task_gradient(lab.problem, theta)
    np.testing.assert_allclose(kept, expected, atol=1e-12)


def test_a_model_in_single_precision_is_used_so() -> None:
    lab = small_lab()
    assert precision(lab.problem.known_model) == torch.float64
    single = replace(lab.problem, model=meshes(0, 0.0).float())
    assert precision(single.known_model) == torch.float32


def test_a_slope_that_is_not_finite_is_named() -> None:
    class Broken(Whole):
        def forward(self, inputs: Tensor, controls: Tensor) -> Tensor:
            return super().forward(inputs, controls) * (controls[3] - controls[3].detach()).abs().sqrt()

    lab = small_lab()
    problem = replace(lab.problem, model=Broken(lab.problem.known_model))
    rows, theta = np.arange(10), lab.problem.limits.theta(lab.start)
    batch = Batch.of(problem, rows, Query(theta, rows).take(problem, lab.device), inner=False)
    with pytest.raises(NotFinite, match=problem.limits.names[3]):
        batch.task_gradient(problem, theta)
