"""The B2962A, driven by the stock driver of QCoDeS and by its manual: 1 kOhm on output 1, 100 kOhm on output 2."""

import math
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from qcodes.instrument_drivers.Keysight import Keysight34465A, KeysightB2962A

from tests.simulators.instruments.rack import bench_behind, write_rack

SOURCE, METER = "TCPIP0::192.168.8.23::inst0::INSTR", "TCPIP0::192.168.8.18::inst0::INSTR"
OHM = {1: 1e3, 2: 100e3}
NO_ERROR = '+0,"No error"'
NAN = "+9.910000E+37"


@pytest.fixture(scope="module")
def powered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The stock drivers on one bench; channel 2's sense leads touch output 1."""
    sections = {
        "source": (SOURCE, {"model": "keysight_b2962a", "serial": "MY52350123"}),
        "meter": (METER, {"model": "keysight_34465a", "noise": 0}),
    }
    wires = [
        "source.output1 -> 1 kOhm -> ground",
        "source.output1 -> meter.input",
        "source.output2 -> 100 kOhm -> ground",
        "source.output1 -> source.sense2",
    ]
    visalib = write_rack(tmp_path_factory.mktemp("rack"), sections, wires)
    meter = Keysight34465A("b_meter", METER, visalib=visalib, silent=True)
    source = KeysightB2962A("b2962a", SOURCE, visalib=visalib)
    yield SimpleNamespace(source=source, meter=meter, bench=bench_behind(meter))
    source.close()
    meter.close()


@pytest.fixture
def rack(powered: SimpleNamespace) -> SimpleNamespace:
    """The same, as after *RST and without errors."""
    powered.source.visa_handle.clear()
    powered.source.write("*RST;*CLS")
    powered.meter.reset()
    return powered


def error(rack: SimpleNamespace) -> str:
    return rack.source.ask("SYST:ERR?")


def floats(answer: str) -> list[float]:
    return [float(part) for part in answer.split(",")]


def settle(rack: SimpleNamespace) -> None:
    rack.bench.clock.advance(1e-3)


# The stock driver --------------------------------------------------------------------------------------------


def test_it_says_who_it_is(rack):
    identity = rack.source.get_idn()
    assert (identity["vendor"], identity["model"], identity["serial"]) == (
        "Keysight Technologies",
        "B2962A",
        "MY52350123",
    )


@pytest.mark.parametrize("number", [1, 2])
def test_every_parameter_of_the_driver(rack, number):
    channel = rack.source.submodules[f"ch{number}"]
    values = {
        channel.current_limit: (1e-9, 3.2e-5, 0.105),
        channel.voltage_limit: (0.02, 5.0, 210.0),
        channel.source_voltage: (-210.0, 0.123456, 20.0, 210.0, 0.0),
        channel.source_current: (-0.1, 1e-9, 2.5e-3, 0.0),
        channel.enable: (True, False),
        channel.remote_sensing: (True, False),
        channel.source_mode: ("current", "voltage"),
    }
    for parameter, allowed in values.items():
        for value in allowed:
            parameter(value)
            assert parameter.get() == (
                value if isinstance(value, str | bool) else pytest.approx(value, rel=1e-6)
            )
            assert error(rack) == NO_ERROR, (parameter.full_name, value)
    assert math.isclose(channel.voltage(), 9.91e37)  # the output is off
    for parameter, wrong in (
        (channel.source_voltage, 211.0),
        (channel.source_current, -3.1),
        (channel.current_limit, 1e-10),
        (channel.voltage_limit, 0.01),
    ):
        parameter(wrong)
        assert error(rack).startswith('-222,"Data out of range'), parameter.full_name


def test_channels_source_and_measure_independently(rack):
    first, second = rack.source.ch1, rack.source.ch2
    first.current_limit(10e-3)
    first.source_voltage(2.0)
    second.source_mode("current")
    second.voltage_limit(20.0)
    second.source_current(50e-6)
    assert rack.meter.volt() == pytest.approx(0.0, abs=2e-5)
    first.enable(True)
    second.enable(True)
    settle(rack)
    seen_V = rack.meter.volt()
    assert seen_V == pytest.approx(2.0, abs=2e-4 * 2.0 + 350e-6)
    assert first.voltage() == pytest.approx(seen_V, abs=2e-4 * 2.0 + 400e-6)
    assert first.current() == pytest.approx(seen_V / OHM[1], abs=2e-4 * 2e-3 + 3e-6)
    assert first.resistance() == pytest.approx(OHM[1], rel=2e-3)
    assert second.voltage() == pytest.approx(50e-6 * OHM[2], abs=1.5e-4 * 5 + 8e-3)
    assert second.current() == pytest.approx(50e-6, abs=5e-8)
    first.enable(False)
    assert rack.meter.volt() == pytest.approx(0.0, abs=2e-5)
    assert second.enable()
    both = floats(rack.source.ask("MEAS:CURR? (@2,1)"))  # channel 1 first, whatever the order
    assert both[0] == pytest.approx(9.91e37)
    assert both[1] == pytest.approx(50e-6, abs=5e-8)
    assert error(rack) == NO_ERROR


def test_limits_limit(rack):
    channel = rack.source.ch1
    channel.source_voltage(5.0)
    channel.current_limit(1.5e-3)
    channel.enable(True)
    settle(rack)
    assert rack.meter.volt() == pytest.approx(1.5e-3 * OHM[1], rel=1e-4)
    assert channel.current() == pytest.approx(1.5e-3, rel=3e-3)
    assert rack.source.ask("SENS:CURR:PROT:TRIP?;:SENS:VOLT:PROT:TRIP?") == "1;0"
    channel.source_voltage(-5.0)
    settle(rack)
    assert rack.meter.volt() == pytest.approx(-1.5e-3 * OHM[1], rel=1e-4)
    channel.source_mode("current")
    channel.source_current(10e-3)
    channel.voltage_limit(3.0)
    settle(rack)
    assert rack.meter.volt() == pytest.approx(3.0, rel=1e-4)
    assert rack.source.ask("SENS:CURR:PROT:TRIP?;:SENS:VOLT:PROT:TRIP?") == "0;1"
    assert error(rack) == NO_ERROR


def test_a_channel_delivers_what_the_data_sheet_says(rack):
    channel = rack.source.ch1
    channel.source_voltage(6.0)
    channel.current_limit(3.03)
    channel.source_voltage(6.1)
    assert error(rack).startswith("-221")
    assert channel.source_voltage() == 6.0
    channel.current_limit(1.515)
    channel.source_voltage(21.0)
    channel.source_voltage(22.0)
    assert error(rack).startswith("-221")
    channel.current_limit(0.105)
    channel.source_voltage(210.0)
    channel.current_limit(0.106)
    assert error(rack).startswith("-221")
    assert channel.current_limit() == 0.105


def test_remote_sensing_measures_where_the_leads_are(rack):
    first, second = rack.source.ch1, rack.source.ch2
    first.current_limit(10e-3)
    first.source_voltage(1.5)
    second.source_voltage(0.5)
    first.enable(True)
    second.enable(True)
    settle(rack)
    assert second.voltage() == pytest.approx(0.5, abs=1e-3)
    second.remote_sensing(True)
    assert second.voltage() == pytest.approx(1.5, abs=2e-3)


# By the manual -------------------------------------------------------------------------------------------------


def test_reset_gives_the_settings_of_the_manual(rack):
    source = rack.source
    source.write("VOLT 5;:OUTP:OFF:MODE HIZ;:SENS:CURR:PROT 1E-3;NPLC 1;:FORM:ELEM:SENS CURR;:OUTP2 ON;*RST")
    for number in (1, 2):
        assert source.ask(f"OUTP{number}?;OUTP{number}:OFF:MODE?;:OUTP{number}:ON:AUTO?") == "0;NORM;1"
        assert (
            source.ask(f"SENS{number}:CURR:PROT?;:SENS{number}:VOLT:PROT?") == "+1.000000E-04;+2.000000E+00"
        )
        assert (
            source.ask(f"SOUR{number}:FUNC:MODE?;:SOUR{number}:VOLT?;CURR?")
            == "VOLT;+0.000000E+00;+0.000000E+00"
        )
        assert source.ask(f"SENS{number}:CURR:NPLC?;APER?;NPLC:AUTO?") == "+1.000000E-01;+2.000000E-03;0"
        assert source.ask(f"SOUR{number}:VOLT:RANG:AUTO?;:SENS{number}:REM?") == "1;0"
        assert source.ask(f"TRIG{number}:COUN?;SOUR?;:SOUR{number}:VOLT:MODE?") == "1;AINT;FIX"
    assert source.ask("FORM?;:FORM:ELEM:SENS?") == "ASC;VOLT,CURR,RES,TIME,STAT,SOUR"
    assert error(rack) == NO_ERROR


def test_ranges_follow_the_level_or_stay(rack):
    source = rack.source
    for level, span in ((0.2, 0.2), (0.22, 2.0), (2.1, 2.0), (-21.0, 20.0), (21.5, 200.0)):
        source.write(f"VOLT {level}")
        assert float(source.ask("VOLT:RANG?")) == span
    source.write("VOLT 0;:VOLT:RANG:AUTO:LLIM 20")
    assert float(source.ask("VOLT:RANG?")) == 20.0
    source.write("VOLT:RANG 1.5;:VOLT 2.2")
    assert error(rack).startswith("-222")
    assert source.ask("VOLT:RANG?;RANG:AUTO?") == "+2.000000E+00;0"
    source.write("CURR 1.2E-6")
    assert float(source.ask("CURR:RANG?")) == 10e-6
    assert source.ask("VOLT? MAX;:SENS:CURR:PROT? DEF;:SENS:VOLT:NPLC? MIN") == (
        "+2.100000E+02;+1.000000E-04;+4.000000E-04"
    )
    source.write("SENS2:CURR:APER 100;:SENS2:VOLT:NPLC?")  # out of bounds is taken to the bound
    assert float(source.visa_handle.read()) == pytest.approx(100.0)
    source.write("OUTP3 ON")
    assert error(rack).startswith("-114")


def test_what_is_measured_and_in_which_order(rack):
    source = rack.source
    assert source.ask("MEAS?") == ",".join([NAN, NAN, NAN, "+2.000000E-03", "+0.000000E+00", "+0.000000E+00"])
    assert source.ask("FETC:VOLT? (@2)") == NAN
    source.write("FORM:ELEM:SENS SOUR,VOLT;:VOLT 0.1;:OUTP ON;:SENS:FUNC:OFF 'VOLT'")
    settle(rack)
    assert source.ask("MEAS?") == NAN + ",+1.000000E-01"
    assert source.ask("SENS:FUNC?;FUNC:OFF?") == '"CURR","RES";"VOLT"'
    source.write("SENS:FUNC:ON 'VOLT:DC'")
    assert floats(source.ask("MEAS?"))[0] == pytest.approx(0.1, abs=3e-4)
    source.write("FORM REAL,64;:FORM:BORD SWAP;:SENS:DATA:ACQ")
    rack.bench.clock.advance(0.1)
    values = source.visa_handle.query_binary_values("FETC?", datatype="d", is_big_endian=False)
    assert values == pytest.approx([0.1, 0.1], abs=3e-4)
    source.write("FORM ASC;:SENS:DATA:CLE")
    assert source.ask("SENS:DATA:LAT?") == f"{NAN},{NAN}"
    source.write("SENS:FUNC 'POW'")
    assert error(rack).startswith("-224")


def test_longer_integration_has_less_noise(rack):
    source = rack.source
    source.write("VOLT 1;:SENS:CURR:PROT 10E-3;:OUTP ON;:TRIG:COUN 100")
    source.timeout(60)
    scatter = []
    for cycles in (0.1, 10.0):
        source.write(f"SENS:VOLT:NPLC {cycles}")
        start_s = rack.bench.clock.now
        readings = floats(source.ask("READ:ARR:VOLT?"))
        assert len(readings) == 100
        assert rack.bench.clock.now - start_s == pytest.approx(100 * cycles / 50.0, rel=0.05)
        scatter.append(np.std(readings))
    assert scatter[0] / scatter[1] > 3.0


def test_a_sweep_is_seen_by_the_meter(rack):
    source, meter = rack.source, rack.meter
    source.write("VOLT:MODE SWE;STAR 0;STOP 2;POIN 5;:SENS:CURR:PROT 10E-3")
    source.write(
        "TRIG:SOUR TIM;TIM 0.1;COUN 5;:TRIG:ACQ:DEL 0.05;:SENS:CURR:NPLC 1;:FORM:ELEM:SENS VOLT,CURR,SOUR"
    )
    meter.range(10)
    meter.NPLC(0.02)
    meter.autozero("OFF")
    meter.trigger.delay(0.0)
    meter.timetrace_npts(500)
    meter.timetrace_dt(1e-3)
    source.write("INIT")
    trace = meter.timetrace()
    levels = [0.0, 0.5, 1.0, 1.5, 2.0]
    assert [trace[100 * k + 50] for k in range(5)] == pytest.approx(levels, abs=3e-3)
    rows = np.reshape(floats(source.ask("FETC:ARR?")), (5, 3))
    assert rows[:, 2] == pytest.approx(levels)
    assert rows[:, 0] == pytest.approx(levels, abs=3e-3)
    assert rows[:, 1] == pytest.approx(np.array(levels) / OHM[1], abs=5e-6)
    assert source.ask("OUTP?;:VOLT?") == "1;+0.000000E+00"
    settle(rack)
    assert meter.volt() == pytest.approx(0.0, abs=1e-3)  # back at the fixed level
    source.write("FUNC:TRIG:CONT 1;:OUTP:OFF:AUTO 0;:TRIG:SOUR AINT")
    assert source.ask("READ:SOUR?") == "+2.000000E+00"
    assert meter.volt() == pytest.approx(2.0, abs=3e-3)
    source.write("VOLT 0;:VOLT:RANG 0.2;:INIT")  # the sweep goes beyond the range
    assert error(rack).startswith("-222")
    assert error(rack) == NO_ERROR


def test_the_delays_of_a_step(rack):
    source = rack.source
    source.write("LIST:VOLT 1;:VOLT:MODE LIST;:TRIG:TRAN:DEL 0.2;:TRIG:ACQ:DEL 0.3;:SENS:CURR:PROT 10E-3")
    terminal = rack.bench.instruments["source"].terminals.sources["output1"].source
    start_s = rack.bench.clock.now
    source.write("INIT")
    for after_s, level in ((0.15, 0.0), (0.25, 1.0), (0.49, 1.0), (0.55, 0.0)):
        rack.bench.clock.advance_to(start_s + after_s)
        assert terminal.point(rack.bench.clock.now).volts == pytest.approx(level, abs=1e-3)
    assert float(source.ask("FETC:TIME?")) == pytest.approx(0.502, rel=1e-3)
    assert source.ask("TRIG:TRAN:DEL?;:TRIG:ACQ:DEL?") == "+2.000000E-01;+3.000000E-01"


def test_lists_wait_for_the_bus(rack):
    source = rack.source
    source.write(
        "LIST:VOLT 1,-1;:LIST:VOLT:APP 0.5;:VOLT:MODE LIST;:TRIG:SOUR BUS;COUN 3;:SENS:CURR:PROT 10E-3"
    )
    assert source.ask("LIST:VOLT:POIN?") == "3"
    source.write("INIT")
    terminal = rack.bench.instruments["source"].terminals.sources["output1"].source
    for level in (1.0, -1.0, 0.5):
        source.write("*TRG")
        rack.bench.clock.advance(0.1)
        assert terminal.point(rack.bench.clock.now - 0.099).volts == pytest.approx(level, abs=1e-3)
    assert floats(source.ask("FETC:ARR:SOUR?")) == [1.0, -1.0, 0.5]
    source.write("*TRG")
    assert error(rack).startswith("-211")
    source.write("INIT")
    source.write("INIT;:MEAS:VOLT?")
    assert error(rack).startswith("-213")
    source.write("ABOR")
    assert source.ask("*OPC?") == "1"


def test_off_modes_and_protection(rack):
    source = rack.source
    source.write("VOLT 3;:OUTP ON;:OUTP:OFF:MODE ZERO;:OUTP OFF")
    settle(rack)
    assert rack.meter.volt() == pytest.approx(0.0, abs=5e-4)
    source.write("OUTP:OFF:MODE HIZ;:OUTP:PROT ON;:SENS:CURR:PROT 1E-3;:OUTP ON")
    settle(rack)
    assert source.ask("OUTP?;:STAT:QUES:COND?;EVEN?") == "0;4;4"
    assert rack.meter.volt() == pytest.approx(0.0, abs=2e-5)
    source.write("VOLT 0.5;:OUTP ON")
    settle(rack)
    assert source.ask("OUTP?;:STAT:QUES:COND?") == "1;0"
    source.write("OUTP:LOW FLO")
    assert error(rack).startswith("-221")
    assert error(rack) == NO_ERROR
