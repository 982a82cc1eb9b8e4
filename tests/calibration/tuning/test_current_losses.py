"""Losses of currents: against formulas that numpy has, and what they must not care about."""

import numpy as np
import pytest
import torch
from scipy import stats

from calibration.errors import PlanError, ReadingFailed
from calibration.tasks import boolean_gate
from calibration.tuning import Correlation, RightSide, SoftMargin, compared, tuning_task
from calibration.tuning.task import Loss

XOR = torch.tensor([0, 1, 1, 0])


def nA(*values: float) -> torch.Tensor:
    return 1e-9 * torch.tensor(values, dtype=torch.float64)[:, None]


def test_the_mean_of_the_correlation_loss_is_one_minus_pearsons_r() -> None:
    rng = np.random.default_rng(0)
    current, labels = rng.normal(size=40), rng.integers(0, 2, 40)
    loss = Correlation(noise_A=1e-20)(1e-9 * torch.as_tensor(current)[:, None], torch.as_tensor(labels))
    assert float(loss.mean()) == pytest.approx(1.0 - stats.pearsonr(current, labels).statistic, abs=1e-9)
    reverse = Correlation(noise_A=1e-20, high=0)(
        1e-9 * torch.as_tensor(current)[:, None], torch.as_tensor(labels)
    )
    assert float(reverse.mean()) == pytest.approx(1.0 + stats.pearsonr(current, labels).statistic, abs=1e-9)


def test_a_soft_margin_is_the_mean_over_pairs() -> None:
    outputs, unit = nA(1.0, 5.0, 4.0, 2.0), 0.5 * np.std([1.0, 5.0, 4.0, 2.0])
    loss = SoftMargin(noise_A=1e-20, share=0.5, margin=1.5)(outputs, XOR)
    soft = [[np.log1p(np.exp(1.5 - (high - low) / unit)) for low in (1.0, 2.0)] for high in (5.0, 4.0)]
    expected = [
        np.mean([soft[0][0], soft[1][0]]),
        np.mean(soft[0]),
        np.mean(soft[1]),
        np.mean([soft[0][1], soft[1][1]]),
    ]
    np.testing.assert_allclose(loss, expected, rtol=1e-9)


@pytest.mark.parametrize("loss", [Correlation(1e-10), SoftMargin(1e-10)], ids=["correlation", "margin"])
class TestLosses:
    def test_they_know_no_threshold_and_no_scale(self, loss: Loss) -> None:
        outputs = nA(1.0, 60.0, 45.0, 20.0)
        there = loss(outputs, XOR)
        torch.testing.assert_close(loss(outputs + 3e-8, XOR), there, rtol=1e-9, atol=0.0)
        # up to the noise, which is far below these currents
        torch.testing.assert_close(loss(3.0 * outputs, XOR), there, rtol=1e-4, atol=1e-4)

    def test_right_is_better_than_half_right_than_nothing_than_wrong(self, loss: Loss) -> None:
        levels = [
            nA(0.0, 9.0, 9.0, 0.0),
            nA(0.0, 9.0, 0.0, 0.0),
            nA(0.0, 0.0, 0.0, 0.0),
            nA(9.0, 0.0, 0.0, 9.0),
        ]
        means = [float(loss(outputs, XOR).mean()) for outputs in levels]
        assert means == sorted(means)
        assert len(set(means)) == 4

    def test_what_the_noise_hides_is_no_gain(self, loss: Loss) -> None:
        whisper, voice = loss(nA(0.0, 0.01, 0.01, 0.0), XOR).mean(), loss(nA(0.0, 9.0, 9.0, 0.0), XOR).mean()
        silence = loss(nA(0.0, 0.0, 0.0, 0.0), XOR).mean()
        assert float(silence - whisper) < 0.15 * float(silence - voice)

    def test_the_derivative_is_right(self, loss: Loss) -> None:
        outputs = torch.tensor([[1.0], [5.0], [4.0], [2.0]], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda o: loss(1e-9 * o, XOR), outputs)

    def test_one_class_alone_says_nothing(self, loss: Loss) -> None:
        with pytest.raises(ReadingFailed, match="one class"):
            loss(nA(1.0, 2.0), torch.tensor([1, 1]))


def test_the_share_on_the_right_side_of_the_best_and_of_a_fitted_threshold() -> None:
    train, labels = nA(1.0, 6.0, 5.0, 2.0), XOR
    assert RightSide()(train, labels).tolist() == [1.0] * 4
    assert float(RightSide(high=0)(train, labels).mean()) == 0.5
    fitted = RightSide.fitted(train, labels)
    assert fitted.threshold_A == pytest.approx(3.5e-9)
    # later the chip's offset has drifted: the old threshold shows it, the best one of the day does not
    later = train + 3e-9
    assert fitted(later, labels).tolist() == [0.0, 1.0, 1.0, 0.0]
    assert RightSide()(later, labels).tolist() == [1.0] * 4


def test_a_gate_as_a_task_has_every_point_in_both_halves_of_the_probe_set() -> None:
    gate = boolean_gate("XOR", -0.6, 0.2)
    task = tuning_task(gate, noise_A=1e-10, probes=4)
    np.testing.assert_array_equal(task.training.inputs, gate.points)
    assert len(task.probe) == 16
    for half in np.split(task.probe.inputs, 2):
        np.testing.assert_array_equal(np.unique(half, axis=0), np.unique(gate.points, axis=0))
    with pytest.raises(PlanError, match="even"):
        tuning_task(gate, noise_A=1e-10, probes=3)
    with pytest.raises(PlanError, match="noise_A"):
        tuning_task(gate, noise_A=0.0)


def test_eight_probes_tell_a_gain_at_one_of_four_points() -> None:
    before, after = nA(1.0, 5.0, 2.0, 2.5), nA(1.0, 5.0, 4.5, 2.5)
    noise, rng = 0.05e-9, torch.Generator().manual_seed(0)
    task = tuning_task(boolean_gate("XOR", -0.6, 0.2), noise_A=noise)

    def losses(currents: torch.Tensor) -> torch.Tensor:
        noisy = currents.repeat(8, 1) + noise * torch.randn(32, 1, generator=rng, dtype=torch.float64)
        return task.loss(noisy, task.probe.targets)

    assert compared(losses(after), losses(before), 0.005).better
    assert not compared(losses(before), losses(before), 0.005).better
