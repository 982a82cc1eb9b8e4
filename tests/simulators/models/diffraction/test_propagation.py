"""Free space against what is known of it without any sampling: beams, apertures, shadows, plane waves."""

import math

import numpy as np
import pytest
import torch
from scipy.special import fresnel

from simulators.errors import ModelError
from simulators.models.diffraction import FreeSpace, Grid, longest_distance_m

WAVELENGTH_m = 633e-9
WAVE_NUMBER = 2.0 * math.pi / WAVELENGTH_m


def gaussian_beam(grid: Grid, waist_m: float, distance_m: float) -> torch.Tensor:
    """Saleh and Teich, Fundamentals of Photonics, equation 3.1-7; time runs as e^{-jωt}."""
    rayleigh_m = math.pi * waist_m**2 / WAVELENGTH_m
    width_m = waist_m * math.hypot(1.0, distance_m / rayleigh_m)
    curvature = distance_m / (distance_m**2 + rayleigh_m**2)
    gouy_rad = math.atan(distance_m / rayleigh_m)
    down, across = grid.axes_m
    squared = down[:, None] ** 2 + across**2
    phase = WAVE_NUMBER * (distance_m + 0.5 * curvature * squared) - gouy_rad
    return waist_m / width_m * torch.polar(torch.exp(-squared / width_m**2), phase)


@pytest.mark.parametrize("rayleigh_lengths", [0.1, 1.0, 3.0])
def test_a_gaussian_beam_widens_curves_and_gains_gouys_phase(rayleigh_lengths: float) -> None:
    grid, waist_m = Grid((256, 256), 4e-6), 60e-6
    distance_m = rayleigh_lengths * math.pi * waist_m**2 / WAVELENGTH_m
    arrived = FreeSpace(grid, distance_m, WAVELENGTH_m)(gaussian_beam(grid, waist_m, 0.0))
    expected = gaussian_beam(grid, waist_m, distance_m)
    # the analytic beam is paraxial: its own error is of the order of (λ / π w)² times the Rayleigh lengths
    paraxial = (WAVELENGTH_m / (math.pi * waist_m)) ** 2 * max(rayleigh_lengths, 1.0)
    error = (arrived - expected).abs().max() / expected.abs().max()
    assert error < 5.0 * paraxial < 3e-4


def behind_a_square(samples: int, half_samples: int, fresnel_number: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions in half widths, and the intensity there along the middle of a square aperture's diffraction."""
    grid = Grid((samples, samples), 4e-6)
    half_m = half_samples * grid.pitch_m  # the edges lie between two samples
    inside = grid.axes_m[1].abs() < half_m
    aperture = (inside[:, None] & inside).to(torch.float64)
    arrived = FreeSpace(grid, half_m**2 / (WAVELENGTH_m * fresnel_number), WAVELENGTH_m)(aperture)
    middle = arrived[samples // 2 - 1 : samples // 2 + 1].mean(0)
    return (grid.axes_m[1] / half_m).numpy(), middle.abs().square().numpy()


def fresnel_slit(x: np.ndarray, fresnel_number: float) -> np.ndarray:
    """Goodman, Introduction to Fourier Optics, equation 4-33: a slit of half width 1."""
    s_high, c_high = fresnel(math.sqrt(2.0 * fresnel_number) * (1.0 - x))
    s_low, c_low = fresnel(math.sqrt(2.0 * fresnel_number) * (-1.0 - x))
    return 0.5 * ((c_high - c_low) ** 2 + (s_high - s_low) ** 2)


@pytest.mark.parametrize("fresnel_number", [2.0, 5.0, 10.0])
def test_a_square_aperture_makes_fresnels_pattern(fresnel_number: float) -> None:
    x, intensity = behind_a_square(512, 64, fresnel_number)
    expected = fresnel_slit(x, fresnel_number) * fresnel_slit(np.zeros(1), fresnel_number)
    seen = np.abs(x) < 2.0
    assert np.sqrt(np.mean((intensity - expected)[seen] ** 2)) < 0.01
    assert np.abs(intensity - expected)[seen].max() < 0.03


def test_far_away_a_square_aperture_makes_a_squared_sinc() -> None:
    number = 0.03
    x, intensity = behind_a_square(1024, 16, number)
    # Goodman, equation 4-28: amplitude 4 a² / (λ z) = 4 N in the middle, zeros at λ z / 2 a = 1 / (2 N) half widths
    expected = (4.0 * number) ** 2 * np.sinc(2.0 * number * x) ** 2
    assert np.abs(intensity - expected).max() < 0.015 * expected.max()


def test_close_by_a_square_aperture_throws_its_shadow() -> None:
    number = 1000.0
    x, intensity = behind_a_square(512, 64, number)
    # an edge is felt within a few √(λ z), here 1 / √N half widths
    far = np.abs(np.abs(x) - 1.0) > 5.0 / math.sqrt(number)
    shadow = (np.abs(x) < 1.0).astype(float)
    assert np.abs(intensity - shadow)[far].max() < 0.1
    assert abs(intensity[far & (shadow > 0)].mean() - 1.0) < 0.01


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def test_light_that_cannot_leave_keeps_its_energy_to_rounding() -> None:
    grid = Grid((40, 60), 1e-6)  # every plane wave of this grid propagates: 2 p² > λ²
    space = FreeSpace(grid, 10e-6, WAVELENGTH_m, padding=1, band_limit=False)
    fields = noise(3, 40, 60)
    before, after = (f.abs().square().sum((-2, -1)) for f in (fields, space(fields)))
    torch.testing.assert_close(after, before, rtol=1e-13, atol=0.0)


def test_two_hops_are_one() -> None:
    grid = Grid((64, 64), 4e-6)
    near, far = (FreeSpace(grid, z, WAVELENGTH_m, padding=1, band_limit=False) for z in (0.5e-3, 1e-3))
    fields = noise(64, 64)
    torch.testing.assert_close(near(near(fields)), far(fields), rtol=1e-9, atol=1e-9)


def test_a_moved_plane_sees_a_moved_field() -> None:
    grid = Grid((64, 64), 4e-6)
    space = FreeSpace(grid, 1e-3, WAVELENGTH_m, padding=1, band_limit=False)
    fields = noise(64, 64)
    moved = space(fields, shift_m=torch.tensor([3.0, -5.0], dtype=torch.float64) * grid.pitch_m)
    torch.testing.assert_close(moved, space(fields).roll((-3, 5), (0, 1)), rtol=1e-9, atol=1e-9)


def test_a_plane_moved_by_a_part_of_a_sample_sees_the_beam_off_its_axis() -> None:
    grid, waist_m = Grid((128, 128), 4e-6), 50e-6
    down, across = grid.axes_m
    shift = torch.tensor([0.37, -1.64], dtype=torch.float64) * grid.pitch_m
    beam = torch.exp(-(down[:, None] ** 2 + across**2) / waist_m**2)
    seen = FreeSpace(grid, 0.0, WAVELENGTH_m)(beam, shift_m=shift)
    expected = torch.exp(-((down[:, None] + shift[0]) ** 2 + (across + shift[1]) ** 2) / waist_m**2)
    assert (seen - expected).abs().max() < 1e-6


def test_a_grating_finer_than_the_wavelength_gives_a_field_that_fades() -> None:
    grid, distance_m = Grid((16, 100), 50e-9), 100e-9
    frequency = 10.0 / (100 * grid.pitch_m)  # ten periods: 500 nm each, under the wavelength
    wave = torch.polar(
        torch.ones(16, 100, dtype=torch.float64), 2.0 * math.pi * frequency * grid.axes_m[1].expand(16, -1)
    )
    space = FreeSpace(grid, distance_m, WAVELENGTH_m, padding=1)
    faded = math.exp(-2.0 * math.pi * distance_m * math.sqrt(frequency**2 - WAVELENGTH_m**-2))
    torch.testing.assert_close(space(wave), faded * wave, rtol=1e-9, atol=1e-9)


def test_padding_keeps_light_that_leaves_from_coming_back_on_the_other_side() -> None:
    grid, waist_m, tilt = Grid((128, 128), 4e-6), 60e-6, 0.03
    beam = gaussian_beam(grid, waist_m, 0.0) * torch.polar(
        torch.ones(128, dtype=torch.float64), WAVE_NUMBER * tilt * grid.axes_m[1]
    )
    distance_m = 128 * grid.pitch_m / tilt / 2.0  # the beam's middle reaches the rim
    leaks = {
        padding: FreeSpace(grid, distance_m, WAVELENGTH_m, padding=padding)(beam)[:, :32].abs().square().sum()
        for padding in (1, 2)
    }
    whole = beam.abs().square().sum()
    assert leaks[2] < 1e-3 * whole < 0.1 * leaks[1]


def test_a_distance_that_would_alias_is_refused_with_the_one_that_is_possible() -> None:
    grid = Grid((64, 64), 4e-6)
    possible = longest_distance_m(grid, WAVELENGTH_m)
    FreeSpace(grid, 0.999 * possible, WAVELENGTH_m, padding=1, band_limit=False)
    with pytest.raises(ModelError, match=f"beyond {possible:.4g} m .* with band_limit further"):
        FreeSpace(grid, 1.001 * possible, WAVELENGTH_m, padding=1, band_limit=False)
    FreeSpace(grid, 1.001 * possible, WAVELENGTH_m, padding=1)
    with pytest.raises(ModelError, match="too far"):
        FreeSpace(grid, 100.0 * possible, WAVELENGTH_m, padding=1)
    # the propagator's phase, on the axis through the highest frequency, turns by π at just that distance
    step = 1.0 / (64 * grid.pitch_m)
    highest = 0.5 / grid.pitch_m
    along = [math.sqrt(WAVELENGTH_m**-2 - f**2) for f in (highest - 0.5 * step, highest + 0.5 * step)]
    assert 2.0 * math.pi * possible * (along[0] - along[1]) == pytest.approx(math.pi, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"distance_m": -1.0}, "distance"),
        ({"distance_m": math.nan}, "distance"),
        ({"wavelength_m": 0.0}, "wavelength"),
        ({"padding": 1.5}, "padding"),
    ],
)
def test_what_is_no_space_is_refused(change: dict[str, float], says: str) -> None:
    settings = {"distance_m": 1e-3, "wavelength_m": WAVELENGTH_m, "padding": 1} | change
    with pytest.raises(ModelError, match=says):
        FreeSpace(Grid((8, 8), 4e-6), **settings)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="pitch"):
        Grid((8, 8), 0.0)
    with pytest.raises(ModelError, match="two"):
        Grid((8, 1), 1e-6)
