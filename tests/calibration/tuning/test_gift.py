"""GIFT wins back what a misjudged noise level cost, and leaves a chip no worse where there is nothing to win."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from calibration.errors import PlanError
from calibration.tuning import Gift, Method, Paired, Tuner, TuningPlan, compared
from calibration.tuning.method import State
from hil.devices import EmulatedMeshNetwork
from tests.calibration.tuning.noisy_digits import digits, network, noisy_lab
from tests.conformance.method import Lab, MethodConformance, small_lab

QUICK = {"batch": 1000, "samples": 800, "draws": 8, "rounds": 4}


class TestGift(MethodConformance):
    def create_method(self) -> Method:
        return Gift(batch=500, samples=500, rounds=3)

    def create_lab(self, seed: int = 0) -> Lab:
        return noisy_lab(0.3, 0.8, seed)


def tuned(lab: Lab, method: Gift, readings: int = 30_000) -> tuple[Tuner, list[dict[str, float]]]:
    tuner = Tuner(lab.device, lab.problem, method, TuningPlan(readings, checks=2), lab.start)
    return tuner, [dict(step.figures) for step in tuner]


def change(lab: Lab, controls: np.ndarray, true: float, significance: float = 0.01) -> Paired:
    """Losses of images that nothing was decided on, before and after, on the true network."""
    images, labels = (part[1400:] for part in digits())
    model, generator = network(true), torch.Generator().manual_seed(5)
    noise = [model.draw(images.shape[:1], generator) for _ in range(8)]
    after, before = (
        torch.stack([lab.problem.task.loss(model(images, held, one), labels) for one in noise]).mean(dim=0)
        for held in (torch.as_tensor(controls), torch.as_tensor(lab.start))
    )
    return compared(after, before, significance)


@pytest.mark.parametrize("repeats", [8, 0])
def test_noise_that_was_judged_too_low(repeats: int) -> None:
    lab = noisy_lab(0.3, 0.8)
    tuner, figures = tuned(lab, Gift(**QUICK, repeats=repeats))
    assert change(lab, tuner.best, 0.8).better
    if repeats:
        assert figures[1]["noise_level"] == pytest.approx(0.8 / 0.3, rel=0.1)
    searches = [step for step in figures if "moved" in step]
    assert searches[0]["misjudged"] > 0.0
    assert sum(step["readings_of_loss"] for step in searches) <= 20


def test_noise_that_was_not_thought_of() -> None:
    lab = noisy_lab(0.0, 0.5, structure=0.3)
    tuner, figures = tuned(lab, Gift(**QUICK, assumed=0.0))
    assert change(lab, tuner.best, 0.5).better
    assert figures[1]["noise_level"] == pytest.approx(0.5 / 0.3, rel=0.1)


def test_noise_that_was_judged_too_high_leaves_the_chip_no_worse() -> None:
    lab = noisy_lab(0.3, 0.1)
    tuner, figures = tuned(lab, Gift(**QUICK))
    assert not change(lab, tuner.best, 0.1).worse
    assert figures[1]["noise_level"] == pytest.approx(1.0 / 3.0, rel=0.1)
    assert figures[2]["misjudged"] < 0.0


def test_the_parts_of_the_improvement_condition_are_told() -> None:
    lab = noisy_lab(0.3, 0.8)
    _, figures = tuned(lab, Gift(**{**QUICK, "rounds": 1}))
    said = figures[2]
    assert said["slope_norm"] > 0.0
    assert said["predicted_gain"] > 0.0
    margin = said["improvement_margin"]
    assert said["improvement_holds"] == float(margin > 0.0)
    assert {"residual_norm", "bend", "direction_norm", "slope_along"} <= set(said)
    assert said["predicted_gain"] == pytest.approx(
        0.5 * said["misjudged"] ** 2 * said["slope_along"] * said["direction_norm"]
    )


def test_one_direction_for_each_kind_of_source_is_searched_in_turn() -> None:
    lab = noisy_lab(0.3, 0.8)
    method = Gift(**{**QUICK, "rounds": 2}, sources="kinds")
    assert method.groups(network(0.3)).tolist() == [[1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]]
    state = method.begin(lab.problem, lab.problem.limits.theta(lab.start))
    assert state.memory["level"].tolist() == [1.0, 1.0]
    _, figures = tuned(lab, method)
    assert "noise_level_1" in figures[1]
    assert len([step for step in figures if "moved" in step]) == 2


def test_parameters_that_are_put_back_take_their_noise_level_with_them() -> None:
    lab, method = noisy_lab(0.3, 0.8), Gift(**{**QUICK, "repeats": 0, "significance": 0.4})
    theta = lab.problem.limits.theta(lab.start)
    state = method.begin(lab.problem, theta)
    path = np.vstack((state.memory["path"], [[2.0 * np.linalg.norm(theta), 1.7]]))
    later = State(2.0 * theta, {**state.memory, "path": path, "level": np.array([1.7])})
    back = method.moved(lab.problem, later, theta)
    assert back.memory["level"].tolist() == [1.0]
    assert len(back.memory["path"]) == 1
    stays = method.moved(lab.problem, later, 2.0 * theta)
    assert stays.memory["level"].tolist() == [1.7]


def test_any_model_does_with_noise_at_its_outputs() -> None:
    lab = small_lab()
    with pytest.raises(PlanError, match="output_noise"):
        Tuner(lab.device, lab.problem, Gift(batch=32), TuningPlan(6000), lab.start)
    method = Gift(batch=64, samples=64, rounds=2, relative_noise=1e-3, output_noise=1e-6)
    assert method.model(lab.problem).sources == ("outputs", "relative")
    # a chip that is as it was designed, whose detectors scatter by a thousandth of what they see
    _, figures = tuned(replace(lab, device=EmulatedMeshNetwork(lab.problem.model)), method)
    assert figures[1]["noise_level"] == pytest.approx(1.0, rel=0.2)
    assert figures[2]["slope_norm"] >= 0.0


def test_it_is_told_that_there_is_no_model() -> None:
    lab = small_lab()
    with pytest.raises(PlanError, match="differentiable model"):
        Gift().check(replace(lab.problem, model=None), lab.device)


@pytest.mark.parametrize(
    "settings",
    [
        {"rounds": 0},
        {"repeats": 1},
        {"stride": 0.0},
        {"assumed": -1.0},
        {"sources": "some"},
        {"curvature": "none"},
        {"significance": 0.7},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        Gift(**settings)  # type: ignore[arg-type]
