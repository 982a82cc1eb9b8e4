"""Points held one after another: lengths, slopes and which sample reads which point."""

import numpy as np
import pytest

from calibration.errors import PlanError
from calibration.sampling.holding import Holding, whole_samples

POINTS = np.array([[0.2, -0.6], [-0.4, 0.1], [0.2, 0.1]])


def test_from_rest_to_rest() -> None:
    holding = Holding(plateau=4, settling=1, slope=3)
    rest = np.zeros(2)
    wave, owners = holding.waveform(POINTS, rest), holding.owners(3, at_rest=True)
    assert len(wave) == len(owners) == holding.samples(3, at_rest=True) == 1 + 3 + 3 * 4 + 2 * 3 + 3 + 1
    np.testing.assert_array_equal(wave[[0, -1]], 0.0)
    for k, point in enumerate(POINTS):
        assert (owners == k).sum() == 3
        np.testing.assert_array_equal(wave[owners == k], np.tile(point, (3, 1)))
        first = np.flatnonzero(owners == k)[0]
        np.testing.assert_array_equal(wave[first - 1], point)  # it stands there while it settles
    # a slope of three samples has four equal steps
    np.testing.assert_allclose(np.diff(wave[:5], axis=0), np.tile(POINTS[0] / 4.0, (4, 1)))


def test_without_rest_it_starts_and_ends_on_a_point() -> None:
    holding = Holding(plateau=2, settling=0, slope=0)
    np.testing.assert_array_equal(holding.waveform(POINTS), np.repeat(POINTS, 2, axis=0))
    np.testing.assert_array_equal(holding.owners(3), [0, 0, 1, 1, 2, 2])


def test_a_whole_number_of_samples_does_not_become_one_more() -> None:
    assert whole_samples(3 * 0.1, 10.0) == 3
    assert whole_samples(0.3001, 10.0) == 4
    assert whole_samples(0.0, 10.0) == 0


def test_settling_as_long_as_the_plateau_is_refused() -> None:
    with pytest.raises(PlanError, match="at least 6"):
        Holding(plateau=5, settling=5, slope=0)
