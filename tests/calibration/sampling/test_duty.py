from dataclasses import replace

import numpy as np
import pytest

from calibration.sampling.duty import duty, useful_fraction
from calibration.sampling.multitone import MultiTone
from calibration.sampling.plateaus import SobolPlateaus
from calibration.sampling.reference import ReferencePlan
from tests.calibration.sampling.channels import DOPANT

PLAN = ReferencePlan(MultiTone(DOPANT, 1000.0, seed=1, batches=30, samples_per_batch=1000), 10)


def test_nine_tenths_of_the_time_are_useful_samples() -> None:
    assert useful_fraction(PLAN) > 0.95
    assert useful_fraction(PLAN, overhead_per_batch_s=0.04) > 0.9


def test_joining_through_rest_costs_more() -> None:
    direct, through = duty(PLAN), duty(PLAN, through_rest=True)
    assert through.useful_s == direct.useful_s
    assert through.joins_s > 1.3 * direct.joins_s


def test_the_peers_ramps_cost_what_they_report() -> None:
    # 0.5 s batches with ramps of 0.4 s to zero and back: 0.5 / 1.3 before any overhead of theirs.
    inner = MultiTone(DOPANT, 5000.0, 1, 10, 2500, phases="running")
    figures = duty(inner, lambda start, end: 0.4, through_rest=True)
    assert figures.useful_fraction == pytest.approx(0.5 / 1.3)
    assert figures.joins_s == pytest.approx(20 * 0.4)


def test_parts_add_up_and_settling_is_counted() -> None:
    plan = SobolPlateaus(DOPANT, 1000.0, 1, 3, 4, 10)
    figures = duty(plan, lambda start, end: 0.25, overhead_per_batch_s=1.0)
    assert figures.useful_s == pytest.approx(3 * 4 * 9e-3)
    assert figures.settling_s == pytest.approx(3 * (plan.samples_per_batch - 36) * 1e-3)
    assert figures.joins_s == pytest.approx(1.0)
    assert figures.overhead_s == pytest.approx(3.0)
    assert figures.as_dict()["total_s"] == pytest.approx(sum(list(figures.as_dict().values())[:4]))


def test_joins_keep_the_slew_and_start_from_rest() -> None:
    seen = []

    def join_s(start: np.ndarray, end: np.ndarray) -> float:
        seen.append((start, end))
        return 0.0

    plan = replace(PLAN.plan, batches=3)
    duty(plan, join_s, rest=np.full(7, -0.1))
    assert len(seen) == 4
    np.testing.assert_array_equal(seen[0][0], np.full(7, -0.1))
    np.testing.assert_array_equal(seen[1][0], plan.stimulus(0)[-1])
    np.testing.assert_array_equal(seen[1][1], plan.stimulus(1)[0])
    np.testing.assert_array_equal(seen[3][1], np.full(7, -0.1))
