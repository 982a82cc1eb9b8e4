"""Fringes with known phases, periods and noise come back within their errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.mesh.fringe import fit_fringe, fringe_phases

GAMMA = np.pi / 0.02


def fringe(
    phase: float, stretch: float, visibility: float, points: int, span: float
) -> tuple[np.ndarray, np.ndarray]:
    watts = np.linspace(0.0, span * 0.02, points)
    return watts, 1e-5 * (1.0 + visibility * np.cos(stretch * GAMMA * watts + phase))


@settings(max_examples=60, deadline=None)
@given(
    phase=st.floats(-3.14, 3.14),
    stretch=st.floats(0.82, 1.18),
    visibility=st.floats(0.2, 1.0),
    points=st.integers(12, 40),
    span=st.floats(2.0, 4.0),
    seed=st.integers(0, 1000),
)
def test_it_is_found_within_its_errors(
    phase: float, stretch: float, visibility: float, points: int, span: float, seed: int
) -> None:
    watts, light = fringe(phase, stretch, visibility, points, span)
    noise = np.hypot(1e-9, 1e-3 * light)
    read = light + noise * np.random.default_rng(seed).standard_normal(points)
    found = fit_fringe(watts, read, noise, GAMMA)
    assert found is not None
    assert abs(np.angle(np.exp(1j * (found.phase_rad - phase)))) < 6.0 * found.phase_error_rad
    assert abs(found.gamma_rad_per_W - stretch * GAMMA) < 6.0 * found.gamma_error_rad_per_W
    assert abs(found.visibility - visibility) < 6.0 * found.visibility_error
    assert found.residual_over_noise < 2.0
    np.testing.assert_allclose(found.at(watts), light, atol=6e-3 * light.max())


def test_readings_that_are_missing_are_left_out() -> None:
    watts, light = fringe(0.7, 1.02, 0.9, 24, 3.5)
    light[light > 1.6e-5] = np.nan
    found = fit_fringe(watts, light, np.full(24, 1e-9), GAMMA)
    assert found is not None
    assert found.phase_rad == pytest.approx(0.7, abs=1e-4)


def test_noise_alone_is_no_fringe_to_speak_of() -> None:
    rng = np.random.default_rng(1)
    watts = np.linspace(0.0, 0.07, 24)
    found = fit_fringe(watts, 1e-10 * (1.0 + rng.standard_normal(24)), np.full(24, 1e-10), GAMMA)
    assert found is None or found.significance < 5.0


def test_too_little_is_not_fitted() -> None:
    watts, light = fringe(0.7, 1.0, 0.9, 24, 0.9)
    assert fit_fringe(watts, light, np.full(24, 1e-9), GAMMA) is None  # less than half a turn
    watts, light = fringe(0.7, 1.0, 0.9, 4, 3.0)
    assert fit_fringe(watts, light, np.full(4, 1e-9), GAMMA) is None
    assert fit_fringe(watts, np.zeros(4), np.full(4, 1e-9), GAMMA) is None


def test_a_curve_that_is_no_fringe_leaves_much_more_than_the_noise() -> None:
    watts = np.linspace(0.0, 0.07, 24)
    found = fit_fringe(watts, 1e-5 * (1.0 + (watts > 0.03)), np.full(24, 1e-8), GAMMA)
    assert found is None or (found.residual > 0.1 and found.residual_over_noise > 10.0)


@settings(max_examples=40, deadline=None)
@given(phase=st.floats(-3.0, 3.0), span=st.floats(0.5, 1.5))
def test_phases_from_four_points(phase: float, span: float) -> None:
    turns = np.linspace(0.0, span * np.pi, 4)
    light = 3.0 * (1.0 + 0.6 * np.cos(np.stack((turns + phase, turns + phase + 0.02))))
    phases, errors = fringe_phases(np.stack((turns, turns)), light, np.full((2, 4), 1e-6))
    np.testing.assert_allclose(np.exp(1j * phases), np.exp(1j * np.array([phase, phase + 0.02])), atol=1e-9)
    assert (errors > 0.0).all()
    assert (errors < 1e-4).all()
