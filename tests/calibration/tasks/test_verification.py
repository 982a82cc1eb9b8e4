import json

import numpy as np
import pytest

from calibration.device import Device
from calibration.errors import NotEnoughData, PlanError, ShapeError
from calibration.tasks import Acceptance, Solution, boolean_gate, labelled_points, verify
from calibration.tasks.verification import plan_plateaus
from tests.calibration.tasks.synthetic import LEVELS, UNIT_A, BumpDevice

XOR = boolean_gate("XOR", *LEVELS)
TILT = 0.1
# Outputs -B, A, A, B of the device's own arithmetic, at the top of the bump.
TRUTH = UNIT_A * np.array([-TILT, 1.0, 1.0, TILT])
MARGIN = UNIT_A * (1.0 - TILT)


def solution(task=XOR, **changes) -> Solution:
    settings = {
        "task": task.name,
        "inputs": ("a", "b"),
        "controls": ("e", "c", "d"),
        "controls_V": np.array([TILT, 0.31, -0.2]),
        "predicted_A": TRUTH,
        "threshold_A": 0.5 * UNIT_A,
        "high": 1,
        "margin_A": MARGIN,
        "accuracy": 1.0,
        "restart": 0,
    }
    return Solution(**{**settings, **changes})


def verified(device, task=XOR, found=None, **options):
    settings = {"plateau_s": 0.02, "repeats": 6, "rng": np.random.default_rng(1)}
    return verify(device, found or solution(), task, **{**settings, **options})


def test_the_synthetic_chip_is_a_device():
    assert isinstance(BumpDevice(), Device)


def test_a_noiseless_chip_gives_the_exact_margin():
    result = verified(BumpDevice())
    assert result.margin_A == pytest.approx(MARGIN)
    assert result.threshold_A == pytest.approx(0.5 * (UNIT_A + UNIT_A * TILT))
    np.testing.assert_allclose([point.mean_A for point in result.points], TRUTH)
    assert result.prediction_rmse_A == pytest.approx(0.0, abs=1e-20)
    assert (result.plateau_accuracy, result.reading_accuracy, result.passed) == (1.0, 1.0, True)
    assert result.margin_over_noise is None or result.margin_over_noise > 1e6


def test_noise_is_measured_and_eats_margin_as_it_must():
    noise = 0.5e-9
    result = verified(BumpDevice(noise_A=noise), plateau_s=0.1, repeats=20)
    assert result.noise_A == pytest.approx(noise, rel=0.05)
    # The nearest of 40 plateau means of 100 readings on either side: 2.2 standard errors inwards each.
    expected = MARGIN - 2 * 2.2 * noise / 10
    assert result.margin_A == pytest.approx(expected, abs=1.0 * noise / 10)
    assert result.margin_over_noise == pytest.approx(result.margin_A / result.noise_A)
    for point, truth in zip(result.points, TRUTH, strict=True):
        assert point.mean_A == pytest.approx(truth, abs=5 * noise / np.sqrt(2000))
        assert point.spread_A == pytest.approx(noise / 10, rel=0.6)
        assert point.readings == 2000


def test_single_readings_fail_before_their_means_do():
    result = verified(BumpDevice(noise_A=3e-9), plateau_s=0.2, repeats=10)
    assert result.plateau_accuracy == 1.0
    assert 0.85 < result.reading_accuracy < 0.99


def test_settling_is_left_out():
    slow = BumpDevice(lag_s=0.002)
    result = verified(slow, plateau_s=0.03)
    assert result.margin_A == pytest.approx(MARGIN, rel=0.003)
    hasty = verified(slow, plateau_s=0.03, settling_s=0.0)
    assert hasty.margin_A < 0.985 * MARGIN
    assert result.used.sum() == 6 * 4 * 18
    assert hasty.used.sum() == 6 * 4 * 30


def test_controls_reach_their_electrodes_whatever_the_order():
    device = BumpDevice()
    verified(device)
    assert device.held == {"a": 0.0, "b": 0.0, "c": 0.31, "d": -0.2, "e": TILT}


def test_the_waveform_visits_every_point_in_a_new_order_within_the_slew():
    device = BumpDevice()
    result = verified(device, repeats=12)
    (waveform,) = device.waveforms  # the device itself refuses steps beyond its slew limit
    orders = set()
    for repeat in waveform:
        on_level = repeat[np.isin(repeat, LEVELS).all(axis=1)]
        keep = np.r_[True, (np.diff(on_level, axis=0) != 0).any(axis=1)]
        visited = [tuple(point) for point in on_level[keep].tolist()]
        assert sorted(visited) == sorted(map(tuple, XOR.points.tolist()))
        orders.add(tuple(visited))
    assert len(orders) > 6
    assert result.inputs_V.shape == (*result.trace_A.shape, 2)


def test_the_verdict_names_what_was_missed():
    device = BumpDevice(noise_A=1e-9)
    asked = Acceptance(min_margin_A=50e-9, min_margin_over_noise=100.0)
    result = verified(device, acceptance=asked)
    assert not result.passed
    assert "nA, asked for 50 nA" in result.reason
    assert "asked for 100 times" in result.reason
    assert "accuracy" not in result.reason
    assert verified(device, acceptance=Acceptance(min_margin_A=5e-9, min_margin_over_noise=5.0)).passed


def test_a_gate_the_chip_does_not_do_fails():
    task = boolean_gate("XNOR", *LEVELS)
    result = verified(BumpDevice(noise_A=0.1e-9), task, solution(task))
    assert not result.passed
    assert result.margin_A == pytest.approx(-UNIT_A * (1 + TILT), rel=0.1)
    assert result.plateau_accuracy == 0.5
    assert "accuracy 0.5, asked for 1" in result.reason
    upside_down = verified(BumpDevice(noise_A=0.1e-9), task, solution(task, high=0))
    assert upside_down.passed
    assert upside_down.high == 0
    assert upside_down.margin_A == pytest.approx(MARGIN, rel=0.05)


def test_clipped_readings_do_not_count():
    result = verified(BumpDevice(clip_A=0.5 * UNIT_A), task=(mixed := _three_points()), found=_for(mixed))
    assert result.flagged == 6 * 20
    assert not result.passed
    assert "no good reading at point 2" in result.reason
    assert result.points[2].mean_A is None
    with pytest.raises(NotEnoughData, match="every reading of a label was flagged"):
        verified(BumpDevice(clip_A=0.5 * UNIT_A))


def _three_points():
    return labelled_points("mixed", [[-0.2, -0.2], [0.2, 0.2], [0.2, -0.2]], [0, 1, 1])


def _for(task):
    return solution(task, predicted_A=np.zeros(len(task)))


def test_the_result_is_json():
    again = json.loads(json.dumps(verified(BumpDevice(noise_A=1e-10)).as_dict(), allow_nan=False))
    assert again["passed"] is True
    assert again["reason"] == ""
    assert [point["name"] for point in again["points"]] == ["00", "01", "10", "11"]


def test_what_cannot_be_carried_out_is_refused_before_anything_is_driven():
    device = BumpDevice()
    for options, message in (
        ({"plateau_s": 0.002, "settling_s": 0.002}, "settling takes 2 of them; lengthen the plateau"),
        ({"repeats": 1}, "1 repeats show no repeatability"),
        ({"slew_fraction": 0.0}, "slew_fraction"),
    ):
        with pytest.raises(PlanError, match=message):
            verified(device, **options)
    with pytest.raises(PlanError, match=r"0\.7 V on b is outside"):
        verified(device, boolean_gate("XOR", 0.0, [0.1, 0.7]))
    with pytest.raises(ShapeError, match="the device has"):
        verified(device, found=solution(controls=("c", "d", "f")))
    with pytest.raises(ShapeError, match="predicts 2 points, not 4"):
        verified(device, found=solution(predicted_A=np.zeros(2)))
    assert device.waveforms == []
    assert set(device.held.values()) == {0.0}


def test_without_a_slew_limit_there_is_no_slope():
    device = BumpDevice()
    device.inputs.max_slew[:] = np.inf
    plan = plan_plateaus(
        XOR, device.inputs, 1000.0, plateau_s=0.01, settling_s=0.0, repeats=2, rng=np.random.default_rng(0)
    )
    assert plan.inputs_V.shape == (2, 40, 2)
    assert (plan.point >= 0).all()
