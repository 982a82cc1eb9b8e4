import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from simulators.instruments.path import Knots, Path, staircase

voltages = st.lists(st.floats(-10, 10), min_size=1, max_size=30).map(np.array)


def test_a_mean_is_the_integral_over_the_window():
    rng = np.random.default_rng(3)
    corners = Knots(np.sort(rng.uniform(0, 1, 20)), rng.normal(size=20), np.ones(20, dtype=bool))
    starts = np.array([-0.2, 0.1, 0.35, 0.9])
    stops = np.array([0.05, 0.2, 0.8, 1.3])
    for start, stop, mean in zip(starts, stops, corners.means(starts, stops), strict=True):
        inside = corners.times_s[(corners.times_s > start) & (corners.times_s < stop)]
        area, _ = quad(lambda t: corners.at(np.array([t]))[0], start, stop, points=inside, limit=200)
        assert mean == pytest.approx(area / (stop - start), abs=1e-9)


def test_a_new_plan_replaces_the_future_and_leaves_the_past():
    path = Path()
    path.extend(np.array([1.0, 3.0]), np.array([0.0, 2.0]), np.array([True, False]))
    assert path.cut(2.0) == pytest.approx(1.0)
    assert path.at(1.5) == pytest.approx(0.5)
    assert path.at(9.0) == pytest.approx(1.0)
    path.extend(np.array([4.0, 5.0]), np.array([1.0, -1.0]), np.array([True, False]))
    assert path.at(4.5) == pytest.approx(0.0)


def test_a_path_neither_jumps_nor_goes_back_in_time():
    path = Path(0.5)
    with pytest.raises(ValueError, match="continuous"):
        path.extend(np.array([1.0]), np.array([0.7]), np.array([True]))
    path.extend(np.array([1.0, 2.0]), np.array([0.5, 0.7]), np.array([True, False]))
    with pytest.raises(ValueError, match="forwards"):
        path.extend(np.array([1.5]), np.array([0.7]), np.array([True]))


def test_pruned_history_changes_nothing_later():
    path = Path()
    path.extend(np.arange(1.0, 11.0), np.arange(10.0) / 10.0, np.ones(10, dtype=bool))
    before = path.knots(6.2, 9.0)
    path.prune(6.0)
    assert path.begin_s == 6.0
    for kept, now in zip(before, path.knots(6.2, 9.0), strict=True):
        np.testing.assert_array_equal(kept, now)


@given(voltages, st.floats(0, 1e7), st.floats(0.1, 1e5))
def test_the_slew_limit_holds_at_any_time_of_a_long_session(targets, start, slew):
    corners = staircase(start, 0.0, targets, 1e-3, slew, 1e-6)
    steps, moves = np.diff(corners.times_s), np.abs(np.diff(corners.values))
    inside = corners.opens[:-1] & (steps < 0.999e-3)  # a move that fills its dwell can only be as exact
    assert np.all(moves[inside] <= slew * steps[inside] * (1 + 1e-12))


@given(voltages, st.floats(-10, 10), st.floats(0.1, 1e6), st.floats(1e-5, 1.0))
def test_a_staircase_keeps_the_slew_limit_and_goes_as_far_as_it_can(targets, value, slew, dwell):
    corners = staircase(2.0, value, targets, dwell, slew, 1e-6)
    steps, moves = np.diff(corners.times_s), np.abs(np.diff(corners.values))
    assert np.all(steps >= 0.0)
    assert np.all(moves <= slew * steps * (1 + 1e-6) + 1e-9)
    assert corners.times_s[-1] <= 2.0 + dwell * len(targets) * (1 + 1e-9)
    reached = value
    for k, target in enumerate(targets):
        reached += np.clip(target - reached, -slew * dwell, slew * dwell)
        assert corners.values[2 * k + 1] == pytest.approx(reached, abs=1e-9)
