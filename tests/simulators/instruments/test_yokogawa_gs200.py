"""The GS200, driven by the stock driver of QCoDeS; on its output hang 1 kOhm and a 34465A."""

import math
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from qcodes.instrument_drivers.Keysight import Keysight34465A
from qcodes.instrument_drivers.yokogawa import YokogawaGS200
from qcodes.instrument_drivers.yokogawa.Yokogawa_GS200 import (
    ConditionRegister,
    ExtendedEventRegister,
    StandardEventRegister,
    StatusByte,
)

from tests.simulators.instruments.rack import bench_behind, write_rack

SOURCE, METER = "GPIB0::8::INSTR", "TCPIP0::192.168.8.18::inst0::INSTR"
OHM = 1e3
NO_ERROR = '0,"No error"'
VOLT_RANGES, CURR_RANGES = (10e-3, 100e-3, 1.0, 10.0, 30.0), (1e-3, 10e-3, 100e-3, 200e-3)


def accuracy(level: float) -> float:
    """One year's accuracy of the 10 V range."""
    return 1.6e-4 * abs(level) + 240e-6


@pytest.fixture(scope="module")
def powered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The stock drivers on one bench; while they sleep, its clock goes on."""
    sections = {
        "source": (SOURCE, {"model": "yokogawa_gs200", "serial": "91F729342"}),
        "meter": (METER, {"model": "keysight_34465a", "noise": 0}),
    }
    wires = [
        "source.output -> 1 kOhm -> ground",
        "source.output -> meter.input",
        "source.bnc_out -> meter.trigger",
    ]
    visalib = write_rack(tmp_path_factory.mktemp("rack"), sections, wires)
    meter = Keysight34465A("gs_meter", METER, visalib=visalib, silent=True)
    bench = bench_behind(meter)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", bench.clock.advance)
        source = YokogawaGS200("gs", SOURCE, visalib=visalib)
        yield SimpleNamespace(source=source, meter=meter, bench=bench)
        source.close()
    meter.close()


@pytest.fixture
def rack(powered: SimpleNamespace) -> SimpleNamespace:
    """The same, as after *RST and without errors."""
    powered.source.reset()
    powered.source.write("*CLS")
    powered.source.source_mode("VOLT")
    for part in (powered.source, powered.source.measure, powered.source.program):
        for parameter in part.parameters.values():
            parameter.cache.invalidate()
    powered.source.auto_range(False)
    powered.source.ramp_mode("JUMP")
    powered.source.ramp_blocking(True)
    powered.source.ramp_rate(10e-3)
    powered.source.ramp_step(0.0)
    powered.source.output()
    powered.meter.reset()
    return powered


def calm(rack: SimpleNamespace) -> bool:
    return rack.source.system_errors() == NO_ERROR


# Settings ------------------------------------------------------------------------------------------------------


def test_it_says_who_it_is(rack):
    identity = rack.source.get_idn()
    assert (identity["vendor"], identity["model"], identity["serial"]) == ("YOKOGAWA", "GS210", "91F729342")
    assert rack.source.measure.present
    assert rack.source.line_freq() == 50


def test_every_allowed_value_of_every_parameter(rack):
    source = rack.source
    allowed = {
        source.voltage_range: VOLT_RANGES,
        source.range: VOLT_RANGES,
        source.voltage_limit: range(1, 31),
        source.current_limit: (1e-3, 17e-3, 200e-3),
        source.four_wire: ("on", "off"),
        source.guard: ("on", "off"),
        source.output: ("on", "off"),
        source.measure.NPLC: range(1, 26),
        source.measure.delay: (0, 1, 999_999),
        source.measure.interval: (0.1, 2.5, 3600.0),
        source.program.interval: (0.1, 7.3, 3600.0),
        source.program.slope: (0.0, 0.1, 3600.0),
        source.program.repeat: ("ON", "OFF"),
        source.program.count: (1, 10_000),
    }
    for parameter, values in allowed.items():
        for value in values:
            parameter(value)
            assert parameter.get() == (value if isinstance(value, str) else pytest.approx(value))
            assert calm(rack), (parameter.full_name, value)
    words = {
        (source.measure.trigger, "SENS:TRIG?"): ["READY", "TIMER", "COMMUNICATE", "IMMEDIATE"],
        (source.program.trigger, "PROG:TRIG?"): ["normal", "mend"],
        (source.BNC_out, "ROUT:BNCO?"): ["trigger", "output", "ready"],
        (source.BNC_in, "ROUT:BNCI?"): ["trigger", "output"],
    }
    for (parameter, question), given in words.items():
        for word in given:
            parameter(word)
            assert word.upper().startswith(source.ask(question))  # the short form
            parameter.get()
            assert calm(rack), (parameter.full_name, word)
    source.source_mode("CURR")
    for span in CURR_RANGES:
        source.current_range(span)
        assert source.current_range() == span
        source.current(-0.9 * span)
        assert source.current() == pytest.approx(-0.9 * span)
    assert calm(rack)


def test_reset_gives_the_settings_of_the_manual(rack):
    source = rack.source
    source.output("on")
    source.voltage_range(30)
    source.voltage(12)
    source.voltage_limit(3)
    source.measure.NPLC(7)
    source.program.slope(2.0)
    source.reset()
    assert source.ask("OUTP?;:SOUR:FUNC?;LEV?") == "0;VOLT;+0.00000E+00"
    assert source.ask(":SOUR:PROT:VOLT?;CURR?") == "+3.00000E+01;+2.00000E-01"
    assert (
        source.ask(":SENS?;:SENS:NPLC?;DEL?;TRIG?;REM?;GUAR?;ZERO:AUTO?;:SENS:NULL?") == "0;1;0;READ;0;0;1;0"
    )
    assert source.ask(":PROG:SLOP?;INT?;REP?;TRIG?") == "0.0;1.0;0;NORM"
    assert source.ask(":ROUT:BNCO?;BNCI?") == "TRIG;TRIG"
    assert calm(rack)


def test_ranges_and_levels_by_the_manuals_words(rack):
    source = rack.source
    source.write(":SOUR:RANG 2.5")
    assert float(source.ask(":SOUR:RANG?")) == 10.0
    source.write(":SOUR:RANG DOWN;LEV MAX")
    assert (float(source.ask(":SOUR:RANG?")), float(source.ask(":SOUR:LEV?"))) == (1.0, 1.2)
    source.write(":SOUR:RANG 100MV")
    assert float(source.ask(":SOUR:LEV?")) == pytest.approx(0.12)  # the end of the range
    source.write(":SOUR:RANG MAX;LEV 32;LEV UP")
    assert source.system_errors().startswith('-222,"Data out of range')
    assert float(source.ask(":SOUR:LEV?")) == 32.0
    source.write(":SOUR:LEV:AUTO -11.5")
    assert (float(source.ask(":SOUR:RANG?")), float(source.ask(":SOUR:LEV?"))) == (10.0, -11.5)
    source.write(":SOUR:LEV 12.0001")
    assert source.system_errors().startswith("-222")
    source.write(":SOUR:LEV 1.00004")  # rounded to the digit of the range
    assert source.ask(":SOUR:LEV?") == "+1.00000E+00"
    source.write(":SOUR:RANG MIN;:SOUR:RANG 31")
    assert source.system_errors().startswith("-222")
    source.write(":SOUR:FUNC CURR;RANG 5MA;LEV 2.5MA")
    assert (float(source.ask(":SOUR:RANG?")), float(source.ask(":SOUR:LEV?"))) == (10e-3, 2.5e-3)
    source.write(":SOUR:RANG 200MA;LEV 0.201")
    assert source.system_errors().startswith("-222")
    source.write(":SOUR:FUNC VOLT;LEV 2MA")
    assert source.system_errors().startswith("-131")
    for wrong in ("PROT:VOLT 0.5", "PROT:VOLT 31", "PROT:CURR 0", "PROT:CURR 0.3"):
        source.write(f":SOUR:{wrong}")
        assert source.system_errors().startswith("-222"), wrong
    assert calm(rack)


# What is on the output -----------------------------------------------------------------------------------------


def test_the_voltage_is_on_the_terminal_only_when_the_relay_is_closed(rack):
    source, meter = rack.source, rack.meter
    source.voltage(3.0)
    assert meter.volt() == pytest.approx(0.0, abs=2e-5)
    source.output("on")
    assert meter.volt() == pytest.approx(3.0, abs=accuracy(3.0))
    source.output("off")
    assert meter.volt() == pytest.approx(0.0, abs=2e-5)
    source.output("on")
    with pytest.raises(Exception, match="Cannot switch mode while source is on"):
        source.source_mode("CURR")
    source.write(":SOUR:FUNC CURR")
    assert source.output() == "off"


def test_the_monitor_obeys_ohms_law(rack):
    source = rack.source
    source.output("on")
    source.measure.enabled("on")
    source.voltage(-4.0)
    expected_A = rack.meter.volt() / OHM
    assert source.measure.measure() == pytest.approx(expected_A, abs=3e-4 * abs(expected_A) + 6e-6)
    source.output("off")
    source.source_mode("CURR")
    source.current_range(10e-3)
    source.output("on")
    source.measure.enabled("on")
    source.current(2e-3)
    source.measure.delay(5)  # ms, until it has settled
    assert source.measure.measure() == pytest.approx(2.0, abs=3e-3)
    assert rack.meter.volt() == pytest.approx(2e-3 * OHM, abs=(3e-4 * 2e-3 + 0.5e-6) * OHM)
    assert calm(rack)


def test_longer_integration_has_less_noise(rack):
    source = rack.source
    source.output("on")
    source.measure.enabled("on")
    scatter = []
    for cycles in (1, 25):
        source.measure.NPLC(cycles)
        source.measure.enabled()
        start_s = rack.bench.clock.now
        scatter.append(np.std([float(source.ask(":MEAS?")) for _ in range(200)]))
        assert rack.bench.clock.now - start_s >= 200 * cycles / 50.0
    assert 2.0 < scatter[0] / max(scatter[1], 1e-7) < 12.0


def test_the_limiters_limit(rack):
    source, meter = rack.source, rack.meter
    source.current_limit(3e-3)
    source.output("on")
    source.voltage(2.0)
    assert meter.volt() == pytest.approx(2.0, abs=accuracy(2.0))
    assert source.condition_register() == 0
    source.voltage(10.0)
    assert meter.volt() == pytest.approx(3e-3 * OHM, rel=1e-4)
    assert source.condition_register() == ConditionRegister.LHI
    source.voltage(-10.0)
    assert meter.volt() == pytest.approx(-3e-3 * OHM, rel=1e-4)
    assert source.condition_register() == ConditionRegister.LLO
    assert ExtendedEventRegister.LHI | ExtendedEventRegister.LLO in source.extended_event_register()
    source.voltage(1.0)
    rack.bench.clock.advance(0.01)
    assert source.condition_register() == 0
    source.output("off")
    source.source_mode("CURR")
    source.current_range(100e-3)
    source.voltage_limit(5)
    source.output("on")
    source.current(100e-3)
    assert meter.volt() == pytest.approx(5.0, rel=1e-4)
    assert source.condition_register() == ConditionRegister.LHI


# Ramps and programs --------------------------------------------------------------------------------------------


def test_a_hardware_ramp_really_ramps(rack):
    source, meter = rack.source, rack.meter
    source.output("on")
    source.voltage(-1.0)
    source.ramp_mode("HARDWARE")
    source.ramp_rate(0.5)
    source.ramp_blocking(False)
    meter.NPLC(0.2)
    meter.autozero("OFF")
    meter.range(10)
    meter.trigger.delay(0.0)
    meter.timetrace_npts(800)
    meter.timetrace_dt(10e-3)
    source.voltage(2.0)
    trace = meter.timetrace()
    steps = np.diff(trace)
    moving = steps[10:550]
    assert moving == pytest.approx(0.5 * 10e-3, abs=2e-4)
    assert trace[620:] == pytest.approx(2.0, abs=1e-3)
    assert ExtendedEventRegister.EOP in source.extended_event_register()


def test_the_blocking_ramp_takes_its_time(rack):
    source = rack.source
    source.output("on")
    start_s = rack.bench.clock.now
    source.ramp_rate(2.0)
    source.ramp_voltage(6.0)
    assert 3.0 <= rack.bench.clock.now - start_s < 3.5
    assert source.voltage() == 6.0
    source.ramp_mode("SOFTWARE")
    source.ramp_step(0.5)
    start_s = rack.bench.clock.now
    source.voltage(5.0)
    assert rack.bench.clock.now - start_s >= 0.25
    assert rack.meter.volt() == pytest.approx(5.0, abs=accuracy(5.0))
    source.output("off")
    source.ramp_mode("HARDWARE")
    with pytest.raises(RuntimeError, match="enable output"):
        source.voltage(0.0)


def program(source: YokogawaGS200, *levels: float, interval: float, slope: float) -> None:
    source.program.interval(interval)
    source.program.slope(slope)
    source.program.start()
    for level in levels:
        source.write(f":SOUR:LEV {level}")
    source.program.end()


def expected_program(times_s: np.ndarray, start: float, levels: list[float], interval: float, slope: float):
    """By the manual: each step goes to its level within the slope time, then holds."""
    corners_s, volts = [0.0], [start]
    for k, level in enumerate(levels):
        corners_s += [k * interval + slope, (k + 1) * interval]
        volts += [level, level]
    return np.interp(times_s, corners_s, volts)


def test_a_program_of_three_steps(rack):
    source = rack.source
    source.output("on")
    source.voltage(0.5)
    program(source, 1.0, -2.0, 3.0, interval=1.0, slope=0.4)
    assert float(source.ask(":SOUR:LEV?")) == 0.5  # editing moves nothing
    assert source.condition_register() == ConditionRegister.RFP
    start_s = rack.bench.clock.now + 200e-6 + 10 / 20e6
    source.program.run()
    terminal = rack.bench.instruments["source"].terminals.sources["output"].source
    rack.bench.clock.advance(1.2)
    assert source.program.count() == 2
    assert source.condition_register() == 0
    assert float(source.ask(":SOUR:LEV?")) == pytest.approx(1.0 - 3.0 * 0.2 / 0.4, abs=0.02)
    rack.bench.clock.advance(2.0)
    times_s = np.linspace(0.0, 3.0, 400)
    found = terminal.knots(start_s, start_s + 3.0).at(start_s + times_s)
    expected = expected_program(times_s, 0.5, [1.0, -2.0, 3.0], 1.0, 0.4)
    assert found == pytest.approx(expected, abs=2e-3)
    assert source.program.count() == 1
    events = source.extended_event_register()
    assert ExtendedEventRegister.EOP | ExtendedEventRegister.EOS in events
    assert ExtendedEventRegister.EOP not in source.extended_event_register()
    assert calm(rack)


def test_a_slope_longer_than_the_interval_is_broken_off(rack):
    source = rack.source
    source.output("on")
    program(source, 4.0, 0.0, interval=1.0, slope=2.0)
    source.program.run()
    rack.bench.clock.advance(0.999)
    assert float(source.ask(":SOUR:LEV?")) == pytest.approx(2.0, abs=0.01)
    rack.bench.clock.advance(2.0)
    # from 2 V on to 0 V in 2 s; with the end of the program the slope goes on
    assert float(source.ask(":SOUR:LEV?")) == pytest.approx(0.0, abs=0.01)


def test_pause_continue_repeat_and_single_steps(rack):
    source = rack.source
    source.output("on")
    program(source, 2.0, 0.0, interval=1.0, slope=1.0)
    source.program.repeat("ON")
    source.program.run()
    rack.bench.clock.advance(0.5)
    source.program.pause()
    rack.bench.clock.advance(10.0)
    assert float(source.ask(":SOUR:LEV?")) == pytest.approx(1.0, abs=0.01)
    source.program.cont()
    rack.bench.clock.advance(0.25)
    assert float(source.ask(":SOUR:LEV?")) == pytest.approx(1.5, abs=0.01)
    source.program.hold()
    source.program.hold()
    rack.bench.clock.advance(0.75)
    assert float(source.ask(":SOUR:LEV?")) == pytest.approx(1.0, abs=0.02)
    rack.bench.clock.advance(1.5)
    assert float(source.ask(":SOUR:LEV?")) == pytest.approx(2.0, abs=0.02)  # the second time round
    source.write(":SOUR:LEV 1")
    assert source.system_errors().startswith("-221")
    source.reset()
    source.output("on")
    program(source, 1.0, 2.0, interval=0.5, slope=0.0)
    for level, count in ((1.0, 2), (2.0, 1), (1.0, 2)):
        source.write(":PROG:STEP")
        rack.bench.clock.advance(0.6)
        assert float(source.ask(":SOUR:LEV?")) == level
        assert source.program.count() == count
    assert calm(rack)


def test_programs_are_saved_and_loaded(rack):
    source = rack.source
    program(source, 1.0, 2.0, interval=0.1, slope=0.0)
    source.program.save("up.csv")
    program(source, -5.0, interval=0.1, slope=0.0)
    source.program.load("up.csv")
    assert source.program.load() == '"up.csv"'
    assert source.ask(":PROG:CAT?") == '"up.csv"'
    source.program.run()
    rack.bench.clock.advance(0.3)
    assert source.voltage() == 2.0
    source.write(":PROG:DEL 'up.csv'")
    source.program.load("up.csv")
    assert source.system_errors().startswith("-256")


def test_a_program_changes_range_and_function(rack):
    source = rack.source
    source.output("on")
    source.program.interval(0.2)
    source.program.start()
    source.write(":SOUR:FUNC VOLT;RANG 30;LEV 20")
    source.write(":SOUR:FUNC CURR;RANG 10E-3;LEV 4E-3")
    source.program.end()
    source.program.run()
    rack.bench.clock.advance(0.1)
    assert source.ask(":SOUR:RANG?;LEV?;:OUTP?") == "+3.00000E+01;+2.00000E+01;1"
    rack.bench.clock.advance(0.2)
    assert source.ask(":SOUR:FUNC?;LEV?;:OUTP?") == "CURR;+4.00000E-03;1"
    rack.meter.range(10)
    assert rack.meter.volt() == pytest.approx(4e-3 * OHM, rel=1e-3)
    assert calm(rack)


def test_a_step_of_a_program_triggers_the_meter(rack):
    source, meter = rack.source, rack.meter
    source.output("on")
    program(source, 1.0, 2.0, 3.0, interval=1.0, slope=0.0)
    meter.trigger.source("EXT")
    meter.trigger.count(3)
    meter.trigger.delay(0.5)
    meter.NPLC(1)
    meter.init_measurement()
    source.program.run()
    assert meter.fetch() == pytest.approx([1.0, 2.0, 3.0], abs=1e-3)


def test_steps_may_follow_measurements(rack):
    source = rack.source
    source.output("on")
    source.measure.enabled("on")
    source.measure.NPLC(25)
    source.measure.delay(250)
    source.program.trigger("mend")
    program(source, 1.0, 2.0, 3.0, interval=0.1, slope=0.0)
    source.program.run()
    rack.bench.clock.advance(0.5 + 0.25 - 0.01)
    assert source.program.count() == 1
    rack.bench.clock.advance(0.02)
    assert source.program.count() == 2
    rack.bench.clock.advance(1.6)
    assert ExtendedEventRegister.EOP in source.extended_event_register()
    assert float(source.ask(":FETC?")) == pytest.approx(3.0 / OHM, abs=1e-5)


# Measuring -----------------------------------------------------------------------------------------------------


def test_measurements_by_trigger(rack):
    source = rack.source
    source.output("on")
    source.measure.enabled("on")
    source.measure.delay(5)
    assert float(source.ask(":FETC?")) == pytest.approx(9.91e37)
    source.voltage(1.0)  # READY: the change is the trigger
    rack.bench.clock.advance(0.1)
    assert float(source.ask(":FETC?")) == pytest.approx(1e-3, abs=6e-6)
    source.measure.trigger("COMMUNICATE")
    source.voltage(2.0)
    rack.bench.clock.advance(0.1)
    assert float(source.ask(":FETC?")) == pytest.approx(1e-3, abs=6e-6)
    source.write("*TRG")
    rack.bench.clock.advance(0.1)
    assert float(source.ask(":FETC?")) == pytest.approx(2e-3, abs=7e-6)
    assert ExtendedEventRegister.EOM in source.extended_event_register()
    for trigger in ("TIMER", "IMMEDIATE"):
        source.measure.trigger(trigger)
        source.voltage(3.0)
        rack.bench.clock.advance(2.5)
        assert float(source.ask(":FETC?")) == pytest.approx(3e-3, abs=7e-6)
        source.voltage(2.0)
        rack.bench.clock.advance(2.5)
        assert float(source.ask(":FETC?")) == pytest.approx(2e-3, abs=7e-6)
    source.write(":SENS:NULL 1")
    assert float(source.ask(":READ?")) == pytest.approx(0.0, abs=3e-6)
    source.write(":SENS:NULL 0;:SENS:ZERO:EXEC;:INIT")
    assert calm(rack)


def test_what_cannot_be_measured_says_so(rack):
    source = rack.source
    for setup in (":OUTP 1;:SENS 0", ":OUTP 0;:SENS 1", ":SENS 1;:OUTP 1;:SOUR:RANG 0.1"):
        source.write(f"*RST;{setup};:INIT")
        assert source.system_errors().startswith("-221"), setup
    source.write(":SOUR:RANG 0.1;:SENS 1")
    assert source.system_errors().startswith("-221")
    source.write("*RST;*TRG")
    assert source.system_errors().startswith("-211")
    with pytest.raises(Exception, match="Output is off"):
        source.measure.measure()


# Reports -------------------------------------------------------------------------------------------------------


def test_errors_of_the_program(rack):
    source = rack.source
    for message in (":PROG:RUN", ":PROG:STEP", ":PROG:EDIT:END", ":PROG:PAUS", ":PROG:CONT"):
        source.write(message)
        assert source.ask(":STAT:ERR?").startswith("-221"), message
        assert StandardEventRegister.EXE in source.standard_event_register()
    source.write(":PROG:EDIT:STAR;:PROG:RUN")
    assert source.system_errors().startswith("-221")
    source.program.end()
    with pytest.raises(ValueError, match="not in range"):
        source.voltage(13.0)
    assert calm(rack)


def test_the_extended_events_count_in_the_status_byte(rack):
    source = rack.source
    source.write(":STAT:ENAB 128;*SRE 2;*CLS")
    assert source.status_byte() == 0
    program(source, 1.0, interval=0.1, slope=0.0)
    source.program.run()
    rack.bench.clock.advance(0.2)
    assert source.status_byte() == StatusByte.EES | StatusByte.RQS
    assert source.visa_handle.read_stb() & 0x42 == 0x42
    assert ExtendedEventRegister.EOP in source.extended_event_register()
    assert source.status_byte() == 0
    source.write(":STAT:FILT8 NEV;:PROG:RUN")
    assert source.ask(":STAT:FILT8?;FILT9?") == "NEV;RISE"
    rack.bench.clock.advance(0.2)
    assert ExtendedEventRegister.EOP not in source.extended_event_register()
    source.write(":STAT:FILT8 RISE;:STAT:FILT9 FALL;ENAB 0;*SRE 0;*CLS;:PROG:RUN")
    assert ExtendedEventRegister.RFP in source.extended_event_register()
    source.write(":STAT:FILT9 RISE")
    source.write("NONSENSE")
    assert StatusByte.EAV in source.status_byte()
    assert source.system_errors().startswith('-113,"Undefined header')


def test_without_the_option_nothing_is_measured(tmp_path):
    section = {"model": "yokogawa_gs200", "options": {"monitor": False}}
    source = YokogawaGS200("bare", SOURCE, visalib=write_rack(tmp_path, {"source": (SOURCE, section)}, []))
    try:
        assert not source.measure.present
        assert not hasattr(source.program, "trigger")
        source.write(":SENS 1")
        assert source.system_errors().startswith("-241")
        source.source_mode("CURR")
        source.output("on")
        source.current(1e-3)  # into nothing: the limiter's voltage
        bench_behind(source).clock.advance(0.1)
        assert source.condition_register() == ConditionRegister.LHI
        terminal = bench_behind(source).instruments["source"].terminals.sources["output"].source
        assert math.isclose(terminal.point(bench_behind(source).clock.now).volts, 30.0)
    finally:
        source.close()
