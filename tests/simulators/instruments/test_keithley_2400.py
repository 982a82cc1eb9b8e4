"""The 2400, driven by the stock driver of QCoDeS and by its manual, on real circuits."""

import math
import re
import struct
from functools import partial

import numpy as np
import pytest
import pyvisa
from qcodes.instrument_drivers.Keithley import Keithley2400

from simulators.instruments.keithley_2400.settings import FACTS
from simulators.instruments.source_measure.output import Drive
from tests.simulators.instruments.smu_bench import DAC, smu_bench

OHM = 1e4
NAN, OVERFLOW = 9.91e37, 9.9e37


@pytest.fixture(scope="module")
def powered(tmp_path_factory):
    wire = "smu.output -> 10 kOhm -> ground"
    with smu_bench(tmp_path_factory.mktemp("bench"), "keithley_2400", Keithley2400, wire) as made:
        yield made


@pytest.fixture
def lab(powered):
    """A unit on 10 kohm to ground, as after *RST."""
    powered.smu.visa_handle.clear()
    powered.smu.write("*RST;*CLS")
    powered.smu.write(":FORM:ELEM VOLT,CURR")
    powered.smu.output(False)
    powered.smu.snapshot(update=False)
    return powered


def numbers(text):
    return [float(part) for part in text.split(",")]


def bound(scale, value, cycles=1.0):
    """The data sheet's accuracy on the range that holds the value, with four deviations of noise."""
    span = scale.holding(value)
    noise = FACTS.integration.relative_noise(cycles) * span.span
    return span.gain * abs(value) + span.offset + span.resolution + 4 * noise


# The stock driver ---------------------------------------------------------------------------------------------


def test_it_is_a_2400(lab):
    identity = lab.smu.get_idn()
    assert identity["vendor"] == "KEITHLEY INSTRUMENTS INC."
    assert identity["model"] in ("2400", "MODEL 2400"), "the driver may cut the word"
    assert identity["serial"] == "1234567"


@pytest.mark.parametrize("volts", [-21.0, -1.0, 0.0, 1e-3, 0.15, 2.0, 20.0])
def test_the_driver_sources_a_voltage_and_reads_ohms_law(lab, volts):
    smu = lab.smu
    smu.mode("VOLT")
    smu.compliancei(0.01)
    smu.output(True)
    smu.volt(volts)
    assert lab.errors() == []
    assert smu.volt() == pytest.approx(volts, abs=1e-6)
    true_A = lab.bench.instruments["smu"].unit.output.point(lab.bench.clock.now).volts / OHM
    assert true_A == pytest.approx(volts / OHM, abs=bound(FACTS.source[Drive.VOLTS], volts) / OHM)
    assert smu.curr() == pytest.approx(true_A, abs=bound(FACTS.meter[Drive.AMPS], true_A))
    if abs(volts) > 0.1:
        assert smu.resistance() == pytest.approx(OHM, rel=5e-3)


@pytest.mark.parametrize("amps", [-1e-3, 0.0, 1e-6, 5e-5, 1e-3])
def test_the_driver_sources_a_current_and_reads_ohms_law(lab, amps):
    smu = lab.smu
    smu.mode("CURR")
    smu.compliancev(20.0)
    smu.output(True)
    smu.curr(amps)
    assert lab.errors() == []
    true_V = lab.bench.instruments["smu"].unit.output.point(lab.bench.clock.now).volts
    assert true_V == pytest.approx(amps * OHM, abs=bound(FACTS.source[Drive.AMPS], amps) * OHM)
    assert smu.volt() == pytest.approx(true_V, abs=bound(FACTS.meter[Drive.VOLTS], true_V))


def test_every_parameter_of_the_driver(lab):
    smu = lab.smu
    for mode in ("VOLT", "CURR"):
        smu.mode(mode)
        assert smu.mode() == mode
    for what in ("VOLT", "CURR", "RES"):
        smu.sense(what)
        assert what in smu.sense()
    smu.write("*RST")
    for parameter, low, high in ((smu.nplcv, 0.01, 10.0), (smu.nplci, 0.01, 10.0)):
        for value in (low, 1.0, high):
            parameter(value)
            assert parameter() == value
    for value in (2e-4, 0.2, 21.0, 210.0):
        smu.compliancev(value)
        assert smu.compliancev() == pytest.approx(value)
    smu.compliancev(1e-4)
    assert lab.errors() == ['+822,"Too small for sense range"']
    for value in (1e-6, 1e-3, 0.105, 1.05):
        smu.compliancei(value)
        assert smu.compliancei() == pytest.approx(value)
    smu.mode("VOLT")  # the driver reads the range of the meter, which is the source's for what is sourced
    for value, end in ((0.2, 0.21), (2.0, 2.1), (20.0, 21.0), (0.1, 0.21)):
        smu.rangev(value)
        assert smu.rangev() == pytest.approx(end)
    smu.mode("CURR")
    for value, end in ((1e-6, 1.05e-6), (1e-3, 1.05e-3), (0.1, 0.105), (1.0, 1.05)):
        smu.rangei(value)
        assert smu.rangei() == pytest.approx(end)
    for state in (True, False):
        smu.output(state)
        assert smu.output() is state
    assert lab.errors() == []


def test_values_outside_the_instruments_limits_are_refused(lab):
    smu = lab.smu
    for refused in (
        lambda: smu.volt(211.0),
        lambda: smu.curr(-1.06),
        lambda: smu.compliancev(220.0),
        lambda: smu.compliancei(2.0),
        lambda: smu.rangev(300.0),
        lambda: smu.nplcv(11.0),
        lambda: smu.nplci(0.001),
    ):
        refused()
        assert lab.errors() == ['-222,"Parameter data out of range"']
    smu.rangev(2.0)
    smu.volt(2.2)
    assert lab.errors() == ['-222,"Parameter data out of range"']
    smu.volt(2.1)
    assert lab.errors() == []


# Compliance, relay, terminals ---------------------------------------------------------------------------------


def test_compliance_of_a_voltage_source_is_a_current_source(lab):
    smu = lab.smu
    smu.write(':SENS:FUNC "VOLT","CURR";:SENS:CURR:PROT 5e-5;:SOUR:VOLT 2;:FORM:ELEM VOLT,CURR,STAT;:OUTP ON')
    volts, amps, status = numbers(lab.ask("READ?"))
    assert volts == pytest.approx(5e-5 * OHM, rel=1e-3)
    assert amps == pytest.approx(5e-5, rel=1e-3)
    assert int(status) & 1 << 3
    assert lab.ask(":SENS:CURR:PROT:TRIP?") == "1"
    assert lab.ask(":SENS:VOLT:PROT:TRIP?") == "0"
    assert int(lab.ask(":STAT:MEAS:COND?")) & 1 << 14
    smu.write(":SOUR:VOLT 0.4")
    volts, amps, status = numbers(lab.ask("READ?"))
    assert volts == pytest.approx(0.4, rel=5e-3)
    assert not int(status) & 1 << 3
    assert lab.ask(":SENS:CURR:PROT:TRIP?") == "0"


def test_compliance_of_a_current_source_is_a_voltage_source(lab):
    lab.smu.write(":SOUR:FUNC CURR;:SENS:FUNC 'VOLT';:SENS:VOLT:PROT 3;:SOUR:CURR 1e-3;:OUTP ON")
    volts, _ = numbers(lab.ask("READ?"))
    assert volts == pytest.approx(3.0, rel=1e-3)
    assert lab.ask(":SENS:VOLT:PROT:TRIP?") == "1"


def test_a_fixed_measuring_range_limits_too(lab):
    lab.smu.write(":SENS:CURR:PROT 1e-3;:SENS:CURR:RANG 1e-5;:SOUR:VOLT 2;:OUTP ON")
    _, amps = numbers(lab.ask("READ?"))
    assert amps == pytest.approx(1.05e-5, rel=1e-3)
    lab.smu.write(":SENS:CURR:RANG 1e-2")
    assert lab.errors() == ['+824,"Cannot exceed compliance range"']
    lab.smu.write(":SENS:VOLT:RANG 2")
    assert lab.errors() == ['+823,"Invalid with source read-back on"']
    lab.smu.write(":SENS:CURR:PROT 1e-9")
    assert lab.errors() == ['+822,"Too small for sense range"']


def test_the_power_limit(lab):
    lab.smu.write(":SENS:CURR:PROT 0.2;:SOUR:VOLT 100")
    assert lab.errors() == ['+826,"Attempt to exceed power limit"']
    assert float(lab.ask(":SOUR:VOLT?")) == 0.0
    lab.smu.write(":SENS:CURR:PROT 0.1;:SOUR:VOLT 100;:SENS:CURR:PROT 0.2")
    assert lab.errors() == ['+826,"Attempt to exceed power limit"']


def test_measuring_needs_the_output(lab):
    lab.smu.write(":SOUR:VOLT 1;:READ?")
    with lab.smu.timeout.set_to(0.5), pytest.raises(pyvisa.VisaIOError, match="Timeout"):
        lab.smu.visa_handle.read()
    lab.smu.visa_handle.clear()
    assert lab.ask("SYST:ERR?") == '+803,"Not permitted with OUTPUT off"'
    lab.smu.write("*CLS;:SOUR:CLE:AUTO ON")
    assert numbers(lab.ask("READ?"))[1] == pytest.approx(1e-4, rel=1e-2)
    assert lab.ask("OUTP?") == "0", "on for the measurement only"


@pytest.mark.parametrize(
    ("mode", "ohm_V"), [("HIMP", 0.0), ("NORM", 3e-3), ("ZERO", 3e-3), ("GUAR", 20e-9 * OHM)]
)
def test_output_off_states(lab, mode, ohm_V):
    lab.smu.write(f":OUTP:SMOD {mode};:SENS:CURR:PROT 1e-3;:SOUR:VOLT 2;:OUTP ON")
    lab.bench.clock.advance(0.1)
    output = lab.unit.unit.output
    assert output.point(lab.bench.clock.now).volts == pytest.approx(2.0, abs=3e-3)
    lab.smu.write(":OUTP OFF")
    assert lab.ask(":OUTP:SMOD?") == mode
    lab.bench.clock.advance(0.1)
    assert output.point(lab.bench.clock.now).volts == pytest.approx(0.0, abs=ohm_V)


def test_an_electrode_floats_when_the_relay_opens(tmp_path):
    wires = ["smu.output -> chip.e1", *[f"dac.{k} -> chip.e{k}" for k in range(2, 8)]]
    wires.append("chip.e8 -> amplifier.in")
    more = {"chip": {"model": "hopping", "seed": 7}, "amplifier": {"gain": "10 MV/A"}}
    with smu_bench(tmp_path, "keithley_2400", Keithley2400, *wires, **more) as lab:
        for k in range(2, 8):
            lab.bench.resources[DAC].write(f"sour{k}:volt {0.1 * k}\n".encode())
        lab.smu.write(":OUTP:SMOD HIMP;:OUTP ON;:OUTP OFF")
        lab.bench.clock.advance(1.0)
        volts, amps, _ = lab.unit.unit.output.point(lab.bench.clock.now)
        others = [source.knots(1.0, 1.0).values[0] for source in _driven(lab)]
        assert 0.01 < volts < 0.7, "between the others"
        drawn = lab.bench.specimen.drawn_A(np.array([volts, *others]))[0]
        assert drawn == pytest.approx(0.0, abs=1e-13)
        assert amps == 0.0


def _driven(lab):
    return [lab.bench.instruments["dac"].channel(k) for k in range(2, 8)]


def test_a_chips_electrode_draws_what_its_model_says(tmp_path):
    wires = ["smu.output -> chip.e1", *[f"dac.{k} -> chip.e{k}" for k in range(2, 8)]]
    wires.append("chip.e8 -> smu.input")
    more = {"chip": {"model": "hopping", "seed": 7}}
    with smu_bench(tmp_path, "keithley_2400", Keithley2400, *wires, **more) as lab:
        dac = lab.bench.resources[DAC]
        for k in range(2, 8):
            dac.write(f"sour{k}:volt {0.1 * k}\n".encode())
        lab.smu.write(":SENS:FUNC 'VOLT','CURR';:SENS:CURR:NPLC 10;:SOUR:VOLT 0.3;:OUTP ON")
        lab.bench.clock.advance(0.5)
        volts, amps = numbers(lab.ask("READ?"))
        others = [source.knots(1.0, 1.0).values[0] for source in _driven(lab)]
        true_V = lab.unit.unit.output.point(lab.bench.clock.now).volts
        point = np.array([true_V, *others])
        readout = lab.bench.specimen.chip.observe(point[None], np.array([lab.bench.clock.now]))[0]
        expected = lab.bench.specimen.drawn_A(point)[0] - readout
        assert volts == pytest.approx(0.3, abs=2e-3)
        assert amps == pytest.approx(expected, abs=bound(FACTS.meter[Drive.AMPS], expected, 10))
        assert abs(expected) > 5e-9, "else nothing would be seen"


def test_remote_sensing_reads_the_sense_leads(tmp_path):
    with smu_bench(tmp_path, "keithley_2400", Keithley2400, "dac.1 -> smu.sense") as lab:
        lab.bench.resources[DAC].write(b"sour1:volt 0.77\n")
        lab.smu.write(":SYST:RSEN ON;:SENS:FUNC 'VOLT';:SOUR:FUNC CURR;:SOUR:CURR 0;:OUTP ON")
        lab.bench.clock.advance(1.0)
        assert numbers(lab.ask("READ?"))[0] == pytest.approx(0.77, abs=2e-3)
        lab.smu.write(":SYST:RSEN OFF")
        assert abs(numbers(lab.ask("READ?"))[0]) == pytest.approx(21.0, rel=1e-3), "open: an offset current"


def test_a_current_into_nothing_runs_into_compliance(tmp_path):
    with smu_bench(tmp_path, "keithley_2400", Keithley2400) as lab:
        lab.smu.mode("CURR")
        lab.smu.compliancev(12.0)
        lab.smu.curr(1e-6)
        lab.smu.output(True)
        assert lab.smu.volt() == pytest.approx(12.0, rel=1e-3)


# Ranges, noise, readings --------------------------------------------------------------------------------------


def test_overload_and_what_is_not_measured(lab):
    lab.smu.write(":FORM:ELEM VOLT,CURR,RES,TIME,STAT;:SOUR:FUNC CURR;:SOUR:CURR 1e-3;:SENS:VOLT:PROT 100")
    lab.smu.write(":SENS:FUNC:OFF 'CURR';:SENS:FUNC 'VOLT';:SENS:VOLT:RANG 20;:OUTP ON")
    volts, amps, ohms, _, status = numbers(lab.ask("READ?"))
    assert volts == pytest.approx(10.0, rel=1e-2)
    assert amps == 1e-3, "what is sourced and not measured is what is set"
    assert ohms == NAN
    assert int(status) & (1 << 11 | 1 << 12 | 1 << 15) == 1 << 11 | 1 << 15
    lab.smu.write(":SENS:RES:MODE MAN;:SENS:FUNC 'RES';:SENS:RES:RANG 2e3")
    _, _, ohms, _, status = numbers(lab.ask("READ?"))
    assert ohms == OVERFLOW
    assert int(status) & 1
    lab.smu.write(":SENS:RES:RANG:AUTO ON")
    assert numbers(lab.ask("READ?"))[2] == pytest.approx(OHM, rel=1e-2)


def test_automatic_ohms_takes_over_the_source(lab):
    lab.smu.write(":FORM:ELEM VOLT,CURR,RES,TIME,STAT;:OUTP ON")
    volts, amps, ohms, _, status = numbers(lab.ask("MEAS:RES?"))
    assert ohms == pytest.approx(OHM, rel=5e-3)
    assert int(status) & (1 << 13 | 1 << 15 | 1 << 10) == 1 << 13 | 1 << 15 | 1 << 10
    assert (volts, amps) == (NAN, NAN)
    assert float(lab.ask(":SENS:RES:RANG?")) == pytest.approx(2.1e4)


def test_noise_falls_with_the_integration(lab):
    lab.smu.write(
        ":SENS:CURR:RANG 1e-4;:SOUR:VOLT 0.5;:OUTP ON;:FORM:ELEM CURR;:SYST:AZER OFF;:TRIG:COUN 400"
    )
    spread = {}
    for cycles in (0.01, 0.03, 0.1):
        lab.smu.write(f":SENS:CURR:NPLC {cycles}")
        spread[cycles] = np.std(numbers(lab.ask("READ?")))
        expected = math.hypot(FACTS.integration.relative_noise(cycles) * 1e-4, 1e-9 / math.sqrt(12))
        assert spread[cycles] == pytest.approx(expected, rel=0.15)
    lab.smu.write(":SENS:CURR:NPLC 0.01;:SENS:AVER:COUN 25;:SENS:AVER ON")
    assert np.std(numbers(lab.ask("READ?"))) == pytest.approx(spread[0.01] / 5, rel=0.25)
    lab.smu.write(":SENS:AVER:TCON MOV")
    moving = numbers(lab.ask("READ?"))
    assert np.std(moving[25:]) == pytest.approx(spread[0.01] / 5, rel=0.6)
    assert np.std(np.diff(moving[25:])) < spread[0.01] / 10


def test_measurements_take_their_time(lab):
    clock = lab.bench.clock
    lab.smu.write(":SOUR:DEL 0.25;:SENS:CURR:NPLC 10;:SYST:AZER OFF;:TRIG:COUN 3;:TRIG:DEL 0.05;:OUTP ON")
    lab.smu.write(":FORM:ELEM TIME")
    before = clock.now
    times = numbers(lab.ask("READ?"))
    assert clock.now - before == pytest.approx(3 * (0.25 + 0.05 + 0.2), abs=5e-3)
    assert np.diff(times) == pytest.approx([0.5, 0.5], abs=1e-5)
    lab.smu.write("INIT;*OPC?")
    before = clock.now
    assert lab.smu.visa_handle.read() == "1"
    assert clock.now - before == pytest.approx(1.5, abs=5e-3)
    lab.smu.write("INIT;INIT;ABOR;*OPC?")
    assert lab.smu.visa_handle.read() == "1"
    assert lab.errors() == ['-213,"Init ignored"']


def test_a_sweep_and_a_list(lab):
    lab.smu.write(":FORM:ELEM VOLT,CURR;:SENS:FUNC 'VOLT','CURR';:SENS:CURR:PROT 1e-2;:OUTP ON")
    lab.smu.write(":SOUR:VOLT:MODE SWE;:SOUR:VOLT:STAR -1;:SOUR:VOLT:STOP 1;:SOUR:VOLT:STEP 0.5;:TRIG:COUN 5")
    assert lab.ask(":SOUR:SWE:POIN?") == "5"
    assert float(lab.ask(":SOUR:VOLT:STEP?")) == 0.5
    readings = np.array(numbers(lab.ask("READ?"))).reshape(5, 2)
    assert readings[:, 0] == pytest.approx(np.linspace(-1, 1, 5), abs=2e-3)
    assert readings[:, 1] == pytest.approx(readings[:, 0] / OHM, abs=1e-7)
    lab.smu.write(":SOUR:SWE:SPAC LOG;:SOUR:VOLT:STAR 0.1;:SOUR:VOLT:STOP 10;:SOUR:SWE:POIN 3;:TRIG:COUN 3")
    assert numbers(lab.ask("READ?"))[::2] == pytest.approx([0.1, 1, 10], rel=2e-2)
    lab.smu.write(":SOUR:SWE:DIR DOWN")
    assert numbers(lab.ask("READ?"))[::2] == pytest.approx([10, 1, 0.1], rel=2e-2)
    lab.smu.write(":SOUR:VOLT:STAR -1")
    lab.smu.write("INIT")
    assert lab.errors() == ['-221,"Settings conflict"']
    lab.smu.write(":SOUR:LIST:VOLT 1,3,-2;:SOUR:LIST:VOLT:APP 0.5;:SOUR:VOLT:MODE LIST;:TRIG:COUN 4")
    assert lab.ask(":SOUR:LIST:VOLT:POIN?") == "4"
    assert numbers(lab.ask("READ?"))[::2] == pytest.approx([1, 3, -2, 0.5], abs=5e-3)
    lab.smu.write(
        ":SOUR:FUNC CURR;:SOUR:CURR:MODE SWE;:SOUR:CURR:STAR 0;:SOUR:CURR:STOP 1e-3;:SOUR:SWE:POIN 3"
    )
    lab.smu.write(":SOUR:SWE:SPAC LIN;DIR UP;:TRIG:COUN 3;:OUTP ON")
    assert numbers(lab.ask("READ?"))[::2] == pytest.approx([0.0, 5.0, 10.0], abs=3e-2)
    assert lab.errors() == []


def test_the_bus_triggers_an_arm_layer_that_waits(lab):
    lab.smu.write(":ARM:SOUR BUS;:ARM:COUN 2;:TRIG:COUN 3;:OUTP ON;*TRG")
    assert lab.errors() == ['-211,"Trigger ignored"']
    lab.smu.write("INIT")
    lab.bench.clock.advance(10.0)
    lab.smu.write("*TRG")
    lab.bench.clock.advance(1.0)
    lab.smu.visa_handle.assert_trigger()
    assert len(numbers(lab.ask("FETC?"))) == 2 * 2 * 3
    assert lab.errors() == []


def test_the_arm_timer_paces(lab):
    lab.smu.write(":ARM:SOUR TIM;:ARM:TIM 2;:ARM:COUN 3;:OUTP ON;:FORM:ELEM TIME")
    assert np.diff(numbers(lab.ask("READ?"))) == pytest.approx([2.0, 2.0], abs=1e-5)


def test_the_data_store(lab):
    lab.smu.write(
        ":TRAC:POIN 4;:TRAC:FEED SENS1;:TRAC:FEED:CONT NEXT;:TRIG:COUN 3;:OUTP ON;:FORM:ELEM CURR,TIME"
    )
    lab.smu.write(":TRAC:CLE")
    assert lab.errors() == ['+800,"Illegal with storage active"']
    first = numbers(lab.ask("READ?"))
    assert lab.ask(":TRAC:POIN:ACT?") == "3"
    numbers(lab.ask("READ?"))
    assert lab.ask(":TRAC:FEED:CONT?") == "NEV"
    assert int(lab.ask(":STAT:MEAS?")) & 1 << 9
    kept = np.array(numbers(lab.ask(":TRAC:DATA?"))).reshape(4, 2)
    assert kept[:3, 0] == pytest.approx(first[::2])
    assert kept[0, 1] == 0.0
    lab.smu.write(":TRAC:TST:FORM DELT")
    assert numbers(lab.ask(":TRAC:DATA?"))[1::2] == pytest.approx(np.diff(kept[:, 1], prepend=0.0), abs=1e-6)
    lab.smu.write(":TRAC:CLE;:TRAC:DATA?")
    lab.smu.visa_handle.clear()
    assert lab.errors()[0] == '-230,"Data corrupt or stale"'


def test_binary_readings(lab):
    data = lab.raw(":SOUR:VOLT 1;:OUTP ON;:FORM:ELEM VOLT,CURR,RES;:FORM:DATA REAL,32;:READ?")
    assert data[:2] == b"#0"
    volts, amps, ohms = struct.unpack("<3f", data[2:14])
    assert (volts, amps) == (1.0, pytest.approx(1e-4, rel=1e-2))
    assert ohms == pytest.approx(NAN)
    assert struct.unpack(">3f", lab.raw(":FORM:BORD NORM;:FETC?")[2:14])[0] == 1.0


def test_readings_look_like_the_instruments(lab):
    lab.smu.write(":FORM:ELEM VOLT,CURR,RES,TIME,STAT;:SOUR:VOLT -0.5;:OUTP ON")
    fields = lab.ask("MEAS:CURR?").split(",")
    assert fields[0] == "-5.000000E-01"
    assert re.fullmatch(r"-(5\.0|4\.9)\d{5}E-05", fields[1])
    assert fields[2] == "+9.910000E+37"
    assert float(fields[4]) == (1 << 14) + (1 << 12) + (1 << 2), "sources V, measures A, front terminals"
    lab.smu.write(":SENS:CURR:PROT 1e-6")
    assert float(lab.ask(":SENS:CURR:PROT?")) == 1e-6
    lab.ask("MEAS:CURR?")
    assert float(lab.ask(":SENS:CURR:PROT?")) == 1.05e-4, "MEASure? goes back to the default"


# Settings, errors ---------------------------------------------------------------------------------------------

DEFAULTS = {
    ":SOUR:FUNC?": "VOLT",
    ":SOUR:VOLT?": "+0.000000E+00",
    ":SOUR:VOLT:RANG?": "+2.100000E+01",
    ":SOUR:VOLT:RANG:AUTO?": "1",
    ":SOUR:CURR:RANG?": "+1.050000E-04",
    ":SOUR:VOLT:MODE?": "FIX",
    ":SOUR:VOLT:PROT?": "+2.100000E+02",
    ":SOUR:DEL:AUTO?": "1",
    ":SOUR:CLE:AUTO?": "0",
    ":SOUR:SWE:POIN?": "2500",
    ":SOUR:SWE:SPAC?": "LIN",
    ":SOUR:SWE:RANG?": "BEST",
    ":SENS:FUNC?": '"CURR:DC"',
    ":SENS:FUNC:CONC?": "1",
    ":SENS:CURR:PROT?": "+1.050000E-04",
    ":SENS:VOLT:PROT?": "+2.100000E+01",
    ":SENS:CURR:RANG?": "+1.050000E-04",
    ":SENS:CURR:RANG:AUTO?": "1",
    ":SENS:CURR:NPLC?": "+1.000000E+00",
    ":SENS:RES:MODE?": "AUTO",
    ":SENS:RES:RANG?": "+2.100000E+05",
    ":SENS:AVER?": "0",
    ":SENS:AVER:COUN?": "10",
    ":SENS:AVER:TCON?": "REP",
    ":OUTP?": "0",
    ":OUTP:SMOD?": "NORM",
    ":SYST:RSEN?": "0",
    ":SYST:AZER?": "1",
    ":SYST:GUAR?": "CABL",
    ":ROUT:TERM?": "FRON",
    ":ARM:COUN?": "1",
    ":ARM:SOUR?": "IMM",
    ":TRIG:COUN?": "1",
    ":TRIG:DEL?": "+0.000000E+00",
    ":FORM:ELEM?": "VOLT,CURR,RES,TIME,STAT",
    ":FORM:DATA?": "ASC",
    ":TRAC:POIN?": "100",
    ":TRAC:FEED:CONT?": "NEV",
}


def test_reset_gives_the_settings_of_the_manual(lab):
    lab.smu.write(":SENS:CURR:NPLC 0.1;:SENS:AVER ON;:ARM:COUN 3;:TRIG:COUN 4;:SOUR:FUNC CURR;:OUTP ON")
    lab.smu.write(":ROUT:TERM REAR;:SYST:RSEN ON;:SENS:RES:MODE MAN;:FORM:ELEM TIME;*RST")
    assert {header: lab.ask(header) for header in DEFAULTS} == DEFAULTS
    assert lab.errors() == []


def test_settings_are_saved_and_recalled(lab):
    lab.smu.write(":SENS:CURR:NPLC 3;:SOUR:VOLT 1.5;:OUTP ON;*SAV 2;*RST;*RCL 2")
    assert float(lab.ask(":SENS:CURR:NPLC?")) == 3.0
    assert float(lab.ask(":SOUR:VOLT?")) == 1.5
    assert lab.ask(":OUTP?") == "0"


def test_errors_read_as_the_makers(lab):
    for message in ("NONSENSE", ":SOUR:FUNC WATT", ":SOUR:VOLT", "FETC?"):
        lab.smu.write(message)
    assert [lab.ask("SYST:ERR?") for _ in range(5)] == [
        '-113,"Undefined header"',
        '-224,"Illegal parameter value"',
        '-109,"Missing parameter"',
        '-230,"Data corrupt or stale"',
        '0,"No error"',
    ]


@pytest.mark.parametrize(
    "message",
    [
        ":SYST:BEEP 1000,0.1",
        ":SYST:BEEP:STAT OFF",
        ":SYST:KEY 23",
        ":SYST:LOC",
        ":SYST:REM",
        ":SYST:AZER ONCE",
        ":DISP:ENAB OFF",
        ":DISP:DIG 6",
        ":DISP:TEXT:DATA 'hello'",
        ":DISP:WIND2:TEXT:STAT ON",
        ":OUTP:ENAB OFF",
        ":TRIG:OUTP SENS",
        ":ARM:OLIN 2",
        ":TRIG:CLE",
        ":SYST:TIME:RES",
        ":STAT:MEAS:ENAB 512",
        ":STAT:QUE:CLE",
        ":SYST:LFR 50",
    ],
)
def test_what_has_no_effect_is_accepted(lab, message):
    lab.smu.write(message)
    assert lab.errors() == []


def test_the_drivers_reset(lab):
    lab.smu.write(":SENS:CURR:NPLC 3;:OUTP ON")
    lab.smu.reset()
    assert float(lab.ask(":SENS:CURR:NPLC?")) == 1.0
    assert lab.errors() == []


def test_a_full_store_asks_for_service_and_has_statistics(lab):
    """As a client that polls the status byte for the end of a buffered measurement does."""
    for message in (
        "status:queue:clear;*RST;:stat:pres;:*CLS;",
        ":SENS:FUNC RES;:SENS:RES:MODE MAN;:SENS:RES:NPLC 0.1;:FORM:ELEM VOLT,CURR,RES;",
        ":SENS:FUNC 'VOLT','CURR';:SENS:CURR:PROT 0.01;:SOUR:VOLT 1",
        ":STAT:PRES;*CLS;*SRE 1;:STAT:MEAS:ENAB 512;",
        ":TRAC:CLEAR;",
        ":TRAC:POIN 6",
        ":TRIG:COUN 6",
        ":TRIG:SEQ:DEL 0",
        ":TRAC:FEED SENSE;:TRAC:FEED:CONT NEXT;",
        "OUTPUT ON",
        ":INIT",
    ):
        lab.smu.write(message)
    assert int(lab.ask("*STB?")) == 0
    lab.bench.clock.advance(1.0)
    assert int(lab.ask("*STB?")) == 65
    data = np.array(numbers(lab.ask(":TRAC:DATA?"))).reshape(6, 3)
    statistics = {"MEAN": np.mean, "MAX": np.max, "MIN": np.min, "PKPK": np.ptp}
    statistics["SDEV"] = partial(np.std, ddof=1)
    for name, statistic in statistics.items():
        found = np.array(numbers(lab.ask(f":CALC3:FORM {name};:CALC3:DATA?;")))
        assert np.all(np.abs(found - statistic(data, axis=0)) <= [1e-6, 1e-10, 1e-3]), "seven digits are sent"
    lab.smu.write("*SRE 0;:STAT:PRES")
    assert lab.errors() == []
