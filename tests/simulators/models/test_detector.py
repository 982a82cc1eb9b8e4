"""Noise of detectors and lasers: sample variances beside the formulas, within their own statistical bounds."""

import numpy as np
import pytest

from simulators.errors import ModelError
from simulators.models.detector import Converter, Detector
from simulators.models.laser import Laser

COUNT = 200_000
BOUND = 5.0 * np.sqrt(2.0 / COUNT)  # five standard errors of a normal sample's variance, relative
Q, K = 1.602176634e-19, 1.380649e-23


def relative(sample: np.ndarray, variance: float) -> float:
    return abs(sample.var(ddof=1) / variance - 1.0)


@pytest.mark.parametrize("power", [0.0, 1e-7, 1e-3])
def test_shot_noise_of_light_and_dark_current(power):
    detector = Detector(responsivity_A_per_W=0.8, dark_A=5e-9, bandwidth_Hz=2e6)
    read = detector.read(np.full(COUNT, power), np.random.default_rng(0))
    mean, variance = 0.8 * power + 5e-9, 2 * Q * (0.8 * power + 5e-9) * 2e6
    assert relative(read, variance) < BOUND
    assert abs(read.mean() - mean) < 5 * np.sqrt(variance / COUNT)


def test_thermal_noise_of_a_load_and_of_an_amplifier():
    dark = {"dark_A": 0.0, "bandwidth_Hz": 1e5}
    load = Detector(load_ohm=50.0, temperature_K=290.0, **dark)
    assert relative(load.read(np.zeros(COUNT), np.random.default_rng(1)), 4 * K * 290 * 1e5 / 50) < BOUND
    amplifier = Detector(amplifier_A_per_rtHz=2e-12, **dark)
    assert relative(amplifier.read(np.zeros(COUNT), np.random.default_rng(2)), 4e-24 * 1e5) < BOUND


def test_intensity_noise_is_common_to_all_detectors():
    laser, bandwidth = Laser(power_W=2e-3, rin_dB_per_Hz=-120.0), 1e6
    powers = laser.powers(COUNT, bandwidth, np.random.default_rng(3))
    assert relative(powers, 10**-12 * (2e-3) ** 2 * bandwidth) < BOUND
    detectors = Detector(responsivity_A_per_W=1.0, bandwidth_Hz=bandwidth)
    read = detectors.read(powers[:, None] * [0.5, 0.5], np.random.default_rng(4))
    assert np.corrcoef(read.T)[0, 1] > 0.99
    expected = detectors.variance(1e-3, -120.0)
    assert expected == pytest.approx((2 * Q * (1e-3 + 1e-9) + 10**-12 * 1e-6) * bandwidth)
    assert relative(read[:, 0], float(expected)) < BOUND


def test_a_converter_adds_a_twelfth_of_a_step_squared():
    converter = Converter(full_scale_A=1e-3, bits=8)
    currents = np.random.default_rng(5).uniform(0.0, 1e-3, COUNT)
    error = converter.converted(currents) - currents
    # Rounding errors are uniform: their squares have the relative deviation √(4/5).
    assert abs((error**2).mean() / (converter.step_A**2 / 12) - 1) < 5 * np.sqrt(0.8 / COUNT)
    assert np.abs(error).max() <= converter.step_A / 2 * (1 + 1e-9)
    assert len(np.unique(converter.converted(currents))) == 256


def test_a_converter_saturates_and_says_where():
    converter = Converter(full_scale_A=1e-3, bits=8)
    currents = np.array([-1e-6, 0.0, 1e-3, 1.1e-3])
    np.testing.assert_allclose(converter.converted(currents), [0.0, 0.0, 1e-3, 1e-3])
    assert converter.saturated(currents).tolist() == [True, False, False, True]
    detector = Detector(converter=converter)
    assert detector.read(np.full(100, 1.0), np.random.default_rng(0)).max() == pytest.approx(1e-3)


def test_bits_that_the_noise_leaves():
    # Shot noise alone: SNR = √(i / (2 q B)).
    detector = Detector(responsivity_A_per_W=1.0, dark_A=0.0, bandwidth_Hz=1e6)
    assert detector.bits(1e-3) == pytest.approx(0.5 * np.log2(1e-3 / (2 * Q * 1e6)))
    # Intensity noise alone: SNR = 1 / √(10^(RIN/10) B), whatever the power.
    assert detector.bits(1e3, -120.0) == pytest.approx(np.log2(1e3), abs=1e-3)
    # A converter alone: full scale over step / √12.
    coarse = Detector(responsivity_A_per_W=1.0, dark_A=0.0, bandwidth_Hz=1.0, converter=Converter(1e-3, 8))
    assert coarse.bits(1e-3) == pytest.approx(np.log2(255 * np.sqrt(12)), abs=1e-3)
    assert detector.bits(0.0) == -np.inf


def test_the_same_seed_reads_the_same():
    detector, powers = Detector(), np.linspace(0.0, 1e-3, 20).reshape(4, 5)
    one, two = (detector.read(powers, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (4, 5)
    assert not np.array_equal(one, detector.read(powers, np.random.default_rng(8)))


def test_a_laser_without_noise_and_one_that_is_never_negative():
    quiet = Laser(rin_dB_per_Hz=-np.inf)
    assert (quiet.powers(5, 1e9, np.random.default_rng(0)) == 1e-3).all()
    assert Laser(rin_dB_per_Hz=-60.0).powers(1000, 1e6, np.random.default_rng(0)).min() >= 0.0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Detector(bandwidth_Hz=0.0), "bandwidth_Hz = 0"),
        (lambda: Detector(dark_A=-1.0), "dark_A = -1"),
        (lambda: Detector(load_ohm=0.0), "load_ohm = 0"),
        (lambda: Converter(1e-3, 0), "0 bits"),
        (lambda: Converter(0.0), "full_scale_A = 0"),
        (lambda: Laser(power_W=-1.0), "power_W = -1"),
        (lambda: Laser(rin_dB_per_Hz=145.0), "should be negative"),
        (lambda: Laser(wavelength_m=0.0), "wavelength_m = 0"),
    ],
)
def test_impossible_settings_are_named(make, says):
    with pytest.raises(ModelError, match=says):
        make()
