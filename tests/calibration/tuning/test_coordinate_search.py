"""One parameter at a time: kept if it helps, and on a mesh the lowest point of a circle from three readings."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from calibration.errors import PlanError
from calibration.tuning import CoordinateSearch, Limits, Method, State
from calibration.tuning.coordinate_search import lowest
from tests.calibration.tuning.gradients import asked, told
from tests.calibration.tuning.meshes import one_mesh
from tests.conformance.method import Lab, MethodConformance, small_lab


class TestSteps(MethodConformance):
    readings = 4000

    def create_method(self) -> Method:
        return CoordinateSearch(first=0.5, parameters=12, batch=32)


class TestSinusoids(MethodConformance):
    readings = 3000

    def create_method(self) -> Method:
        return CoordinateSearch(rule="sinusoid", parameters=4, batch=32)

    def create_lab(self, seed: int = 0) -> Lab:
        return one_mesh(seed=seed)[0]


def test_only_what_is_better_is_kept() -> None:
    problem = small_lab().problem
    theta, values = np.random.default_rng(1).uniform(2.0, 4.0, 24), []

    def loss(at: np.ndarray) -> float:
        values.append(float(((at - 3.0) ** 2).sum()))
        return values[-1]

    method = CoordinateSearch(first=0.1, parameters=0)
    stepped = told(method.step(problem, method.begin(problem, theta), 0), loss)
    reached = np.abs(stepped.state.theta - 3.0)
    assert values[0] > stepped.loss == pytest.approx(float((reached**2).sum()))
    assert stepped.figures["moves"] == np.count_nonzero(stepped.state.theta != theta)
    # every one that is more than half a step from the lowest point got nearer to it
    far = np.abs(theta - 3.0) > 0.05
    assert (reached[far] < np.abs(theta - 3.0)[far]).all()


def test_steps_shrink_where_neither_side_is_better_and_the_side_is_remembered() -> None:
    problem = small_lab().problem
    theta = np.full(24, 4.0)
    theta[0] = 3.0
    method = CoordinateSearch(first=0.1, decay=0.5, parameters=0)
    begun = method.begin(problem, theta)
    state = told(method.step(problem, begun, 0), lambda at: float(((at - 3.0) ** 2).sum())).state
    assert state.memory["steps"][0] == pytest.approx(0.05)
    np.testing.assert_allclose(state.memory["steps"][1:], -0.1)
    asked_for = []
    told(method.step(problem, state, 1), lambda at: float(asked_for.append(at) or ((at - 3.0) ** 2).sum()))
    # one query each where the side is known, two for the first, one at the start
    assert len(asked_for) == 1 + 23 + 2


def test_three_readings_tell_the_lowest_point_of_a_circle() -> None:
    lab, true = one_mesh(noise=0.0)
    method = CoordinateSearch(rule="sinusoid", parameters=1, batch=64)
    rows, circle = lab.problem.batch(0, 64), np.linspace(0.0, 2.0 * math.pi, 721)
    stepped = asked(method.step(lab.problem, method.begin(lab.problem, lab.start), 0), lab)
    k = int(np.flatnonzero(stepped.state.theta != lab.start)[0])
    phases = np.repeat(lab.start[None], len(circle), axis=0)
    phases[:, k] = circle
    examples = lab.problem.task.training.at(rows)
    with torch.no_grad():
        losses = [
            float(
                lab.problem.task.loss(
                    true(torch.as_tensor(examples.inputs), torch.as_tensor(at)), examples.targets
                ).mean()
            )
            for at in phases
        ]
    assert stepped.loss == pytest.approx(min(losses), abs=1e-4)
    apart = stepped.state.theta[k] - circle[int(np.argmin(losses))]
    assert abs(math.remainder(apart, 2.0 * math.pi)) < 0.03


def test_of_a_loss_that_is_a_sinusoid_it_is_rotosolve() -> None:
    problem = replace(
        small_lab().problem,
        task=replace(small_lab().problem.task, loss=lambda outputs, targets: outputs[:, 0]),
    )
    outputs = [
        torch.tensor([[2.0 + 1.5 * math.cos(angle - 0.7)]], dtype=torch.float64)
        for angle in (0.0, 2.0 * math.pi / 3.0, -2.0 * math.pi / 3.0)
    ]
    assert lowest(problem, outputs, torch.zeros(1)) == pytest.approx(0.7 + math.pi, abs=1e-4)


def test_sinusoids_of_what_is_no_angle_are_refused() -> None:
    lab, _ = one_mesh()
    rigid = replace(lab.problem, limits=Limits.of(lab.device.controls))
    with pytest.raises(PlanError, match="no angle that turns round"):
        CoordinateSearch(rule="sinusoid").check(rigid, lab.device)
    CoordinateSearch().check(rigid, lab.device)


def test_at_a_limit_there_is_one_side() -> None:
    lab, _ = one_mesh()
    rigid = replace(lab.problem, limits=Limits.of(lab.device.controls))
    method = CoordinateSearch(first=0.1, parameters=0)
    asked_for = []
    start = State(np.zeros(12), method.begin(rigid, np.zeros(12)).memory)
    told(method.step(rigid, start, 0), lambda at: float(asked_for.append(at) or at.sum()))
    assert len(asked_for) == 1 + 12


@pytest.mark.parametrize(
    "settings",
    [{"rule": "guess"}, {"batch": 0}, {"decay": 1.0}, {"first": 0.0}, {"shortest": 1.0}, {"parameters": -1}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(PlanError):
        CoordinateSearch(**settings)  # type: ignore[arg-type]
