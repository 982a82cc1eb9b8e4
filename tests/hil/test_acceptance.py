"""What the experiment file asks for against what was measured."""

from pathlib import Path

import pytest

import hil
from hil.acceptance import criteria, missed
from hil.config import ExperimentFile, load_experiment
from tests.hil.lab import rewrite


@pytest.fixture
def experiment(tmp_path: Path) -> ExperimentFile:
    hil.init("dnpu", tmp_path)
    path = tmp_path / "experiment.yaml"
    asked = "min_margin_over_noise: 3\n  max_rmse: 2 nA\n  max_rmse_over_repeatability: 3\n  min_margin: 1 nA"
    rewrite(path, {"min_margin_over_noise: 3": asked, "tasks: [AND, OR, NAND, NOR]": "tasks: [AND, XOR]"})
    return load_experiment(path)


def task(margin_A: float | None, ratio: float | None, accuracy: float | None = 1.0, tried: int = 1) -> dict:
    return {"accuracy": accuracy, "margin_A": margin_A, "margin_over_noise": ratio, "tried": [{}] * tried}


def test_what_was_not_measured_is_neither_met_nor_missed(experiment: ExperimentFile) -> None:
    assert missed(experiment, {}) == ()
    assert {line.passed for line in criteria(experiment, {})} == {None}
    assert all("not measured yet" in str(line) for line in criteria(experiment, {}))


def test_a_good_run_misses_nothing(experiment: ExperimentFile) -> None:
    metrics = {
        "surrogate": {"rmse_A": 1.9e-9, "over_repeatability": 2.9},
        "tasks": {"AND": task(1.1e-9, 3.1), "XOR": task(1e-9, 3.0), "OR": task(-1e-9, -3.0)},
    }
    assert missed(experiment, metrics) == (), "OR was not asked for"


def test_what_is_missed_says_by_how_much(experiment: ExperimentFile) -> None:
    metrics = {
        "surrogate": {"rmse_A": 2.5e-9, "over_repeatability": 2.0},
        "tasks": {"AND": task(0.4e-9, 8.0), "XOR": task(None, None, None, tried=0)},
    }
    told = missed(experiment, metrics)
    assert told[0] == "surrogate RMSE: 2.5 nA; at most 2 nA was asked for"
    assert told[1] == "AND: margin: 0.4 nA; at least 1 nA was asked for"
    assert told[2] == "XOR: accuracy: no solution to try; at least 1 was asked for"
    assert len(told) == 5


def test_a_noise_too_small_to_measure_is_not_held_against_a_gate(experiment: ExperimentFile) -> None:
    metrics = {"tasks": {"AND": task(2e-9, None), "XOR": task(2e-9, None)}}
    assert missed(experiment, metrics) == ()
