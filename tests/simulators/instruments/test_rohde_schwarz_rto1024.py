"""The RTO1024, driven by the stock driver of QCoDeS; a 33512B feeds its inputs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.instruments.rohde_schwarz_rto1024.edges import Search
from simulators.instruments.rohde_schwarz_rto1024.measurements import MAINS, Measured
from simulators.instruments.terminals import Pulse
from tests.simulators.instruments.traces import LEVELS, acquire, fit_sine, peak, screen

NO_ERROR = '0,"No error"'
NOT_MEASURABLE = 9.91e37

CHANNEL_VALUES = {
    "state": ["OFF", "ON"],
    "coupling": ["DC", "AC", "DCLimit"],
    "ground": ["ON", "OFF"],
    "scale": [1e-3, 0.2, 10.0],
    "range": [0.01, 2.5, 100.0],
    "position": [-5, 0, 5],
    "offset": [-1.5, 0.0, 2.0],
    "invert": ["ON", "OFF"],
    "bandwidth": ["B20", "B200", "B800", "FULL"],
    "impedance": [1, 50, 100_000],
    "arithmetics": ["AVERAGE", "ENVELOPE", "OFF"],
}
SCOPE_VALUES = {
    "display": ["remote", "view"],
    "trigger_display": ["OFF", "ON"],
    "trigger_source": ["CH2", "CH3", "CH4", "EXT", "CH1"],
    "trigger_mode": ["NORMAL", "FREERUN", "AUTO"],
    "trigger_edge_slope": ["NEG", "EITH", "POS"],
    "trigger_level": [-0.2, 0.1],
    "timebase_scale": [25e-12, 1e-3, 10e3],
    "timebase_range": [250e-12, 1e-5, 100e3],
    "timebase_position": [-1e-6, 0.0, 2.0],
    "num_acquisitions": [1, 7, 16_777_215],
    "acquisition_sample_rate": [1e8, 1e9, 20e12],
    "dataformat": ["ASC,0", "REAL,32", "INT,8", "INT,16"],
    "high_definition_state": [True, False],
    "high_definition_bandwidth": [1e4, 1e9],
}
ANSWERS = {"ON": "1", "OFF": "0", "DCLimit": "DCL"}


@pytest.fixture
def sine(waves):
    """1 MHz, 1 V either way into an open circuit, over five periods of the screen."""
    generator, scope = waves.generator, waves.scope
    generator.ch1.frequency(1e6)
    generator.ch1.amplitude(1.0)  # into 50 ohm: nothing is there
    generator.ch1.output("ON")
    scope.ch1.range(4.0)
    scope.timebase_range(5e-6)
    return waves


def residue(range_V):
    """What quantisation and the data sheet's noise leave of a perfect fit."""
    return math.sqrt((range_V / LEVELS) ** 2 / 12 + (2e-3 * range_V) ** 2 + (150e-6) ** 2)


def test_it_is_an_rto1024(waves):
    idn = waves.scope.get_idn()
    assert idn["vendor"] == "Rohde&Schwarz"
    assert idn["serial"].endswith("/200001")
    assert waves.scope.model == "RTO1024"
    assert waves.scope.num_chans == 4
    assert waves.scope.sampling_rate() == 10_000_000_000


@pytest.mark.parametrize("name", CHANNEL_VALUES)
def test_every_value_of_a_channel_is_taken(waves, name):
    for channel in waves.scope.scope_channels:
        parameter = channel.parameters[name]
        for value in CHANNEL_VALUES[name]:
            parameter(value)
            answer = parameter.get()
            if isinstance(value, str):
                assert answer in (value, ANSWERS.get(value))
            else:
                assert float(answer) == pytest.approx(value)
    assert waves.scope.error_next() == NO_ERROR


@pytest.mark.parametrize("name", SCOPE_VALUES)
def test_every_value_of_the_oscilloscope_is_taken(waves, name):
    parameter = waves.scope.parameters[name]
    for value in SCOPE_VALUES[name]:
        parameter(value)
        if not parameter.gettable or name in (
            "display",
            "trigger_mode",
        ):  # what these get is not what they set
            continue
        answer = parameter.get()
        assert answer == (value if isinstance(value, str | bool) else pytest.approx(value, rel=1e-6))
    assert waves.scope.error_next() == NO_ERROR


def test_the_record_follows_rate_and_time_axis(waves):
    scope = waves.scope
    scope.timebase_range(1000.0)
    scope.acquisition_sample_rate(2.0)
    assert scope.acquisition_sample_rate() == 2.0
    assert scope.ask("ACQ:POIN?") == "2000"
    scope.timebase_range(500.0)
    assert scope.ask("ACQ:POIN?") == "1000"
    scope.write("ACQ:POIN:AUTO RECL")
    scope.timebase_range(1e-6)
    assert scope.ask("ACQ:POIN?") == "1000"
    assert scope.acquisition_sample_rate() == pytest.approx(1e9)
    scope.write("ACQ:POIN:MAX 2000;AUTO RES")
    scope.timebase_range(1e-3)
    assert scope.ask("ACQ:POIN?") == "2000"
    assert scope.error_next() == NO_ERROR


def test_triggers_on_anything_but_edges_are_refused(waves):
    waves.scope.trigger_type("EDGE")
    assert waves.scope.error_next() == NO_ERROR
    for name in ("GLITCH", "WIDTH", "RUNT", "TV", "CDR", "SERPATTERN", "DATATOCLOCK"):
        waves.scope.trigger_type(name)
        assert waves.scope.error_next().startswith("-221,")
    assert waves.scope.trigger_type() == "EDGE"


def test_every_measurement_can_be_chosen(waves):
    for measurement in waves.scope.measurements:
        for name in (
            "enable",
            "source",
            "source_first",
            "source_second",
            "category",
            "main",
            "statistics_enable",
        ):
            for value in sorted(measurement.parameters[name].vals._values):
                measurement.parameters[name](value)
        measurement.write(f"MEASurement{measurement.meas_nr}:CLEar")
    assert waves.scope.error_next() == NO_ERROR


def test_reset_gives_the_default_setup(waves):
    scope = waves.scope
    scope.ch2.state("ON")
    scope.ch1.scale(1.0)
    scope.timebase_scale(1.0)
    scope.trigger_source("EXT")
    scope.reset()
    assert [channel.state() for channel in scope.scope_channels] == ["1", "0", "0", "0"]
    assert (scope.ch1.scale(), scope.ch1.offset(), scope.ch1.position()) == (0.05, 0.0, 0.0)
    assert (scope.ch1.coupling(), scope.ch1.bandwidth(), scope.ch1.arithmetics()) == ("DCL", "FULL", "OFF")
    assert scope.timebase_scale() == 1e-8
    assert (scope.trigger_source(), scope.trigger_edge_slope(), scope.trigger_level()) == ("CH1", "POS", 0.0)
    assert (scope.num_acquisitions(), scope.dataformat()) == (1, "ASC,0")
    assert scope.is_running()


def test_errors_queue_up(waves):
    scope = waves.scope
    scope.write("CHAN1:NONSENSE 3")
    scope.write("CHAN1:SCAL 100")
    scope.write("CHAN5:SCAL 1")
    assert scope.error_count() == 3
    codes = [scope.error_next().partition(",")[0] for _ in range(4)]
    assert codes == ["-113", "-222", "-114", "0"]


# Traces ---------------------------------------------------------------------------------------------------


def test_a_trace_is_the_wave_within_quantisation_and_noise(sine):
    times_s, volts = acquire(sine.scope)
    assert len(volts) == 50_000
    assert times_s[1] - times_s[0] == pytest.approx(1e-10, rel=1e-6)
    amplitude, phase, offset, left = fit_sine(times_s, volts, 1e6)
    assert amplitude == pytest.approx(1.0, rel=0.02)
    assert abs(offset) < 0.02
    assert abs(phase) < 1e6 * 2e-9 + abs(offset) / (2 * np.pi)
    assert left == pytest.approx(residue(4.0), rel=0.15)
    steps = np.unique(np.round(volts / (4.0 / LEVELS), 6))
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-5)


def test_frequency_and_amplitude_by_fourier_transform(sine):
    sine.generator.ch1.frequency(3.2e6)
    sine.scope.timebase_range(20e-6)
    hertz, amplitude = peak(*acquire(sine.scope))
    assert hertz == pytest.approx(3.2e6, abs=5e4)
    assert amplitude == pytest.approx(1.0, rel=0.02)


def test_too_slow_sampling_folds_a_wave_down(sine):
    scope = sine.scope
    sine.generator.ch1.frequency(19e6)
    scope.timebase_range(100e-6)
    scope.acquisition_sample_rate(20e6)
    times_s, volts = acquire(scope)
    assert len(volts) == 2000
    hertz, amplitude = peak(times_s, volts)
    assert hertz == pytest.approx(1e6, abs=1e4)
    assert amplitude == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize(("hertz", "response"), [(20e6, 1 / math.sqrt(2)), (2e6, 1.0)])
def test_the_bandwidth_limit_halves_the_power_at_its_frequency(sine, hertz, response):
    sine.generator.ch1.frequency(hertz)
    sine.scope.timebase_range(10 / hertz)
    full = fit_sine(*acquire(sine.scope), hertz)[0]
    sine.scope.ch1.bandwidth("B20")
    limited = fit_sine(*acquire(sine.scope), hertz)[0]
    assert limited / full == pytest.approx(response, rel=0.01)


@pytest.mark.parametrize("slope", ["POS", "NEG"])
@pytest.mark.parametrize("level", [-0.6, 0.0, 0.7])
def test_the_trigger_is_at_time_zero_to_a_sample(sine, slope, level):
    scope = sine.scope
    scope.trigger_edge_slope(slope)
    scope.trigger_level(level)
    times_s, volts = acquire(scope)
    amplitude, phase, offset, _ = fit_sine(times_s, volts, 1e6)
    here = offset + amplitude * np.sin(2 * np.pi * phase)
    rising = np.cos(2 * np.pi * phase) > 0
    assert rising == (slope == "POS")
    steepest = 2 * np.pi * 1e6 * amplitude
    assert abs(here - level) < steepest * (times_s[1] - times_s[0]) + 3e-3
    assert times_s[0] == pytest.approx(-2.5e-6, abs=1.01e-10)


def test_a_position_looks_at_what_comes_later(sine):
    sine.scope.timebase_position(1e-3 + 0.25e-6)
    times_s, volts = acquire(sine.scope)
    assert times_s[0] == pytest.approx(1e-3 - 2.25e-6, abs=2e-10)
    assert abs(fit_sine(times_s, volts, 1e6)[1]) < 0.01


def test_the_screen_clips(sine):
    scope = sine.scope
    assert scope.ch1.overload() == "0"
    scope.ch1.range(1.0)
    _, volts = acquire(scope)
    assert volts.max() == pytest.approx(127 / LEVELS)
    assert volts.min() == pytest.approx(-127 / LEVELS)
    assert np.mean(volts == volts.max()) == pytest.approx(1 / 2 - np.arcsin(0.5) / np.pi, abs=0.02)
    assert scope.ch1.overload() == "1"
    scope.ch1.range(4.0)
    scope.write("CHAN1:OVER OFF")
    acquire(scope)
    assert scope.ch1.overload() == "0"


def test_offset_and_inversion(sine):
    scope = sine.scope
    scope.ch1.range(1.0)
    scope.ch1.offset(0.8)
    scope.ch1.invert("ON")
    scope.trigger_level(0.8)
    _, volts = acquire(scope)
    assert volts.max() == pytest.approx(1.0, abs=0.03)
    assert volts.min() == pytest.approx(0.8 - 127 / LEVELS)


def test_the_vertical_position_moves_the_window(sine):
    """The stock driver leaves the position out of its conversion: it is off by just that."""
    scope = sine.scope
    scope.ch1.position(1.0)
    _, volts = acquire(scope)
    assert np.mean(volts) == pytest.approx(1.0 * scope.ch1.scale(), abs=0.03)


def test_an_average_takes_noise_away(sine):
    scope = sine.scope
    alone = fit_sine(*acquire(scope), 1e6)[3]
    scope.ch1.arithmetics("AVERAGE")
    scope.num_acquisitions(32)
    scope.run_single()
    scope.opc()
    assert scope.completed_acquisitions() == 32
    averaged = fit_sine(*screen(scope), 1e6)[3]
    assert averaged < 0.35 * alone


def test_extremes_are_two_values_for_each_point(sine):
    scope = sine.scope
    scope.ch1.arithmetics("ENVELOPE")
    scope.num_acquisitions(5)
    scope.run_single()
    scope.opc()
    with pytest.raises(NotImplementedError, match="several values"):
        scope.ch1.trace.prepare_trace()
    scope.write("FORM REAL,32")
    values = scope.visa_handle.query_binary_values("CHAN1:DATA?", "f", container=np.ndarray)
    low, high = values.reshape(-1, 2).T
    assert np.all(low <= high)
    assert np.mean(high - low) > 4.0 / LEVELS


def test_peak_detection_sees_what_sampling_misses(waves):
    generator, scope = waves.generator, waves.scope
    generator.ch1.function_type("PULS")
    generator.ch1.frequency(1e3)
    generator.ch1.pulse_width(20e-9)
    generator.ch1.amplitude(1.0)
    generator.ch1.output("ON")
    scope.ch1.range(4.0)
    scope.timebase_range(5e-3)
    scope.acquisition_sample_rate(1e6)
    scope.trigger_source("EXT")
    _, volts = acquire(scope)
    assert volts.max() < 0.0
    scope.write("CHAN1:TYPE PDET")
    scope.run_single()
    scope.opc()
    scope.write("FORM REAL,32")
    values = scope.visa_handle.query_binary_values("CHAN1:DATA?", "f", container=np.ndarray)
    assert len(values) == 2 * len(volts)
    assert values.max() <= 1.1


def test_high_resolution_and_high_definition_are_finer(sine):
    scope = sine.scope
    scope.timebase_range(50e-6)
    scope.acquisition_sample_rate(100e6)
    coarse = fit_sine(*acquire(scope), 1e6)[3]
    scope.write("CHAN1:TYPE HRES")
    times_s, volts = acquire(scope)
    smooth = fit_sine(times_s, volts, 1e6)[3]
    assert smooth < 0.5 * coarse
    scope.write("CHAN1:TYPE SAMP")
    scope.high_definition_bandwidth(50e6)
    scope.high_definition_state(True)
    times_s, volts = acquire(scope)
    assert len(np.unique(volts)) > 1000
    assert fit_sine(times_s, volts, 1e6)[3] < 0.5 * coarse


def test_coupling_and_ground(sine):
    scope = sine.scope
    sine.generator.ch1.offset(0.5)
    assert fit_sine(*acquire(scope), 1e6)[2] == pytest.approx(1.0, abs=0.03)
    scope.ch1.coupling("AC")
    sine.bench.clock.advance(1.0)
    amplitude, _, offset, _ = fit_sine(*acquire(scope), 1e6)
    assert abs(offset) < 0.02
    assert amplitude == pytest.approx(1.0, rel=0.02)
    scope.ch1.ground("ON")
    assert fit_sine(*acquire(scope), 1e6)[0] < 1e-3


def test_a_50_ohm_input_loads_the_generator(sine):
    sine.scope.ch1.coupling("DC")
    sine.scope.ch1.range(2.0)
    assert fit_sine(*acquire(sine.scope), 1e6)[0] == pytest.approx(0.5, rel=0.02)
    sine.scope.ch1.coupling("DCLimit")
    assert fit_sine(*acquire(sine.scope), 1e6)[0] == pytest.approx(1.0, rel=0.02)


def test_formats(sine):
    scope = sine.scope
    scope.timebase_range(1e-7)
    scope.ch2.state("ON")
    _, volts = acquire(scope)
    scope.write("FORM ASC")
    text = np.array(scope.ask("CHAN1:DATA?").split(","), float)
    np.testing.assert_allclose(text, volts, atol=2e-6)
    scope.write("FORM REAL,32;:FORM:BORD MSBF")
    real = scope.visa_handle.query_binary_values("CHAN1:DATA?", "f", True, np.ndarray)
    np.testing.assert_allclose(real, volts, atol=1e-6)
    scope.write("FORM INT,8")
    codes = scope.visa_handle.query_binary_values("CHAN1:DATA?", "b", container=np.ndarray)
    np.testing.assert_allclose(codes * 4.0 / LEVELS, volts, atol=1e-6)
    scope.write("EXP:WAV:INCX ON")
    scope.write("FORM ASC")
    pairs = np.array(scope.ask("CHAN1:DATA?").split(","), float).reshape(-1, 2)
    np.testing.assert_allclose(pairs[:, 1], volts, atol=2e-6)
    scope.write("EXP:WAV:INCX OFF;MULT ON")
    both = np.array(scope.ask("CHAN1:DATA?").split(","), float).reshape(-1, 2)
    np.testing.assert_allclose(both[:, 0], volts, atol=2e-6)
    assert np.max(np.abs(both[:, 1])) < 0.05
    scope.write("CHAN4:DATA?")
    assert scope.error_next().startswith("-230,")


def test_a_newline_inside_a_block_does_not_end_it(sine):
    scope = sine.scope
    scope.high_definition_state(True)
    acquire(scope)
    scope.visa_handle.write("CHAN1:DATA?")
    raw = scope.visa_handle.read_raw()
    assert len(raw) == len("#6100000") + 100_000 + 1
    assert b"\n" in raw[:-1]


# Waiting --------------------------------------------------------------------------------------------------


def test_without_a_trigger_it_waits_for_ever_or_triggers_itself(waves):
    scope, clock = waves.scope, waves.bench.clock
    scope.run_single()
    before_s = clock.now
    scope.opc()
    assert clock.now - before_s == pytest.approx(0.05, rel=0.1)
    scope.trigger_mode("NORMAL")
    scope.run_single()
    clock.advance(10.0)
    assert not scope.is_triggered()
    assert scope.is_running()
    assert scope.completed_acquisitions() == 0
    scope.write("TRIG:FORC")
    scope.opc()
    assert scope.completed_acquisitions() == 1
    assert not scope.is_running()


def test_it_catches_a_single_short_burst(waves):
    generator, scope, clock = waves.generator, waves.scope, waves.bench.clock
    channel = generator.ch1
    channel.function_type("PULS")
    channel.frequency(1e6)
    channel.pulse_width(50e-9)
    channel.amplitude(1.0)
    channel.offset(0.5)
    channel.burst_ncycles(3)
    channel.trigger_source("BUS")
    channel.burst_state("ON")
    channel.output("ON")
    scope.ch1.range(4.0)
    scope.timebase_range(10e-6)
    scope.trigger_level(1.0)
    scope.trigger_mode("NORMAL")
    scope.run_single()
    clock.advance(0.37)
    assert scope.completed_acquisitions() == 0
    generator.force_trigger()
    scope.opc()
    times_s, volts = screen(scope)
    high = volts > 1.0
    edges_s = times_s[1:][high[1:] & ~high[:-1]]
    edges_s = edges_s[np.diff(edges_s, prepend=-1.0) > 0.5e-6]  # noise turns an edge into several
    np.testing.assert_allclose(edges_s, [0.0, 1e-6, 2e-6], atol=3e-10)
    assert np.sum(high) * 1e-10 == pytest.approx(3 * 50e-9, rel=0.02)


def test_the_sync_socket_is_an_external_trigger(sine):
    sine.scope.trigger_source("EXT")
    sine.generator.ch1.phase(90)
    times_s, volts = acquire(sine.scope)
    amplitude, phase, _, _ = fit_sine(times_s, volts, 1e6)
    assert amplitude == pytest.approx(1.0, rel=0.02)
    assert abs(phase) < 1e-3


def test_a_running_oscilloscope_shows_the_latest(sine):
    scope = sine.scope
    scope.run_cont()
    sine.bench.clock.advance(0.01)
    assert abs(fit_sine(*screen(scope), 1e6)[1]) < 0.01
    sine.generator.ch1.output("OFF")
    sine.bench.clock.advance(0.2)
    assert fit_sine(*screen(scope), 1e6)[0] < 2e-3
    scope.stop()
    assert not scope.is_running()


# Measurements ---------------------------------------------------------------------------------------------


def measure(scope, name, number=1):
    measurement = scope.measurements[number - 1]
    measurement.source("C1W1")
    measurement.main(name)
    measurement.enable("ON")
    return measurement.result_avg()


def test_measurements_of_a_square_wave(sine):
    generator, scope = sine.generator, sine.scope
    generator.ch1.function_type("SQU")
    generator.ch1.offset(0.25)
    generator.write("FUNC:SQU:DCYC 30")
    acquire(scope)
    expected = {
        "HIGH": 1.5,
        "LOW": -0.5,
        "AMPLitude": 2.0,
        "FREQuency": 1e6,
        "PERiod": 1e-6,
        "PPULse": 0.3e-6,
        "NPULse": 0.7e-6,
        "PDCYcle": 30.0,
        "NDCYcle": 70.0,
        "CYCMean": 0.1,
        "CYCRms": math.sqrt(0.3 * 1.5**2 + 0.7 * 0.5**2),
        "CYCStddev": 2.0 * math.sqrt(0.3 * 0.7),
        "PULCnt": 5,
    }
    for name, value in expected.items():
        assert measure(scope, name) == pytest.approx(value, rel=0.02, abs=0.025), name
    scope.timebase_range(100e-9)
    acquire(scope)
    assert measure(scope, "RTIMe") == pytest.approx(8.4e-9, rel=0.05)
    assert measure(scope, "FREQuency") == NOT_MEASURABLE
    assert scope.meas1.event_count() == 0


def test_statistics_count_every_record(sine):
    scope = sine.scope
    scope.meas2.source("C1W1")
    scope.meas2.main("FREQuency")
    scope.meas2.enable("ON")
    scope.num_acquisitions(6)
    scope.run_single()
    scope.opc()
    assert scope.meas2.event_count() == 6
    assert scope.meas2.result_avg() == pytest.approx(1e6, rel=2e-3)
    scope.write("MEAS2:CLE")
    assert measure(scope, "MEAN") == pytest.approx(0.0, abs=0.03)


def test_every_measurement_on_a_clean_trace():
    times_s = np.arange(0.0, 3.0, 1e-3)
    trace = Measured(times_s, 0.5 + np.sin(2 * np.pi * times_s - 0.3))
    assert MAINS["PDELta"](trace) == pytest.approx(2.0, rel=1e-4)
    assert MAINS["PERiod"](trace) == pytest.approx(1.0, rel=1e-5)
    assert MAINS["CYCRms"](trace) == pytest.approx(math.sqrt(0.75), rel=1e-4)
    assert MAINS["CYCarea"](trace) == pytest.approx(0.5, abs=1e-4)
    assert MAINS["RTIMe"](trace) == pytest.approx(2 * np.arcsin(0.8) / (2 * np.pi), rel=1e-3)
    assert MAINS["SLEFalling"](trace) == pytest.approx(-1.6 / (np.arcsin(0.8) / np.pi), rel=1e-3)
    flat = Measured(times_s, np.full_like(times_s, 0.2))
    assert MAINS["FREQuency"](flat) is None
    assert MAINS["POVershoot"](flat) is None
    for name, calculate in MAINS.items():
        value = calculate(trace)
        assert value is not None, name
        assert math.isfinite(value), name


# Finding edges --------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    hertz=st.floats(0.5, 1e8),
    level=st.floats(-0.95, 0.95),
    start_s=st.floats(0.0, 1e3),
    falling=st.booleans(),
)
def test_an_edge_is_found_where_the_sine_crosses_the_level(hertz, level, start_s, falling):
    turn = 2 * np.pi * hertz

    def means(starts_s, stops_s):
        middle_s, half = 0.5 * (starts_s + stops_s) - start_s, 0.5 * (stops_s - starts_s)
        return np.sin(turn * middle_s) * np.sinc(2 * hertz * half)

    search = Search(
        lambda at_s: np.sin(turn * (at_s - start_s)), means, level, "NEG" if falling else "POS", 1e-9
    )
    found_s = search.first(start_s, start_s + 4.0)
    assert found_s is not None
    rounding = 16 * np.spacing(found_s)
    assert np.sin(turn * (found_s - start_s)) == pytest.approx(level, abs=1e-6 + turn * rounding)
    slope = np.cos(turn * (found_s - start_s))
    assert slope < 1e-6 + turn * rounding if falling else slope > -1e-6 - turn * rounding


def test_a_pulse_much_shorter_than_the_look_is_found():
    def high(times_s):
        return np.clip((times_s - 7.3e-3) / 1e-9, 0, 1) - np.clip((times_s - 7.3e-3 - 40e-9) / 1e-9, 0, 1)

    def means(starts_s, stops_s):
        inside = np.minimum(stops_s, 7.3e-3 + 40.5e-9) - np.maximum(starts_s, 7.3e-3 + 0.5e-9)
        return np.clip(inside, 0, None) / (stops_s - starts_s)

    search = Search(high, means, 0.5, "POS", 1e-10)
    assert search.first(0.0, 20e-3) == pytest.approx(7.3e-3 + 0.5e-9, abs=1e-12)
    assert Search(high, means, 1.5, "POS", 1e-10).first(0.0, 20e-3) is None


def test_external_pulses_are_remembered(waves):
    scope = waves.bench.instruments["scope"]
    scope.terminals.trigger_inputs["ext"](Pulse(waves.bench.clock.now + 1.0, 0.5))
    waves.scope.trigger_source("EXT")
    now = waves.bench.clock.now
    assert scope.find(now, now + 10.0) == pytest.approx(now + 1.0, abs=1e-2)
