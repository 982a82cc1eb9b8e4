"""How warm heaters are: against the exponential, against an integrator, and however it is asked for."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from simulators.bench.optics.courses import Restless
from simulators.bench.optics.warmth import MEMORY, Warmth, felt_powers
from simulators.instruments.path import Path

OHM, RISE_PER_W, THERMAL_s = 1e3, 1.5, 1e-3


def power(volts):
    """P of R = R0 (1 + rho P), by the quadratic formula."""
    cold = volts**2 / OHM
    return (np.sqrt(1.0 + 4.0 * RISE_PER_W * cold) - 1.0) / (2.0 * RISE_PER_W)


class Source(Path):
    """A path that can say that it rests."""

    def resting_V(self, start_s, stop_s):
        return self.resting(start_s)


def stepped(*corners, kind=Source):
    path = kind()
    times_s, volts = np.array(corners).T
    path.extend(times_s, volts, np.ones(len(times_s), dtype=bool))
    return path


def test_a_step_is_followed_along_the_exponential():
    after_s = np.array([0.0, 1e-6, 1e-4, 1e-3, 5e-3, 13e-3])
    corners_s, corners_V = np.array([[0.0], [1e-3], [1e-3]]), np.array([[2.0], [2.0], [5.0]])
    felt_W = felt_powers(1e-3 + after_s, corners_s, corners_V, power, THERMAL_s)[:, 0]
    expected_W = power(5.0) + (power(2.0) - power(5.0)) * np.exp(-after_s / THERMAL_s)
    np.testing.assert_allclose(felt_W, expected_W, rtol=1e-12)


@pytest.mark.parametrize("ramp_s", [5e-6, 75e-6, 2e-3, 50e-3])
def test_a_ramp_is_followed_as_an_integrator_does(ramp_s):
    source = stepped((1e-3, 0.0), (1e-3 + ramp_s, 9.0))
    stop_s = 1e-3 + ramp_s + 4e-3
    asked_s = np.linspace(0.5e-3, stop_s, 23)
    felt_W = Warmth([source], power, THERMAL_s).during(0.5e-3, stop_s).felt_W(asked_s)[:, 0]
    found = solve_ivp(
        lambda t, y: (power(source.at(t)) - y) / THERMAL_s,
        (0.0, stop_s),
        [0.0],
        t_eval=asked_s,
        rtol=1e-10,
        atol=1e-14,
        max_step=ramp_s / 4,
    )
    np.testing.assert_allclose(felt_W, found.y[0], atol=3e-6 * power(9.0))


@pytest.mark.parametrize("restless", [False, True])
def test_it_is_the_same_in_whatever_order_it_is_asked_for(restless):
    paths = [
        stepped((1e-3, 0.0), (1.1e-3, 4.0), (3e-3, 4.0), (3.05e-3, 1.0)),
        stepped((2e-3, 0.0), (2.02e-3, 7.0)),
        stepped((0.0, 0.0)),
    ]
    sources = [Restless(path) for path in paths] if restless else paths
    spans = [(k * 0.6e-3, k * 0.6e-3 + 0.9e-3) for k in range(40)]
    alone = [Warmth(sources, power, THERMAL_s).during(*span).felt_W(np.array(span)) for span in spans]
    together = Warmth(sources, power, THERMAL_s)
    for k in (*range(40), *reversed(range(40)), *np.random.default_rng(1).permutation(40)):
        found = together.during(*spans[k]).felt_W(np.array(spans[k]))
        np.testing.assert_allclose(found, alone[k], rtol=1e-5, atol=2.0 * np.exp(-MEMORY) * power(7.0))


def test_a_new_voltage_is_noticed_and_a_rest_moves_nothing():
    source = stepped((1e-3, 0.0), (1.1e-3, 4.0))
    warmth = Warmth([source], power, THERMAL_s)
    assert len(warmth.during(2e-3, 3e-3).moves_s) == 1
    rested = warmth.during(0.05, 0.06)
    assert len(rested.moves_s) == 0
    assert rested.felt_W(np.array([0.05]))[0, 0] == power(4.0)
    source.extend(np.array([0.1, 0.10001]), np.array([4.0, 2.0]), np.array([True, False]))
    again_W = warmth.during(0.101, 0.102).felt_W(np.array([0.101]))[0, 0]
    expected_W = power(2.0) + (power(4.0) - power(2.0)) * np.exp(-(1e-3 - 5e-6) / THERMAL_s)
    assert again_W == pytest.approx(expected_W, rel=1e-3)
