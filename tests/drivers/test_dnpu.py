"""The chip driver on a bench of fakes that keeps its own log."""

import gc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from calibration.device import Device, Flag
from drivers.dnpu import DNPU
from drivers.envelope import DifferenceLimit
from drivers.errors import (
    DriverError,
    EnvelopeError,
    IdentityError,
    InstrumentError,
    InstrumentTimeout,
    NotCalibrated,
    ReadbackError,
    SafeStateError,
    ShapeError,
)
from drivers.guard import guarded
from drivers.layout import Electrode, JointLimits, Readout
from tests.conformance.device import DeviceConformance
from tests.drivers.chips import (
    ELECTRODES,
    LIMITS,
    READOUT,
    REFERENCE,
    assert_inside_the_envelope,
    calibrated_chip,
    fake_chip,
)
from tests.drivers.fakes import FakeDigitizer, FakeSource


@pytest.fixture(autouse=True)
def _close_chips() -> Iterator[None]:
    yield
    DNPU.close_all()
    gc.collect()


def slow_sines(batch: int = 2, time: int = 30) -> np.ndarray:
    phase = 2 * np.pi * 10.0 * np.arange(time) / 1000.0
    waves = np.stack([0.4 * np.sin(phase), 0.2 * np.cos(phase)], axis=1)
    return np.stack([waves * (1.0 - 0.3 * k) for k in range(batch)])


class TestConformance(DeviceConformance):
    def create_device(self) -> Device:
        return calibrated_chip()[0]


class TestConformanceOfAView(DeviceConformance):
    def create_device(self) -> Device:
        return calibrated_chip()[0].with_inputs(["e3", "e1"])


def test_currents_are_read_at_the_end_of_each_sample() -> None:
    chip, source, digitizer = calibrated_chip()
    chip.set_controls(np.array([0.25]))
    waveform = slow_sines()
    response = chip.run(waveform)
    expected = 2e-8 * waveform[..., 0] - 1e-8 * waveform[..., 1] + 3e-8 * 0.25
    np.testing.assert_allclose(response.outputs[..., 0], expected, rtol=1e-3, atol=1e-14)
    assert not response.flags.any()
    _, period, aperture, delay = digitizer.setting or (0, 0, 0, 0)
    assert (period, aperture) == (1e-3, 200e-6)
    assert 0.7e-3 < delay < 0.8e-3
    assert_inside_the_envelope(source)


def test_elements_are_joined_without_going_to_zero_and_the_last_value_stays() -> None:
    chip, source, _ = calibrated_chip()
    waveform = slow_sines(batch=3)
    waveform[1] += [0.15, 0.05]
    plays = len(source.fired_at)
    chip.run(waveform)
    assert len(source.fired_at) == plays + 1, "a batch is one list per channel"
    block = source.blocks[-1]
    assert set(block) == {1, 2}
    assert len(block[1]) < 90 + 3 * 15
    assert chip.e1.voltage() == pytest.approx(waveform[-1, -1, 0])
    assert chip.e2.voltage() == pytest.approx(waveform[-1, -1, 1])


def test_nothing_is_read_before_a_calibration() -> None:
    chip, source, _ = fake_chip()
    with pytest.raises(NotCalibrated, match="calibrate_amplifier"):
        chip.run(slow_sines())
    with pytest.raises(NotCalibrated):
        chip.current()
    assert source.fired_at == []


def test_the_readout_current_is_in_amperes() -> None:
    chip, _, _ = calibrated_chip()
    chip.e1.voltage(0.5)
    assert chip.current() == pytest.approx(1e-8, rel=1e-3)


def test_a_direct_parameter_set_ramps_from_the_read_back() -> None:
    source = FakeSource(start={1: 0.5})
    chip, source, _ = fake_chip(source)
    chip.e1.voltage(-0.5)
    assert chip.e1.voltage() == pytest.approx(-0.5)
    assert_inside_the_envelope(source)
    source.outputs[1].cut(source.now)
    source.outputs[1].volts[-1] = 0.5  # somebody else moved it
    source.outputs[1].times, source.outputs[1].volts = [source.now], [0.5]
    chip.e1.voltage(0.4)
    assert source.outputs[1].at(source.now) == pytest.approx(0.4)
    assert_inside_the_envelope(source)


@pytest.mark.parametrize("value", [0.61, -1.3, np.nan, np.inf, 1e300, "0.1", None, True, 1j, [0.1, 0.2]])
def test_a_direct_parameter_set_cannot_leave_the_envelope(value: object) -> None:
    chip, source, _ = fake_chip()
    with pytest.raises((EnvelopeError, ShapeError)):
        chip.e1.voltage(value)
    assert source.fired_at == []
    assert_inside_the_envelope(source)


def test_the_sources_own_limits_are_set_when_connecting_and_nothing_moves() -> None:
    _, source, _ = fake_chip(FakeSource(start={2: 0.1}))
    assert [source.outputs[c].slew for c in (1, 2, 3, 8)] == [60.0, 30.0, 40.0, 100.0]
    assert source.confined == {channel: limits[:2] for channel, limits in LIMITS.items()}
    assert source.fired_at == []
    assert source.outputs[2].at(source.now) == 0.1


def test_a_range_beyond_the_sources_is_refused() -> None:
    source = FakeSource()
    source.reach = (-1.0, 1.0)
    with pytest.raises(
        EnvelopeError, match=r"e1: -1.2 V to 0.6 V exceeds the present range of source channel 1"
    ):
        fake_chip(source)


def test_identities_are_checked_before_anything_else() -> None:
    source = FakeSource()
    expected = r"fake://source: found 'Fake, VoltageArray.*' where 'QDAC-II' was expected"
    with pytest.raises(IdentityError, match=expected):
        fake_chip(source, expect={"source": "QDAC-II"})
    assert source.outputs[1].slew == 1e6
    chip, _, _ = fake_chip(expect={"source": "VoltageArray", "digitizer": "Meter"})
    assert chip.identity["digitizer"] == "Fake, Meter, 2, 0.1"
    assert chip.identity["source_address"] == "fake://source"


def test_electrodes_standing_outside_the_envelope_are_not_moved_from_there() -> None:
    chip, source, _ = fake_chip(FakeSource(start={1: 1.5}))
    with pytest.raises(EnvelopeError, match=r"already stand outside .*e1: 1.5 V.*rest\(\)"):
        chip.e2.voltage(0.1)
    assert source.fired_at == []
    chip.rest()
    assert source.outputs[1].at(source.now) == pytest.approx(0.0, abs=1e-3)
    assert source.outputs[1].slews().max() <= 60.0 * (1 + 1e-6)
    chip.e2.voltage(0.1)


def test_joint_limits_hold_on_waveforms_controls_and_on_the_way_to_rest() -> None:
    joint = JointLimits(differences=[DifferenceLimit("e1", "e3", 0.3)])
    chip, source, _ = calibrated_chip(joint=joint)
    with pytest.raises(EnvelopeError, match="e1 - e3"):
        chip.set_controls(np.array([0.4]))
    chip.set_controls(np.array([0.3]))
    waveform = np.zeros((1, 20, 2))
    waveform[0, :, 0] = 0.55
    chip.run(waveform)
    fired = len(source.fired_at)
    with pytest.raises(EnvelopeError, match=r"waveform 1: e1 - e3: 0.5 V at sample 0 exceeds 0.3 V"):
        chip.run(np.concatenate([waveform, -waveform * 0.2 / 0.55]))
    assert len(source.fired_at) == fired, "the second element is refused before the first is played"
    chip.safe_state()
    times = np.linspace(0.0, source.now, 20_001)
    e1, e3 = (np.interp(times, source.outputs[c].times, source.outputs[c].volts) for c in (1, 3))
    assert np.abs(e1 - e3).max() <= 0.3 + 0.3 * 60.0 * 2 * 2e-4  # commands reach outputs one after another


def test_clipped_readings_are_flagged_and_stay_finite() -> None:
    chip, _, digitizer = calibrated_chip()
    digitizer.conductance = {1: 1e-6, 8: 1e-8}
    waveform = np.zeros((1, 100, 2))
    waveform[0, :, 0] = 0.5 * np.sin(2 * np.pi * np.arange(100) / 100)
    response = chip.run(waveform)
    volts = digitizer.gain * 1e-6 * waveform[..., 0] + digitizer.offset
    np.testing.assert_array_equal(response.flags == Flag.CLIPPED, np.abs(volts) >= 0.98 * 4.0)
    assert np.isfinite(response.outputs).all()


def test_overload_is_clipped() -> None:
    chip, _, digitizer = calibrated_chip()
    volts = np.zeros(1000)
    volts[-3], volts[-2], volts[-1] = np.inf, -np.inf, np.nan
    digitizer._volts = lambda starts, aperture: volts[-len(starts) :]  # type: ignore[method-assign]
    response = chip.run(np.zeros((1, 10, 2)))
    assert response.flags[0].tolist() == [0] * 7 + [1, 1, 1]
    assert np.isfinite(response.outputs).all()


def test_a_long_element_pauses_and_says_so() -> None:
    chip, source, _ = calibrated_chip()
    waveform = np.tile(slow_sines(batch=1, time=100), (1, 60, 1))
    fired = len(source.fired_at)
    response = chip.run(waveform)
    assert len(source.fired_at) - fired == 3
    late = np.flatnonzero(response.flags[0])
    assert len(late) == 2
    assert (response.flags[0, late] == Flag.LATE).all()
    expected = 2e-8 * waveform[..., 0] - 1e-8 * waveform[..., 1]
    np.testing.assert_allclose(response.outputs[..., 0], expected, rtol=1e-3, atol=1e-14)
    assert_inside_the_envelope(source)


def test_joins_cost_less_than_a_tenth_of_the_time() -> None:
    chip, _, _ = calibrated_chip()
    rng = np.random.default_rng(3)
    time = np.arange(500) / 1000.0
    phases = rng.uniform(0, 2 * np.pi, (10, 1, 2))
    frequencies = np.array([np.sqrt(2), np.sqrt(3)]) * 4.0
    waveform = np.array([-0.3, -0.2]) + np.array([0.85, 0.45]) * np.sin(
        2 * np.pi * frequencies * time[None, :, None] + phases
    )
    before = chip.cost
    chip.run(waveform)
    spent = chip.cost.chip_time_s - before.chip_time_s
    assert waveform.shape[0] * waveform.shape[1] / 1000.0 / spent > 0.9


# --- failures -----------------------------------------------------------------------------------------


def test_a_timeout_is_played_again_within_the_budget() -> None:
    chip, source, digitizer = calibrated_chip()
    chip.set_controls(np.array([0.25]))
    waveform = slow_sines()
    good = chip.run(waveform)
    digitizer.faults.raising["fetch"] = [InstrumentTimeout("no answer"), InstrumentTimeout("no answer")]
    fired, readings = len(source.fired_at), chip.cost.readings
    again = chip.run(waveform)
    np.testing.assert_allclose(again.outputs, good.outputs, atol=1e-14)
    assert len(source.fired_at) - fired == 3
    assert chip.cost.readings - readings == 60
    assert_inside_the_envelope(source)


def test_after_the_budget_the_chip_is_at_rest_and_the_timeout_is_raised() -> None:
    chip, source, digitizer = calibrated_chip()
    chip.set_controls(np.array([0.25]))
    digitizer.faults.raising["fetch"] = [InstrumentTimeout("meter: no answer")] * 3
    with pytest.raises(InstrumentTimeout, match="tried 3 times in vain") as caught:
        chip.run(slow_sines())
    assert isinstance(caught.value, TimeoutError)
    assert any("at rest" in note for note in caught.value.__notes__)
    assert [source.outputs[c].at(source.now) for c in (1, 2, 3)] == pytest.approx([0, 0, 0], abs=1e-3)
    assert_inside_the_envelope(source)
    chip.set_controls(np.array([0.1]))
    chip.run(slow_sines())


def test_an_instruments_error_is_not_tried_again_and_brings_the_chip_to_rest() -> None:
    chip, source, _ = calibrated_chip()
    chip.set_controls(np.array([0.25]))
    fired = len(source.fired_at)
    source.faults.raising["finish"] = [InstrumentError('-222, "Data out of range"')]
    with pytest.raises(InstrumentError, match="Data out of range"):
        chip.run(slow_sines())
    assert len(source.fired_at) == fired + 1
    assert source.outputs[3].at(source.now) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_run_brings_the_chip_to_rest(interrupt: type[BaseException]) -> None:
    chip, source, digitizer = calibrated_chip()
    chip.set_controls(np.array([0.25]))
    digitizer.faults.raising["fetch"] = [interrupt()]
    with pytest.raises(interrupt):
        chip.run(slow_sines())
    assert [source.outputs[c].at(source.now) for c in (1, 2, 3)] == pytest.approx([0, 0, 0], abs=1e-3)
    assert_inside_the_envelope(source)


def test_an_output_that_does_not_follow_is_found_out() -> None:
    chip, source, _ = calibrated_chip()
    source.faults.stuck.add(3)
    with pytest.raises(ReadbackError, match=r"e3 at 0 V, sent 0.25 V"):
        chip.set_controls(np.array([0.25]))
    assert_inside_the_envelope(source)


def test_the_safe_state_tries_every_channel_and_then_reports() -> None:
    chip, source, digitizer = calibrated_chip()
    chip.set_controls(np.array([0.25]))
    chip.e1.voltage(0.3)
    source.faults.stuck.add(1)
    source.faults.raising["set_static"] = [InstrumentError("refused")]
    source.faults.raising["set_slew_limit"] = [None, InstrumentError("refused")]
    with pytest.raises(SafeStateError, match=r"e1 \(at 0\.3 V\).*refused") as caught:
        chip.safe_state()
    assert "e2 (" not in str(caught.value)
    assert source.outputs[3].at(source.now) == pytest.approx(0.0, abs=1e-3)
    assert digitizer.aborted
    assert_inside_the_envelope(source)
    source.faults.stuck.clear()
    chip.safe_state()
    assert source.outputs[1].at(source.now) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("method", ["abort", "read_back", "set_slew_limit", "set_static"])
@pytest.mark.parametrize("calls", [0, 1, 2])
def test_an_interrupt_during_the_safe_state_waits_until_all_channels_are_tried(
    method: str, calls: int
) -> None:
    chip, source, _ = calibrated_chip()
    chip.set_controls(np.array([0.25]))
    chip.e1.voltage(0.3)
    source.faults.raising[method] = [*[None] * calls, KeyboardInterrupt()]

    def until_interrupted() -> None:
        while source.faults.raising[method]:  # `abort` is called only twice in each safe state
            chip.safe_state()

    with pytest.raises(KeyboardInterrupt) as caught:
        until_interrupted()
    assert caught.value.__cause__ is None
    assert [source.outputs[c].at(source.now) for c in (1, 2, 3)] == pytest.approx([0, 0, 0], abs=1e-3)
    assert_inside_the_envelope(source)


def test_an_interrupt_does_not_hide_what_is_not_at_rest() -> None:
    chip, source, _ = calibrated_chip()
    chip.e1.voltage(0.3)
    source.faults.stuck.add(1)
    source.faults.raising["set_static"] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt) as caught:
        chip.safe_state()
    assert "e1 (at 0.3 V)" in str(caught.value.__cause__)
    source.faults.stuck.clear()


def test_a_silent_source_does_not_hang_the_safe_state() -> None:
    chip, source, _ = calibrated_chip()
    source.faults.silent = True
    with pytest.raises(SafeStateError, match=r"not known to be at 0 V: e1 \(gives no read-back\), e2"):
        chip.safe_state()
    source.faults.silent = False


def test_guarded_reaches_the_safe_state_before_the_exception_goes_on() -> None:
    chip, source, _ = calibrated_chip()

    def interrupted() -> None:
        with guarded(chip):
            chip.set_controls(np.array([0.25]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        interrupted()
    assert source.outputs[3].at(source.now) == pytest.approx(0.0, abs=1e-3)
    assert "safe state" in caught.value.__notes__[0]
    with guarded(chip) as same:
        same.set_controls(np.array([0.25]))
    assert source.outputs[3].at(source.now) == pytest.approx(0.25)


def test_closing_goes_safe_first_and_can_be_repeated() -> None:
    chip, source, _ = calibrated_chip()
    chip.set_controls(np.array([0.25]))
    with chip:
        chip.e1.voltage(0.2)
    assert [source.outputs[c].at(source.now) for c in (1, 2, 3)] == pytest.approx([0, 0, 0], abs=1e-3)
    chip.close()
    chip.close()


def test_closing_reports_a_safe_state_that_was_not_reached() -> None:
    chip, source, _ = calibrated_chip()
    name = chip.name
    source.faults.silent = True
    with pytest.raises(SafeStateError):
        chip.close()
    assert not DNPU.exist(name)


# --- names, shapes, snapshots --------------------------------------------------------------------------


def test_wiring_that_cannot_work_is_refused() -> None:
    source = FakeSource()

    def build(electrodes: tuple[Electrode, ...], readout: Readout = READOUT, **more: float) -> None:
        DNPU(f"bad_{len(source.blocks)}", source, FakeDigitizer(source), electrodes, readout, **more)  # type: ignore[arg-type]

    e1 = ELECTRODES[0]
    with pytest.raises(ShapeError, match="wired twice"):
        build((e1, Electrode("e2", 1, -1, 1, 1)))
    with pytest.raises(ShapeError, match="wired twice"):
        build((Electrode("e2", 8, -1, 1, 1),))
    with pytest.raises(ShapeError, match="is taken by the driver"):
        build((Electrode("run", 1, -1, 1, 1),))
    with pytest.raises(ShapeError, match="cannot be used"):
        build((Electrode("e 1", 1, -1, 1, 1),))
    with pytest.raises(EnvelopeError):
        build(())
    with pytest.raises(ShapeError, match="do not fit into a sample"):
        build((e1,), aperture_s=1e-3)
    with pytest.raises(ShapeError, match=r"no whole number of microseconds.*take 2994\.01198 Hz"):
        build((e1,), sample_rate_Hz=3000.0)
    for bad in ({"saturation_V": 0.0}, {"settling_s": np.inf}, {"nominal_gain_V_per_A": 0.0}):
        with pytest.raises(ShapeError, match="readout e4"):
            replace(READOUT, **bad)
    for bad in ({"resistor_ohm": 0.0}, {"tolerance": -0.1}):
        with pytest.raises(ShapeError, match="no resistor"):
            replace(REFERENCE, **bad)
    with pytest.raises(ShapeError, match="sample rate"):
        build((e1,), sample_rate_Hz=np.nan)


def test_a_view_names_what_is_wrong() -> None:
    chip, _, _ = fake_chip()
    with pytest.raises(ShapeError, match="no channel e9; there are e1, e2, e3"):
        chip.with_inputs(["e9"])
    for names in ([], ["e1", "e1"]):
        with pytest.raises(ShapeError, match="different channels"):
            chip.with_inputs(names)
    view = chip.with_inputs(["e3", "e1"])
    assert (view.inputs.names, view.controls.names) == (("e3", "e1"), ("e2",))


def test_a_view_with_every_electrode_fast_has_no_controls() -> None:
    chip, _, _ = calibrated_chip()
    view = chip.with_inputs(["e1", "e2", "e3"])
    view.set_controls(np.empty(0))
    assert view.run(np.zeros((1, 5, 3))).outputs.shape == (1, 5, 1)


def test_the_snapshot_serves_a_monitor() -> None:
    chip, _, _ = calibrated_chip()
    chip.e1.voltage(0.1)
    snapshot = chip.snapshot(update=False)
    voltage = snapshot["submodules"]["e1"]["parameters"]["voltage"]
    assert (voltage["value"], voltage["unit"]) == (0.1, "V")
    assert snapshot["submodules"]["e1"]["metadata"]["high_V"] == 0.6
    assert chip.snapshot(update=True)["submodules"]["e2"]["parameters"]["voltage"]["value"] == 0.0


# --- anything at all -----------------------------------------------------------------------------------

numbers = st.floats(-2.0, 2.0) | st.floats(width=64) | st.sampled_from([np.nan, np.inf, -np.inf, 0.6, -1.2])
shapes = st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 4)) | st.tuples(
    st.integers(1, 2), st.integers(1, 12), st.just(2)
)


@st.composite
def waveforms(draw: st.DrawFn) -> np.ndarray:
    kind = draw(st.sampled_from(["any", "steps", "walk", "walk", "walk"]))
    if kind == "any":
        return draw(npst.arrays(np.float64, shapes, elements=numbers))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 25)), 2
    if kind == "steps":
        return rng.uniform([-1.3, -0.75], [0.7, 0.35], shape)
    fraction = draw(st.sampled_from([0.1, 0.7, 0.76, 1.1]))
    walk = np.cumsum(rng.uniform(-1, 1, shape) * np.array([0.06, 0.03]) * fraction, axis=1)
    return walk + rng.uniform([-1.2, -0.7], [0.6, 0.3], (shape[0], 1, 2))


actions = st.one_of(
    st.tuples(st.just("run"), waveforms()),
    st.tuples(st.just("controls"), npst.arrays(np.float64, st.integers(0, 3), elements=numbers)),
    st.tuples(st.just("controls"), npst.arrays(np.float64, 1, elements=st.floats(-1.1, 1.1))),
    st.tuples(st.just("e1"), numbers),
    st.tuples(st.just("rest"), st.none()),
    st.tuples(
        st.just("fault"), st.sampled_from(["fetch", "arm", "fire", "finish", "read_back", "set_static"])
    ),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(
    st.lists(actions, min_size=1, max_size=6),
    st.fixed_dictionaries(
        {1: st.floats(-1.2, 0.6), 2: st.floats(-0.7, 0.3), 3: st.floats(-1.0, 1.0), 8: st.just(0.0)}
    ),
)
def test_whatever_is_asked_nothing_leaves_the_envelope(
    todo: list[tuple[str, object]], start: dict[int, float]
) -> None:
    source = FakeSource(start)
    chip, source, digitizer = calibrated_chip(source=source, digitizer=FakeDigitizer(source))
    try:
        for action, value in todo:
            try:
                if action == "run":
                    chip.run(value)  # type: ignore[arg-type]
                elif action == "controls":
                    chip.set_controls(value)  # type: ignore[arg-type]
                elif action == "e1":
                    chip.e1.voltage(value)
                elif action == "rest":
                    chip.rest()
                else:
                    faults = digitizer.faults if value == "fetch" else source.faults
                    faults.raising[str(value)] = [InstrumentTimeout("no answer")]
            except DriverError:
                pass
        source.faults.raising.clear()
    finally:
        source.faults.raising.clear()
        chip.close()
    assert_inside_the_envelope(source)
    for channel in LIMITS:
        assert source.outputs[channel].at(source.now) == pytest.approx(0.0, abs=1e-3)
