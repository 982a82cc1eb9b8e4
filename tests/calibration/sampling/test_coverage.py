from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import qmc

from calibration.device import ChannelGroup
from calibration.errors import NotEnoughData
from calibration.sampling.coverage import (
    coverage,
    coverage_by_phases,
    coverage_of,
    sampled_points,
    uniform_discrepancy,
)
from calibration.sampling.multitone import MultiTone
from calibration.sampling.plan import to_unit_cube
from calibration.sampling.plateaus import SobolPlateaus
from calibration.sampling.reference import ReferencePlan
from tests.calibration.sampling.channels import DOPANT

PLAN = MultiTone(DOPANT, 1000.0, seed=7, batches=60, samples_per_batch=500)


def test_fill_distance_of_a_grid_is_half_its_diagonal() -> None:
    axis = (np.arange(20) + 0.5) / 20
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    figures = coverage_of(grid, seed=1, probes=2**14)
    assert figures.fill_distance == pytest.approx(np.sqrt(2) / 40, rel=0.03)
    assert figures.probes == 2**14
    assert figures.samples == 400


def test_discrepancy_of_uniform_points_has_the_stated_expectation() -> None:
    rng = np.random.default_rng(2)
    squared = [qmc.discrepancy(rng.random((128, 5))) for _ in range(200)]
    assert np.sqrt(np.mean(squared)) == pytest.approx(uniform_discrepancy(128, 5), rel=0.05)


def test_randomised_phases_cover_far_better_than_restarted_ones() -> None:
    figures = coverage_by_phases(PLAN, per_batch=100, probes=2048)
    random, restarted = figures["random"], figures["restarted"]
    assert random.samples == restarted.samples == 6000
    # Here: 0.40 against 0.93 of an edge, and 0.23 against 0.48 on average.
    assert random.fill_distance < 0.6 * restarted.fill_distance
    assert random.mean_distance < 0.6 * restarted.mean_distance
    assert random.discrepancy < 0.5 * restarted.discrepancy


def test_a_running_clock_covers_as_well_as_randomised_phases() -> None:
    # The honest half of the comparison: incommensurate tones fill the space by themselves, if time runs on.
    ratios = []
    for seed in range(3):
        figures = coverage_by_phases(replace(PLAN, seed=seed), per_batch=100, probes=2048)
        ratios.append(figures["random"].mean_distance / figures["running"].mean_distance)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.05)


def test_triangles_cover_better_than_sines() -> None:
    triangle = coverage(PLAN, per_batch=100, probes=2048)
    sine = coverage(replace(PLAN, wave="sine"), per_batch=100, probes=2048)
    assert triangle.mean_distance < 0.93 * sine.mean_distance
    assert triangle.discrepancy < 0.5 * sine.discrepancy


def test_plateaus_cover_better_than_chance_per_point() -> None:
    plan = SobolPlateaus(DOPANT, 1000.0, 3, 16, 64, 2)
    points = np.concatenate([plan.points(k) for k in range(16)])
    figures = coverage_of((points - DOPANT.low) / (DOPANT.high - DOPANT.low), seed=3, probes=2048)
    assert figures.discrepancy < 0.7 * figures.uniform_discrepancy
    assert figures.mean_distance < figures.uniform_mean_distance


def test_the_reference_counts_once() -> None:
    inner = replace(PLAN, batches=6)
    assert len(sampled_points(ReferencePlan(inner, 2), per_batch=10)) == 70


def test_a_fixed_channel_does_not_break_the_scale() -> None:
    channels = ChannelGroup(("a", "b"), "V", np.array([0.0, 0.5]), np.array([1.0, 0.5]), np.full(2, 10.0))
    points = sampled_points(MultiTone(channels, 1000.0, 1, 2, 100))
    assert np.all(points[:, 1] == 0)
    assert 0 <= points.min() <= points.max() <= 1


def test_no_samples_have_no_coverage() -> None:
    with pytest.raises(NotEnoughData):
        coverage_of(np.empty((0, 3)), seed=1)


def test_taking_some_samples_of_a_batch_does_not_beat_with_the_tones() -> None:
    # Evenly spaced samples of this plan lie on a figure of eight in the plane of e1 and e7.
    slow = replace(DOPANT, max_slew=np.full(7, 45.0))
    plan = MultiTone(slow, 1000.0, 1, 13, 2000, wave="sine", phases="running")
    stride = np.linspace(0, 1999, 60).round().astype(int)
    evenly = to_unit_cube(np.concatenate([plan.stimulus(k)[stride] for k in range(13)]), DOPANT)
    points = sampled_points(plan, per_batch=60)
    assert points.shape == evenly.shape == (780, 7)

    def visited(of: np.ndarray) -> float:
        return float(np.mean(np.histogram2d(of[:, 0], of[:, 6], bins=12, range=[[0, 1], [0, 1]])[0] > 0))

    assert visited(points) > 0.94
    assert visited(evenly) < 0.75
