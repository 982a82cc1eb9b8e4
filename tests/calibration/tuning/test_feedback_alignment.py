"""Direct feedback alignment: with the right matrices it is the true gradient, and with fixed ones it finds its way."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from calibration.errors import PlanError
from calibration.tuning import (
    Dfa,
    Method,
    Query,
    Update,
)
from calibration.tuning.feedback_alignment import components, mean_jacobians
from hil.devices import EmulatedMeshNetwork
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.model import Model
from simulators.models.optical import ElectroOptic, NoiseLevels, NoisyNetwork, fabricate_network
from tests.calibration.tuning.noisy import noisy_lab
from tests.conformance.method import Lab, MethodConformance, small_lab


class TestDfa(MethodConformance):
    readings = 2500

    def create_method(self) -> Method:
        return Dfa(Update("adam", 0.1), batch=32)


class TestDfaAsPublished(MethodConformance):
    def create_method(self) -> Method:
        return Dfa(Update("adam", 0.02), batch=32, feedback="random", error_noise=0.1)

    def create_lab(self, seed: int = 0) -> Lab:
        return noisy_lab(seed)


def test_of_two_stages_the_jacobian_of_one_example_gives_the_true_gradient() -> None:
    # on a device that is the model, with one example in a step: B e is then what propagates backwards
    lab = small_lab()
    network = fabricate_network(
        MeshLayout("rectangular", 4),
        Fabrication.perfect(splitter_rad=0.1, phase_rad=0.3),
        seed=1,
        meshes=2,
        activation=ElectroOptic(),
        readout=2,
    )
    device = EmulatedMeshNetwork(network, noise_relative=0.0, noise_floor=0.0)
    problem = replace(lab.problem, model=network)
    rows, theta = np.array([3]), problem.limits.theta(lab.start)
    controls = torch.tensor(lab.start, requires_grad=True)
    inputs = torch.as_tensor(problem.task.training.inputs[rows])
    loss = problem.task.loss(network(inputs, controls), problem.task.training.targets[rows]).mean()
    (true,) = torch.autograd.grad(loss, controls)
    matrices = [one.numpy() for one in mean_jacobians(network, inputs, controls.detach())]
    answer = Query(theta, rows).take(problem, device)
    found = Dfa().gradient(problem, theta, rows, answer, matrices, np.random.default_rng(0))
    np.testing.assert_allclose(found, true.numpy(), atol=1e-9)


def test_the_last_stage_has_its_true_gradient_whatever_is_fed_back() -> None:
    lab = noisy_lab(level=0.0)
    method, problem = Dfa(feedback="random", batch=20), lab.problem
    theta, rows = problem.limits.theta(lab.start), problem.batch(0, 20)
    state = method.begin(problem, theta)
    answer = Query(theta, rows).take(problem, lab.device)
    matrices = [state.memory["feedback0"], state.memory["feedback1"]]
    found = method.gradient(problem, theta, rows, answer, matrices, np.random.default_rng(0))
    parameters = torch.tensor(theta, requires_grad=True)
    loss = problem.task.loss(problem.outputs(rows, parameters), problem.task.training.targets[rows]).mean()
    (true,) = torch.autograd.grad(loss, parameters)
    last = problem.known_model.sizes[-1]
    np.testing.assert_allclose(found[-last:], true[-last:].numpy(), atol=1e-12)
    assert not np.allclose(found[:-last], true[:-last].numpy(), atol=1e-3)


def test_feedback_through_linear_stages_is_the_product_of_their_weights() -> None:
    model = NoisyNetwork((3, 4, 5, 2), "identity", NoiseLevels.uniform(3, 0.0))
    controls = model.initial(torch.Generator().manual_seed(0))
    inputs = torch.randn(7, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (_, _), (second, _), (third, _) = model.layers_of(controls)
    one, two = mean_jacobians(model, inputs, controls)
    torch.testing.assert_close(one, third @ second)
    torch.testing.assert_close(two, third)


def test_noise_of_the_feedback_is_of_the_size_that_was_asked_for() -> None:
    lab = noisy_lab(level=0.0)
    problem, theta = lab.problem, lab.problem.limits.theta(lab.start)
    method, rows = Dfa(error_noise=0.5), np.arange(40)
    state = method.begin(problem, theta)
    matrices = [state.memory["feedback0"], state.memory["feedback1"]]
    answer = Query(theta, rows).take(problem, lab.device)
    quiet = Dfa().gradient(problem, theta, rows, answer, matrices, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    loud = [method.gradient(problem, theta, rows, answer, matrices, rng) for _ in range(300)]
    np.testing.assert_allclose(np.mean(loud, axis=0), quiet, atol=0.02)
    # the last layer's is not fed back, so it is free of it
    last = problem.known_model.sizes[-1]
    np.testing.assert_allclose(np.std(loud, axis=0)[-last:], 0.0, atol=1e-12)
    assert np.std(loud, axis=0)[:-last].max() > 0.005


def test_complex_states_have_two_components() -> None:
    state = torch.tensor([[1.0 + 2.0j, 3.0 - 4.0j]])
    torch.testing.assert_close(components(state), torch.tensor([[1.0, 2.0, 3.0, -4.0]]))


def test_a_device_without_taps_and_a_model_without_stages_are_refused() -> None:
    lab = small_lab()
    device = EmulatedMeshNetwork(lab.problem.known_model, taps=False)  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="no tap 'mesh0'"):
        Dfa().check(lab.problem, device)

    class Whole(Model):
        def forward(self, inputs: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
            return inputs

    with pytest.raises(PlanError, match="in stages"):
        Dfa().check(replace(lab.problem, model=Whole()), lab.device)
    with pytest.raises(PlanError, match="differentiable model"):
        Dfa().check(replace(lab.problem, model=None), lab.device)


@pytest.mark.parametrize("settings", [{"batch": 0}, {"feedback": "none"}, {"error_noise": -0.1}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        Dfa(**settings)  # type: ignore[arg-type]
