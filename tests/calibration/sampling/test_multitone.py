from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.device import ChannelGroup
from calibration.errors import PlanError
from calibration.sampling.multitone import MultiTone, square_roots_of_primes, waveform
from tests.calibration.sampling.channels import DOPANT, channel_groups

PLAN = MultiTone(DOPANT, 1000.0, seed=11, batches=40, samples_per_batch=250)
PINNED = [0.0507754273216503, -1.0086961297807422, -1.054298742101522]


@given(
    channels=channel_groups(),
    wave=st.sampled_from(["sine", "triangle"]),
    phases=st.sampled_from(["random", "running", "restarted"]),
    permute=st.booleans(),
    fraction=st.floats(0.05, 1.0),
    rate=st.floats(10, 1e5),
    seed=st.integers(0, 2**64 - 1),
    k=st.integers(0, 9),
)
@settings(max_examples=150, deadline=None)
def test_never_leaves_range_or_slew(
    channels: ChannelGroup,
    wave: str,
    phases: str,
    permute: bool,
    fraction: float,
    rate: float,
    seed: int,
    k: int,
) -> None:
    plan = MultiTone(channels, rate, seed, 10, 120, wave, phases, slew_fraction=fraction, permute=permute)  # type: ignore[arg-type]
    stimulus = plan.stimulus(k)
    assert stimulus.shape == (120, len(channels.names))
    assert np.all(stimulus >= channels.low)
    assert np.all(stimulus <= channels.high)
    slew = np.abs(np.diff(stimulus, axis=0)) * rate
    rounding = 1e-12 * rate * np.maximum(np.abs(channels.low), np.abs(channels.high))
    assert np.all(slew <= fraction * channels.max_slew * (1 + 1e-6) + rounding)


@pytest.mark.parametrize("wave", ["sine", "triangle"])
def test_some_tone_uses_the_stated_share_of_its_slew(wave: str) -> None:
    # A thousand samples in the fastest cycle, so that the difference quotient reaches the peak slew.
    channels = replace(DOPANT, max_slew=np.array([60.0, 60, 60, 60, 60, 60, 2.0]))
    plan = MultiTone(channels, 1000.0, 1, 1, 4000, wave)  # type: ignore[arg-type]
    used = np.abs(np.diff(plan.stimulus(0), axis=0)).max(axis=0) * 1000.0 / channels.max_slew
    assert used.max() == pytest.approx(0.9, rel=2e-3)
    assert used.argmax() == 6


def test_sampling_limits_the_tones_where_slew_does_not() -> None:
    plan = replace(PLAN, channels=replace(DOPANT, max_slew=np.full(7, np.inf)))
    assert plan.frequencies_Hz.max() == pytest.approx(1000 / 50)


def test_ratios_are_square_roots_of_primes() -> None:
    np.testing.assert_allclose(
        (PLAN.frequencies_Hz / PLAN.frequencies_Hz[0]) ** 2 * 2, [2, 3, 5, 7, 11, 13, 17]
    )


def test_no_small_integer_combination_of_tones_vanishes() -> None:
    # What incommensurate means for a finite run: no resonance of low order that would close the orbit.
    roots = square_roots_of_primes(7)
    grid = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 7, indexing="ij"), -1).reshape(-1, 7)
    beat = np.abs(grid[np.any(grid != 0, axis=1)] @ roots)
    assert beat.min() > 1e-6


@pytest.mark.parametrize("wave", ["sine", "triangle"])
def test_waves_start_at_zero_and_rise(wave: str) -> None:
    cycles = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(waveform(wave, cycles), [0, 1, 0, -1, 0], atol=1e-12)  # type: ignore[arg-type]


def test_triangle_fills_the_range_evenly_and_the_sine_does_not() -> None:
    cycles = np.linspace(0, 1, 20_000, endpoint=False)
    middle_half = {w: np.mean(np.abs(waveform(w, cycles)) < 0.5) for w in ("sine", "triangle")}  # type: ignore[arg-type]
    assert middle_half["triangle"] == pytest.approx(0.5, abs=1e-3)
    assert middle_half["sine"] == pytest.approx(1 / 3, abs=1e-3)


@given(st.permutations(range(8)))
@settings(max_examples=20, deadline=None)
def test_a_batch_does_not_depend_on_which_came_before(order: list[int]) -> None:
    expected = {k: PLAN.stimulus(k) for k in range(8)}
    resumed = replace(PLAN)
    for k in order:
        np.testing.assert_array_equal(resumed.stimulus(k), expected[k])


def test_batches_and_seeds_differ() -> None:
    assert np.abs(PLAN.stimulus(0) - PLAN.stimulus(1)).max() > 0.1
    assert np.abs(PLAN.stimulus(0) - PLAN.reseeded(12).stimulus(0)).max() > 0.1


def test_a_batch_is_pinned_across_versions() -> None:
    # A resumed run must meet the stimulus of the version that began it.
    np.testing.assert_allclose(PLAN.stimulus(3)[0, :3], PINNED, rtol=0, atol=1e-12)


def test_running_phases_are_one_waveform_cut_in_batches() -> None:
    long = replace(PLAN, phases="running", batches=1, samples_per_batch=750).stimulus(0)
    short = replace(PLAN, phases="running")
    np.testing.assert_allclose(np.concatenate([short.stimulus(k) for k in range(3)]), long, atol=1e-9)


def test_restarted_phases_repeat_one_batch() -> None:
    plan = replace(PLAN, phases="restarted")
    np.testing.assert_array_equal(plan.stimulus(0), plan.stimulus(7))


def test_redraw_every_lets_time_run_on_within_a_group() -> None:
    plan = replace(PLAN, redraw_every=3)
    whole = replace(PLAN, samples_per_batch=750)
    np.testing.assert_allclose(
        np.concatenate([plan.stimulus(k) for k in range(3)]), whole.stimulus(0), atol=1e-9
    )
    np.testing.assert_allclose(
        np.concatenate([plan.stimulus(k) for k in range(3, 6)]), whole.stimulus(1), atol=1e-9
    )


def test_permutation_changes_which_channel_is_fast() -> None:
    plan = replace(PLAN, permute=True, samples_per_batch=2000)
    span = DOPANT.high - DOPANT.low
    fastest = {
        int(np.argmax(np.abs(np.diff(plan.stimulus(k), axis=0)).max(axis=0) / span)) for k in range(20)
    }
    assert len(fastest) > 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"slew_fraction": 0.0}, "slew_fraction"),
        ({"slew_fraction": 1.2}, "slew_fraction"),
        ({"samples_per_cycle": 2.0}, "Nyquist"),
        ({"wave": "square"}, "sine, triangle"),
        ({"phases": "fixed"}, "random, running, restarted"),
        ({"batches": 0}, "batches"),
        ({"redraw_every": 0}, "redraw_every"),
        ({"sample_rate_Hz": float("nan")}, "sample_rate_Hz"),
        ({"channels": replace(DOPANT, low=DOPANT.high + 1)}, "channel e1"),
        ({"channels": replace(DOPANT, high=np.full(7, np.inf))}, "channel e1"),
        ({"channels": replace(DOPANT, max_slew=np.zeros(7))}, "slew limit"),
        ({"channels": DOPANT.select([])}, "no input channel"),
    ],
)
def test_settings_that_cannot_be_carried_out(change: dict[str, object], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        replace(PLAN, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("k", [-1, 40])
def test_a_batch_outside_the_plan_is_refused(k: int) -> None:
    for call in (PLAN.stimulus, PLAN.useful, PLAN.is_reference):
        with pytest.raises(PlanError, match="0 to 39"):
            call(k)
