"""The TSL-570: its commands as in the manual, its light, and the stock driver where it is installed."""

import math

import numpy as np
import pytest

from simulators.bench import BenchError
from simulators.clock import VirtualClock
from simulators.instruments.catalogue import make_instrument
from simulators.instruments.santec_tsl570.personality import PRODUCTS_NM
from tests.simulators.instruments.optics import LASER, optics

C = 299_792_458.0


@pytest.fixture
def lab():
    bench = optics()
    yield bench
    bench.close()


def power_W(lab, aperture_s=1e-3):
    """What leaves the laser now, seen from the inside."""
    now = lab.bench.clock.now
    return float(lab.bench.instruments["laser"].light.means(np.array([now - aperture_s]), np.array([now]))[0])


def wavelength_nm(lab):
    return 1e9 * lab.bench.instruments["laser"].light.wavelength_m(lab.bench.clock.now)


# The two command sets -------------------------------------------------------------------------------------


def test_it_wakes_up_in_the_legacy_set_without_light():
    clock = VirtualClock()
    laser = make_instrument("santec_tsl570", clock, "S1", np.random.default_rng(0))

    def ask(line):
        laser.write(line.encode() + b"\r")
        return laser.read(100)[0].decode()

    assert ask("*IDN?") == "SANTEC,TSL-570,S1,0026.0026.0011\r"
    assert ask(":WAV?") == "1560.0000\r"
    assert ask(":SYST:COMM:COD?") == "0\r"
    assert ask(":POW:STAT?") == "0\r"
    assert ask(":POW:SHUT?") == "1\r"
    assert ask(":WAV 1550.12341;:WAV?") == "1550.1234\r"
    assert ask(":FREQ 193.41;:FREQ?") == "193.41000\r"
    laser.write(b":WAV 1550nm\r:WAV 1550E-9\r")
    assert ask("SYST:ERR?").startswith("-138")
    assert ask("SYST:ERR?").startswith("-222")
    laser.write(b":SYST:COMM:COD 1\r")
    assert ask(":WAV 1550nm;:WAV?") == "+1.55000000E-006\r"
    assert ask(":SYST:COMM:COD?") == "+1\r"


@pytest.mark.parametrize(
    ("command", "question", "answer"),
    [
        (":WAV 1550nm", ":WAV?", "+1.55000000E-006"),
        (":WAVelength 1.5501E-6", ":SOUR:WAV?", "+1.55010000E-006"),
        (":WAV:UNIT 1", ":WAV:UNIT?", "+1"),
        (":WAV:FIN 50.00", ":WAV:FIN?", "+5.00000000E+001"),
        (":FREQ 200THZ", ":FREQ?", "+2.00000000E+014"),
        (":WAV:FREQ 200E+12", ":WAV:FREQ?", "+2.00000000E+014"),
        (":COHC 1", ":COHC?", "+1"),
        (":POW:STAT 1", ":POW:STAT?", "+1"),
        (":POW:SHUT 0", ":POW:STAT?", "+1"),
        (":POW:ATT:AUT 0;:POW:ATT 10", ":POW:ATT?", "+1.00000000E+001"),
        (":POW 10dBm", ":POW?", "+1.00000000E+001"),
        (":POW:UNIT 1;:POW 5", ":POW?", "+5.00000000E+000"),
        (":POW:UNIT 1", ":POW:UNIT?", "+1"),
        (":WAV:SWE:STAR 1500nm", ":WAV:SWE:STAR?", "+1.50000000E-006"),
        (":WAV:SWE:STOP 1600E-9", ":WAV:SWE:STOP?", "+1.60000000E-006"),
        (":FREQ:SWE:STAR 190THZ", ":WAV:FREQ:SWE:STAR?", "+1.90000000E+014"),
        (":WAV:SWE:SPE 200", ":WAV:SWE:SPE?", "+200.0"),
        (":WAV:SWE:SPE 200", ":WAV:SWE:RANG:MIN?", "+1.48200000E-006"),
        (":WAV:SWE:SPE 200", ":WAV:SWE:RANG:MAX?", "+1.63800000E-006"),
        (":WAV:SWE:MOD 3", ":WAV:SWE:MOD?", "+3"),
        (":WAV:SWE:STEP 10pm", ":WAV:SWE:STEP:WIDT?", "+1.00000000E-011"),
        (":FREQ:SWE:STEP 10GHZ", ":FREQ:SWE:STEP?", "+1.00000000E+010"),
        (":WAV:SWE:DWEL 3", ":WAV:SWE:DWEL?", "+3.00000000E+000"),
        (":WAV:SWE:CYCL 100", ":WAV:SWE:CYCL?", "+100"),
        (":WAV:SWE:DEL 1", ":WAV:SWE:DEL?", "+1.00000000E+000"),
        (":AM:STAT 1", ":AM:STAT?", "+1"),
        (":AM:SOUR 3", ":AM:SOUR?", "+3"),
        (":WAV:OFFS 10pm", ":WAV:OFFS?", "+1.00000000E-011"),
        (":TRIG:INP:EXT 1", ":TRIG:INP:EXT?", "+1"),
        (":TRIG:INP:ACT 1", ":TRIG:INP:EXT:ACT?", "+1"),
        (":TRIG:INP:STAN 1", ":TRIG:INP:STAN?", "+1"),
        (":TRIG:OUTP 2", ":TRIG:OUTP?", "+2"),
        (":TRIG:OUTP:ACT 1", ":TRIG:OUTP:ACT?", "+1"),
        (":TRIG:OUTP:STEP 1nm", ":TRIG:OUTP:STEP?", "+1.00000000E-009"),
        (":TRIG:OUTP:SETT 1", ":TRIG:OUTP:SETT?", "+1"),
        (":TRIG:THR 1", ":TRIG:THR?", "+1"),
        (":SYST:COMM:GPIB:ADDR 10", ":SYST:COMM:GPIB:ADDR?", "+10"),
        (":SYST:COMM:GPIB:DEL 1", ":SYST:COMM:GPIB:DEL?", "+1"),
        (":SYST:COMM:ETH:IPAD 192.168.0.1", ":SYST:COMM:ETH:IPAD?", "192.168.0.1"),
        (":SYST:COMM:ETH:PORT 64000", ":SYST:COMM:ETH:PORT?", "+64000"),
        (":DISP:BRIG 50", ":DISP:BRIG?", "+50"),
        ("", ":SYST:CODe?", "C-480640-P-F-AP-00-1"),
        ("", ":SYST:VERS?", "0026.0026.0011"),
    ],
)
def test_the_examples_of_the_manual(lab, command, question, answer):
    if command:
        lab.laser.write(command)
    assert lab.laser.query(question) == answer
    assert lab.error(lab.laser) == 0


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":WAV 1479.9nm", -222),
        (":WAV 1640.1nm", -222),
        (":WAV 1550", -222),
        (":WAV 1550W", -131),
        (":FREQ 180THZ", -222),
        (":POW 13.1dBm", -222),
        (":POW -15.1dBm", -222),
        (":POW 21mW", -222),
        (":POW 5V", -131),
        (":POW high", -104),
        (":POW", -109),
        (":POW:ATT 31", -222),
        (":WAV:SWE:SPE 30", -224),
        (":WAV:SWE:MOD 4", -222),
        (":WAV:OFFS 0.2nm", -222),
        (":TRIG:INP:SOFT", -211),
        (":SYST:COMM:ETH:IPAD 300.1.1.1", -224),
        (":WAV:SWE:STAR 1500nm;STOP 1500nm;:WAV:SWE 1", -221),
        (":WAV:SWE:SPE 200;STAR 1480nm;STOP 1600nm;:WAV:SWE 1", -221),
        (":WAV:SWE:SPE 200;:TRIG:OUTP:STEP 1pm;:WAV:SWE 1", -221),
        (":WAV:SWE:MOD 0;STEP 0.1pm;:WAV:SWE 1", -221),
        (":LASER:ON", -113),
    ],
)
def test_refusals_stand_in_the_queue_and_move_nothing(lab, message, code):
    lab.laser.write(message)
    assert lab.error(lab.laser) == code
    assert lab.error(lab.laser) == 0
    assert lab.laser.query(":WAV?") == "+1.56000000E-006"
    assert lab.laser.query(":WAV:SWE?") == "+0"


@pytest.mark.parametrize("product", PRODUCTS_NM)
def test_every_product_has_its_range(product):
    lab = optics(product=product)
    low, high = PRODUCTS_NM[product]
    assert float(lab.laser.query(":WAV? MIN")) == pytest.approx(low * 1e-9)
    assert float(lab.laser.query(":WAV? MAX")) == pytest.approx(high * 1e-9)
    assert float(lab.laser.query(":FREQ? MAX")) == pytest.approx(C / (low * 1e-9))
    for end in (low, high):
        lab.laser.write(f":WAV {end}nm")
        assert float(lab.laser.query(":WAV?")) == pytest.approx(end * 1e-9)
    lab.laser.write(f":FREQ {float(lab.laser.query(':FREQ? MIN')):.0f}")
    assert lab.error(lab.laser) == 0
    lab.close()


def test_unknown_products_are_refused():
    with pytest.raises(BenchError, match=r"123456.*480640"):
        optics(product="123456")


def test_reset_keeps_the_command_set_and_puts_out_the_light(lab):
    lab.laser.write(":POW:STAT 1;:WAV 1500nm;:POW 10dBm;:COHC 1;:WAV:FIN 5;:TRIG:OUTP 3;:WAV:SWE:MOD 2;*RST")
    answers = [":POW:STAT?", ":COHC?", ":TRIG:OUTP?", ":WAV:SWE?", ":POW:UNIT?"]
    assert [lab.laser.query(question) for question in answers] == ["+0"] * 5
    assert lab.laser.query(":WAV?") == "+1.56000000E-006"
    assert float(lab.laser.query(":POW?")) == pytest.approx(0.0, abs=1e-9)
    assert lab.laser.query(":WAV:SWE:MOD?") == "+1"
    lab.wait(1.0)
    assert power_W(lab) == 0.0


# Light ----------------------------------------------------------------------------------------------------


def test_the_power_is_what_was_asked_for_within_its_calibration(lab):
    for dbm in (-15.0, -3.0, 0.0, 6.0, 10.0):
        lab.laser.write(f":POW {dbm}dBm;:POW:STAT 1")
        lab.wait(3600.0)
        assert power_W(lab) == pytest.approx(1e-3 * 10 ** (0.1 * dbm), rel=0.1)
        assert float(lab.laser.query(":POW:ACT?")) == pytest.approx(dbm, abs=0.6)


def test_no_more_than_the_laser_has_at_its_ends(lab):
    lab.laser.write(":POW 13dBm;:POW:STAT 1;:WAV 1560nm")
    lab.wait(3600.0)
    middle = power_W(lab)
    lab.laser.write(":WAV 1480nm")
    lab.wait(10.0)
    assert middle == pytest.approx(20e-3, rel=0.1)
    assert power_W(lab) == pytest.approx(10e-3, rel=0.1)


def test_the_attenuator_in_manual_mode(lab):
    lab.laser.write(":POW:STAT 1;:POW:ATT:AUT 0;:POW:ATT 0")
    lab.wait(3600.0)
    full = power_W(lab)
    lab.laser.write(":POW:ATT 20")
    lab.wait(1.0)
    assert power_W(lab) == pytest.approx(full / 100.0, rel=1e-2)


def test_the_shutter_is_the_same_switch_as_the_output(lab):
    lab.shine(1550.0, 1.0)
    assert float(lab.meter.query("READ?")) > 4e-4
    lab.laser.write(":POW:SHUT 1")
    assert lab.laser.query(":POW:STAT?") == "+0"
    lab.wait(0.1)
    assert abs(float(lab.meter.query("READ?"))) < 1e-8
    lab.laser.write(":POW:SHUT 0")
    lab.wait(0.1)
    assert float(lab.meter.query("READ?")) > 4e-4


def test_it_warms_up_for_minutes(lab):
    lab.laser.write(":POW:STAT 1")
    course = []
    for _ in range(40):
        lab.wait(60.0)
        course.append(power_W(lab))
    early, late = course[0], np.mean(course[-5:])
    assert 0.005 < (late - early) / late < 0.03
    assert abs(course[-1] - course[-2]) / late < 2e-3
    assert wavelength_nm(lab) == pytest.approx(1560.0, abs=0.02)


def test_tuning_takes_its_time(lab):
    lab.laser.write(":WAV 1500nm")
    lab.laser.query("*OPC?")
    began = lab.bench.clock.now
    lab.laser.write(":WAV 1600nm")
    lab.wait(0.5)
    assert wavelength_nm(lab) == pytest.approx(1550.0, abs=0.5)
    assert lab.laser.query(":WAV?") == "+1.60000000E-006"
    lab.laser.timeout = 10_000
    assert lab.laser.query("*OPC?") == "1"
    assert lab.bench.clock.now - began == pytest.approx(1.0, abs=0.05)
    assert wavelength_nm(lab) == pytest.approx(1600.0, abs=0.02)
    lab.laser.write(":WAV:OFFS 0.1nm;:WAV:FIN 100")
    assert wavelength_nm(lab) == pytest.approx(1600.11, abs=0.02)


def test_the_intensity_noise_is_that_of_the_data_sheet_and_the_drift_is_slow(lab):
    lab.laser.write(":POW:STAT 1")
    lab.wait(7200.0)
    light = lab.bench.instruments["laser"].light
    starts = lab.bench.clock.now - 1.0 + 1e-5 * np.arange(10_000)
    powers = light.means(starts, starts + 1e-5)
    expected = math.sqrt(10**-14.5 / (2.0 * 1e-5))
    assert np.std(powers) / np.mean(powers) == pytest.approx(expected, rel=0.1)
    hours = [power_W(lab) for _ in range(60) if lab.wait(60.0) is None]
    assert 2e-4 < np.ptp(hours) / np.mean(hours) < 1e-2, "0.01 dB or so in an hour"


def test_the_same_seed_gives_the_same_light():
    def readings(seed):
        lab = optics(seed=seed)
        lab.shine(1550.0, 1.0)
        found = [lab.meter.query("READ?") for _ in range(5)]
        lab.close()
        return found

    assert readings(5) == readings(5) != readings(6)


# Sweeps ---------------------------------------------------------------------------------------------------


def sweep_setup(lab, mode=1, **more):
    lab.laser.timeout = 60_000
    lab.laser.write(":POW:STAT 1;:WAV:SWE:STAR 1500nm;STOP 1510nm;SPE 10")
    lab.laser.write(f":WAV:SWE:MOD {mode};:TRIG:OUTP 3;:TRIG:OUTP:STEP 0.1nm")
    for header, value in more.items():
        lab.laser.write(f":WAV:SWE:{header} {value}")


def listen(lab):
    pulses = []
    lab.bench.instruments["laser"].terminals.trigger_outputs["trigger_out"].listeners.append(pulses.append)
    return pulses


def test_a_continuous_sweep_keeps_its_speed_and_sends_its_triggers(lab):
    sweep_setup(lab)
    pulses = listen(lab)
    lab.laser.write(":WAV:SWE 1")
    assert lab.laser.query(":WAV:SWE?") == "+4"
    lab.wait(1.0)
    assert lab.laser.query(":WAV:SWE?") == "+1"
    assert lab.laser.query("*OPC?") == "1"
    assert lab.laser.query(":WAV:SWE?") == "+0"
    assert lab.laser.query(":WAV:SWE:COUN?") == "+1"
    assert len(pulses) == 101
    assert np.diff([pulse.start_s for pulse in pulses]) == pytest.approx(0.01, rel=1e-6)
    assert lab.laser.query(":READ:POIN?") == "+101"
    block = lab.laser.query_binary_values(":READ:DAT?", datatype="d", expect_termination=False)
    assert 1e2 * np.array(block) == pytest.approx(1e-9 * np.linspace(1500.0, 1510.0, 101), rel=1e-9)
    powers = lab.laser.query_binary_values(":READ:DAT:POW?", datatype="d", expect_termination=False)
    assert np.array(powers) == pytest.approx(0.0, abs=0.7)
    assert lab.error(lab.laser) == 0


def test_two_ways_and_steps(lab):
    sweep_setup(lab, mode=2, STEP="1nm", DWEL=0.2)
    pulses = listen(lab)
    lab.laser.write(":WAV:SWE 1")
    lab.laser.query("*OPC?")
    assert len(pulses) == 22
    block = lab.laser.query_binary_values(":READ:DAT?", datatype="d", expect_termination=False)
    there = np.arange(1500.0, 1511.0)
    assert 1e11 * np.array(block) == pytest.approx(np.concatenate((there, there[::-1])), rel=1e-9)
    assert np.all(np.diff([pulse.start_s for pulse in pulses]) > 0.2)


def test_a_step_that_does_not_divide_the_range(lab):
    sweep_setup(lab, mode=2, STEP="3nm", DWEL=0)
    lab.laser.write(":WAV:SWE 1")
    lab.laser.query("*OPC?")
    block = lab.laser.query_binary_values(":READ:DAT?", datatype="d", expect_termination=False)
    wanted = [1500.0, 1503.0, 1506.0, 1509.0, 1510.0, 1507.0, 1504.0, 1501.0]
    assert 1e11 * np.array(block) == pytest.approx(wanted, rel=1e-9)


def test_the_log_is_whole_whatever_happens_during_a_long_sweep(lab):
    sweep_setup(lab, SPE=1)
    lab.laser.write(":WAV:SWE 1")
    for dbm in (3, 0, 3, 0, 3, 0):
        lab.wait(1.7)
        lab.laser.write(f":POW {dbm}dBm")
    lab.laser.query("*OPC?")
    block = lab.laser.query_binary_values(":READ:DAT?", datatype="d", expect_termination=False)
    assert 1e11 * np.array(block) == pytest.approx(np.linspace(1500.0, 1510.0, 101), rel=1e-9)


def test_steps_in_frequency(lab):
    sweep_setup(lab, mode=0, DWEL=0)
    lab.laser.write(":FREQ:SWE:STEP 100GHZ;:WAV:SWE 1")
    lab.laser.query("*OPC?")
    block = lab.laser.query_binary_values(":READ:DAT?", datatype="d", expect_termination=False)
    assert np.diff(C / (1e2 * np.array(block))) == pytest.approx(-100e9, rel=1e-6)


def test_repeated_sweeps_wait_between_and_stop(lab):
    sweep_setup(lab, CYCL=3, DEL=1.0)
    lab.laser.write(":TRIG:OUTP 1")
    pulses = listen(lab)
    lab.laser.write(":WAV:SWE:STAT:REP")
    lab.laser.query("*OPC?")
    assert lab.laser.query(":WAV:SWE:COUN?") == "+3"
    assert len(pulses) == 3
    assert np.diff([pulse.start_s for pulse in pulses]) == pytest.approx(1.0 + 1.0 + 0.1, abs=0.02)
    lab.laser.write(":WAV:SWE:CYCL 0;STAT:REP")
    lab.wait(20.0)
    assert int(lab.laser.query(":WAV:SWE:COUN?")) > 5
    lab.laser.write(":WAV:SWE 0")
    assert lab.laser.query(":WAV:SWE?") == "+0"
    here = wavelength_nm(lab)
    lab.wait(5.0)
    assert wavelength_nm(lab) == pytest.approx(here, abs=1e-2)


def test_a_sweep_waits_for_its_trigger(lab):
    sweep_setup(lab)
    lab.laser.write(":TRIG:INP:STAN 1;:WAV:SWE 1")
    lab.wait(5.0)
    assert lab.laser.query(":WAV:SWE?") == "+3"
    lab.laser.write(":TRIG:INP:SOFT")
    assert lab.laser.query(":WAV:SWE?") == "+1"
    lab.laser.query("*OPC?")
    assert lab.error(lab.laser) == 0


def test_a_meter_sees_the_sweep(lab):
    lab.shine(1500.0, 1.0)
    sweep_setup(lab)
    lab.meter.write("CORR:WAV 1505;:AVER 10")
    lab.laser.write(":WAV:SWE 1")
    readings = [float(lab.meter.query("READ?")) for _ in range(40)]
    assert min(readings) > 4e-4
    assert np.ptp(readings) / np.mean(readings) > 1e-3, "power is not quite flat over wavelength"


# The stock driver -----------------------------------------------------------------------------------------


@pytest.fixture
def driver(lab):
    module = pytest.importorskip(
        "qcodes_contrib_drivers.drivers.Santec.Santec_TSL", reason="in qcodes-contrib-drivers from 0.25 on"
    )
    lab.laser.write("SYST:COMM:COD 0")
    laser = module.SantecTSL(f"tsl_{id(lab):x}", None, resource=lab.manager.open_resource(LASER))
    yield laser
    laser.close()


def test_every_parameter_of_the_stock_driver(driver):
    for name, parameter in driver.parameters.items():
        if name in ("IDN", "timeout"):
            continue
        value = parameter.get() if parameter.gettable else None
        if parameter.settable and value is not None:
            parameter.set(value)
            near = pytest.approx(value, rel=1e-7) if isinstance(value, float) else value
            assert parameter.get() == near, name  # frequencies go in steps of 10 MHz
    assert driver.system_error()["code"] == 0


def test_every_allowed_value_of_the_stock_driver(driver):
    for name, parameter in driver.parameters.items():
        if name in ("IDN", "timeout") or not parameter.settable:
            continue
        validator = parameter.validators[-1] if parameter.validators else None
        allowed = list(getattr(parameter, "val_mapping", None) or ())
        if not allowed and validator is not None:
            allowed = list(validator.valid_values)
        for value in allowed:
            parameter.set(value)
            assert parameter.get() is not None
            beyond = (name, value) == ("sweep_step_frequency", 1e15)  # the driver allows more than the range
            assert driver.system_error()["code"] == (-222 if beyond else 0), (name, value)


def test_the_stock_driver_sweeps_and_reads_the_log(lab, driver):
    driver.output(True)
    driver.sweep_start_wavelength(1500e-9)
    driver.sweep_stop_wavelength(1501e-9)
    driver.sweep_speed(10)
    driver.trigger_output_step(0.1e-9)
    driver.sweep_single()
    assert driver.sweep_state() == "PREPARING"
    lab.wait(10.0)
    assert driver.sweep_state() == "STOPPED"
    assert driver.readout_points() == 11
    assert driver.readout_data() == pytest.approx(1e-9 * np.linspace(1500.0, 1501.0, 11))
    assert len(driver.readout_power_data()) == 11
    assert driver.system_error()["code"] == 0
    driver.reset()
    assert driver.output() is False
