"""CMA-ES finds its way, inside limits, and goes on exactly where it was."""

import numpy as np
import pytest

from calibration.device import ChannelGroup
from calibration.errors import PlanError
from calibration.tuning import CmaEs, Limits, Method, Problem, Snapshot, State
from tests.calibration.tuning.told import told
from tests.conformance.method import MethodConformance, small_lab


class TestCmaEs(MethodConformance):
    readings = 8000

    def create_method(self) -> Method:
        return CmaEs(spread=0.3, batch=32)


class TestCmaEsWithADiagonal(MethodConformance):
    readings = 8000

    def create_method(self) -> Method:
        return CmaEs(spread=0.3, batch=32, full=0)


def bounded(n: int = 6) -> Problem:
    volts = ChannelGroup(tuple("abcdef"), "V", np.zeros(n), np.ones(n), np.full(n, np.inf))
    lab = small_lab()
    return Problem(lab.problem.task, Limits.of(volts))


@pytest.mark.parametrize("full", [0, 200])
def test_an_optimum_behind_the_limits_is_sought_inside(full: int) -> None:
    problem, method = bounded(), CmaEs(spread=0.2, full=full)
    best = np.array([0.3, 0.5, -0.2, 1.4, 0.7, 0.9])
    state, asked = method.begin(problem, np.full(6, 0.5)), []
    for number in range(60):

        def loss(theta: np.ndarray) -> float:  # type: ignore[type-arg]
            asked.append(theta)
            return float(((theta - best) ** 2).sum())

        state = told(method, problem, state, number, loss).state
    assert min(map(np.min, asked)) >= 0.0
    assert max(map(np.max, asked)) <= 1.0
    np.testing.assert_allclose(state.theta, np.clip(best, 0.0, 1.0), atol=0.02)


def test_a_control_that_is_held_and_a_single_one_are_no_trouble() -> None:
    for high in (np.array([1.0, 0.0]), np.ones(1)):
        n = len(high)
        volts = ChannelGroup(tuple("ab"[:n]), "V", np.zeros(n), high, np.full(n, np.inf))
        problem = Problem(small_lab().problem.task, Limits.of(volts))
        method = CmaEs(spread=0.5)
        state = method.begin(problem, np.zeros(n))
        for number in range(40):
            state = told(method, problem, state, number, lambda theta: float((theta[0] - 0.4) ** 2)).state
        assert problem.limits.project(state.theta)[0] == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("full", [0, 200])
def test_what_is_stored_is_the_whole_strategy(full: int) -> None:
    problem, method = bounded(), CmaEs(spread=0.2, full=full)

    def loss(theta: np.ndarray) -> float:  # type: ignore[type-arg]
        return float((np.arange(1, 7) * (theta - 0.3) ** 2).sum())

    state = method.begin(problem, np.full(6, 0.6))
    for number in range(25):
        if number == 20:
            copied = {name: np.array(values) for name, values in state.memory.items()}
            again = State(state.theta.copy(), copied)
        state = told(method, problem, state, number, loss).state
    for number in range(20, 25):
        again = told(method, problem, again, number, loss).state
    np.testing.assert_array_equal(again.theta, state.theta)
    np.testing.assert_array_equal(again.memory["losses"], state.memory["losses"])
    assert all(isinstance(values, np.ndarray) for values in Snapshot(state.memory, {}).arrays.values())


def test_random_numbers_of_others_stay_as_they_are() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    problem, method = bounded(), CmaEs()
    told(method, problem, method.begin(problem, np.full(6, 0.5)), 0, lambda theta: float(theta.sum()))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("settings", [{"spread": 0.0}, {"population": 2}, {"batch": 0}, {"full": -1}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        CmaEs(**settings)  # type: ignore[arg-type]
