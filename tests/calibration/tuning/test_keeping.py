"""A chip under watch: left alone while it is well, brought back by the cheapest rung that does it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from calibration.device import Array, ChannelGroup, Flag, Response
from calibration.errors import BudgetTooSmall, PlanError, ReadingFailed
from calibration.tuning import (
    Examples,
    Keeper,
    KeepingPlan,
    Limits,
    Look,
    Method,
    Problem,
    Query,
    ReadoutChange,
    Rung,
    Snapshot,
    Spsa,
    State,
    Stepped,
    Steps,
    TuningPlan,
    TuningTask,
    Update,
    squared_error,
)
from hil.devices.partition import PartedDevice

HOUR_s = 3600.0
POINTS = 40


class Wandering(PartedDevice):
    """Answers gain · (x + c - drift · t) + noise; held right by c = drift · t, whatever x is."""

    def __init__(
        self,
        drift: float = 0.0,
        gain: Callable[[Array], Array] = np.ones_like,
        noise: float = 0.01,
        seed: int = 0,
    ) -> None:
        free = np.full(1, np.inf)
        channels = ChannelGroup(("x", "c"), "1", np.full(2, -2.0), np.full(2, 2.0), np.full(2, np.inf))
        super().__init__(
            {"kind": "wandering", "name": "it"}, channels, ChannelGroup(("y",), "1", -free, free, free), 100.0
        )
        self._part(channels, ("x",), np.zeros(2))
        self.drift, self.gain, self.noise = drift, gain, noise
        self.blind = False
        self._rng = np.random.default_rng(seed)

    def run(self, inputs: Array) -> Response:
        time = inputs.shape[1]
        hours = self._instants(time) / HOUR_s
        y = self.gain(hours) * (inputs[0, :, 0] + self._partition.present[1] - self.drift * hours)
        y = y + self.noise * self._rng.standard_normal(time)
        self._count["samples"] += time
        flag = np.uint8(Flag.CLIPPED if self.blind else 0)
        return Response(inputs, y.reshape(1, time, 1), np.full((1, time), flag))


@dataclass(frozen=True)
class Idler(Method):
    """Reads, and changes nothing."""

    name: ClassVar[str] = "idler"

    def cost(self, problem: Problem) -> int:
        return 1

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        answer = yield Query(state.theta, np.arange(1))
        return Stepped(state, answer.loss)


SPSA = Rung(Spsa(Update("adam", 0.04), perturbation=0.05, batch=40), TuningPlan(800, checks=2))
IDLE = Rung(Idler(), TuningPlan(400, checks=2))


def problem_of(device: PartedDevice) -> Problem:
    points = Examples(np.linspace(-1.0, 1.0, POINTS)[:, None], torch.linspace(-1.0, 1.0, POINTS)[:, None])
    task = TuningTask(points, points, squared_error, lambda y, t: -(y - t).abs()[..., 0])
    return Problem(task, Limits.of(device.controls, scale=1.0))


def keeper_of(device: Wandering, *ladder: Rung, resume: Snapshot | None = None, **changed: object) -> Keeper:
    settings = {"every_s": HOUR_s, "duration_s": 6 * HOUR_s, "tolerance": 0.05, **changed}
    plan = KeepingPlan(**settings)  # type: ignore[arg-type]
    return Keeper(device, problem_of(device), ladder, plan, np.zeros(1), resume=resume)


def test_a_steady_chip_is_left_alone() -> None:
    device = Wandering()
    keeper = keeper_of(device, SPSA)
    looks = list(keeper)
    assert [look.verdict for look in keeper.looks] == ["start", *["within"] * 6]
    assert looks == keeper.looks
    assert keeper.readings == device.cost.readings == 7 * POINTS
    np.testing.assert_allclose([look.time_s for look in keeper.looks[1:]], np.arange(1, 7) * HOUR_s, atol=1.0)
    assert keeper.chip_time_s == pytest.approx(7 * POINTS / 100.0)


def test_a_chip_that_drifts_is_held_where_it_would_have_been_lost() -> None:
    device = Wandering(drift=0.08)
    keeper = keeper_of(device, SPSA)
    list(keeper)
    last = keeper.looks[-1]
    # left alone its outputs would be off by 6 · 0.08
    hourly = [look for look in keeper.looks if look.retuning is None]
    assert hourly[-1].start_score == pytest.approx(-0.48, abs=0.02)
    assert last.score > -0.15
    assert 1 <= len(keeper.retunings) <= 6
    assert all(one.score_after > one.score_before for one in keeper.retunings)
    assert keeper.best[0] == pytest.approx(0.48, abs=0.15)
    assert device._partition.present[1] == keeper.best[0]
    assert keeper.readings + keeper.compared_readings == device.cost.readings
    # what the parts cost is what the whole cost
    retuned = sum(one.readings for one in keeper.retunings)
    assert keeper.readings == retuned + len(keeper.looks) * POINTS


def test_the_ladder_is_climbed_no_further_than_needed() -> None:
    keeper = keeper_of(Wandering(drift=0.08), IDLE, SPSA, replace(IDLE, plan=TuningPlan(800)))
    list(keeper)
    rungs = [one.rung for one in keeper.retunings]
    assert set(rungs[::2]) == {"idler"}
    assert set(rungs[1::2]) == {"spsa"}
    assert max(one.readings for one in keeper.retunings if one.rung == "idler") <= 400


def test_a_readout_that_became_weaker_is_read_anew_and_nothing_is_moved() -> None:
    device = Wandering(gain=lambda hours: 1.0 - 0.06 * hours)
    keeper = keeper_of(device, SPSA, readout=True)
    list(keeper)
    assert {one.rung for one in keeper.retunings} == {"readout"}
    assert all(one.readings == POINTS for one in keeper.retunings)
    np.testing.assert_array_equal(keeper.best, [0.0])
    hourly = [look for look in keeper.looks if look.retuning is None]
    assert (hourly[-1].start_score or 0.0) < -0.1 < keeper.looks[-1].score
    # the first look beyond the tolerance knows what became of the gain
    first = next(look for look in keeper.looks if look.verdict == "out")
    assert first.gain[0] == pytest.approx(1.0 - 0.06 * first.time_s / HOUR_s, abs=0.01)


def test_an_output_that_died_is_no_weaker_readout() -> None:
    keeper = keeper_of(Wandering(gain=lambda hours: 1.0 * (hours < 0.5)), readout=True, duration_s=2 * HOUR_s)
    list(keeper)
    assert [one.rung for one in keeper.retunings] == ["readout"] * 2
    assert all("hardly anything" in one.failed for one in keeper.retunings)
    assert keeper.looks[-1].verdict == "out"
    np.testing.assert_array_equal(keeper.snapshot().arrays["gain"], [1.0])


def test_more_than_the_budget_is_not_spent() -> None:
    device = Wandering(drift=0.08)
    keeper = keeper_of(device, SPSA, readings=1500, compare=False)
    list(keeper)
    assert device.cost.readings == keeper.readings <= 1500
    assert len(keeper.retunings) == 1


@pytest.mark.parametrize("stop", [1, 8])
def test_a_watch_that_was_stopped_goes_on_where_it_was(stop: int) -> None:
    def watched(device: Wandering, resume: Snapshot | None = None, most: int = 10_000) -> Keeper:
        keeper = keeper_of(device, SPSA, resume=resume)
        running = iter(keeper)
        for _, _ in zip(range(most), running, strict=False):
            pass
        running.close()  # type: ignore[attr-defined]
        return keeper

    whole = watched(Wandering(drift=0.08, noise=0.0))
    device = Wandering(drift=0.08, noise=0.0)
    saved = watched(device, most=stop).snapshot()
    rest = watched(device, Snapshot({k: v.copy() for k, v in saved.arrays.items()}, dict(saved.facts)))
    assert [look.verdict for look in rest.looks] == [look.verdict for look in whole.looks]
    np.testing.assert_allclose(
        [look.score for look in rest.looks], [look.score for look in whole.looks], atol=1e-4
    )
    assert rest.readings == whole.readings
    np.testing.assert_allclose(rest.best, whole.best, atol=1e-4)


def test_looks_that_come_to_nothing_are_told_and_end_the_watch_when_they_go_on() -> None:
    device = Wandering(drift=0.08)
    keeper = keeper_of(device, SPSA)

    def watched() -> None:
        for event in keeper:
            device.blind = isinstance(event, Look) and event.time_s > 2.5 * HOUR_s

    with pytest.raises(ReadingFailed, match="flagged"):
        watched()
    assert [look.verdict for look in keeper.looks[-2:]] == ["failed", "failed"]
    assert device._partition.present[1] == keeper.best[0]


def test_what_does_not_fit_is_told_before_a_reading() -> None:
    device = Wandering()
    with pytest.raises(BudgetTooSmall):
        keeper_of(device, replace(SPSA, plan=TuningPlan(20)))
    with pytest.raises(PlanError, match="interval"):
        keeper_of(device, every_s=0.0)
    with pytest.raises(PlanError, match="tolerance"):
        keeper_of(device, tolerance=-1.0)
    assert device.cost.readings == 0


def test_gain_offset_and_what_they_leave_are_told_apart() -> None:
    rng = np.random.default_rng(3)
    before = rng.normal(size=(500, 2))
    noise = 0.02 * rng.normal(size=(2, 500, 2))
    after = before * [0.9, 1.2] + [0.3, -0.1]
    found = ReadoutChange.between(before + noise[0], after + noise[1])
    assert found is not None
    np.testing.assert_allclose(found.gain, [0.9, 1.2], atol=0.01)
    np.testing.assert_allclose(found.offset, [0.3, -0.1], atol=0.01)
    np.testing.assert_allclose(found.residual, 0.02, rtol=0.2)
    assert ReadoutChange.between(before[:3], after[:3]) is None
