"""The 2450, driven by the stock driver of QCoDeS and by its manual, on real circuits."""

import re

import numpy as np
import pytest
from qcodes.instrument_drivers.Keithley import Keithley2450

from simulators.instruments.keithley_2450.settings import FACTS
from simulators.instruments.source_measure.output import Drive
from tests.simulators.instruments.smu_bench import DAC, smu_bench

OHM = 1e4
OVERFLOW = 9.9e37
UNDEFINED = r'-113,"Undefined header;1;2026/01/01 \d\d:\d\d:\d\d\.\d{3}"'


@pytest.fixture(scope="module")
def powered(tmp_path_factory):
    wire = "smu.output -> 10 kOhm -> ground"
    with smu_bench(tmp_path_factory.mktemp("bench"), "keithley_2450", Keithley2450, wire) as made:
        yield made


@pytest.fixture
def lab(powered):
    """A unit on 10 kohm to ground, as after *RST."""
    powered.smu.visa_handle.clear()
    powered.smu.write("*RST;*CLS")
    powered.smu.buffer_name("defbuffer1")
    for parameter in (powered.smu.source_function, powered.smu.sense_function, powered.smu.output_enabled):
        parameter()
    return powered


def numbers(text):
    return [float(part) for part in text.split(",")]


def codes(lab):
    return [int(text.partition(",")[0]) for text in lab.errors()]


def bound(scale, value, cycles=1.0):
    """The data sheet's accuracy on the range that holds the value, with four deviations of noise."""
    span = scale.holding(value)
    noise = FACTS.integration.relative_noise(cycles) * span.span
    return span.gain * abs(value) + span.offset + span.resolution + 4 * noise


def true_V(lab):
    return lab.unit.unit.output.point(lab.bench.clock.now).volts


# The stock driver ---------------------------------------------------------------------------------------------


def test_it_is_a_2450_that_speaks_scpi(lab):
    identity = lab.smu.get_idn()
    assert identity["vendor"] == "KEITHLEY INSTRUMENTS"
    assert identity["model"] in ("2450", "MODEL 2450"), "the driver may cut the word"
    assert identity["serial"] == "1234567"
    assert lab.ask("*LANG?") == "SCPI"
    assert lab.smu.line_frequency() == "50"


@pytest.mark.parametrize("volts", [-21.0, -1.0, 0.0, 1e-3, 0.15, 2.0, 20.0])
def test_the_driver_sources_a_voltage_and_reads_ohms_law(lab, volts):
    smu = lab.smu
    smu.source.limit(0.01)
    smu.source.voltage(volts)
    smu.output_enabled(True)
    amps = smu.sense.current()
    assert true_V(lab) == pytest.approx(volts, abs=bound(FACTS.source[Drive.VOLTS], volts))
    assert amps == pytest.approx(true_V(lab) / OHM, abs=bound(FACTS.meter[Drive.AMPS], volts / OHM))
    smu.sense_function("voltage")
    assert smu.sense.voltage() == pytest.approx(true_V(lab), abs=bound(FACTS.meter[Drive.VOLTS], volts))
    assert lab.errors() == []


@pytest.mark.parametrize("amps", [-1e-3, 0.0, 1e-8, 1e-6, 5e-5, 1e-3])
def test_the_driver_sources_a_current_and_reads_ohms_law(lab, amps):
    smu = lab.smu
    smu.source_function("current")
    smu.sense_function("voltage")
    smu.source.limit(20.0)
    smu.source.current(amps)
    smu.output_enabled(True)
    volts = smu.sense.voltage()
    assert true_V(lab) == pytest.approx(amps * OHM, abs=bound(FACTS.source[Drive.AMPS], amps) * OHM)
    assert volts == pytest.approx(true_V(lab), abs=bound(FACTS.meter[Drive.VOLTS], volts))
    assert lab.errors() == []


def test_the_driver_measures_a_resistance(lab):
    lab.smu.sense_function("resistance")
    lab.smu.output_enabled(True)
    assert lab.smu.sense.resistance() == pytest.approx(OHM, rel=3e-3)
    assert lab.smu.sense.range() == 2e4


def source_parameters(source, name):
    return [
        (source.limit, (1e-9, 1e-3, 0.105) if name == "voltage" else (0.02, 20.0, 210.0)),
        (source.range, (0.02, 0.2, 2, 20, 200) if name == "voltage" else (1e-8, 1e-6, 1e-3, 0.1, 1)),
        (source.delay, (0.0, 0.25, 10_000)),
        (source.user_delay, (0.0, 0.5)),
        (source.auto_delay, (False, True)),
        (source.read_back_enabled, (False, True)),
        (source.block_during_ramp, (True, False)),
        (source.parameters[name], (-0.05, 0.0, 0.05)),
    ]


@pytest.mark.parametrize("name", ["voltage", "current"])
def test_every_parameter_of_the_drivers_source(lab, name):
    lab.smu.source_function(name)
    source = lab.smu.source
    for number in (1, 5):
        source.user_number(number)
        for parameter, values in source_parameters(source, name):
            for value in values:
                parameter.set(value)
                assert float(parameter.get()) == pytest.approx(float(value)), parameter.name
    assert source.limit_tripped() is False
    source.sweep_setup(0.0, 1.0, 3)
    assert source.sweep_axis() == pytest.approx([0.0, 0.5, 1.0])
    assert lab.errors() == []


@pytest.mark.parametrize("name", ["voltage", "current", "resistance"])
def test_every_parameter_of_the_drivers_sense(lab, name):
    smu = lab.smu
    smu.sense_function(name)
    sense = smu.sense
    ranges = {"voltage": FACTS.meter[Drive.VOLTS], "current": FACTS.meter[Drive.AMPS]}
    spans = [r.span for r in ranges[name].ranges] if name in ranges else [20.0, 2e4, 2e8]
    for number in (1, 5):
        sense.user_number(number)
        for parameter, values in [
            (sense.range, spans),
            (sense.auto_range, (True, False)),
            (sense.four_wire_measurement, (True, False)),
            (sense.nplc, (0.01, 1, 10)),
            (sense.user_delay, (0.0, 2.5)),
            (sense.auto_zero_enabled, (False, True)),
            (sense.count, (1, 5, 300_000)),
        ]:
            for value in values:
                parameter.set(value)
                assert float(parameter.get()) == pytest.approx(float(value)), parameter.name
    sense.auto_zero_once()
    sense.clear_trace()
    assert lab.errors() == []


def test_the_rest_of_the_driver(lab):
    smu = lab.smu
    for side, answer in (("rear", "REAR"), ("front", "FRON")):
        smu.terminals(side)
        assert smu.terminals() == answer
    for name in ("current", "voltage"):
        smu.source_function(name)
        assert smu.source_function() == name
    for name in ("voltage", "resistance", "current"):
        smu.sense_function(name)
        assert smu.sense_function() == name
    for state in (True, False):
        smu.output_enabled(state)
        assert smu.output_enabled() is state
    smu.clear_event_register()
    smu.write("NONSENSE")
    smu.clear_event_log()
    assert lab.errors() == []


@pytest.mark.parametrize(("start", "stop", "points"), [(0.0, 1.0, 11), (2.0, -2.0, 5)])
def test_the_driver_sweeps(lab, start, stop, points):
    smu = lab.smu
    smu.source.limit(1e-2)
    smu.sense_function("current")
    smu.source.sweep_setup(start, stop, points)
    amps = smu.sense.sweep()
    assert amps == pytest.approx(np.linspace(start, stop, points) / OHM, abs=3e-7)
    assert lab.ask("OUTP?") == "0", "a sweep ends with the output off"
    assert lab.ask(":TRAC:ACT?") == "0", "the driver empties the buffer"
    assert lab.errors() == []


def test_buffers_of_the_driver(lab):
    smu = lab.smu
    smu.source.voltage(0.5)
    smu.output_enabled(True)
    with smu.buffer("mine", size=20) as buffer:
        assert buffer.size() == 20
        assert buffer.number_of_readings() == 0
        smu.sense.count(3)
        buffer.trigger_start()
        assert buffer.number_of_readings() == 3
        assert buffer.get_data(1, 3) == pytest.approx([0.5 / OHM] * 3, abs=1e-7)
        assert float(buffer.get_last_reading()) == pytest.approx(0.5 / OHM, abs=1e-7)
        for element in sorted(buffer.available_elements):
            buffer.elements([element])
            assert buffer.elements() == [element]
            assert buffer.get_data(2, 2) != [""]
        buffer.elements(["measurement", "source_value", "measurement_unit", "relative_time", "date"])
        measured, source, unit, relative, date = buffer.get_data(2, 2)
        assert float(measured) == pytest.approx(0.5 / OHM, abs=1e-7)
        assert float(source) == pytest.approx(0.5, abs=1e-3)
        assert float(source) != 0.5, "read back"
        assert unit == "Amp DC"
        assert date == "01/01/2026"
        assert float(relative) == pytest.approx(0.04, abs=1e-4), "one reading and its zero at 1 PLC"
        buffer.clear_buffer()
        assert buffer.number_of_readings() == 0
        buffer.size(30)
        assert buffer.size() == 30
        assert lab.errors() == []
    lab.smu.write(":TRAC:CLE 'mine'")
    assert codes(lab) == [-224], "deleted"
    assert smu.buffer_name() == "defbuffer1"


def test_a_buffer_that_fills_once_refuses_more(lab):
    lab.smu.write(":TRAC:MAKE 'few', 10;:SENS:COUN 12;:OUTP ON;:TRAC:TRIG 'few'")
    assert lab.ask(":TRAC:ACT? 'few'") == "10"
    assert lab.errors()[0].startswith('4915,"Attempting to store past capacity of reading buffer;1;')
    lab.smu.write(":TRAC:FILL:MODE CONT, 'few';:TRAC:TRIG 'few'")
    assert lab.ask(":TRAC:ACT? 'few'") == "10"
    lab.smu.write(":TRAC:DATA? 5, 11, 'few'")
    assert codes(lab) == [-222]


# Limits, off states, circuits ---------------------------------------------------------------------------------


def test_limits_hold_and_are_reported(lab):
    smu = lab.smu
    smu.source.limit(5e-5)
    smu.source.voltage(2.0)
    smu.output_enabled(True)
    assert smu.sense.current() == pytest.approx(5e-5, rel=1e-3)
    assert smu.source.limit_tripped() is True
    assert true_V(lab) == pytest.approx(0.5, rel=1e-6)
    assert int(lab.ask(":READ? 'defbuffer1', SOURSTAT")) & (1 << 5 | 1 << 7) == 1 << 5 | 1 << 7
    smu.source.voltage(0.4)
    assert smu.source.limit_tripped() is False
    smu.source_function("current")
    smu.sense_function("voltage")
    smu.source.limit(3.0)
    smu.source.current(1e-3)
    smu.output_enabled(True)
    assert smu.sense.voltage() == pytest.approx(3.0, rel=1e-3)
    assert smu.source.limit_tripped() is True


def test_a_sweep_into_the_limit_is_aborted_if_asked(lab):
    lab.smu.write(":SOUR:VOLT:ILIM 5.5e-5;:SOUR:SWE:VOLT:LIN 0, 1, 11, 0, 1, AUTO, ON;:INIT;*WAI")
    assert lab.ask(":TRAC:ACT?") == "7", "0.6 V into 10 kohm is the first beyond 55 uA"
    assert lab.ask("OUTP?") == "0"
    lab.smu.write(":SOUR:SWE:VOLT:LIN 0, 1, 11, 0, 1, AUTO, OFF;:INIT;*WAI")
    assert numbers(lab.ask(":TRAC:DATA? 1, 11"))[-1] == pytest.approx(5.5e-5, rel=1e-3)


def test_sweeps_of_every_kind(lab):
    lab.smu.write(":SOUR:VOLT:ILIM 1e-2;:SOUR:SWE:VOLT:LOG 0.1, 10, 3;:INIT;*WAI")
    assert numbers(lab.ask(":TRAC:DATA? 1, 3")) == pytest.approx(np.array([0.1, 1, 10]) / OHM, abs=1e-6)
    lab.smu.write(":SOUR:SWE:VOLT:LIN:STEP 1, -1, 0.5, 0.1, 2, BEST, OFF, ON;:INIT")
    assert lab.ask(":TRIG:STAT?") == "RUNNING;RUNNING;0"
    assert lab.ask("*OPC?") == "1"
    assert lab.ask(":TRIG:STAT?") == "IDLE;IDLE;0"
    there = [1, 0.5, 0, -0.5, -1]
    expected = 2 * (there + there[-2::-1])
    assert numbers(lab.ask(":TRAC:DATA? 1, 18, 'defbuffer1', SOUR")) == pytest.approx(expected, abs=2e-3)
    lab.smu.write(":SOUR:LIST:VOLT 3, 1;:SOUR:LIST:VOLT:APP 2;:SOUR:SWE:VOLT:LIST 2;:INIT;*WAI")
    assert lab.ask(":SOUR:LIST:VOLT:POIN?") == "3"
    assert numbers(lab.ask(":TRAC:DATA? 1, 2, 'defbuffer1', SOUR")) == pytest.approx([1, 2], abs=2e-3)
    lab.smu.write(":SENS:FUNC 'VOLT';:SOUR:SWE:CURR:LIN 0, 1e-3, 3;:INIT;*WAI")
    assert numbers(lab.ask(":TRAC:DATA? 1, 3")) == pytest.approx([0, 5, 10], abs=2e-2)
    assert lab.errors() == []
    lab.smu.write(":SOUR:SWE:VOLT:LOG -1, 1, 3")
    lab.smu.write(":TRIG:LOAD 'Empty';:INIT")
    assert codes(lab) == [-222, -200]


def test_a_loop_of_measurements_runs_beside_other_commands(lab):
    clock = lab.bench.clock
    lab.smu.write(":OUTP ON;:SENS:CURR:AZER OFF;:TRIG:LOAD 'SimpleLoop', 10, 0.08;:INIT")
    assert lab.ask(":TRAC:ACT?") == "0"
    clock.advance(0.55)
    assert lab.ask(":TRAC:ACT?") == "5"
    lab.smu.write(":INIT;:READ?")
    assert codes(lab) == [-213, -221]
    lab.ask(":FETC?")
    assert lab.ask(":TRAC:ACT?") == "10", "FETCh? waits for the trigger model"
    lab.smu.write(":INIT")
    clock.advance(0.35)
    lab.smu.write(":ABOR")
    assert lab.ask("*OPC?") == "1"
    assert lab.ask(":TRAC:ACT?") == "13"


def test_a_chips_electrode_and_its_readout(tmp_path):
    wires = ["smu.output -> chip.e1", *[f"dac.{k} -> chip.e{k}" for k in range(2, 8)], "chip.e8 -> smu.input"]
    more = {"chip": {"model": "hopping", "seed": 7}}
    with smu_bench(tmp_path, "keithley_2450", Keithley2450, *wires, **more) as lab:
        dac, clock = lab.bench.resources[DAC], lab.bench.clock
        for k in range(2, 8):
            dac.write(f"sour{k}:volt {0.1 * k}\n".encode())
        lab.smu.write(":SENS:CURR:NPLC 10;:SOUR:VOLT 0.3;:OUTP ON")
        clock.advance(0.5)
        amps = float(lab.ask(":READ?"))
        channels = [lab.bench.instruments["dac"].channel(k) for k in range(2, 8)]
        point = np.array([true_V(lab), *[source.knots(1.0, 1.0).values[0] for source in channels]])
        readout = lab.bench.specimen.chip.observe(point[None], np.array([clock.now]))[0]
        expected = lab.bench.specimen.drawn_A(point)[0] - readout
        assert abs(expected) > 5e-9, "else nothing would be seen"
        assert amps == pytest.approx(expected, abs=bound(FACTS.meter[Drive.AMPS], expected, 10))


@pytest.mark.parametrize("mode", ["NORM", "ZERO", "HIMP", "GUAR"])
def test_output_off_states(lab, mode):
    lab.smu.write(f":OUTP:VOLT:SMOD {mode};:SOUR:VOLT 2;:OUTP ON")
    assert lab.ask(":OUTP:VOLT:SMOD?") == mode
    lab.bench.clock.advance(0.1)
    assert true_V(lab) == pytest.approx(1.05e-4 * OHM, rel=1e-6), "held by the default limit"
    lab.smu.write(":OUTP OFF")
    lab.bench.clock.advance(0.1)
    assert true_V(lab) == pytest.approx(0.0, abs=3e-3)
    assert abs(float(lab.ask(":READ?"))) < 1e-6
    assert lab.errors() == []


def test_sense_leads_and_protection(tmp_path):
    with smu_bench(tmp_path, "keithley_2450", Keithley2450, "dac.1 -> smu.sense") as lab:
        lab.bench.resources[DAC].write(b"sour1:volt 0.77\n")
        lab.smu.write(":SENS:FUNC 'VOLT';:SENS:VOLT:RSEN ON;:SOUR:VOLT 1;:OUTP ON")
        lab.bench.clock.advance(1.0)
        assert float(lab.ask(":READ?")) == pytest.approx(0.77, abs=2e-3)
        lab.smu.write(":SENS:VOLT:RSEN OFF")
        assert float(lab.ask(":READ?")) == pytest.approx(1.0, abs=2e-3)
        lab.smu.write(":SOUR:VOLT:PROT PROT5;:SOUR:VOLT 12")
        assert float(lab.ask(":READ?")) == pytest.approx(5.0, abs=1e-2)
        assert lab.ask(":SOUR:VOLT:PROT:TRIP?") == "1"


# Readings -----------------------------------------------------------------------------------------------------


def test_overload(lab):
    lab.smu.write(":SOUR:VOLT:ILIM 1e-2;:SOUR:VOLT 2;:SENS:CURR:RANG 1e-5;:OUTP ON")
    assert float(lab.ask(":READ?")) == OVERFLOW
    assert lab.ask(":FETC? 'defbuffer1', FORM, STAT") == "Overflow,10"
    lab.smu.write(":SENS:CURR:RANG:AUTO ON")
    assert float(lab.ask(":READ?")) == pytest.approx(2e-4, rel=2e-3)
    assert float(lab.ask(":SENS:CURR:RANG?")) == 1e-3


def test_units_and_offsets(lab):
    lab.smu.write(":SOUR:VOLT:ILIM 1e-2;:SOUR:VOLT 2;:SENS:CURR:UNIT OHM;:OUTP ON")
    assert float(lab.ask(":READ?")) == pytest.approx(OHM, rel=2e-3)
    lab.smu.write(":SENS:CURR:UNIT WATT")
    assert float(lab.ask(":MEAS:CURR?")) == pytest.approx(4e-4, rel=4e-3)
    lab.smu.write(":SENS:CURR:UNIT AMP;:SENS:CURR:REL 1.5e-4;:SENS:CURR:REL:STAT ON")
    assert float(lab.ask(":READ?")) == pytest.approx(5e-5, abs=4e-7)


def test_noise_falls_with_the_integration(lab):
    lab.smu.write(":SENS:CURR:RANG 1e-4;:SOUR:VOLT 0.5;:OUTP ON;:SENS:CURR:AZER OFF;:SENS:COUN 400")
    spread = {}
    for cycles in (0.01, 0.1, 1.0):
        lab.smu.write(f":SENS:CURR:NPLC {cycles};:TRAC:CLE;:TRAC:TRIG")
        spread[cycles] = np.std(numbers(lab.ask(":TRAC:DATA? 1, 400")))
        assert spread[cycles] == pytest.approx(FACTS.integration.relative_noise(cycles) * 1e-4, rel=0.2)
    lab.smu.write(":SENS:CURR:NPLC 0.01;:SENS:CURR:AVER:COUN 25;:SENS:CURR:AVER ON;:TRAC:CLE;:TRAC:TRIG")
    averaged = np.std(numbers(lab.ask(":TRAC:DATA? 1, 400")))
    assert averaged == pytest.approx(spread[0.01] / 5, rel=0.25)
    assert float(lab.ask(":TRAC:STAT:STDD?")) == pytest.approx(averaged, rel=1e-2)
    assert float(lab.ask(":TRAC:STAT:AVER?")) == pytest.approx(5e-5, abs=1e-7)
    lab.smu.write(":SENS:CURR:AVER:TCON MOV;:TRAC:CLE;:TRAC:TRIG")
    assert np.std(np.diff(numbers(lab.ask(":TRAC:DATA? 26, 400")))) < spread[0.01] / 10


def test_measurements_take_their_time(lab):
    clock = lab.bench.clock
    lab.smu.write(":SENS:CURR:NPLC 10;:SENS:CURR:AZER OFF;:SENS:COUN 3;:OUTP ON")
    before = clock.now
    lab.ask(":READ?")
    assert clock.now - before == pytest.approx(0.6, abs=5e-3)
    lab.smu.write(":SENS:CURR:NPLC 1;:SOUR:VOLT:DEL 0.25;:SOUR:SWE:VOLT:LIN 0, 1, 4;:INIT;*WAI")
    before = clock.now
    stamps = numbers(lab.ask(":TRAC:DATA? 1, 4, 'defbuffer1', REL"))
    assert clock.now - before == pytest.approx(4 * 0.27, abs=1e-2)
    assert np.diff(stamps) == pytest.approx([0.27] * 3, abs=1e-5)


def test_readings_look_like_the_instruments(lab):
    lab.smu.write(":SOUR:VOLT -0.5;:SOUR:VOLT:READ:BACK OFF;:OUTP ON")
    value, source, unit, source_unit = lab.ask(":READ? 'defbuffer1', READ, SOUR, UNIT, SOURUNIT").split(",")
    assert re.fullmatch(r"-(5\.0|4\.9)\d{5}E-05", value)
    assert (source, unit, source_unit) == ("-5.000000E-01", "Amp DC", "Volt DC")
    stamp = lab.ask(":FETC? 'defbuffer1', TST")
    assert re.fullmatch(r"01/01/2026 \d\d:\d\d:\d\d\.\d{9}", stamp)
    assert re.fullmatch(r"-(49|50)\.\d{5} uA", lab.ask(":FETC? 'defbuffer1', FORM"))
    data = lab.raw(":FORM:DATA REAL;:FETC? 'defbuffer1', READ, SOUR")
    assert data[:4] == b"#216"
    assert np.frombuffer(data[4:20], "<f8")[1] == -0.5
    data = lab.raw(":FORM:BORD NORM;:FORM:DATA SRE;:FETC? 'defbuffer1', SOUR")
    assert np.frombuffer(data[3:7], ">f4")[0] == -0.5
    lab.smu.write(":FETC? 'defbuffer1', UNIT")
    assert codes(lab) == [-221]


# Settings, errors ---------------------------------------------------------------------------------------------

DEFAULTS = {
    ":SOUR:FUNC?": "VOLT",
    ":SOUR:VOLT?": "0.000000E+00",
    ":SOUR:VOLT:RANG:AUTO?": "1",
    ":SOUR:VOLT:ILIM?": "1.050000E-04",
    ":SOUR:CURR:VLIM?": "2.100000E+01",
    ":SOUR:VOLT:DEL:AUTO?": "1",
    ":SOUR:VOLT:READ:BACK?": "1",
    ":SOUR:VOLT:PROT?": "NONE",
    ":SOUR:VOLT:HIGH:CAP?": "0",
    ":OUTP?": "0",
    ":OUTP:VOLT:SMOD?": "NORM",
    ":OUTP:CURR:SMOD?": "NORM",
    ":SENS:FUNC?": '"CURR:DC"',
    ":SENS:COUN?": "1",
    ":SENS:CURR:RANG:AUTO?": "1",
    ":SENS:CURR:NPLC?": "1.000000E+00",
    ":SENS:CURR:AZER?": "1",
    ":SENS:CURR:RSEN?": "0",
    ":SENS:CURR:UNIT?": "AMP",
    ":SENS:VOLT:UNIT?": "VOLT",
    ":SENS:CURR:AVER?": "0",
    ":SENS:CURR:AVER:COUN?": "10",
    ":SENS:CURR:AVER:TCON?": "REP",
    ":SENS:CURR:REL:STAT?": "0",
    ":SENS:RES:OCOM?": "0",
    ":ROUT:TERM?": "FRON",
    ":TRAC:POIN?": "100000",
    ":TRAC:ACT?": "0",
    ":TRAC:FILL:MODE?": "CONT",
    ":TRIG:STAT?": "EMPTY;EMPTY;0",
    ":FORM:DATA?": "ASC",
}


def test_reset_gives_the_settings_of_the_manual(lab):
    lab.smu.write(
        ":SENS:CURR:NPLC 0.1;:SENS:CURR:AVER ON;:SENS:COUN 4;:SOUR:FUNC CURR;:OUTP ON;:ROUT:TERM REAR"
    )
    lab.smu.write(
        ":SENS:CURR:RSEN ON;:SOUR:VOLT:ILIM 1;:OUTP:CURR:SMOD ZERO;:TRAC:POIN 50;:FORM:DATA REAL;*RST"
    )
    assert {header: lab.ask(header) for header in DEFAULTS} == DEFAULTS
    assert lab.errors() == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":SOUR:VOLT 211", -222),
        (":SOUR:VOLT:RANG 2;:SOUR:VOLT 2.2", -222),
        (":SOUR:VOLT:ILIM 1.2", -222),
        (":SOUR:VOLT:ILIM 0.2;:SOUR:VOLT 100", -221),
        (":SOUR:VOLT 100;:SOUR:VOLT:ILIM 0.2", -221),
        (":SENS:CURR:NPLC 11", -222),
        (":SENS:FUNC 'TEMP'", -224),
        (":SENS:VOLT:UNIT AMP", -224),
        (":SOUR:VOLT:DEL:USER6 1", -114),
        (":TRAC:CLE 'nobody'", -224),
        (":TRAC:DEL 'defbuffer1'", -221),
        (":TRAC:MAKE 'small', 5", -222),
        (":TRIG:LOAD 'GradeBinning'", -224),
        (":FETC?", -230),
    ],
)
def test_what_cannot_be_is_refused(lab, message, code):
    lab.smu.write(message)
    assert codes(lab) == [code]


def test_errors_read_as_the_makers(lab):
    lab.smu.write("NONSENSE")
    assert lab.ask(":SYST:EVEN:COUN?") == "1"
    assert re.fullmatch(UNDEFINED, lab.ask(":SYST:ERR?"))
    assert lab.ask(":SYST:ERR?") == '0,"No error;0;0 0"'
    lab.smu.write(":SOUR:VOLT 300")
    assert lab.ask(":SYST:EVEN:NEXT?").startswith('-222,"Parameter data out of range;1;2026/01/01')


@pytest.mark.parametrize(
    "message",
    [
        ":SYST:BEEP 500, 0.1",
        ":SYST:ACC FULL",
        ":SYST:POS RST",
        ":SYST:TIME 2026, 11, 28, 12, 0, 0",
        ":DISP:CLE",
        ":DISP:SCR HOME",
        ":DISP:USER1:TEXT 'hello'",
        ":DISP:LIGH:STAT ON50",
        ":DISP:CURR:DIG 5",
        ":TRAC:LOG:STAT OFF, 'defbuffer1'",
        "*LANG SCPI",
    ],
)
def test_what_has_no_effect_is_accepted(lab, message):
    lab.smu.write(message)
    assert lab.errors() == []


def test_the_driver_resets_aborts_and_waits(lab):
    lab.smu.write(":SENS:CURR:NPLC 3;:TRIG:LOAD 'SimpleLoop', 100;:OUTP ON")
    lab.smu.initiate()
    lab.smu.abort()
    lab.smu.wait()
    lab.smu.reset()
    lab.smu.write(":*RST")
    assert float(lab.ask(":SENS:CURR:NPLC?")) == 1.0
    assert lab.errors() == []
