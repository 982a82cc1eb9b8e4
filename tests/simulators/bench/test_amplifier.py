import numpy as np
import pytest
from scipy.integrate import solve_ivp

from simulators.bench.analog.amplifier import Amplifier, AmplifierFacts
from simulators.bench.analog.noise import FilteredNoise
from simulators.instruments.path import Knots

QUIET = {"offset_V": 0.0, "saturation_V": 1e9, "hum_V": 0.0, "hum_Hz": 50.0, "hum_phase": 0.0, "noise_V": 0.0}


class Current:
    """A piecewise-linear current."""

    def __init__(self, times_s, amperes):
        self.corners = Knots(np.asarray(times_s), np.asarray(amperes), np.ones(len(times_s), dtype=bool))

    def knots(self, starts_s, stops_s, from_s):
        times = np.unique(np.concatenate((self.corners.times_s, [from_s, stops_s[-1]])))
        times = times[(times >= from_s) & (times <= stops_s[-1])]
        return Knots(times, self.corners.at(times), np.ones(len(times), dtype=bool))


def amplifier(current, **facts):
    built = Amplifier(
        AmplifierFacts(**({"gain_V_per_A": 1e7, "bandwidth_Hz": 300.0} | QUIET | facts)),
        np.random.default_rng(1),
    )
    built.currents.append(current)
    return built


def test_the_response_is_that_of_the_differential_equation():
    times = np.array([0.0, 1e-3, 1.2e-3, 3e-3, 3.0001e-3, 6e-3])
    amperes = np.array([0.0, 0.0, 5e-8, -3e-8, 2e-8, 2e-8])
    starts, stops = np.array([1.0e-3, 1.5e-3, 2.9e-3, 4e-3]), np.array([1.4e-3, 2.5e-3, 3.3e-3, 5e-3])
    tau = 1 / (2 * np.pi * 300.0)

    def slope(t, state):
        drive = 1e7 * np.interp(t, times, amperes)
        return [(drive - state[0]) / tau, state[0]]

    solved = solve_ivp(slope, (0, 6e-3), [0.0, 0.0], rtol=1e-10, atol=1e-13, max_step=1e-5, dense_output=True)
    expected = (solved.sol(stops)[1] - solved.sol(starts)[1]) / (stops - starts)
    np.testing.assert_allclose(amplifier(Current(times, amperes)).means(starts, stops), expected, atol=2e-8)


def test_reading_in_pieces_gives_what_reading_at_once_gives():
    rng = np.random.default_rng(5)
    current = Current(np.arange(200) * 1e-3, 1e-8 * rng.normal(size=200))
    starts = 0.02 + 1e-3 * np.arange(150)
    whole = amplifier(current).means(starts, starts + 2e-4)
    parts = amplifier(current)
    pieces = [parts.means(starts[k : k + 7], starts[k : k + 7] + 2e-4) for k in range(0, 150, 7)]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-9)


def test_saturation_clips_what_the_meter_averages():
    current = Current([0.0, 1.0, 1.0001, 3.0], [0.0, 0.0, 8e-7, 8e-7])
    built = amplifier(current, saturation_V=4.0, bandwidth_Hz=3e3, offset_V=-0.05)
    starts = np.array([0.5, 0.99995, 2.0])
    low, edge, high = built.means(starts, starts + 3e-4)
    assert low == pytest.approx(-0.05)
    assert high == 4.0
    assert -0.05 < edge < 4.0


def test_an_inverting_amplifier_turns_the_sign():
    current = Current([0.0, 1.0], [1e-8, 1e-8])
    assert amplifier(current, gain_V_per_A=-1e7).means(np.array([0.5]), np.array([0.6]))[0] == pytest.approx(
        -0.1
    )


def test_hum_is_averaged_over_the_window():
    built = amplifier(Current([0.0, 1.0], [0.0, 0.0]), hum_V=1.0, hum_phase=0.3)
    starts = np.linspace(0.1, 0.9, 40)
    whole_cycle = built.means(starts, starts + 0.02)
    np.testing.assert_allclose(whole_cycle, 0.0, atol=1e-12)
    fine = np.linspace(0, 5e-3, 20001)
    part = amplifier(Current([0.0, 1.0], [0.0, 0.0]), hum_V=1.0, hum_phase=0.3).means(starts, starts + 5e-3)
    expected = [np.trapezoid(np.sin(2 * np.pi * 50 * (s + fine) + 0.3), fine) / 5e-3 for s in starts]
    np.testing.assert_allclose(part, expected, atol=1e-7)


@pytest.mark.parametrize("regular", [True, False])
def test_noise_has_the_moments_of_filtered_white_noise(regular):
    tau, aperture, gap = 1.0, 0.7, 0.4
    noise = FilteredNoise(2.0, tau, np.random.default_rng(8))
    n = 40_000
    pitch = np.full(n, aperture + gap)
    if not regular:
        pitch[::2] += 1e-6
    starts = np.cumsum(pitch)
    means = noise.means(starts, starts + aperture)
    h = aperture / tau
    variance = 4.0 * 2.0 / h**2 * (h - 1 + np.exp(-h))
    neighbours = 4.0 * np.exp(-gap / tau) * ((1 - np.exp(-h)) / h) ** 2
    assert means.var() == pytest.approx(variance, rel=0.05)
    assert np.mean(means[1:] * means[:-1]) == pytest.approx(neighbours, rel=0.08)
    assert abs(means.mean()) < 0.1


def test_noise_is_the_same_for_the_same_seed_and_none_if_none_is_asked_for():
    starts = np.arange(5.0)
    once, again = (
        FilteredNoise(1.0, 0.1, np.random.default_rng(2)).means(starts, starts + 0.5) for _ in "ab"
    )
    np.testing.assert_array_equal(once, again)
    assert not FilteredNoise(0.0, 0.1, np.random.default_rng(2)).means(starts, starts + 0.5).any()
