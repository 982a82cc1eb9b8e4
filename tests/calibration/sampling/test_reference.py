from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.errors import PlanError
from calibration.sampling.multitone import MultiTone
from calibration.sampling.plateaus import SobolPlateaus
from calibration.sampling.reference import ReferencePlan
from tests.calibration.sampling.channels import DOPANT

INNER = MultiTone(DOPANT, 1000.0, seed=3, batches=10, samples_per_batch=50)


@given(batches=st.integers(1, 60), every=st.integers(2, 20))
@settings(max_examples=60, deadline=None)
def test_first_and_last_are_references_and_no_inner_batch_is_lost(batches: int, every: int) -> None:
    inner = replace(INNER, batches=batches)
    plan = ReferencePlan(inner, every)
    reference = [plan.is_reference(k) for k in range(plan.batches)]
    assert reference[0]
    assert reference[-1]
    assert sum(reference) == plan.references
    runs = np.diff(np.flatnonzero(reference))
    assert np.all(runs <= every)
    rest = [plan.stimulus(k) for k in range(plan.batches) if not reference[k]]
    np.testing.assert_array_equal(rest, [inner.stimulus(k) for k in range(batches)])


def test_references_are_equal_and_no_batch_of_the_plan() -> None:
    plan = ReferencePlan(INNER, 4)
    references = [plan.stimulus(k) for k in range(plan.batches) if plan.is_reference(k)]
    assert len(references) == 5
    for repeat in references[1:]:
        np.testing.assert_array_equal(repeat, references[0])
    assert min(np.abs(references[0] - INNER.stimulus(k)).max() for k in range(10)) > 0.05


def test_a_longer_run_has_the_same_reference() -> None:
    longer = ReferencePlan(replace(INNER, batches=500), 7)
    np.testing.assert_array_equal(longer.stimulus(0), ReferencePlan(INNER, 4).stimulus(0))


def test_plateaus_keep_their_settling() -> None:
    inner = SobolPlateaus(DOPANT, 1000.0, 1, 4, 3, 10)
    plan = ReferencePlan(inner, 3)
    np.testing.assert_array_equal(plan.useful(1), inner.useful(0))
    assert plan.samples_per_batch == inner.samples_per_batch
    assert plan.describe()["references"] == 3


def test_every_batch_a_reference_is_no_plan() -> None:
    with pytest.raises(PlanError, match="2 or more"):
        ReferencePlan(INNER, 1)
