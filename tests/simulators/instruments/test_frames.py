"""The emulated modulator and camera against what is known of such devices in closed form."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from simulators.clock import VirtualClock
from simulators.errors import BenchError
from simulators.instruments.catalogue import make_instrument
from simulators.instruments.frames.camera import Camera
from simulators.instruments.frames.slm import Slm


def slm(clock: VirtualClock, **options: object) -> Slm:
    made: Slm = make_instrument(
        "slm", clock, "1", np.random.default_rng(0), options={"rows": 2, "columns": 3} | options
    )
    return made


def camera(clock: VirtualClock, noise: float = 1.0, **options: object) -> Camera:
    size = {"rows": 100, "columns": 100}
    made: Camera = make_instrument(
        "camera", clock, "1", np.random.default_rng(0), noise=noise, options=size | options
    )
    return made


@dataclass
class Even:
    """The same light on every pixel."""

    power_W: float
    length_m: float = 532e-9

    def seen_W(self, start_s: float, stop_s: float) -> np.ndarray:
        return np.full((100, 100), self.power_W)

    def wavelength_m(self, instant: float) -> float:
        return self.length_m


def frame(level: int) -> np.ndarray:
    return np.full((2, 3), level, dtype=np.uint16)


def test_a_frame_appears_at_the_next_refresh_and_relaxes_exponentially() -> None:
    clock = VirtualClock()
    screen = slm(clock, refresh="50 Hz", response="4 ms", stroke="6 rad", gamma=2.0)
    clock.advance(0.030)
    screen.take(frame(128))
    goal = 6.0 * (128.0 / 255.0) ** 2
    for instant, share in ((0.0399, 0.0), (0.044, 1.0 - math.exp(-1.0)), (0.052, 1.0 - math.exp(-3.0))):
        clock.advance_to(instant)
        np.testing.assert_allclose(screen.retardances(instant), goal * share, atol=1e-12)
    clock.advance_to(0.0599)
    screen.take(frame(0))
    reached = goal * (1.0 - math.exp(-5.0))
    clock.advance_to(0.068)
    np.testing.assert_allclose(screen.retardances(0.068), reached * math.exp(-2.0), rtol=1e-9)


def test_of_two_frames_for_one_refresh_the_last_is_seen() -> None:
    clock = VirtualClock()
    screen = slm(clock)
    screen.take(frame(255))
    screen.take(frame(10))
    clock.advance(1.0)
    np.testing.assert_allclose(screen.retardances(1.0), 6.283 * 10 / 255, rtol=1e-9)


def test_after_the_settling_time_no_pixel_is_half_a_level_off_whenever_the_frame_came() -> None:
    for moment in np.linspace(0.0, 1 / 60, 7):
        clock = VirtualClock()
        screen = slm(clock)
        clock.advance(float(moment))
        screen.take(frame(255))
        clock.advance(screen.settling_s)
        assert abs(screen.retardances(clock.now) - 6.283).max() <= 0.5 * 6.283 / 255 + 1e-9


def test_counts_are_those_of_the_photons() -> None:
    clock = VirtualClock()
    eye = camera(
        clock, noise=0.0, quantum_efficiency=0.5, electrons_per_count=4.0, bias=10.0, dark_current=0.0
    )
    photons_per_s = 2e6
    eye.look(Even(photons_per_s * 6.62607015e-34 * 299792458.0 / 500e-9, 500e-9))
    eye.exposure_s = 2e-3
    assert (eye.expose() == 10 + round(0.5 * photons_per_s * 2e-3 / 4.0)).all()


def test_the_variance_of_counts_grows_with_their_mean_as_shot_noise_does() -> None:
    """The photon transfer curve of EMVA 1288: its slope is counts per electron, its start the read noise."""
    clock = VirtualClock()
    eye = camera(clock, electrons_per_count=2.0, read_noise=5.0, bias=50.0, dark_current=0.0)
    means, variances = [], []
    for power_W in (0.0, 1e-13, 5e-13, 1e-12, 2e-12):
        eye.look(Even(power_W))
        counts = np.stack([eye.expose() for _ in range(10)]).astype(float)
        means.append(counts.mean() - 50.0)
        variances.append(counts.var() - 1.0 / 12.0)
    slope, start = np.polyfit(means, variances, 1)
    assert slope == pytest.approx(1.0 / 2.0, rel=0.05)
    assert variances[0] == pytest.approx((5.0 / 2.0) ** 2, rel=0.05)
    assert start == pytest.approx((5.0 / 2.0) ** 2, rel=0.2)


def test_a_pixel_saturates_at_the_end_of_its_converter() -> None:
    eye = camera(VirtualClock(), bits=10)
    eye.look(Even(1e-6))
    assert (eye.expose() == 1023).all()


def test_a_frame_takes_its_exposure_or_what_the_rate_allows() -> None:
    clock = VirtualClock()
    eye = camera(clock, frame_rate="100 Hz")
    for exposure_s, takes_s in ((1e-3, 1e-2), (3e-2, 3e-2)):
        eye.exposure_s, begin_s = exposure_s, clock.now
        eye.expose()
        assert clock.now - begin_s == pytest.approx(takes_s)


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        ("slm", {"rows": 0}, "rows"),
        ("slm", {"levels": 1}, "levels"),
        ("slm", {"refresh": 60}, "no unit"),
        ("slm", {"stroke": "-1 rad"}, "stroke"),
        ("slm", {"pixels": 3}, "takes no such option"),
        ("camera", {"bits": 17}, "bits"),
        ("camera", {"full_well": 0.0}, "full_well"),
        ("camera", {"read_noise": -1.0}, "read_noise"),
        ("camera", {"frame_rate": "0 Hz"}, "frame_rate"),
    ],
)
def test_options_that_are_none_are_named(model: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(BenchError, match=says):
        make_instrument(model, VirtualClock(), "1", np.random.default_rng(0), options=options)
