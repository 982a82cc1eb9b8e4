"""Methods beside one another: the same chip and budget for each, and a verdict that follows from the curves."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from calibration.errors import NotEnoughData, PlanError
from calibration.tuning import (
    Contender,
    Dat,
    Pat,
    Run,
    Spsa,
    Study,
    Trial,
    TuningPlan,
    TuningStep,
    Update,
    compare,
)
from hil.devices import EmulatedMeshNetwork
from tests.conformance.method import small_lab

PLAN = TuningPlan(1500, checks=3)
SPSA = Contender("spsa", Spsa(Update("adam", 0.1), perturbation=0.1, batch=32))
PAT = Contender("pat", Pat(Update("adam", 0.1), batch=32))


def trial(seed: int) -> Trial:
    lab = small_lab(seed)
    task = replace(lab.problem.task, test=lab.problem.task.probe)
    return Trial(lab.device, replace(lab.problem, task=task), lab.start)


def test_every_method_meets_the_same_chip_and_spends_no_more_than_the_budget() -> None:
    made: list[int] = []
    steps: list[tuple[str, int, TuningStep]] = []

    def make(seed: int) -> Trial:
        made.append(seed)
        return trial(seed)

    runs = list(
        compare(
            [SPSA, PAT],
            make,
            PLAN,
            [3, 4],
            watch=lambda one, seed, step: steps.append((one.name, seed, step)),
        )
    )
    assert [(run.method, run.seed) for run in runs] == [("spsa", 3), ("pat", 3), ("spsa", 4), ("pat", 4)]
    assert made == [3, 3, 4, 4]
    for run in runs:
        assert not run.failed
        assert run.readings[0] == 0
        assert list(run.readings) == sorted(run.readings)
        assert 1000 < run.readings[-1] <= PLAN.readings
        assert run.scores[-1] >= run.scores[0]
        of_run = [step for name, seed, step in steps if (name, seed) == (run.method, run.seed)]
        assert of_run[-1].readings == run.readings[-1]
    assert sum(run.scores[-1] - run.scores[0] for run in runs) > 0.1
    assert runs[0].scores[0] == runs[1].scores[0]  # the start is read before anything else


def test_runs_that_there_are_already_are_not_repeated() -> None:
    first = next(iter(compare([SPSA, PAT], trial, PLAN, [3])))
    rest = list(compare([SPSA, PAT], trial, PLAN, [3], known=[first]))
    assert [run.method for run in rest] == ["pat"]
    again = next(iter(compare([SPSA], trial, PLAN, [3])))
    assert replace(again, wall_s=0.0) == replace(first, wall_s=0.0)


def test_more_passes_over_the_test_examples_make_surer_scores() -> None:
    dear = TuningPlan(2 * 2 * 56 + 32, checks=1)
    once = next(iter(compare([PAT], trial, dear, [3])))
    often = next(iter(compare([PAT], trial, dear, [3], passes=16)))
    assert often.readings == once.readings
    assert often.errors[0] == pytest.approx(once.errors[0] / 4.0, rel=0.2)


def test_what_comes_first_is_part_of_the_budget() -> None:
    def prepare(at: Trial) -> Trial:
        at.device.run(at.problem.task.training.inputs[None, :50])
        return at

    run = next(iter(compare([replace(PAT, prepare=prepare)], trial, PLAN, [3])))
    assert run.readings[0] == 0
    assert run.readings[1] == 50 + 2 * 56
    assert run.readings[-1] <= PLAN.readings

    def greedy(at: Trial) -> Trial:
        at.device.run(np.zeros((1, 4000, 8)))
        return at

    run = next(iter(compare([replace(PAT, prepare=greedy)], trial, PLAN, [3])))
    assert "BudgetTooSmall: 4000 readings came before the first step" in run.failed
    assert not run.scores


def test_a_method_that_does_not_apply_says_so_and_the_others_go_on() -> None:
    def without_taps(seed: int) -> Trial:
        made = trial(seed)
        assert isinstance(made.device, EmulatedMeshNetwork)
        made.device.taps = {}
        return made

    taps = Contender("dat with taps", Dat(internal_states="unitary"))
    study = Study.of(PLAN.readings, compare([taps, PAT], without_taps, PLAN, [3]))
    first, last = study.rows()
    assert (first.method, last.method) == ("pat", "dat with taps")
    assert last.seeds == 0
    assert "PlanError: the device does not read mesh0" in last.failed
    assert "the device does not read mesh0" in study.table()
    assert study.recommendation().method == "pat"


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(PlanError, match="a name of its own"):
        list(compare([PAT, PAT], trial, PLAN, [0]))

    with pytest.raises(PlanError, match="0 passes"):
        list(compare([PAT], trial, PLAN, [0], passes=0))

    def blind(seed: int) -> Trial:
        made = trial(seed)
        task = replace(made.problem.task, test=None)
        return replace(made, problem=replace(made.problem, task=task))

    with pytest.raises(PlanError, match="no test examples"):
        list(compare([PAT], blind, PLAN, [0]))


def made_up(method: str, seed: int, *points: tuple[int, float], error: float = 0.01) -> Run:
    readings, scores = zip(*points, strict=True)
    return Run(method, seed, readings, scores, (error,) * len(points), 2.0)


STUDY = Study.of(
    1000,
    [
        made_up("slow", 0, (0, 0.5), (400, 0.7), (1000, 0.96)),
        made_up("slow", 1, (0, 0.6), (500, 0.8), (1000, 0.94)),
        made_up("quick", 0, (0, 0.5), (100, 0.93), (200, 0.95)),
        made_up("quick", 1, (0, 0.6), (100, 0.91), (200, 0.93)),
        made_up("weak", 0, (0, 0.5), (100, 0.55)),
        Run("misfit", 0, (), (), (), 0.1, "PlanError: no"),
    ],
)


def test_bands_hold_the_last_score_and_average_over_seeds() -> None:
    band = STUDY.band("slow", points=11)
    np.testing.assert_array_equal(band.readings, np.linspace(0, 1000, 11))
    np.testing.assert_allclose(band.mean[[0, 3, 4, 5, 9, 10]], [0.55, 0.55, 0.65, 0.75, 0.75, 0.95])
    np.testing.assert_allclose(band.high - band.mean, band.mean - band.low)
    np.testing.assert_allclose(band.high[10] - band.mean[10], np.std([0.96, 0.94], ddof=1))
    with pytest.raises(NotEnoughData, match="misfit"):
        STUDY.band("misfit")


def test_the_table_says_what_the_runs_say() -> None:
    rows = {row.method: row for row in STUDY.rows(within=0.02)}
    assert list(rows) == ["slow", "quick", "weak", "misfit"]
    assert (rows["slow"].readings, rows["quick"].readings, rows["weak"].readings) == (1000, 200, None)
    assert rows["quick"].after == pytest.approx(0.94)
    assert rows["quick"].before == pytest.approx(0.55)
    assert rows["quick"].spread == pytest.approx(np.std([0.95, 0.93], ddof=1))
    assert math.isnan(rows["weak"].spread)
    text = STUDY.table(within=0.02).splitlines()
    assert len(text) == 5
    assert "200" in text[2]
    assert text[4].endswith("PlanError: no")


def test_the_cheapest_within_the_noise_is_recommended() -> None:
    advice = STUDY.recommendation()
    assert advice.method == "quick"
    assert "within the noise of 0.02 of the best, slow at 0.950" in advice.reason
    assert "200 readings against 1,000" in advice.reason
    surer = Study.of(
        1000, [replace(run, errors=(1e-4,) * len(run.scores)) for run in STUDY.runs if run.seed == 0]
    )
    assert surer.recommendation().method == "slow"
    assert "the highest score" in surer.recommendation().reason


def test_no_method_is_recommended_where_none_helps() -> None:
    flat = Study.of(1000, [made_up("weak", 0, (0, 0.5), (100, 0.51))])
    assert flat.recommendation().method is None
    assert "no method is better than the start" in flat.recommendation().reason
    assert Study.of(1000, []).recommendation().reason == "no method has run yet"


def test_a_score_that_falls_again_has_not_been_reached() -> None:
    run = made_up("up and down", 0, (0, 0.5), (100, 0.9), (200, 0.8), (300, 0.95))
    assert run.readings_to(0.85) == 300
    assert run.readings_to(0.4) == 0
    assert run.readings_to(0.96) is None
    np.testing.assert_array_equal(run.at(np.array([0.0, 99.0, 100.0, 1e6])), [0.5, 0.5, 0.9, 0.95])


def test_a_study_is_plain_values() -> None:
    assert Study.from_plain(json.loads(json.dumps(STUDY.plain()))) == STUDY
