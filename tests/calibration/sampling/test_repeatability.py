import json

import numpy as np
import pytest

from calibration.errors import NotEnoughData, ShapeError
from calibration.sampling.repeatability import repeatability

TIMES_s = np.arange(12) * 300.0
HOURS = TIMES_s / 3600


def device(
    rng: np.random.Generator,
    *,
    gain_per_hour: float = 0.0,
    offset_per_hour: float = 0.0,
    a: float = 0.0,
    b: float = 0.1,
    samples: int = 1500,
) -> tuple[np.ndarray, np.ndarray]:
    """Repeats of one stimulus by a device with known drift and noise, and its undisturbed answer, in nA."""
    truth = 20 * rng.standard_t(4, size=(1, samples, 1))
    drifted = truth * (1 + gain_per_hour * HOURS[:, None, None]) + offset_per_hour * HOURS[:, None, None]
    return drifted + (a * np.abs(truth) + b) * rng.standard_normal((12, samples, 1)), truth


def test_finds_hidden_drift_and_noise() -> None:
    outputs, _ = device(np.random.default_rng(1), gain_per_hour=0.05, offset_per_hour=-0.4, a=0.012, b=0.3)
    found = repeatability(outputs, TIMES_s)
    gain, offset = found.drift.gain_rate, found.drift.offset_rate
    # The gain is relative to the mean of the run, half an hour's drift above the start.
    assert gain.per_hour[0] == pytest.approx(
        0.05 / (1 + 0.05 * HOURS.mean()), abs=4 * gain.uncertainty_per_hour[0]
    )
    assert offset.per_hour[0] == pytest.approx(-0.4, abs=4 * offset.uncertainty_per_hour[0] + 0.02)
    assert gain.uncertainty_per_hour[0] < 0.002
    assert found.noise.a[0] == pytest.approx(0.012, abs=4 * found.noise.a_uncertainty[0])
    assert found.noise.b[0] == pytest.approx(0.3, abs=4 * found.noise.b_uncertainty[0])
    assert found.noise.a_uncertainty[0] < 0.001


def test_uncertainties_mean_what_they_say() -> None:
    pulls = []
    for seed in range(60):
        outputs, _ = device(np.random.default_rng(seed), gain_per_hour=0.02, a=0.01, b=0.2, samples=300)
        found = repeatability(outputs, TIMES_s)
        expected_gain = 0.02 / (1 + 0.02 * HOURS.mean())
        pulls.append(
            [
                (found.drift.gain_rate.per_hour[0] - expected_gain)
                / found.drift.gain_rate.uncertainty_per_hour[0],
                (found.noise.a[0] - 0.01) / found.noise.a_uncertainty[0],
                (found.noise.b[0] - 0.2) / found.noise.b_uncertainty[0],
            ]
        )
    spread = np.std(pulls, axis=0)
    assert np.all(spread > 0.6)
    assert np.all(spread < 1.4)
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.5)


def test_repeatability_is_free_of_drift_and_of_bias() -> None:
    outputs, _ = device(np.random.default_rng(2), gain_per_hour=0.1, offset_per_hour=2.0, b=0.25)
    found = repeatability(outputs, TIMES_s)
    assert found.repeatability[0] == pytest.approx(0.25, rel=0.02)
    assert found.with_drift[0] > 3 * found.repeatability[0]
    # A step of 5 minutes still carries a twelfth of the drift: more than the noise, far less than all of it.
    assert found.repeatability[0] < found.short_term[0] < 0.4 * found.with_drift[0]


def test_few_repeats_and_samples_are_not_biased_low() -> None:
    squares = []
    for seed in range(400):
        noise = np.random.default_rng(seed).standard_normal((2, 10, 1))
        found = repeatability(10 * np.linspace(-1, 1, 10)[None, :, None] + noise, TIMES_s[:2])
        squares.append(found.repeatability[0] ** 2)
    assert np.mean(squares) == pytest.approx(1.0, rel=0.1)


def test_a_charge_jump_shows_in_the_residual_only_where_it_happened() -> None:
    rng = np.random.default_rng(3)
    outputs, truth = device(rng, b=0.05)
    outputs[9:10] += 3 * np.sin(truth / 5)
    found = repeatability(outputs, TIMES_s)
    quiet = np.delete(found.drift.residual[:, 0], 9)
    assert found.drift.residual[9, 0] > 5 * quiet.max()


def test_each_output_has_its_own_figures() -> None:
    one, _ = device(np.random.default_rng(4), b=0.1, offset_per_hour=1.0)
    two, _ = device(np.random.default_rng(5), b=0.4)
    both = repeatability(np.concatenate([one, two], axis=2), TIMES_s)
    for column, alone in enumerate((one, two)):
        single = repeatability(alone, TIMES_s)
        assert both.repeatability[column] == pytest.approx(single.repeatability[0])
        assert both.drift.offset_rate.per_hour[column] == pytest.approx(single.drift.offset_rate.per_hour[0])
        np.testing.assert_allclose(both.noise.bins_sigma[:, column], single.noise.bins_sigma[:, 0])


def test_asymmetric_noise_shows_in_the_bins() -> None:
    rng = np.random.default_rng(6)
    truth = rng.uniform(-50, 50, (1, 2000, 1))
    sigma = np.where(truth < 0, 0.04, 0.01) * np.abs(truth) + 0.1
    found = repeatability(truth + sigma * rng.standard_normal((12, 2000, 1)), TIMES_s)
    edge = found.noise.bins_sigma[[0, -1], 0]
    assert found.noise.bins_output[0, 0] < -45
    assert edge[0] == pytest.approx(0.04 * 48 + 0.1, rel=0.1)
    assert edge[1] == pytest.approx(0.01 * 48 + 0.1, rel=0.1)


def test_samples_bad_in_one_repeat_are_left_out_of_all() -> None:
    outputs, _ = device(np.random.default_rng(7), b=0.1)
    clean = repeatability(outputs[:, 40:], TIMES_s)
    good = np.ones(outputs.shape[:2], dtype=bool)
    good[3, :20] = False
    outputs[3, :20] = 1e6
    outputs[5, 20:40] = np.nan
    found = repeatability(outputs, TIMES_s, good)
    assert found.samples == 1460
    assert found.repeatability[0] == pytest.approx(clean.repeatability[0])


def test_an_output_that_never_moves_has_gain_one() -> None:
    rng = np.random.default_rng(8)
    outputs = np.full((12, 100, 1), 5.0) + HOURS[:, None, None]
    found = repeatability(outputs, TIMES_s)
    np.testing.assert_array_equal(found.drift.gain, 1.0)
    assert found.drift.offset_rate.per_hour[0] == pytest.approx(1.0)
    assert found.noise.sigma(np.array([[5.0]]))[0, 0] == pytest.approx(0.0, abs=1e-12)
    assert repeatability(0.1 * rng.standard_normal((12, 100, 1)), TIMES_s).repeatability[0] == pytest.approx(
        0.1, rel=0.1
    )


def test_amperes_work_as_well_as_nanoamperes() -> None:
    outputs, _ = device(np.random.default_rng(9), a=0.01, b=0.2, gain_per_hour=0.01)
    nano, ampere = repeatability(outputs, TIMES_s), repeatability(outputs * 1e-9, TIMES_s)
    assert ampere.noise.a[0] == pytest.approx(nano.noise.a[0], rel=1e-4)
    assert ampere.noise.b[0] == pytest.approx(nano.noise.b[0] * 1e-9, rel=1e-4)
    assert ampere.repeatability[0] == pytest.approx(nano.repeatability[0] * 1e-9)


def test_the_figures_are_plain_json() -> None:
    outputs, _ = device(np.random.default_rng(10))
    figures = json.loads(json.dumps(repeatability(outputs, TIMES_s).as_dict(), allow_nan=False))
    assert figures["repeats"] == 12
    assert len(figures["drift"]["gain"]) == 12
    assert figures["noise"]["b"][0] == pytest.approx(0.1, rel=0.1)


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(NotEnoughData, match="1 repeats"):
        repeatability(np.zeros((1, 50, 1)), np.zeros(1))
    with pytest.raises(NotEnoughData, match="7 samples"):
        repeatability(np.zeros((3, 7, 1)), np.arange(3.0))
    with pytest.raises(NotEnoughData, match="same time"):
        repeatability(np.zeros((3, 70, 1)), np.zeros(3))
    with pytest.raises(ShapeError):
        repeatability(np.zeros((3, 70)), np.arange(3.0))
    with pytest.raises(ShapeError):
        repeatability(np.zeros((3, 70, 1)), np.arange(3.0), np.ones((3, 69), dtype=bool))


def test_noise_alone_is_no_change() -> None:
    for seed in range(20):
        outputs, _ = device(np.random.default_rng(seed), a=0.05, b=5.0, samples=100)
        assert repeatability(outputs, TIMES_s).change.of_spread[0] == 0.0


@pytest.mark.parametrize("repeats", [2, 3, 12])
def test_a_device_that_became_another_one_is_told_with_the_moment(repeats: int) -> None:
    rng = np.random.default_rng(3)
    outputs, truth = device(rng, b=0.5)
    outputs = outputs[:repeats]
    moment = repeats // 2
    changed = 0.4 * truth[0, :, 0].std() * rng.standard_normal(truth.shape[1])
    outputs[moment:, :, 0] += changed
    shuffled = rng.permutation(repeats)
    found = repeatability(outputs[shuffled], TIMES_s[:repeats][shuffled]).change
    assert found.before == moment - 1
    assert found.size[0] == pytest.approx(np.sqrt((changed**2).mean()), rel=0.05)
    assert found.of_spread[0] == pytest.approx(0.4, rel=0.12)


def test_a_steady_drift_adds_up_to_a_change() -> None:
    outputs, _ = device(np.random.default_rng(4), gain_per_hour=0.5)
    found = repeatability(outputs, TIMES_s).change
    assert found.of_spread[0] == pytest.approx(0.5 * HOURS[-1] / (1.0 + 0.5 * HOURS.mean()), rel=0.05)
