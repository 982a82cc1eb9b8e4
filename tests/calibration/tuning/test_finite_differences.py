"""Finite differences against autograd of the true chip, and the step that noise and curvature call for."""

import numpy as np
import pytest

from calibration.errors import PlanError
from calibration.tuning import FiniteDifferences, Method, State, Update
from tests.calibration.tuning.gradients import asked, cosine, estimated, told, true_gradient
from tests.calibration.tuning.meshes import one_mesh
from tests.conformance.method import MethodConformance, small_lab

PLAIN = Update("plain", 1.0)


class TestFiniteDifferences(MethodConformance):
    def create_method(self) -> Method:
        return FiniteDifferences(Update("adam", 0.2), parameters=8, batch=32)


@pytest.mark.parametrize(("sides", "apart", "allowed"), [(2, 1e-3, 1e-4), (1, 1e-5, 1e-3)])
def test_without_noise_it_is_the_gradient(sides: int, apart: float, allowed: float) -> None:
    lab, true = one_mesh(noise=0.0)
    method = FiniteDifferences(PLAIN, sides=sides, perturbation=apart, adapt=False, parameters=0, batch=64)  # type: ignore[arg-type]
    found = estimated(method, lab, lab.start)
    wanted = true_gradient(lab.problem, true, lab.start, lab.problem.batch(0, 64))
    np.testing.assert_allclose(found, wanted, atol=allowed * np.linalg.norm(wanted))


def test_every_parameter_has_its_turn() -> None:
    lab, true = one_mesh(noise=0.0)
    method = FiniteDifferences(PLAIN, perturbation=1e-3, adapt=False, parameters=5, batch=64)
    parts = [estimated(method, lab, lab.start, number) for number in range(3)]
    assert [np.count_nonzero(part) for part in parts[:2]] == [5, 5]
    assert not (parts[0] * parts[1]).any()
    wanted = true_gradient(lab.problem, true, lab.start, lab.problem.batch(0, 64))
    np.testing.assert_allclose(sum(parts), wanted, atol=1e-4)


@pytest.mark.parametrize("sides", [1, 2])
def test_the_step_grows_to_what_the_noise_calls_for(sides: int) -> None:
    lab, true = one_mesh(noise=0.03)
    wanted = true_gradient(lab.problem, true, lab.start, lab.problem.batch(0, 64))
    method = FiniteDifferences(Update("plain", 1e-12), sides=sides, perturbation=5e-3, parameters=0, batch=64)  # type: ignore[arg-type]
    state = method.begin(lab.problem, lab.start)

    def similarity(adapted: State) -> float:
        stepped = asked(method.step(lab.problem, adapted, 0), lab)
        return cosine((adapted.theta - stepped.state.theta) * 1e12, wanted)

    before = similarity(state)
    for _ in range(8):
        memory = asked(method.step(lab.problem, state, 0), lab).state.memory
        state = State(lab.start, memory)
    assert float(state.memory["perturbation"][0]) > 0.03
    assert similarity(state) > before


def test_the_step_that_is_found_is_that_of_the_formula() -> None:
    # a quadratic of curvature 4 with noise of 0.01: sqrt(8) (ε / μ) one-sided
    lab, rng = small_lab(), np.random.default_rng(0)
    method = FiniteDifferences(Update("plain", 1e-9), sides=1, perturbation=0.05, longest=10.0, parameters=1)
    state = method.begin(lab.problem, np.zeros(24))
    found = []
    for number in range(400):
        stepped = told(
            method.step(lab.problem, state, number),
            lambda at: float(2.0 * (at**2).sum() + 0.01 * rng.standard_normal()),
        )
        state = State(np.zeros(24), stepped.state.memory)
        found.append(float(state.memory["perturbation"][0]))
    formula = 8.0**0.25 * np.sqrt(0.01 / 4.0)
    # noise and curvature are told from single readings here: no more than the size can be asked
    assert 0.5 * formula < np.exp(np.mean(np.log(found[20:]))) < 2.0 * formula


@pytest.mark.parametrize(
    "settings", [{"sides": 3}, {"batch": 0}, {"parameters": -1}, {"perturbation": 0.0}, {"longest": 0.01}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        FiniteDifferences(**settings)  # type: ignore[arg-type]
