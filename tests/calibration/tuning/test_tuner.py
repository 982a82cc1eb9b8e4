"""What is accepted, what is not, and what a restless device is told."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from calibration.device import Array, ChannelGroup, Response
from calibration.errors import NotRepeatable, ShapeError
from calibration.tuning import (
    Examples,
    Limits,
    Method,
    Problem,
    Query,
    State,
    Stepped,
    Steps,
    Tuner,
    TuningPlan,
    TuningTask,
    compared,
    squared_error,
)
from hil.devices.partition import PartedDevice


class Bowl(PartedDevice):
    """Answers with its one control, noise, and a drift a reading; its loss is lowest at 0."""

    def __init__(self, noise: float, drift: float = 0.0, seed: int = 0) -> None:
        free = np.full(1, np.inf)
        channels = ChannelGroup(("x", "c"), "1", np.full(2, -2.0), np.full(2, 2.0), np.full(2, np.inf))
        super().__init__(
            {"kind": "bowl", "name": "bowl"}, channels, ChannelGroup(("y",), "1", -free, free, free), 1.0
        )
        self._part(channels, ("x",), np.zeros(2))
        self._noise, self._drift, self._rng = noise, drift, np.random.default_rng(seed)

    def run(self, inputs: Array) -> Response:
        time = inputs.shape[1]
        since = self._count["samples"] + np.arange(time)
        y = self._partition.present[1] + self._drift * since + self._noise * self._rng.standard_normal(time)
        self._count["samples"] += time
        return Response(inputs, y.reshape(1, time, 1), np.zeros((1, time), dtype=np.uint8))


@dataclass(frozen=True)
class Moves(Method):
    """Goes to given places one after another, and does not look."""

    places: tuple[float, ...]
    name: ClassVar[str] = "moves"

    def cost(self, problem: Problem) -> int:
        return 1

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        answer = yield Query(state.theta, np.arange(1))
        place = problem.limits.theta(np.array([self.places[number]]))
        return Stepped(State(place), answer.loss, check=True, done=number + 1 == len(self.places))


def problem_of(device: Bowl, probes: int = 50) -> Problem:
    points = Examples(np.zeros((probes, 1)), torch.zeros(probes, 1, dtype=torch.float64))
    task = TuningTask(
        points, points, squared_error, lambda outputs, targets: -squared_error(outputs, targets)
    )
    return Problem(task, Limits.of(device.controls, scale=1.0))


def run(device: Bowl, *places: float, start: float = 1.0, **plan: float) -> Tuner:
    settings = {"readings": 100_000, "checks": len(places), **plan}
    tuner = Tuner(device, problem_of(device), Moves(places), TuningPlan(**settings), np.array([start]))  # type: ignore[arg-type]
    for _ in tuner:
        pass
    return tuner


def test_the_better_is_accepted_the_worse_is_not() -> None:
    device = Bowl(noise=0.1)
    tuner = run(device, 0.5, 1.5, 0.49)
    assert [check.verdict for check in tuner.curve] == ["start", "accepted", "rolled back", "kept"]
    np.testing.assert_array_equal(tuner.best, [0.5])
    assert device._partition.present[1] == pytest.approx(0.5)


def test_equal_settings_are_accepted_no_more_often_than_stated() -> None:
    taken = 0
    for seed in range(200):
        tuner = run(Bowl(noise=0.3, seed=seed), 1.0, 1.0, 1.0, significance=0.1)
        taken += any(check.verdict == "accepted" for check in tuner.curve)
    # 200 runs at 0.1: binomial, 20 expected, 34 at three standard deviations
    assert taken <= 34


def test_a_steady_drift_is_not_taken_for_a_gain() -> None:
    # the loss falls as the device drifts towards the bowl's floor, whatever is tried
    tuner = run(Bowl(noise=0.02, drift=-1e-3), *[1.0] * 5)
    assert all(check.verdict != "accepted" for check in tuner.curve)


def test_a_device_that_got_worse_is_noticed() -> None:
    tuner = run(Bowl(noise=0.02, drift=1e-3), *[1.0] * 3)
    assert "drifted" in [check.verdict for check in tuner.curve]


def test_a_device_too_restless_for_what_is_sought_is_told_before_the_budget_is_spent() -> None:
    device = Bowl(noise=0.5)
    with pytest.raises(NotRepeatable, match="larger probe set"):
        run(device, 0.5, sought=0.01)
    assert device.cost.readings == 100
    run(Bowl(noise=0.01), 0.5, sought=0.01)


def test_a_model_of_another_shape_is_refused_before_a_reading() -> None:
    device = Bowl(noise=0.1)
    other = ChannelGroup(("other",), "1", np.zeros(1), np.ones(1), np.ones(1))
    wrong = Problem(problem_of(device).task, Limits.of(other))
    with pytest.raises(ShapeError, match="limits"):
        Tuner(device, wrong, Moves((0.0,)), TuningPlan(1000), np.array([0.5]))
    assert device.cost.readings == 0


def test_a_step_that_the_caller_leaves_half_way_leaves_the_best() -> None:
    device = Bowl(noise=0.05)
    tuner = Tuner(device, problem_of(device), Moves((0.4, 1.4)), TuningPlan(100_000), np.array([1.0]))
    running: Generator = iter(tuner)  # type: ignore[type-arg,assignment]
    for step in running:
        if step.number == 0:
            break
    running.close()
    assert device._partition.present[1] == pytest.approx(0.4)


def test_pairs_tell_what_single_readings_could_not() -> None:
    rng = np.random.default_rng(0)
    common = torch.as_tensor(rng.normal(size=100))
    found = compared(common - 0.05 + 0.01 * torch.as_tensor(rng.normal(size=100)), common, 0.05)
    assert found.better
    assert not found.worse
    assert not compared(torch.ones(1), torch.zeros(1), 0.05).worse
