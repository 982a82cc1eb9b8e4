"""The shift rule against autograd of the true mesh, and where it is refused."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from calibration.errors import PlanError
from calibration.tuning import FiniteDifferences, Limits, Method, ParameterShift, State, Update
from tests.calibration.tuning.gradients import asked, estimated, true_gradient
from tests.calibration.tuning.meshes import one_mesh
from tests.conformance.method import Lab, MethodConformance, small_lab

PLAIN = Update("plain", 1.0)


class TestOnOneMesh(MethodConformance):
    readings = 3000

    def create_method(self) -> Method:
        return ParameterShift(Update("adam", 0.2), parameters=4, batch=32)

    def create_lab(self, seed: int = 0) -> Lab:
        return one_mesh(seed=seed)[0]


def test_without_noise_it_is_the_gradient_to_rounding() -> None:
    lab, true = one_mesh(noise=0.0)
    found = estimated(ParameterShift(PLAIN, parameters=0, batch=64), lab, lab.start)
    wanted = true_gradient(lab.problem, true, lab.start, lab.problem.batch(0, 64))
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_parameters_of_another_scale_have_the_gradient_of_theirs() -> None:
    lab, true = one_mesh(noise=0.0, scale=0.3)
    theta = lab.problem.limits.theta(lab.start)
    found = estimated(ParameterShift(PLAIN, parameters=0, batch=64), lab, theta)
    wanted = true_gradient(lab.problem, true, theta, lab.problem.batch(0, 64))
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_its_noise_is_far_below_that_of_small_differences() -> None:
    lab, true = one_mesh(noise=0.02)
    wanted = true_gradient(lab.problem, true, lab.start, lab.problem.batch(0, 64))
    shift = ParameterShift(PLAIN, parameters=0, batch=64)
    # of the same readings of each phase, at a step that is small against a rad
    difference = FiniteDifferences(PLAIN, perturbation=0.01, adapt=False, parameters=0, batch=64)
    wrong = [
        np.mean([np.square(estimated(method, lab, lab.start) - wanted).sum() for _ in range(4)])
        for method in (shift, difference)
    ]
    assert wrong[0] < wrong[1] / 30.0


def test_a_network_is_refused_but_for_its_last_layer() -> None:
    lab = small_lab()
    with pytest.raises(PlanError, match=r"0\.t0_0 lies before an activation.*1\.t0_0"):
        ParameterShift().check(lab.problem, lab.device)
    last = ParameterShift(PLAIN, parameters=0, batch=64, only="1.")
    last.check(lab.problem, lab.device)
    true = lab.device._model  # type: ignore[attr-defined]
    wanted = true_gradient(lab.problem, true, lab.start, lab.problem.batch(0, 64))
    found = estimated(last, lab, lab.start)
    assert (found[:12] == 0.0).all()
    np.testing.assert_allclose(found[12:], wanted[12:], atol=0.02 * np.linalg.norm(wanted[12:]))


def test_a_network_that_does_not_tell_of_its_layers_is_found_out() -> None:
    lab = small_lab()
    closed = copy.copy(lab.device)
    closed.layers = ()  # type: ignore[misc]
    method = ParameterShift(PLAIN, parameters=12, batch=64)
    method.check(lab.problem, closed)

    def first(steps: int) -> None:
        for number in range(steps):
            asked(method.step(lab.problem, State(lab.start), number), lab)

    with pytest.raises(PlanError, match=r"0\.\w+: powers are no sinusoid of it"):
        first(8)


def test_a_noisy_mesh_is_not_taken_for_a_crooked_one() -> None:
    lab, _ = one_mesh(noise=0.3)
    method = ParameterShift(PLAIN, parameters=2, batch=16)
    for number in range(30):
        asked(method.step(lab.problem, State(lab.start), number), lab)


def test_a_loss_without_a_slope_is_named() -> None:
    lab, _ = one_mesh()
    task = replace(lab.problem.task, loss=lambda outputs, targets: outputs.detach().sum(dim=-1))
    lab = Lab(lab.device, replace(lab.problem, task=task), lab.start)
    with pytest.raises(PlanError, match="differentiated"):
        estimated(ParameterShift(parameters=1), lab, lab.start)


def test_what_is_no_angle_is_refused() -> None:
    lab, _ = one_mesh()
    rigid = replace(lab.problem, limits=Limits.of(lab.device.controls))
    with pytest.raises(PlanError, match="no angle that turns round"):
        ParameterShift().check(rigid, lab.device)
    with pytest.raises(PlanError, match="no control's name begins with 'x'"):
        ParameterShift(only="x").check(lab.problem, lab.device)


@pytest.mark.parametrize("settings", [{"batch": 0}, {"parameters": -1}, {"crooked": 0.0}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        ParameterShift(**settings)  # type: ignore[arg-type]
