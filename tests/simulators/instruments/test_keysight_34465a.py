"""The 34465A, driven by the stock driver of QCoDeS; its input is the amplifier's output."""

import math

import numpy as np
import pytest
import pyvisa

from simulators.instruments.keysight_34465a.converter import NPLC, RESOLUTION, Converter
from simulators.instruments.terminals import Ground, Pulse
from tests.simulators.bench.linear import GAIN_V_PER_A, OFFSET_V, REST_A

REST_V = GAIN_V_PER_A * REST_A + OFFSET_V
NO_ERROR = (0, "No error")


class Wave:
    """A sine on the input, averaged by the book."""

    def __init__(self, hertz, volts, offset=0.0):
        self.hertz, self.volts, self.offset = hertz, volts, offset

    def means(self, starts_s, stops_s):
        turn = 2 * np.pi * self.hertz
        area = (np.cos(turn * starts_s) - np.cos(turn * stops_s)) / turn
        return self.offset + self.volts * area / (stops_s - starts_s)


@pytest.fixture
def wired(lab):
    """Puts any signal on the meter's input."""
    meter = lab.bench.instruments["meter"]
    kept = meter._signal
    yield meter.terminals.inputs["input"]
    meter.terminals.inputs["input"](kept)


def digitise(meter, samples, aperture, interval):
    meter.range(10)
    meter.aperture_time(aperture)
    meter.autozero("OFF")
    meter.sample.source("TIM")
    meter.sample.timer(interval)
    meter.sample.count(samples)
    meter.trigger.delay(0.0)


def test_it_is_a_34465a_with_its_options(lab):
    assert lab.meter.model == "34465A"
    assert lab.meter.has_DIG
    assert lab.meter.has_MEM
    assert lab.meter.line_frequency() == 50


def test_every_parameter_can_be_read_and_written_back(lab):
    lab.meter.timetrace_npts(5)
    lab.meter.timetrace_dt(0.5)
    for part in (lab.meter, lab.meter.trigger, lab.meter.sample, lab.meter.display):
        for parameter in part.parameters.values():
            value = parameter.get() if parameter.gettable else None
            if parameter.settable and value is not None:
                parameter.set(value)
    assert lab.meter.error() == NO_ERROR


def test_reset_gives_the_settings_of_the_manual(lab):
    meter = lab.meter
    meter.NPLC(0.02)
    meter.trigger.source("EXT")
    meter.sample.count(7)
    meter.reset()
    assert meter.sense_function() == "DC Voltage"
    assert (meter.NPLC(), meter.range(), meter.autorange(), meter.autozero()) == (10, 10, "ON", "ON")
    assert meter.aperture_mode() == "OFF"
    trigger, sample = meter.trigger, meter.sample
    assert (trigger.source(), trigger.slope(), trigger.count(), trigger.level()) == ("IMM", "NEG", 1, 0)
    assert trigger.auto_delay_enabled()
    assert (sample.count(), sample.source(), sample.timer(), sample.pretrigger_count()) == (1, "IMM", 1, 0)


def test_resolution_follows_range_and_integration(lab):
    meter = lab.meter
    for cycles, resolution in zip(NPLC, RESOLUTION, strict=True):
        for span in meter.ranges:
            meter.range(span)
            meter.NPLC(cycles)
            assert meter.resolution() == pytest.approx(resolution * span)
            assert meter.autorange() == "OFF"
    meter.range(10)
    meter.resolution(1.5e-5)
    assert meter.NPLC() == 0.06
    meter.aperture_time(5e-5)
    assert meter.aperture_mode() == "ON"
    assert meter.aperture_time() == 5e-5
    meter.NPLC(1)
    assert meter.aperture_mode() == "OFF"
    for keyword in ("MIN", "MAX", "DEF"):
        for parameter in (meter.resolution, meter.aperture_time, meter.trigger.delay, meter.trigger.level):
            parameter(keyword)
        for parameter in (meter.trigger.count, meter.sample.count, meter.sample.timer):
            parameter(keyword)
    assert meter.ask("VOLT:NPLC? MAX;:VOLT:RANG? MIN") == "+1.00000000E+02;+0.00000000E+00"
    meter.trigger.count("INF")
    assert meter.trigger.count() >= 9.9e37
    assert meter.error() == NO_ERROR


def test_it_reads_the_amplifier_at_rest(lab):
    assert lab.meter.volt() == pytest.approx(REST_V, abs=2e-4)
    lab.meter.NPLC(0.02)
    lab.meter.sample.count(300)
    readings = lab.meter.read()
    assert len(readings) == 300
    assert readings.mean() == pytest.approx(REST_V, abs=1e-4)


def test_what_is_not_connected_reads_nothing_or_overload(lab):
    assert abs(lab.meter.curr()) < 1e-6
    assert lab.meter.res() == math.inf
    assert lab.meter.four_wire_res() == math.inf
    assert lab.meter.sense_function() == "DC Voltage"


def test_overload_and_ranges(lab, wired):
    wired(Wave(1.0, 0.0, offset=-1.3))
    lab.meter.range(1)
    assert lab.meter.volt() == -math.inf
    lab.meter.autorange("ON")
    assert lab.meter.volt() == pytest.approx(-1.3, abs=1e-4)
    lab.meter.range(1000)
    lab.meter.autorange_once()
    assert lab.meter.range() == 10
    assert lab.meter.autorange() == "OFF"


def test_a_time_trace_is_timed_by_the_meters_own_clock(lab, wired):
    wired(Wave(30.0, 1.0, offset=0.2))
    meter = lab.meter
    meter.range(10)
    meter.aperture_time(1e-3)
    meter.autozero("OFF")
    meter.trigger.delay(0.0)
    meter.timetrace_npts(2000)
    meter.timetrace_dt(5e-3)
    trace = meter.timetrace()
    taken = lab.bench.clock.now
    # the phase at the start is unknown, so fit it; the last tenth shows whether 8 ppm are there
    t = 5e-3 * (1 + 8e-6) * np.arange(2000)
    design = np.stack((np.sin(2 * np.pi * 30 * t), np.cos(2 * np.pi * 30 * t), np.ones(2000)), axis=1)
    weights, *_ = np.linalg.lstsq(design, trace, rcond=None)
    left = (trace - design @ weights).std()
    assert np.hypot(*weights[:2]) == pytest.approx(np.sinc(30.0 * 1e-3), rel=1e-4)
    assert left < 5e-5
    assert taken > 10.0
    np.testing.assert_allclose(meter.time_axis(), 5e-3 * np.arange(2000))


def test_noise_shrinks_with_the_aperture_and_readings_have_steps():
    converter = Converter(0.0, 0.0, np.random.default_rng(4))
    for aperture in (20e-6, 2e-4, 2e-2):
        readings = converter.read(np.zeros(4000), aperture, 10.0, automatic=False)
        resolution = 10.0 * float(np.exp(np.interp(np.log(aperture * 50), np.log(NPLC), np.log(RESOLUTION))))
        assert readings.std() == pytest.approx(resolution, rel=0.05)
        steps = readings / (resolution / 4)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)


def test_a_bus_trigger_starts_and_one_too_many_is_an_error(lab):
    meter = lab.meter
    meter.trigger.force()
    assert meter.error()[0] == -211
    digitise(meter, 5, 1e-4, 1e-3)
    meter.trigger.source("BUS")
    meter.init_measurement()
    assert meter.error() == NO_ERROR
    meter.init_measurement()
    assert meter.error()[0] == -213
    meter.trigger.force()
    assert len(meter.fetch()) == 5
    meter.trigger.force()
    assert meter.error()[0] == -211
    np.testing.assert_array_equal(meter.fetch(), meter.fetch())


def test_fetching_nothing_is_stale(lab):
    lab.meter.write("FETC?")
    lab.meter.visa_handle.clear()
    assert lab.meter.error()[0] == -230


def test_a_trigger_that_never_comes_times_out_and_a_clear_recovers(lab):
    meter = lab.meter
    digitise(meter, 5, 1e-4, 1e-3)
    meter.trigger.source("EXT")
    meter.init_measurement()
    before = lab.bench.clock.now
    with meter.timeout.set_to(2.0), pytest.raises(pyvisa.VisaIOError, match="Timeout"):
        meter.fetch()
    assert lab.bench.clock.now - before == pytest.approx(2.0, abs=0.01)
    meter.visa_handle.clear()
    assert meter.trigger.source() == "EXT"
    assert meter.ask("DATA:POIN?") == "0"


@pytest.mark.parametrize(("slope", "delay"), [("POS", 0.0), ("NEG", 0.3)])
def test_a_cable_from_the_dac_triggers_it_on_the_edge_asked_for(lab, wired, slope, delay):
    wired(Wave(0.05, 3.0))
    meter = lab.meter
    digitise(meter, 3, 2e-4, 1e-2)
    meter.trigger.source("EXT")
    meter.trigger.slope(slope)
    lab.dac.ext4.width_s(0.3)
    meter.init_measurement()
    lab.dac.ext4.signal()
    pulse = lab.bench.clock.now
    readings = meter.fetch()
    starts = pulse + (1 + 8e-6) * (delay / (1 + 8e-6) + 1e-2 * np.arange(3))
    np.testing.assert_allclose(readings, Wave(0.05, 3.0).means(starts, starts + 2e-4), atol=3e-4)


def test_a_trigger_during_a_measurement_is_remembered_once(lab):
    meter = lab.bench.instruments["meter"]
    digitise(lab.meter, 4, 1e-4, 1e-3)
    lab.meter.trigger.source("EXT")
    lab.meter.trigger.count(3)
    lab.meter.init_measurement()
    for _ in range(3):
        meter.terminals.trigger_inputs["trigger"](Pulse(lab.bench.clock.now, 0.0))
    lab.bench.clock.advance(1.0)
    assert lab.meter.ask("DATA:POIN?") == "8"
    meter.terminals.trigger_inputs["trigger"](Pulse(lab.bench.clock.now, 0.0))
    assert len(lab.meter.fetch()) == 12


def test_samples_before_the_trigger(lab, wired):
    wired(Wave(0.05, 3.0))
    digitise(lab.meter, 10, 2e-4, 1e-2)
    lab.meter.trigger.source("BUS")
    lab.meter.sample.pretrigger_count(6)
    lab.meter.init_measurement()
    lab.bench.clock.advance(0.1)
    lab.meter.trigger.force()
    trigger = lab.bench.clock.now
    starts = trigger + (1 + 8e-6) * 1e-2 * np.arange(-6, 4)
    np.testing.assert_allclose(lab.meter.fetch(), Wave(0.05, 3.0).means(starts, starts + 2e-4), atol=3e-4)


def test_the_signal_itself_can_be_the_trigger(lab, wired):
    wired(Wave(2.0, 1.0))
    digitise(lab.meter, 2, 2e-4, 1e-2)
    lab.meter.trigger.source("INT")
    lab.meter.trigger.level(0.5)
    lab.meter.trigger.slope("POS")
    lab.meter.init_measurement()
    readings = lab.meter.fetch()
    assert 0.5 <= readings[0] < 0.62
    assert readings[1] > readings[0]


def test_fifty_thousand_readings_a_second(lab, wired):
    wired(Wave(1e3, 1.0))
    digitise(lab.meter, 50_000, 20e-6, 20e-6)
    before = lab.bench.clock.now
    lab.meter.init_measurement()
    lab.meter.ask("*OPC?")
    assert lab.bench.clock.now - before == pytest.approx(1.0, abs=0.01)
    lab.meter.write("FORM:DATA REAL,64")
    lab.meter.write("FORM:BORD SWAP")
    readings = lab.meter.visa_handle.query_binary_values("FETC?", datatype="d", container=np.array)
    assert len(readings) == 50_000
    assert readings.std() == pytest.approx(np.sqrt(0.5) * np.sinc(0.02), rel=1e-3)
    lab.meter.write("FORM:BORD NORM")
    same = lab.meter.visa_handle.query_binary_values(
        "FETC?", datatype="d", is_big_endian=True, container=np.array
    )
    np.testing.assert_array_equal(readings, same)
    lab.meter.sample.timer(10e-6)
    lab.meter.init_measurement()
    assert lab.meter.error()[0] == -221


def test_readings_can_be_taken_out_of_the_memory(lab, wired):
    wired(Ground())
    digitise(lab.meter, 10, 1e-3, 1e-2)
    lab.meter.init_measurement()
    lab.bench.clock.advance(0.045)
    assert lab.meter.ask("DATA:POIN?") == "5"
    lab.meter.ask("*OPC?")
    assert lab.meter.ask("DATA:LAST?").endswith(" VDC")
    every = lab.meter.fetch()
    first = np.array(lab.meter.visa_handle.query_ascii_values("DATA:REM? 3"))
    np.testing.assert_array_equal(first, every[:3])
    lab.meter.visa_handle.write("R? 4")
    block = lab.meter.visa_handle.read()
    assert block.startswith("#2")
    np.testing.assert_array_equal([float(text) for text in block[4:].split(",")], every[3:7])
    assert lab.meter.ask("DATA:POIN?") == "3"
    lab.meter.write("DATA:REM? 4")
    lab.meter.visa_handle.clear()
    assert lab.meter.error()[0] == -222


def test_words_on_the_display(lab):
    lab.meter.display.text("measuring")
    assert lab.meter.display.text() == "measuring"
    lab.meter.display.clear()
    assert lab.meter.display.text.cache() == ""
    lab.meter.display.enabled(False)
    assert not lab.meter.display.enabled()


def test_measure_and_configure(lab, wired):
    wired(Wave(1.0, 0.0, offset=0.7))
    assert float(lab.meter.ask("MEAS:VOLT:DC? 1")) == pytest.approx(0.7, abs=1e-4)
    lab.meter.write("CONF:VOLT:DC 10,3e-5")
    assert lab.meter.ask("SENS:VOLT:DC:NPLC?").startswith("+2.0")
    assert lab.meter.error() == NO_ERROR
