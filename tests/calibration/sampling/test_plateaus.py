from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from calibration.device import ChannelGroup
from calibration.errors import PlanError
from calibration.sampling.plan import to_unit_cube
from calibration.sampling.plateaus import SobolPlateaus
from tests.calibration.sampling.channels import DOPANT, channel_groups

PLAN = SobolPlateaus(DOPANT, 1000.0, seed=5, batches=8, points_per_batch=12, plateau_samples=20)


@given(
    channels=channel_groups(),
    rate=st.floats(100, 1e4),
    fraction=st.floats(0.1, 1.0),
    seed=st.integers(0, 2**64 - 1),
)
@settings(max_examples=80, deadline=None)
def test_never_leaves_range_or_slew(channels: ChannelGroup, rate: float, fraction: float, seed: int) -> None:
    # Slow enough limits would make a batch of millions of samples: that is the user's choice, not the test's.
    channels = replace(channels, max_slew=np.maximum(channels.max_slew, 10.0))
    plan = SobolPlateaus(channels, rate, seed, 3, 3, 80, fraction)
    for k in range(3):
        stimulus = plan.stimulus(k)
        assert len(stimulus) == plan.samples_per_batch == len(plan.useful(k))
        assert np.all(stimulus >= channels.low - 1e-12)
        assert np.all(stimulus <= channels.high + 1e-12)
        slew = np.abs(np.diff(stimulus, axis=0)) * rate
        rounding = 1e-12 * rate * np.maximum(np.abs(channels.low), np.abs(channels.high))
        assert np.all(slew <= fraction * channels.max_slew * (1 + 1e-9) + rounding)


def test_useful_samples_stand_still_and_are_settled() -> None:
    plan = replace(PLAN, settling_s=4e-3)
    stimulus, useful = plan.stimulus(2), plan.useful(2)
    assert useful.sum() == 12 * (20 - 4)
    for i in np.flatnonzero(useful):
        np.testing.assert_array_equal(stimulus[i - 4 : i + 1], np.repeat(stimulus[i : i + 1], 5, axis=0))
    np.testing.assert_allclose(np.unique(stimulus[useful], axis=0), np.unique(plan.points(2), axis=0))


def test_the_run_is_one_sobol_sequence() -> None:
    points = to_unit_cube(np.concatenate([PLAN.points(k) for k in range(8)])[:64], DOPANT)
    # Each one-dimensional projection of the first 64 points has exactly one point in each 64th.
    for column in points.T:
        assert sorted((column * 64).astype(int)) == list(range(64))
    assert qmc.discrepancy(points) < 0.5 * qmc.discrepancy(np.random.default_rng(0).random((64, 7)))


def test_a_batch_does_not_depend_on_which_came_before() -> None:
    forward = [PLAN.stimulus(k) for k in range(8)]
    for k in reversed(range(8)):
        np.testing.assert_array_equal(replace(PLAN).stimulus(k), forward[k])
    assert np.abs(PLAN.reseeded(6).stimulus(0) - forward[0]).max() > 0.1


def test_no_slope_without_a_slew_limit() -> None:
    plan = replace(PLAN, channels=replace(DOPANT, max_slew=np.full(7, np.inf)))
    assert plan.samples_per_batch == 12 * 20


def test_a_plateau_that_never_settles_says_what_it_needs() -> None:
    with pytest.raises(PlanError, match="at least 31"):
        replace(PLAN, settling_s=30e-3)
