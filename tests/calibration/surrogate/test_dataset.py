import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.errors import NotEnoughData, PlanError, ShapeError
from calibration.surrogate import build_dataset, split_batches

LOW, HIGH = np.array([-1.2, -0.7]), np.array([0.6, 0.3])


def measured(batches: int = 20, time: int = 50, seed: int = 0):
    """Batches in which the readout is the batch's own number, so that a leak shows in the targets."""
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(LOW, HIGH, (batches, time, 2))
    outputs = np.broadcast_to(np.arange(batches, dtype=np.float64)[:, None, None], (batches, time, 1)) * 1e-9
    return inputs, outputs.copy(), np.zeros((batches, time), np.uint8)


def build(inputs, outputs, flags, **options):
    return build_dataset(inputs, outputs, flags, electrodes=("a", "b"), low_V=LOW, high_V=HIGH, **options)


@given(
    batches=st.integers(3, 200),
    seed=st.integers(0, 2**31),
    validation=st.floats(0.01, 0.4),
    test=st.floats(0.01, 0.4),
    data=st.data(),
)
def test_every_batch_serves_one_purpose(batches, seed, validation, test, data):
    reference = data.draw(st.lists(st.integers(0, batches - 1), max_size=batches - 3, unique=True))
    try:
        split = split_batches(
            batches, fractions=(1 - validation - test, validation, test), seed=seed, reference=reference
        )
    except NotEnoughData:
        assert round(validation * batches) + round(test * batches) >= batches - len(reference) - 1
        return
    parts = (split.train, split.validation, split.test, split.repeats)
    assert sorted(np.concatenate(parts).tolist()) == list(range(batches))
    assert min(part.size for part in parts[:3]) >= 1
    held = set(split.validation.tolist()) | set(split.test.tolist())
    assert not held & set(reference)
    assert len(set(split.train.tolist()) & set(reference)) == min(1, len(reference))


def test_no_sample_of_a_batch_leaks_into_another_part():
    dataset = build(*measured())
    seen = {}
    for name in ("train", "validation", "test"):
        samples = getattr(dataset, name)
        seen[name] = set(np.rint(dataset.scaling.currents(samples.targets)[:, 0] * 1e9).astype(int).tolist())
        assert seen[name] == set(samples.batch.tolist()) == set(getattr(dataset.split, name).tolist())
    assert not seen["train"] & seen["validation"]
    assert not seen["train"] & seen["test"]
    assert not seen["validation"] & seen["test"]


def test_the_deal_depends_on_the_seed_alone():
    first, again, other = (split_batches(50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.test, again.test)
    assert set(first.test.tolist()) != set(other.test.tolist())


def test_flagged_and_unreadable_samples_are_left_out():
    inputs, outputs, flags = measured()
    outputs[3, 7] = 5.0
    flags[3, 7] = 1
    outputs[4, 0] = np.nan
    dataset = build(inputs, outputs, flags)
    assert dataset.flagged == 2
    total = len(dataset.train) + len(dataset.validation) + len(dataset.test)
    assert total == 20 * 50 - 2
    assert max(float(part.targets.max()) for part in (dataset.train, dataset.validation, dataset.test)) < 100


def test_scaling_maps_ranges_to_one_and_comes_back():
    inputs, outputs, flags = measured()
    inputs[:, 0], inputs[:, 1] = LOW, HIGH
    dataset = build(inputs, outputs, flags)
    assert dataset.train.inputs.min() == -1.0
    assert dataset.train.inputs.max() == 1.0
    kept = inputs[dataset.split.train].reshape(-1, 2)
    np.testing.assert_allclose(dataset.scaling.voltages(dataset.train.inputs), kept, atol=2e-7)
    back = dataset.scaling.currents(dataset.train.targets)[:, 0]
    np.testing.assert_allclose(back, dataset.train.batch * 1e-9, atol=1e-14)


def test_the_targets_scale_is_blind_to_a_few_wild_readings():
    inputs, outputs, flags = measured(40, 100)
    outputs[...] = np.random.default_rng(1).normal(2e-9, 3e-9, outputs.shape)
    outputs[:, 0] = 1e-3
    dataset = build(inputs, outputs, flags)
    assert dataset.scaling.scale_A == pytest.approx(3e-9, rel=0.1)
    assert dataset.scaling.offset_A == pytest.approx(2e-9, rel=0.2)


def test_too_little_data_is_named():
    inputs, outputs, flags = measured()
    with pytest.raises(NotEnoughData, match="sample at least 3"):
        build(inputs[:2], outputs[:2], flags[:2])
    with pytest.raises(NotEnoughData, match=r"0 usable samples for training of 800 measured"):
        build(inputs, outputs, np.ones_like(flags))
    with pytest.raises(NotEnoughData, match=r"2e-09 A in all 800 samples"):
        build(inputs, np.full_like(outputs, 2e-9), flags)


def test_arrays_that_do_not_fit_are_named():
    inputs, outputs, flags = measured()
    with pytest.raises(ShapeError, match=r"outputs \(20, 49, 1\)"):
        build(inputs, outputs[:, 1:], flags)
    with pytest.raises(ShapeError, match=r"expected \(batch, time, 2 electrodes"):
        build(inputs[..., :1], outputs, flags)
    with pytest.raises(ShapeError, match="flags"):
        build(inputs, outputs, flags[1:])
    with pytest.raises(PlanError, match="electrode b: the range"):
        build_dataset(inputs, outputs, flags, electrodes=("a", "b"), low_V=LOW, high_V=[0.6, -0.7])


@pytest.mark.parametrize("fractions", [(0.8, 0.2), (0.9, 0.1, 0.1), (1.0, 0.0, 0.0), (1.2, -0.1, -0.1)])
def test_impossible_fractions_are_refused(fractions):
    with pytest.raises(PlanError, match="fractions"):
        split_batches(10, fractions=fractions)
    with pytest.raises(PlanError, match="reference batches"):
        split_batches(10, reference=[10])
