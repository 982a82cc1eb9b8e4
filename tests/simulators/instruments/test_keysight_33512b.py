"""The 33512B, driven by the stock driver of QCoDeS, seen by an oscilloscope and a meter on its terminals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.bench import EmulatorConfig, build
from simulators.clock import VirtualClock
from simulators.instruments.catalogue import make_instrument
from simulators.instruments.keysight_33512b import shapes
from simulators.instruments.terminals import Pulse
from tests.simulators.instruments.traces import acquire, fit_sine, peak

NO_ERROR = (0, "No error")

VALUES = {
    "function_type": ["SQU", "TRI", "RAMP", "PULS", "PRBS", "NOIS", "ARB", "DC", "SIN"],
    "frequency_mode": ["LIST", "CW"],
    "frequency": [1e-6, 1.0, 20e6],
    "phase": [0, 90, 360],
    "amplitude_unit": ["VRMS", "DBM", "VPP"],
    "amplitude": [1e-3, 2.5, 10.0],
    "offset": [-2.0, 0.0, 1.25],
    "output": ["ON", "OFF"],
    "ramp_symmetry": [0, 33.3, 100],
    "pulse_width": [16e-9, 1e-4, 9e-4],
    "trigger_source": ["EXT", "TIM", "BUS", "IMM"],
    "trigger_slope": ["NEG", "POS"],
    "trigger_count": [1, 17, 1_000_000],
    "trigger_delay": [0, 1e-6, 1000],
    "trigger_timer": [1e-6, 2.5, 8000],
    "output_polarity": ["INV", "NORM"],
    "burst_state": ["ON", "OFF"],
    "burst_mode": ["Gated", "N Cycle"],
    "burst_ncycles": [1, 250],
    "burst_phase": [-360, 45, 360],
    "burst_polarity": ["INV", "NORM"],
    "burst_int_period": [1e-6, 0.5, 8000],
}


def alone(noise=0.0):
    """A generator on no bench, and what it sends down a trigger cable."""
    clock = VirtualClock()
    generator = make_instrument("keysight_33512b", clock, "1", np.random.default_rng(5), noise=noise)
    return generator, clock


def tell(generator, *messages):
    for message in messages:
        generator.write(message.encode("latin-1") + b"\n")
    assert not len(generator.status.errors), generator.status.errors.pop()


def ask(generator, message):
    generator.write(message.encode() + b"\n")
    return generator.read(1 << 20)[0].decode().strip()


def sampled(generator, times_s, width_s=1e-9, channel="ch1"):
    return generator.terminals.sources[channel].means(times_s, times_s + width_s)


@pytest.mark.parametrize("name", VALUES)
def test_every_value_is_taken(waves, name):
    for channel in (waves.generator.ch1, waves.generator.ch2):
        parameter = channel.parameters[name]
        for value in VALUES[name]:
            parameter(value)
            answer = parameter.get()
            assert answer == (value if isinstance(value, str) else pytest.approx(value))
            assert waves.generator.error() == NO_ERROR, value


def test_words_in_place_of_values(waves):
    generator, channel = waves.generator, waves.generator.ch1
    channel.frequency_mode("FIXED")
    assert channel.frequency_mode() == "CW"
    channel.frequency_mode("SWEEP")
    assert channel.frequency_mode() == "SWE"
    channel.burst_ncycles("MAX")
    assert channel.burst_ncycles() == 100_000_000
    channel.burst_ncycles("INF")
    assert channel.burst_ncycles() == math.inf
    channel.burst_ncycles("MIN")
    assert channel.burst_ncycles() == 1
    for state in ("OFF", "ON"):
        generator.sync.output(state)
        assert generator.sync.output() == state
    for source in (2, 1):
        generator.sync.source(source)
        assert generator.sync.source() == source
    assert generator.error() == NO_ERROR


def test_reset_gives_the_factory_settings(waves):
    generator, channel = waves.generator, waves.generator.ch1
    channel.function_type("SQU")
    channel.amplitude(3)
    channel.output("ON")
    generator.sync.output("OFF")
    generator.write("*RST")
    found = {name: channel.parameters[name].get() for name in VALUES}
    assert found == {
        "function_type": "SIN",
        "frequency_mode": "CW",
        "frequency": 1e3,
        "phase": 0,
        "amplitude_unit": "VPP",
        "amplitude": pytest.approx(0.1),
        "offset": 0,
        "output": "OFF",
        "ramp_symmetry": 100,
        "pulse_width": 1e-4,
        "trigger_source": "IMM",
        "trigger_slope": "POS",
        "trigger_count": 1,
        "trigger_delay": 0,
        "trigger_timer": 1,
        "output_polarity": "NORM",
        "burst_state": "OFF",
        "burst_mode": "N Cycle",
        "burst_ncycles": 1,
        "burst_phase": 0,
        "burst_polarity": "NORM",
        "burst_int_period": 0.01,
    }
    assert generator.sync.output() == "ON"
    assert generator.ask("OUTP:LOAD?") == "+5.000000000000000E+01"


# Limits and what one setting does to another --------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "limit"), [("RAMP", 200e3), ("TRI", 200e3), ("SQU", 20e6), ("PULS", 20e6)]
)
def test_a_function_reduces_the_frequency(waves, function, limit):
    generator, channel = waves.generator, waves.generator.ch1
    channel.pulse_width(16e-9)
    channel.frequency(20e6)
    channel.function_type(function)
    assert channel.frequency() == limit
    if limit < 20e6:
        assert generator.error() == (-221, "Settings conflict;frequency reduced for ramp function")
        channel.write("SOUR1:FREQ 3e5")
        assert generator.error() == (-222, "Data out of range;value clipped to upper limit")
        assert channel.frequency() == limit
    assert generator.error() == NO_ERROR


def test_amplitude_and_offset_share_the_range(waves):
    generator, channel = waves.generator, waves.generator.ch1
    channel.amplitude(4)
    channel.offset(4)
    assert generator.error() == (-221, "Settings conflict;amplitude changed due to offset")
    assert channel.amplitude() == pytest.approx(2)
    channel.amplitude(6)
    assert generator.error() == (-221, "Settings conflict;offset changed due to amplitude")
    assert channel.offset() == pytest.approx(2)
    channel.amplitude(11)
    assert generator.error() == (-222, "Data out of range;value clipped to upper limit")
    assert (channel.amplitude(), generator.error()[0]) == (pytest.approx(10), -221)
    assert channel.offset() == 0


def test_high_and_low_levels(waves):
    generator, channel = waves.generator, waves.generator.ch1
    generator.write("VOLT:HIGH 3;LOW 1")
    assert (channel.amplitude(), channel.offset()) == (pytest.approx(2), pytest.approx(2))
    assert generator.error() == NO_ERROR
    generator.write("VOLT:HIGH 0.5")
    assert generator.error() == (-221, "Settings conflict;low level changed due to high level")
    assert float(generator.ask("VOLT:LOW?")) == pytest.approx(0.499)
    generator.write("VOLT:LIM:HIGH 1;LOW -1;STAT ON")
    generator.write("VOLT:HIGH 2")
    assert generator.error()[0] == -221
    assert float(generator.ask("VOLT:HIGH?")) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("function", "crest"), [("SIN", 2 * math.sqrt(2)), ("SQU", 2), ("RAMP", 2 * math.sqrt(3))]
)
def test_units_of_amplitude(waves, function, crest):
    channel = waves.generator.ch1
    channel.function_type(function)
    channel.amplitude(2.0)
    channel.amplitude_unit("VRMS")
    assert channel.amplitude() == pytest.approx(2.0 / crest)
    channel.amplitude_unit("DBM")
    assert channel.amplitude() == pytest.approx(10 * math.log10((2.0 / crest) ** 2 / 50 / 1e-3))
    channel.amplitude(0.0)
    channel.amplitude_unit("VPP")
    assert channel.amplitude() == pytest.approx(crest * math.sqrt(50e-3))
    channel.write("SOUR1:VOLT 1.5 VRMS")
    assert channel.amplitude() == pytest.approx(1.5 * crest)
    assert waves.generator.error() == NO_ERROR


def test_the_load_changes_the_scale_and_not_the_output(waves):
    generator, channel = waves.generator, waves.generator.ch1
    channel.amplitude(1.0)
    channel.offset(0.2)
    channel.output("ON")
    waves.scope.ch1.range(4.0)
    waves.scope.timebase_range(5e-3)
    waves.scope.acquisition_sample_rate(1e6)
    before = fit_sine(*acquire(waves.scope), 1e3)
    generator.write("OUTP1:LOAD INF")
    assert (channel.amplitude(), channel.offset()) == (pytest.approx(2.0), pytest.approx(0.4))
    assert float(generator.ask("OUTP1:LOAD?")) == 9.9e37
    after = fit_sine(*acquire(waves.scope), 1e3)
    assert after[0] == pytest.approx(before[0], rel=2e-3) == pytest.approx(1.0, rel=0.02)
    channel.amplitude_unit("DBM")
    assert generator.error()[0] == -221
    generator.write("OUTP1:LOAD 50")
    channel.amplitude_unit("DBM")
    generator.write("OUTP1:LOAD INF")
    assert channel.amplitude_unit() == "VPP"
    assert generator.error() == NO_ERROR


def test_pulses_fit_into_their_period(waves):
    generator, channel = waves.generator, waves.generator.ch1
    channel.function_type("PULS")
    channel.pulse_width(5e-4)
    channel.frequency(5e3)
    assert generator.error() == (-221, "Settings conflict;pulse width decreased due to period")
    assert channel.pulse_width() == pytest.approx(2e-4 - 16e-9)
    generator.write("FUNC:PULS:DCYC 20")
    channel.frequency(1e3)
    assert channel.pulse_width() == pytest.approx(2e-4)
    generator.write("FUNC:PULS:TRAN 500 ns")
    channel.pulse_width(400e-9)
    assert generator.error() == (-221, "Settings conflict;edge time decreased due to pulse width")


def test_bursts_fit_into_their_period(waves):
    generator, channel = waves.generator, waves.generator.ch1
    channel.burst_state("ON")
    channel.burst_ncycles(20)
    assert generator.error() == (-221, "Settings conflict;burst period increased to fit entire burst")
    assert channel.burst_int_period() == pytest.approx(20e-3 + 1e-6)
    channel.burst_ncycles("INF")
    assert generator.error()[0] == -221
    assert channel.trigger_source() == "BUS"
    channel.trigger_source("IMM")
    assert generator.error() == (
        -221,
        "Settings conflict;turned off infinite burst to allow immediate trigger source",
    )
    channel.burst_state("OFF")
    channel.function_type("DC")
    channel.burst_state("ON")
    assert generator.error()[0] == -221


# What is on the terminals ---------------------------------------------------------------------------------


def test_a_meter_reads_levels_and_digitises_waves(waves):
    generator, channel, meter = waves.generator, waves.generator.ch1, waves.meter
    channel.function_type("DC")
    channel.offset(1.25)
    channel.output("ON")
    waves.bench.clock.advance(1.0)
    assert meter.volt() == pytest.approx(2.5, rel=0.01)
    channel.output("OFF")
    waves.bench.clock.advance(1.0)
    assert meter.volt() == pytest.approx(0.0, abs=1e-4)
    generator.write("APPL:SIN 50, 2, 0")
    meter.range(10)
    meter.aperture_time(1e-4)
    meter.autozero("OFF")
    meter.sample.source("TIM")
    meter.sample.timer(2e-4)
    meter.sample.count(500)
    meter.trigger.delay(0.0)
    volts = meter.read()
    amplitude, _, offset, left = fit_sine(2e-4 * np.arange(500.0), volts, 50.0)
    assert amplitude == pytest.approx(2.0, rel=0.01)
    assert abs(offset) < 5e-3
    assert left < 1e-3


def test_every_function_has_its_shape(waves):
    generator, channel, scope = waves.generator, waves.generator.ch1, waves.scope
    channel.amplitude(1.0)
    channel.output("ON")
    generator.write("OUTP:LOAD INF;:VOLT 2")
    scope.ch1.range(4.0)
    scope.timebase_range(3e-3)
    scope.acquisition_sample_rate(10e6)
    scope.trigger_source("EXT")
    turn = {
        "SIN": lambda part: np.sin(2 * np.pi * part),
        "SQU": lambda part: np.where(part < 0.5, 1.0, -1.0),
        "TRI": lambda part: 2 / np.pi * np.arcsin(np.sin(2 * np.pi * part)),
        "RAMP": lambda part: 2 * ((part + 0.5) % 1.0) - 1,
        "PULS": lambda part: np.where(part < 0.1, 1.0, -1.0),
    }
    for function, shape in turn.items():
        channel.function_type(function)
        times_s, volts = acquire(scope)
        part = (times_s * 1e3) % 1.0
        left = volts - shape(part)
        steady = np.abs(((part * 20) + 0.5) % 1.0 - 0.5) > 0.01  # away from jumps
        assert np.std(left[steady]) < 0.02, function
        assert abs(np.mean(left[steady])) < 0.03, function
    assert generator.error() == NO_ERROR


def test_a_negative_polarity_and_a_phase(waves):
    channel, scope = waves.generator.ch1, waves.scope
    channel.frequency(1e6)
    channel.amplitude(1.0)
    channel.output("ON")
    scope.ch1.range(4.0)
    scope.timebase_range(5e-6)
    scope.trigger_source("EXT")
    assert fit_sine(*acquire(scope), 1e6)[1] == pytest.approx(0.0, abs=1e-3)
    channel.output_polarity("INV")
    assert abs(fit_sine(*acquire(scope), 1e6)[1]) == pytest.approx(0.5, abs=1e-3)


def test_two_channels_are_locked_in_phase(waves):
    generator, scope = waves.generator, waves.scope
    for channel, phase in ((generator.ch1, 0), (generator.ch2, 90)):
        channel.frequency(2e6)
        waves.bench.clock.advance(0.1234567)
        channel.amplitude(1.0)
        channel.phase(phase)
        channel.output("ON")
    generator.sync_channel_phases()
    scope.ch2.state("ON")
    scope.ch1.range(4.0)
    scope.ch2.range(4.0)
    scope.timebase_range(5e-6)
    scope.run_single()
    scope.opc()
    phases = []
    for channel in (scope.ch1, scope.ch2):
        channel.trace.prepare_trace()
        volts = channel.trace()
        phases.append(fit_sine(np.array(channel.trace.setpoints[0]), volts, 2e6)[1])
    assert (phases[1] - phases[0]) % 1.0 == pytest.approx(0.25, abs=1e-3)
    assert generator.error() == NO_ERROR


def test_a_burst_of_n_cycles_starts_with_the_dacs_trigger(waves):
    generator, channel, scope, dac = waves.generator, waves.generator.ch1, waves.scope, waves.dac
    generator.sync.output("OFF")
    channel.frequency(1e5)
    channel.amplitude(1.0)
    channel.burst_ncycles(4)
    channel.trigger_source("EXT")
    channel.trigger_delay(3e-6)
    channel.burst_phase(90)
    channel.burst_state("ON")
    channel.output("ON")
    scope.ch1.range(4.0)
    scope.timebase_range(100e-6)
    scope.trigger_level(0.0)
    scope.trigger_edge_slope("NEG")
    scope.trigger_mode("NORMAL")
    scope.acquisition_sample_rate(1e8)
    scope.run_single()
    dac.write("outp:trig1:sour bus")
    waves.bench.clock.advance(0.01)
    dac.write("*trg")
    scope.opc()
    trace = scope.ch1.trace
    trace.prepare_trace()
    volts = trace()
    times_s = (
        np.array(trace.setpoints[0]) + 2.5e-6
    )  # from the burst's start: a cosine falls a quarter cycle later
    inside = (times_s > 0) & (times_s < 40e-6)
    expected = np.where(inside, np.cos(2 * np.pi * 1e5 * times_s), 1.0)
    assert np.std(volts - expected) < 0.02
    assert generator.error() == NO_ERROR


def test_one_channels_sync_triggers_bursts_of_the_other(waves):
    generator, scope = waves.generator, waves.scope
    generator.ch1.frequency(1e3)
    burst = generator.ch2
    burst.frequency(1e5)
    burst.amplitude(1.0)
    burst.burst_ncycles(2)
    burst.trigger_source("EXT")
    burst.burst_state("ON")
    burst.output("ON")
    scope.ch1.state("OFF")
    scope.ch2.state("ON")
    scope.ch2.range(4.0)
    scope.timebase_range(3e-3)
    scope.acquisition_sample_rate(1e7)
    scope.trigger_source("EXT")
    times_s, volts = acquire(scope, 2)
    active_s = times_s[np.abs(volts) > 0.5]
    starts_s = active_s[np.diff(active_s, prepend=-1.0) > 1e-4]
    np.testing.assert_allclose(np.diff(starts_s), 1e-3, atol=1e-6)
    assert len(starts_s) == 3
    assert np.max((active_s - 0.8e-6) % 1e-3) < 20e-6


def test_triggers_are_counted_timed_and_refused():
    generator, clock = alone()
    tell(generator, "FREQ 1e4;:VOLT 1;:OUTP ON;:BURS:NCYC 2;STAT ON;:TRIG:SOUR BUS")
    heard = []
    generator.terminals.trigger_outputs["trigger"].listeners.append(heard.append)
    tell(generator, "OUTP:TRIG ON", "*TRG")
    generator.write(b"*TRG\n")  # during the burst
    assert generator.status.errors.pop().code == -211
    generator.write(b"*OPC?\n")
    clock.advance(190e-6)
    assert not generator.message_available
    clock.advance(20e-6)
    assert generator.read(10)[0] == b"1\n"
    tell(generator, "TRIG:COUN 2;:INIT1", "*TRG")
    clock.advance(1e-3)
    tell(generator, "TRIG1")
    clock.advance(1e-3)
    generator.write(b"*TRG\n")
    assert generator.status.errors.pop().code == -211
    assert len(heard) == 3
    tell(generator, "INIT:CONT ON;:TRIG:TIM 1e-3;SOUR TIM")
    start_s = clock.now
    clock.advance(5.5e-3)
    assert [pulse.start_s for pulse in heard[3:]] == pytest.approx([start_s + 1e-3 * k for k in range(6)])


def test_a_gate_lets_whole_cycles_through():
    generator, clock = alone()
    tell(generator, "FREQ 1e4;:OUTP:LOAD INF;:VOLT 2;:OUTP ON;:TRIG:SOUR EXT;:BURS:MODE GAT;STAT ON")
    clock.advance(1.0)
    generator.terminals.trigger_inputs["ext"](Pulse(clock.now, 230e-6))
    clock.advance(1e-3)
    volts = sampled(generator, 1.0 + np.arange(0, 1e-3, 1e-6), 1e-6)
    assert np.max(np.abs(volts[:300])) == pytest.approx(1.0, rel=0.01)
    assert np.max(np.abs(volts[300:])) < 0.01
    tell(generator, "BURS:GATE:POL INV")
    clock.advance(1e-3)
    begin_s = clock.now
    generator.terminals.trigger_inputs["ext"](Pulse(begin_s, 500e-6))
    clock.advance(1e-3)
    volts = sampled(generator, begin_s + np.arange(0, 1e-3, 1e-6), 1e-6)
    assert np.max(np.abs(volts[100:500])) < 0.01
    assert np.max(np.abs(volts[500:])) == pytest.approx(1.0, rel=0.01)


def test_sync_goes_with_the_cycles():
    generator, clock = alone()
    heard = []
    generator.terminals.trigger_outputs["sync"].listeners.append(heard.append)
    tell(generator, "FREQ 250", "PHAS 90")
    clock.advance(0.0201)
    starts_s = np.array([pulse.start_s for pulse in heard if pulse.start_s > 0])
    assert starts_s == pytest.approx(0.003 + 0.004 * np.arange(len(starts_s)))
    assert heard[-1].width_s == pytest.approx(0.002)
    heard.clear()
    tell(generator, "FREQ 20e6")
    clock.advance(1e-3)
    starts_s = np.array([pulse.start_s for pulse in heard])
    assert 90 <= len(starts_s) <= 101  # every n-th of them
    cycles = np.diff(starts_s) * 20e6
    np.testing.assert_allclose(cycles, np.round(cycles), atol=1e-3)
    tell(generator, "OUTP:SYNC OFF")
    heard.clear()
    clock.advance(1e-3)
    assert not heard


def test_bursts_that_start_by_themselves_repeat():
    generator, clock = alone()
    heard = []
    generator.terminals.trigger_outputs["sync"].listeners.append(heard.append)
    tell(generator, "FREQ 1e4;:OUTP:LOAD INF;:VOLT 2;:OUTP ON;:BURS:NCYC 3;INT:PER 1e-3;:BURS:STAT ON")
    clock.advance(5.5e-3)
    times_s = np.arange(0, 5e-3, 1e-6)
    volts = sampled(generator, times_s, 1e-6)
    part_s = times_s % 1e-3 + 0.5e-6
    expected = np.where(part_s < 300e-6, np.sin(2 * np.pi * 1e4 * part_s), 0.0)
    np.testing.assert_allclose(volts, expected, atol=0.015)
    assert [pulse.start_s for pulse in heard] == pytest.approx([1e-3 * k for k in range(6)], abs=1e-9)
    assert heard[0].width_s == pytest.approx(300e-6)
    tell(generator, "BURS:PHAS 90;:INIT:CONT OFF")
    clock.advance(1.0)
    assert sampled(generator, np.array([clock.now]))[0] == pytest.approx(1.0, abs=0.01)


# Arbitrary waves, noise, bits, sweeps ---------------------------------------------------------------------


def test_an_arbitrary_wave_in_numbers_and_in_blocks(waves):
    generator, scope = waves.generator, waves.scope
    levels = np.clip(np.random.default_rng(1).uniform(-1, 1, 200), -1, 1)
    levels[:2] = (1, -1)
    generator.write("SOUR1:DATA:ARB steps," + ",".join(f"{level:.6f}" for level in levels))
    generator.visa_handle.write_binary_values(
        "SOUR1:DATA:ARB:DAC codes,", np.round(32767 * levels).astype(">i2"), "h", is_big_endian=True
    )
    generator.write("FORM:BORD SWAP")
    generator.visa_handle.write_binary_values("SOUR1:DATA:ARB reals,", levels, "f")
    assert generator.ask("DATA:VOL:CAT?").split(",")[1:] == ['"steps"', '"codes"', '"reals"']
    assert generator.ask("DATA:ATTR:POIN? codes") == "200"
    scope.ch1.range(4.0)
    scope.timebase_range(400e-6)
    scope.acquisition_sample_rate(10e6)
    scope.trigger_source("EXT")
    for name in ("steps", "codes", "reals"):
        generator.write(f'FUNC:ARB "{name}"')
        generator.write("FUNC:ARB:SRAT 1e6")
        generator.write("VOLT 1;:FUNC ARB;:OUTP ON")
        times_s, volts = acquire(scope)
        row = (times_s * 1e6) % 200
        steady = (row % 1.0 > 0.05) & (row % 1.0 < 0.95)
        assert np.std((volts - levels[row.astype(int)])[steady]) < 0.03
    assert generator.ch1.frequency() == pytest.approx(5e3)
    generator.write("FUNC:ARB:FILT NORM")
    times_s, volts = acquire(scope)
    np.testing.assert_allclose(
        volts, np.interp((times_s * 1e6) % 200, np.arange(201), np.append(levels, levels[0])), atol=0.1
    )
    assert generator.error() == NO_ERROR


def test_arbitrary_waves_that_cannot_be_kept(waves):
    generator = waves.generator
    wrong = {
        "DATA:ARB short,0,1": -222,
        "DATA:ARB big," + "2," * 10 + "0": -222,
        "DATA:ARB:DAC big," + "40000," * 10 + "0": -222,
        "FUNC:ARB nothing": 785,
    }
    for message, code in wrong.items():
        generator.write(message)
        assert generator.error()[0] == code, message
    for code in (0, 786):
        generator.write("DATA:ARB kept,0,1,0,1,0,1,0,1")
        assert generator.error()[0] == code
    generator.write("DATA:VOL:CLE")
    assert generator.ask("DATA:VOL:FREE?") == "1000000"


def test_apply(waves):
    generator = waves.generator
    generator.write("SOUR2:APPL:SQU 5 KHZ, 3.0 V, -2.5 V")
    assert generator.error()[0] == 0
    words = generator.ask("SOUR2:APPL?").strip('"').split()
    assert words[0] == "SQU"
    assert [float(number) for number in words[1].split(",")] == pytest.approx([5e3, 3.0, -2.5])
    assert generator.ch2.output() == "ON"
    generator.write("APPL:RAMP 1e6")
    assert generator.error() == (-222, "Data out of range;frequency; value clipped to upper limit")
    generator.write("APPL:DC DEF, DEF, 0.5")
    assert generator.ch1.function_type() == "DC"
    assert generator.ch1.offset() == pytest.approx(0.5)
    assert generator.error() == NO_ERROR


def test_noise_has_its_power_in_its_bandwidth():
    generator, _ = alone()
    tell(generator, "FUNC NOIS;:FUNC:NOIS:BAND 1e5;:OUTP:LOAD INF;:VOLT 7;:OUTP ON")
    volts = sampled(generator, np.arange(0, 0.2, 1e-6), 1e-9)
    assert np.std(volts) == pytest.approx(1.0 * math.sqrt(2 / 3), rel=0.05)  # straight lines between points
    power = np.abs(np.fft.rfft(volts)) ** 2
    assert np.sum(power[: len(power) // 5]) > 0.8 * np.sum(power)


def test_a_bit_sequence_is_that_of_its_polynomial(waves):
    generator, scope = waves.generator, waves.scope
    generator.write("FUNC:PRBS:DATA PN9;BRAT 1e6;:FUNC PRBS;:VOLT 1;:OUTP ON")
    scope.ch1.range(4.0)
    scope.timebase_range(1022e-6)
    scope.timebase_position(511e-6)
    scope.acquisition_sample_rate(10e6)
    scope.trigger_source("EXT")
    times_s, volts = acquire(scope)
    found = np.interp((np.arange(1000) + 0.5) * 1e-6, times_s, volts) > 0
    bits = [1] * 9
    while len(bits) < 1000:
        bits.append(bits[-9] ^ bits[-5])
    assert found.tolist() == [bool(bit) for bit in bits]


@pytest.mark.parametrize("name", shapes.PRBS_TAPS)
def test_bit_sequences_have_their_length_and_balance(name):
    length, tap = shapes.PRBS_TAPS[name]
    bits = shapes.bits(name) > 0
    assert len(bits) == 2**length - 1
    assert np.sum(bits) == 2 ** (length - 1)
    assert bits[:length].all()
    np.testing.assert_array_equal(bits[length:], bits[:-length] ^ bits[length - tap : len(bits) - tap])


def test_a_sweep_passes_its_frequencies():
    generator, _ = alone()
    tell(generator, "FREQ:STAR 1e3;STOP 11e3;:SWE:TIME 1;:VOLT 1;:OUTP ON;:SWE:STAT ON")
    for at_s in (0.1, 0.5, 0.9):
        times_s = at_s - 0.01 + np.arange(0, 0.02, 1e-5)
        assert peak(times_s, sampled(generator, times_s))[0] == pytest.approx(1e3 + 1e4 * at_s, abs=200)
    tell(generator, "SWE:SPAC LOG;:FREQ:STOP 1e5")
    times_s = 0.49 + np.arange(0, 0.02, 1e-6)
    assert peak(times_s, sampled(generator, times_s))[0] == pytest.approx(1e4, rel=0.06)
    tell(generator, "LIST:FREQ 2e3,5e3;DWEL 0.1;:FREQ:MODE LIST")
    for at_s, hertz in ((0.05, 2e3), (0.15, 5e3), (0.25, 2e3)):
        times_s = at_s - 0.02 + np.arange(0, 0.04, 1e-5)
        assert peak(times_s, sampled(generator, times_s))[0] == pytest.approx(hertz, abs=50)


# Means, corners, loads ------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    shape=st.sampled_from(
        [
            shapes.Sine(),
            shapes.square(0.3, 1e6),
            shapes.ramp(0.2),
            shapes.ramp(1.0),
            shapes.pulse(2e-7, 1e-7, 3e-8, 1e6),
            shapes.stairs(np.array([0.1, -0.4, 0.5, 0.5]), 1e6),
            shapes.Burst(shapes.Sine(), 0.25, 0.5, 3, 10.0),
        ]
    ),
    first=st.floats(0, 1),
    swept=st.floats(1e-6, 5),
)
def test_a_mean_is_the_mean_of_its_points(shape, first, swept):
    points = 20_000
    phases = first + swept * (np.arange(points) + 0.5) / points
    mean = float(shape.mean(np.array([first]), np.array([swept]))[0])
    assert mean == pytest.approx(float(np.mean(shape.at(phases))), abs=3 * swept / points + 1e-6)


@pytest.mark.parametrize("function", ["SIN", "SQU", "TRI", "PULS", "ARB", "PRBS"])
def test_corners_and_means_agree(function):
    generator, clock = alone()
    tell(generator, f"FUNC {function};:VOLT 1;:OUTP ON")
    clock.advance(1.0)
    source = generator.terminals.sources["ch1"]
    starts_s = np.linspace(0.3, 0.32, 401)[:-1]
    corners = source.knots(0.3, 0.32)
    np.testing.assert_allclose(
        corners.means(starts_s, starts_s + 5e-5), source.means(starts_s, starts_s + 5e-5), atol=2e-3
    )


def test_a_wave_too_fast_for_corners_is_its_mean():
    generator, _ = alone()
    tell(generator, "FREQ 20e6;:VOLT 1;:VOLT:OFFS 0.5;:OUTP ON")
    corners = generator.terminals.sources["ch1"].knots(0.0, 1.0)
    assert len(corners.times_s) < 40_000
    assert float(corners.means(np.array([0.0]), np.array([1.0]))[0]) == pytest.approx(1.0, rel=0.01)


def test_resistors_on_the_terminal_divide():
    wires = ["generator.ch1 -> 50 Ohm -> ground", "generator.ch1 -> 50 Ohm -> ground"]
    config = {"seed": 1, "instruments": {"generator": {"model": "keysight_33512b"}}, "wires": wires}
    bench = build(EmulatorConfig.model_validate(config), {"generator": "GPIB0::10::INSTR"}, ".")
    generator = bench.instruments["generator"]
    tell(generator, "FUNC DC;:VOLT:OFFS 1.5;:OUTP ON")
    assert sampled(generator, np.array([0.1]))[0] == pytest.approx(3.0 * 25 / 75, rel=0.01)


def test_a_wrong_clock_makes_every_wave_slow():
    clock = VirtualClock()
    generator = make_instrument("keysight_33512b", clock, "1", np.random.default_rng(5), 1e-3)
    tell(generator, "FREQ 1e3;:VOLT 1;:OUTP ON")
    times_s = np.arange(0, 1.0, 1e-4)
    assert fit_sine(times_s, sampled(generator, times_s), 1e3 / 1.001)[0] == pytest.approx(1.0, rel=0.01)


def test_a_new_frequency_keeps_the_phase():
    generator, clock = alone()
    tell(generator, "FREQ 1e3;:VOLT 1;:OUTP ON")
    clock.advance(0.25e-3 + 7e-3)
    tell(generator, "FREQ 10")
    before, after = sampled(generator, np.array([clock.now - 1e-7, clock.now + 1e-7]), 1e-8)
    assert before == pytest.approx(after, abs=1e-3) == pytest.approx(1.0, rel=0.01)
