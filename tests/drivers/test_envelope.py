"""The safety envelope, against a plain loop over samples and channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.envelope import ChannelLimit, DifferenceLimit, PowerLimit, SafetyEnvelope
from drivers.errors import EnvelopeError, ShapeError

DT = 1e-3


def envelope(**joint: object) -> SafetyEnvelope:
    channels = [
        ChannelLimit("e1", -1.2, 0.6, 60.0),
        ChannelLimit("e2", -0.7, 0.3, 20.0, max_step_V=0.01),
        ChannelLimit("e3", 0.0, 1.0, 500.0),
    ]
    return SafetyEnvelope(channels, **joint)  # type: ignore[arg-type]


def allowed_by_loop(waveform: np.ndarray, start: np.ndarray | None) -> bool:
    """The rules said once more, as slowly and plainly as possible (spread limit 1.5 V)."""
    low, high = [-1.2, -0.7, 0.0], [0.6, 0.3, 1.0]
    slew, step = [60.0, 20.0, 500.0], [np.inf, 0.01, np.inf]
    before = None if start is None else list(start)
    for sample in waveform.tolist():
        for j, volts in enumerate(sample):
            if not np.isfinite(volts) or volts < low[j] - 1e-9 or volts > high[j] + 1e-9:
                return False
            if before is not None:
                change = abs(volts - before[j])
                if change > slew[j] * DT * 1.000001 + 2e-9 or change > step[j] * 1.000001 + 2e-9:
                    return False
        if max(sample) - min(sample) > 1.5 + 3e-9:
            return False
        before = sample
    return True


@st.composite
def waveforms(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray | None]:
    """Waveforms on both sides of every limit, NaN, inf and huge values among them."""
    length = draw(st.integers(1, 12))
    seed = draw(st.integers(0, 2**32 - 1))
    scale = draw(st.sampled_from([0.0, 0.2, 0.9, 1.0, 1.1, 3.0]))
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.uniform(-1, 1, (length, 3)) * np.array([0.06, 0.01, 0.5]) * scale, axis=0)
    walk += draw(st.sampled_from([0.0, 0.2, 0.55, -0.69]))
    if draw(st.booleans()):
        at = draw(st.integers(0, length - 1)), draw(st.integers(0, 2))
        walk[at] = draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e308, 0.6, 0.6000001, -1.2]))
    start = draw(st.sampled_from([None, np.zeros(3), np.array([0.0, 0.01, 0.2])]))
    return walk, start


@given(waveforms())
def test_check_agrees_with_a_plain_loop(case: tuple[np.ndarray, np.ndarray | None]) -> None:
    waveform, start = case
    limits = envelope(spread_V=1.5)
    if allowed_by_loop(waveform, start):
        limits.check(waveform, DT, start)
    else:
        with pytest.raises(EnvelopeError):
            limits.check(waveform, DT, start)


def test_the_first_offence_is_named_with_channel_sample_value_and_limit() -> None:
    waveform = np.zeros((100, 3))
    waveform[40:, 2] = 0.3
    waveform[70, 0] = 0.7
    waveform[60:, 0] += 0.05
    waveform[90, 1] = np.nan
    with pytest.raises(EnvelopeError, match=r"e1: 0.75 V at sample 70 is outside -1.2 V to 0.6 V") as caught:
        envelope().check(waveform, DT)
    error = caught.value
    assert (error.channel, error.index, error.limit) == ("e1", 70, 0.6)
    assert error.value == pytest.approx(0.75)


def test_a_slew_offence_names_the_slew() -> None:
    waveform = np.zeros((10, 3))
    waveform[7:, 0] = 0.09
    with pytest.raises(EnvelopeError, match=r"e1: 90 V/s to sample 7 exceeds 60 V/s") as caught:
        envelope().check(waveform, DT)
    assert caught.value.index == 7
    waveform[:, 0], waveform[7:, 1] = 0.0, 0.015
    with pytest.raises(EnvelopeError, match=r"e2: 0.015 V a step to sample 7 exceeds 0.01 V a step"):
        envelope().check(waveform, DT)


def test_the_step_from_the_present_voltage_counts() -> None:
    start = np.array([-0.1, 0.0, 0.0])
    envelope().check(np.zeros((3, 3)), DT)
    with pytest.raises(EnvelopeError, match="to sample 0 exceeds"):
        envelope().check(np.zeros((3, 3)), DT, start)
    with pytest.raises(EnvelopeError, match="not known"):
        envelope().check(np.zeros((3, 3)), DT, np.array([np.nan, 0.0, 0.0]))


def test_less_than_the_full_slew_can_be_asked_for() -> None:
    waveform = np.arange(5)[:, None] * np.array([0.05, 0.0, 0.0])
    envelope().check(waveform, DT)
    with pytest.raises(EnvelopeError, match="exceeds 45 V/s"):
        envelope().check(waveform, DT, slew_fraction=0.75)


@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(3),
        np.zeros((4, 2)),
        np.zeros((0, 3)),
        np.zeros((2, 2, 3)),
        np.zeros((4, 3), dtype=complex),
        np.zeros((4, 3), dtype=bool),
        np.full((4, 3), "0.1"),
        [[0.0, 0.0, 0.0], [0.0]],
        None,
    ],
)
def test_wrong_shapes_and_types_are_refused(waveform: object) -> None:
    with pytest.raises(ShapeError):
        envelope().check(waveform, DT)  # type: ignore[arg-type]


@pytest.mark.parametrize("dt", [0.0, -1.0, np.nan, np.inf])
def test_a_sample_spacing_that_is_no_time_is_refused(dt: float) -> None:
    with pytest.raises(EnvelopeError, match="sample spacing"):
        envelope().check(np.zeros((2, 3)), dt)
    with pytest.raises(EnvelopeError, match="sample spacing"):
        envelope().ramp(np.zeros(3), np.zeros(3), dt)


def test_joint_limits() -> None:
    point = np.array([-0.5, 0.2, 0.6])
    envelope(spread_V=1.1).check_point(point)
    with pytest.raises(EnvelopeError, match=r"largest difference between channels: 1.1 V exceeds 1 V"):
        envelope(spread_V=1.0).check_point(point)
    with pytest.raises(EnvelopeError, match=r"e1 - e3: 1.1 V exceeds 1 V"):
        envelope(differences=[DifferenceLimit("e1", "e3", 1.0)]).check_point(point)
    envelope(differences=[DifferenceLimit("e1", "e2", 1.0)]).check_point(point)
    power = PowerLimit((1e-3, 1e-3, 2e-3), 1e-3)
    with pytest.raises(EnvelopeError, match=r"joint power: 0.00101 W exceeds 0.001 W"):
        envelope(power=power).check_point(point)
    with pytest.raises(EnvelopeError, match="at sample 3"):
        envelope(power=power).check(np.linspace(0, 1, 4)[:, None] * point, 0.1)


def test_limits_that_contradict_themselves_are_refused() -> None:
    for bad in [
        lambda: ChannelLimit("e1", 0.1, 0.6, 60.0),
        lambda: ChannelLimit("e1", 0.6, -0.6, 60.0),
        lambda: ChannelLimit("e1", -np.inf, 0.6, 60.0),
        lambda: ChannelLimit("e1", np.nan, 0.6, 60.0),
        lambda: ChannelLimit("e1", -1.0, 0.6, 0.0),
        lambda: ChannelLimit("e1", -1.0, 0.6, np.nan),
        lambda: ChannelLimit("e1", -1.0, 0.6, 1.0, max_step_V=-1.0),
        lambda: SafetyEnvelope([]),
        lambda: SafetyEnvelope([ChannelLimit("e1", -1, 1, 1), ChannelLimit("e1", -1, 1, 1)]),
        lambda: envelope(differences=[DifferenceLimit("e1", "e9", 1.0)]),
        lambda: envelope(power=PowerLimit((1.0,), 1.0)),
        lambda: envelope(spread_V=np.nan),
    ]:
        with pytest.raises(EnvelopeError):
            bad()


inside = st.tuples(st.floats(-1.2, 0.6), st.floats(-0.7, 0.3), st.floats(0.0, 1.0)).map(np.array)


@given(inside, inside, st.sampled_from([1e-4, 1e-3, 0.5]))
def test_a_ramp_between_allowed_points_is_allowed_short_and_exact(
    start: np.ndarray, stop: np.ndarray, dt: float
) -> None:
    limits = envelope()
    ramp = limits.ramp(start, stop, dt)
    if len(ramp) == 0:
        assert np.abs(start - stop).max() < 1e-6
        return
    limits.check(ramp, dt, start)
    assert (ramp[-1] == stop).all()
    needed = (np.abs(stop - start) / np.minimum(limits.max_slew_V_per_s * dt, limits.max_step_V)).max()
    assert len(ramp) <= needed + 1.0


@given(inside, inside)
def test_joint_limits_hold_all_along_a_ramp(start: np.ndarray, stop: np.ndarray) -> None:
    limits = envelope(spread_V=0.9, power=PowerLimit((1.0, 1.0, 1.0), 1.0))
    try:
        limits.check_point(start)
        limits.check_point(stop)
    except EnvelopeError:
        with pytest.raises(EnvelopeError):
            limits.ramp(start, stop, DT)
    else:
        ramp = limits.ramp(start, stop, DT)
        if len(ramp):
            limits.check(ramp, DT, start)


def test_rounding_at_the_limit_is_forgiven_and_taken_off() -> None:
    limits = envelope()
    waveform = np.full((2, 3), [0.6 + 1e-12, 0.1, 0.5])
    limits.check(waveform, DT)
    assert limits.clip(waveform).max(axis=0)[0] == 0.6
