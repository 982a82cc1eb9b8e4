"""The genetic algorithm breeds what is better."""

import math

import numpy as np
import pytest

from calibration.errors import PlanError
from calibration.tuning import Genetic, Method, State
from tests.calibration.tuning.told import told
from tests.conformance.method import MethodConformance, small_lab


class TestGenetic(MethodConformance):
    readings = 10000

    def create_method(self) -> Method:
        return Genetic(spread=0.5, batch=32, generations=20)


def test_it_finds_the_floor_of_a_bowl_round_the_corner_of_an_angle() -> None:
    lab, method = small_lab(), Genetic(spread=0.3)
    best = np.random.default_rng(1).uniform(-0.6, 0.6, len(lab.start))  # angles on both sides of zero

    def loss(theta: np.ndarray) -> float:  # type: ignore[type-arg]
        return float((1.0 - np.cos(theta - best)).sum())

    state = State(np.zeros(len(best)))
    first = loss(state.theta)
    for number in range(100):
        state = told(method, lab.problem, state, number, loss).state
        if number == 50:  # put back to where it is, as the tuner says it
            state = method.moved(lab.problem, state, lab.problem.limits.project(state.theta))
    assert loss(state.theta) < 0.05 * first


def test_elite_and_shares_are_as_ranked() -> None:
    lab, method = small_lab(), Genetic()
    theta = np.random.default_rng(0).normal(size=len(lab.start))
    state = told(method, lab.problem, State(theta), 0, lambda at: float(at.sum())).state
    kept = state.memory["population"][: method.elite]
    sums = kept.sum(axis=1)
    assert (np.diff(sums) >= 0.0).all()
    np.testing.assert_array_equal(kept[0], state.theta)
    # of linear ranking, the best is drawn 1.5 times as often as the mean, the last half as often
    better, worse = method._parents(10_000, np.random.default_rng(0))
    share = np.bincount(np.concatenate((better, worse)), minlength=26) / 20_000 * 26
    np.testing.assert_allclose(share, np.linspace(1.5, 0.5, 26), atol=0.01)
    assert (better <= worse).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"population": 2},
        {"elite": 26},
        {"elite": 0},
        {"spread": math.inf},
        {"batch": 0},
        {"generations": 1},
        {"pressure": 3.0},
        {"away": -0.1},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        Genetic(**settings)  # type: ignore[arg-type]
