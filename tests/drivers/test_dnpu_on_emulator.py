"""The chip driver with the unmodified stock drivers on the emulated bench."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibration.device import Device, Flag
from drivers.errors import ConnectionLost, DriverError, EnvelopeError, IdentityError, InstrumentTimeout
from drivers.guard import guarded
from simulators.faults import Fault
from tests.conformance.device import DeviceConformance
from tests.drivers.emulated import (
    ELECTRODES,
    GAIN,
    OFFSET,
    READOUT,
    RESISTOR,
    Laboratory,
    current,
    laboratory,
)
from tests.drivers.test_dnpu import actions


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Laboratory]:
    with laboratory(tmp_path) as lab:
        yield lab


def tones(batch: int = 3, time: int = 200, seed: int = 1) -> np.ndarray:
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, (batch, 1, 2))
    instants = np.arange(time)[:, None] / 1000.0
    wave = np.sin(2 * np.pi * np.array([4.0, 5.6]) * instants + phases)
    return np.array([-0.3, -0.2]) + np.array([0.85, 0.48]) * wave


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with laboratory(tmp_path_factory.mktemp("bench")) as lab:
        lab.chip.calibrate_amplifier()
        yield lab


class TestConformance(DeviceConformance):
    @pytest.fixture
    def device(self, calibrated: Laboratory) -> Device:
        calibrated.chip.rest()
        return calibrated.chip


def test_the_amplifiers_hidden_gain_and_offset_are_found(lab: Laboratory) -> None:
    found = lab.chip.calibrate_amplifier()
    # The bench's own figures, through resistor and converters whose errors the lab cannot know.
    assert abs(found.gain_V_per_A - GAIN) < 2.0 * found.gain_std
    # The meter's own gain and offset count to the chain: 35 ppm, and 5 ppm of 10 V (its data sheet).
    as_wired = GAIN * READOUT.reference.resistor_ohm / RESISTOR  # type: ignore[union-attr]
    assert abs(found.gain_V_per_A - as_wired) < 4.0 * found.gain_std_statistical + 50e-6 * GAIN
    assert abs(found.offset_V - OFFSET) < 4.0 * found.offset_std + 50e-6
    assert found.gain_std_statistical < 1e-4 * GAIN
    assert 1e-4 < found.noise_V < 1e-3
    lab.assert_inside_the_envelope()
    assert lab.outputs_V() == pytest.approx([0, 0, 0, 0], abs=1e-6)


def test_a_waveform_gives_the_chips_current(tmp_path: Path) -> None:
    with laboratory(tmp_path, hum=False, noise="0 V") as lab:
        lab.chip.calibrate_amplifier()
        lab.chip.set_controls(np.array([0.25]))
        waveform = tones()
        response = lab.chip.run(waveform)
        volts = np.concatenate([np.full((*waveform.shape[:2], 1), 0.25), waveform], axis=2)
        error = response.outputs[..., 0] - current(volts)
        # The amplifier lags by 53 us behind inputs that change by up to 21 V/s and 17 V/s.
        assert np.abs(error).max() < 0.01 * np.ptp(current(volts))
        assert not response.flags.any()
        lab.assert_inside_the_envelope()


def test_plateaus_are_exact(tmp_path: Path) -> None:
    with laboratory(tmp_path, hum=False, noise="0 V") as lab:
        lab.chip.calibrate_amplifier()
        levels = np.random.default_rng(5).uniform([-1.1, -0.6], [0.5, 0.25], (12, 1, 2))
        response = lab.chip.run(np.repeat(levels, 5, axis=1))
        volts = np.concatenate([np.zeros((12, 1)), levels[:, 0]], axis=1)
        wired = 1.0 - 100e6 / RESISTOR
        for k in range(5):
            np.testing.assert_allclose(
                response.outputs[:, k, 0], current(volts), rtol=wired + 2e-4, atol=1e-11
            )


def test_more_than_nine_tenths_of_the_benchs_time_is_useful(lab: Laboratory) -> None:
    lab.chip.calibrate_amplifier()
    waveform = tones(batch=8, time=500)
    lab.chip.run(waveform[:1])
    begin = lab.bench.clock.now
    lab.chip.run(waveform)
    useful = waveform.shape[0] * waveform.shape[1] / 1000.0 / (lab.bench.clock.now - begin)
    assert useful > 0.9


def test_a_saturated_amplifier_is_flagged(tmp_path: Path) -> None:
    with laboratory(tmp_path, scale=40.0) as lab:
        lab.chip.calibrate_amplifier()
        waveform = tones(batch=1)
        response = lab.chip.run(waveform)
        volts = np.concatenate([np.zeros((1, 200, 1)), waveform], axis=2)
        unlimited_V = np.abs(40.0 * current(volts) * GAIN + OFFSET)
        clipped = response.flags == Flag.CLIPPED
        assert clipped[unlimited_V > 4.1].all()
        assert not clipped[unlimited_V < 3.7].any()
        assert 10 < clipped.sum() < 190
        assert np.isfinite(response.outputs).all()


def test_an_identity_that_does_not_fit_drives_nothing(tmp_path: Path) -> None:
    with laboratory(tmp_path) as lab:
        before = lab.bench.instruments["dac"].record(1)  # type: ignore[union-attr]
        source, digitizer = lab.chip._hardware.outputs.source, lab.chip._hardware.digitizer
        with pytest.raises(IdentityError, match=r"192\.168\.8\.17.*QDAC-II.*where 'QDAC-III' was expected"):
            type(lab.chip)("other", source, digitizer, ELECTRODES, READOUT, expect={"source": "QDAC-III"})
        assert lab.bench.instruments["dac"].record(1) == before  # type: ignore[union-attr]


def test_many_plays_do_not_use_up_the_triggers(lab: Laboratory) -> None:
    lab.chip.calibrate_amplifier(levels=3, readings=2, noise_readings=2)
    waveform = np.zeros((1, 1, 2))
    for _ in range(50):
        lab.chip.run(waveform)
    assert len(lab.dac._internal_triggers) == 14


def test_a_meter_that_loses_one_answer_is_played_again(lab: Laboratory) -> None:
    lab.chip.calibrate_amplifier()
    lab.chip.set_controls(np.array([0.25]))
    waveform = tones(batch=1)
    good = lab.chip.run(waveform)
    lab.silence("meter", 2)
    again = lab.chip.run(waveform)
    noise = lab.chip.outputs.noise or 0.0
    assert np.abs(again.outputs - good.outputs).max() < 10.0 * noise
    lab.assert_inside_the_envelope()


@pytest.mark.parametrize("name", ["meter", "dac"])
def test_an_instrument_that_stops_answering_brings_the_chip_to_rest(lab: Laboratory, name: str) -> None:
    lab.chip.calibrate_amplifier()
    lab.chip.set_controls(np.array([0.25]))
    lab.chip.run(tones(batch=1))
    lab.silence(name, None)
    with pytest.raises(InstrumentTimeout, match="tried 3 times in vain"):
        lab.chip.run(tones(batch=1, seed=2))
    # A silent DAC cannot be read back, but it has been told; its outputs get there all the same.
    lab.bench.clock.advance(1.0)
    assert lab.outputs_V() == pytest.approx([0, 0, 0, 0], abs=1e-6)
    lab.silence(name, 0)
    lab.chip.set_controls(np.array([0.1]))
    lab.chip.run(tones(batch=1))
    assert len(lab.dac._internal_triggers) == 14
    lab.assert_inside_the_envelope()


def test_an_exception_in_the_session_brings_the_chip_to_rest(lab: Laboratory) -> None:
    lab.chip.calibrate_amplifier()

    def session() -> None:
        with guarded(lab.chip) as chip:
            chip.set_controls(np.array([0.25]))
            chip.run(tones(batch=1))
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        session()
    assert lab.outputs_V() == pytest.approx([0, 0, 0, 0], abs=1e-3)
    lab.assert_inside_the_envelope()


def test_the_stock_driver_refuses_voltages_outside_the_envelope_too(lab: Laboratory) -> None:
    with pytest.raises(ValueError, match=r"0\.7"):
        lab.dac.ch01.dc_constant_V(0.7)
    lab.dac.ch01.dc_constant_V(0.5)
    lab.chip.e1.voltage(0.4)
    assert lab.outputs_V()[0] == pytest.approx(0.4)
    lab.assert_inside_the_envelope()


def test_a_refused_waveform_sends_nothing(lab: Laboratory) -> None:
    lab.chip.calibrate_amplifier(levels=3, readings=2, noise_readings=2)
    lab.dac.start_recording_scpi()
    waveform = tones()
    waveform[2, 100, 1] = np.nan
    with pytest.raises(EnvelopeError, match="waveform 2: e3: nan at sample 100 is not a voltage"):
        lab.chip.run(waveform)
    assert lab.dac.get_recorded_scpi_commands() == []


def test_a_long_waveform_survives_the_meters_clock(tmp_path: Path) -> None:
    """18 ppm over 6 s are 108 us: without new starts, readings of 200 us would creep into the next sample."""
    with laboratory(tmp_path, hum=False, noise="0 V", clock_error="18 ppm") as lab:
        lab.chip.calibrate_amplifier()
        square = np.zeros((1, 6000, 2))
        square[0, 1::2, 0] = 0.04
        response = lab.chip.run(square)
        assert np.unique(response.flags[0], return_counts=True)[1].tolist() == [5998, 2]
        contrast = response.outputs[0, ::2, 0] - response.outputs[0, 1::2, 0]
        early, late = contrast[:1000].mean(), contrast[-1000:].mean()
        assert late == pytest.approx(early, rel=3e-3)
        assert early == pytest.approx(8e-10, rel=0.02)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
@given(st.lists(actions.filter(lambda action: action[0] != "fault"), min_size=1, max_size=5))
def test_whatever_is_asked_the_virtual_dacs_log_stays_inside(
    lab: Laboratory, todo: list[tuple[str, object]]
) -> None:
    """One bench for all examples: its log is of the whole test."""
    if lab.chip.calibration is None:
        lab.chip.calibrate_amplifier()
    for action, value in todo:
        try:
            if action == "run":
                lab.chip.run(value)  # type: ignore[arg-type]
            elif action == "controls":
                lab.chip.set_controls(value)  # type: ignore[arg-type]
            elif action == "e1":
                lab.chip.e1.voltage(value)
            else:
                lab.chip.rest()
        except DriverError:
            pass
    lab.assert_inside_the_envelope()


def test_a_connection_that_was_lost_is_opened_anew_and_the_waveform_played_again(
    calibrated: Laboratory,
) -> None:
    lab, inputs = calibrated, tones(1)
    before = lab.chip.run(inputs).outputs
    lab.bench.faults.inject(Fault(instrument="dac", kind="disconnect", at=30))
    lab.bench.faults.inject(Fault(instrument="meter", kind="disconnect", at=12))
    after = lab.chip.run(inputs).outputs
    assert [each.struck for each in lab.bench.faults.list()] == [1, 1]
    lab.bench.faults.clear()
    np.testing.assert_allclose(after, before, atol=1e-10)
    lab.assert_inside_the_envelope()


def test_a_source_that_went_is_brought_to_rest_when_it_is_back(calibrated: Laboratory) -> None:
    """Two new connections are refused while the waveform is tried again; the way to rest finds the third."""
    lab = calibrated
    lab.chip.rest()
    lab.bench.faults.inject(Fault(instrument="dac", kind="disconnect", at=40, tries=2))
    with pytest.raises(ConnectionLost, match="tried 3 times in vain") as caught:
        lab.chip.run(tones(1))
    lab.bench.faults.clear()
    assert "the chip is at rest, in its safe state" in caught.value.__notes__
    assert max(map(abs, lab.outputs_V())) < 1e-3
    lab.assert_inside_the_envelope()


def test_a_digit_lost_from_a_read_back_is_no_movement(calibrated: Laboratory) -> None:
    lab = calibrated
    lab.chip.e1.voltage(-0.5)  # type: ignore[attr-defined]
    lab.bench.faults.inject(Fault(instrument="dac", kind="wrong_answer", answer="-5.0", times=1))
    lab.chip.e1.voltage(-0.4)  # type: ignore[attr-defined]
    lab.bench.faults.clear()
    assert lab.chip.e1.voltage() == pytest.approx(-0.4, abs=1e-4)  # type: ignore[attr-defined]
    lab.chip.rest()


def test_instruments_that_were_off_for_a_moment_are_set_up_again(calibrated: Laboratory) -> None:
    lab, inputs = calibrated, tones(1)
    before = lab.chip.run(inputs).outputs
    lab.chip.rest()
    for instrument in lab.bench.instruments.values():
        instrument.reset()
    lab.silence("meter", 1)
    after = lab.chip.run(inputs).outputs
    lab.silence("meter", 0)
    np.testing.assert_allclose(after, before, atol=1e-10)
    assert lab.meter.ask("SENS:VOLT:RANG:AUTO?").strip() == "0"
    for electrode in ELECTRODES:
        slew = lab.bench.instruments["dac"].channel(electrode.channel).dc.slew_V_per_s
        assert slew == pytest.approx(electrode.max_slew_V_per_s)
