"""The PM100D: the unmodified stock driver, and what light from a laser makes it read."""

import contextlib
import math

import numpy as np
import pytest
from qcodes_contrib_drivers.drivers.Thorlabs.PM100D import Thorlab_PM100D

from simulators.bench import BenchError
from simulators.clock import VirtualClock
from simulators.instruments.catalogue import make_instrument
from simulators.instruments.thorlabs_pm100d.sensor import HEADS, RANGES_A
from tests.simulators.instruments.optics import HALF, METER, optics


@pytest.fixture
def lab():
    bench = optics()
    yield bench
    bench.close()


@pytest.fixture
def driver(lab, monkeypatch):
    """The stock driver on the meter behind 3 dB; its naps pass in virtual time."""
    monkeypatch.setattr("qcodes_contrib_drivers.drivers.Thorlabs.PM100D.sleep", lab.wait)
    meter = Thorlab_PM100D(f"pm_{id(lab):x}", None, resource=lab.manager.open_resource(METER))
    yield meter
    meter.close()


def known_gain(lab, name):
    """The hidden error of a meter's calibration."""
    return 1.0 + lab.bench.instruments[name].diode.gain_error


class Steady:
    """Light of a given power and wavelength."""

    def __init__(self, watts, metres=1550e-9):
        self.watts, self.metres = watts, metres

    def means(self, starts_s, stops_s):
        return np.full_like(starts_s, self.watts)

    def wavelength_m(self, instant):
        return self.metres


def alone(watts=0.0, metres=1550e-9, **options):
    """A meter without noise under steady light, and its clock."""
    clock = VirtualClock()
    meter = make_instrument(
        "thorlabs_pm100d", clock, "1", np.random.default_rng(3), noise=0.0, options=options
    )
    if watts:
        meter.terminals.light_inputs["input"](Steady(watts, metres))
    return meter, clock


def ask(meter, message):
    meter.write(message.encode() + b"\n")
    while True:
        try:
            return meter.read(10_000)[0].decode().strip()
        except Exception as nothing:
            meter.clock.advance_to(nothing.ready_at)


# The stock driver -----------------------------------------------------------------------------------------


def test_the_stock_driver_opens_it_and_leaves_the_one_error_that_it_makes(driver):
    assert driver.get_idn()["vendor"] == "Thorlabs"
    assert driver.get_idn()["model"] == "PM100D"
    # it sends AVER without a number
    assert driver.ask("SYST:ERR?").startswith("-109,")
    driver._check_error()


def test_every_parameter_of_the_stock_driver(lab, driver):
    lab.shine(1550.0, 1.0)
    lab.meter.write("*CLS")
    driver.wavelength(1310e-9)
    assert float(driver.ask("SENS:CORR:WAV?")) == pytest.approx(1310.0)
    for low, high in [(800e-9, 1700e-9)]:
        driver.wavelength(low)
        driver.wavelength(high)
        driver._check_error()
    driver.wavelength(1550e-9)
    with pytest.raises(TypeError):
        driver.wavelength()  # the driver scales the text of the answer
    for decibels in (-60.0, 0.0, 3.0, 60.0):
        driver.attenuation(decibels)
        assert driver.attenuation() == decibels
    driver.attenuation(0.0)
    driver.power_range(1e-3)
    assert 1e-3 <= driver.power_range() < 1e-2
    assert driver.auto_range() is False
    driver.auto_range(1)
    assert driver.auto_range() is True
    driver.auto_range(0)
    driver.power_range(10e-3)
    driver.beam_diameter(3e-3)
    assert float(driver.ask("CORR:BEAM?")) == pytest.approx(3.0)
    assert driver.frequency() == 0.0
    assert driver.current_range() in RANGES_A
    assert driver.zero_value() == 0.0
    assert driver.averaging() == "1"
    driver._check_error()
    watts = driver.power()
    assert watts == pytest.approx(HALF * 1e-3, rel=0.12)
    assert driver.current() == pytest.approx(watts * float(driver.ask("CORR:POW:RESP?")), rel=1e-3)
    driver._check_error()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("SENS:CORR:WAV 799", -222),
        ("SENS:CORR:WAV 1701", -222),
        ("SENS:CORR:WAV 1550 NM", -138),
        ("CORR 61", -222),
        ("SENS:AVER 0", -222),
        ("SENS:AVER:COUN 1;COUN 10001", -222),
        ("SENS:POW:UNIT DB", -224),
        ("SENS:POW:RANG 1", -222),
        ("SYST:LFR 55", -224),
        ("FETC?", -230),
        ("MEAS:TEMP?", -221),
        ("CONF:ENER", -221),
        ("MEAS:WATT?", -113),
    ],
)
def test_the_error_queue(message, code):
    meter, _ = alone(1e-3)
    meter.write(message.encode() + b"\n")
    assert int(ask(meter, "SYST:ERR?").split(",")[0]) == code
    assert ask(meter, "SYST:ERR?") == '+0,"No error"'


def test_reset_gives_the_defaults():
    meter, _ = alone(1e-3)
    meter.write(b"AVER 50;:CORR 3;:CORR:WAV 1550;:CORR:BEAM 2;:POW:RANG 1E-6;:POW:UNIT DBM;:INP:FILT 1\n")
    meter.write(b"POW:REF 1E-3;:POW:REF:STAT 1;:CONF:CURR\n")
    meter.write(b"*RST\n")
    answers = {
        "AVER?": 1,
        "CORR?": 0,
        "CORR:WAV?": 1310,
        "CORR:BEAM?": 5,
        "POW:RANG:AUTO?": 1,
        "INP:PDIO:FILT:LPAS:STAT?": 0,
        "POW:REF?": 0,
        "POW:REF:STAT?": 0,
    }
    for question, value in answers.items():
        assert float(ask(meter, question)) == pytest.approx(value), question
    assert ask(meter, "POW:UNIT?") == "W"
    assert ask(meter, "CONF?") == "POW"
    assert ask(meter, "SYST:ERR?") == '+0,"No error"'


# What light makes it read ---------------------------------------------------------------------------------


def test_three_decibels_are_half_the_power_within_the_calibration(lab):
    lab.shine(1550.0, 2.0)
    for meter in (lab.meter, lab.direct):
        meter.write("AVER 20")
    behind, before = (float(meter.query("READ?")) for meter in (lab.meter, lab.direct))
    uncertainty = HEADS["S155C"].uncertainty
    assert behind / before == pytest.approx(HALF, rel=2.0 * math.sqrt(2.0) * uncertainty)
    corrected = (behind / known_gain(lab, "meter")) / (before / known_gain(lab, "direct"))
    assert corrected == pytest.approx(HALF, rel=2e-3)
    assert before == pytest.approx(2e-3, rel=0.15)
    lab.meter.write("CORR 3")
    again = float(lab.meter.query("READ?"))
    assert again == pytest.approx(behind / HALF, rel=2e-3)


@pytest.mark.parametrize("wrong_nm", [800, 1000, 1310, 1700])
def test_the_wrong_wavelength_reads_the_wrong_power(wrong_nm):
    head = HEADS["S155C"]
    meter, _ = alone(1e-3)
    ask(meter, "CORR:WAV 1550;:READ?")
    right = float(ask(meter, "READ?"))
    wrong = float(ask(meter, f"CORR:WAV {wrong_nm};:READ?"))
    ratio = head.responsivity(1550e-9) / head.responsivity(1e-9 * wrong_nm)
    assert abs(ratio - 1.0) > 0.1
    assert wrong / right == pytest.approx(ratio, rel=1e-3)
    assert right == pytest.approx(1e-3, rel=2.5 * head.uncertainty)


def test_overload_and_ranges():
    meter, _ = alone(1e-3)
    spans = []
    for watts in np.geomspace(1e-7, 2e-2, 40):
        ask(meter, f"CORR:WAV 1550;:POW:RANG {watts:.6e};:POW:RANG?")
        spans.append(float(ask(meter, "POW:RANG?")))
    assert spans == sorted(spans)
    assert len(set(spans)) == len(RANGES_A)
    assert np.allclose(np.unique(np.round(np.log10(np.array(spans) / spans[0]))), np.arange(6))
    meter.write(b"POW:RANG 1E-4\n")
    assert float(ask(meter, "READ?")) == 9.9e37
    assert int(ask(meter, "STAT:QUES:COND?")) & 8
    assert ask(meter, "POW:RANG:AUTO?") == "0"
    meter.write(b"POW:RANG:AUTO ON\n")
    assert float(ask(meter, "READ?")) == pytest.approx(1e-3, rel=0.15)
    assert int(ask(meter, "STAT:QUES:COND?")) == 0
    assert int(ask(meter, "STAT:QUES?")) & 8
    blinding, _ = alone(0.1)
    assert float(ask(blinding, "READ?")) == 9.9e37


def test_averaging_takes_time_and_lowers_the_noise():
    def spread(samples, filtered=0):
        clock = VirtualClock()
        meter = make_instrument("thorlabs_pm100d", clock, "1", np.random.default_rng(3))
        meter.terminals.light_inputs["input"](Steady(1e-6))
        meter.write(f"CORR:WAV 1550;:AVER {samples};:INP:FILT {filtered}\n".encode())
        began = clock.now
        readings = [float(ask(meter, "READ?")) for _ in range(100)]
        assert clock.now - began == pytest.approx(100 * samples * 3e-3)
        return float(np.std(readings))

    one, many, filtered = spread(1), spread(100), spread(1, 1)
    assert many == pytest.approx(one / 10.0, rel=0.35)
    assert filtered < 0.6 * one
    assert 0.0 < one < 1e-3 * 1e-6 * 10.0


def test_darkness_is_zeroed_and_light_cannot_be():
    meter, clock = alone()
    ask(meter, "CORR:WAV 1550;:READ?")
    dark = float(ask(meter, "READ?"))
    assert 0.0 < abs(dark) < 2e-9
    meter.write(b"SENS:CORR:COLL:ZERO\n")
    assert ask(meter, "CORR:COLL:ZERO:STAT?") == "1"
    meter.write(b"INIT\n")
    assert int(ask(meter, "SYST:ERR?").split(",")[0]) == -221
    assert ask(meter, "*OPC?") == "1"
    assert ask(meter, "CORR:COLL:ZERO:STAT?") == "0"
    assert float(ask(meter, "READ?")) == pytest.approx(0.0, abs=1e-12)
    assert float(ask(meter, "CORR:COLL:ZERO:MAGN?")) == pytest.approx(dark, rel=0.1)
    meter.terminals.light_inputs["input"](Steady(1e-3))
    meter.write(b"CORR:COLL:ZERO:INIT\n")
    clock.advance(10.0)
    assert int(ask(meter, "SYST:ERR?").split(",")[0]) == -340
    meter.write(b"CORR:COLL:ZERO\n")
    meter.write(b"CORR:COLL:ZERO:ABOR\n")
    assert float(ask(meter, "READ?")) == pytest.approx(1e-3, rel=0.15)


def test_units_and_references():
    meter, _ = alone(1e-3)
    watts = float(ask(meter, "CORR:WAV 1550;:READ?"))
    dbm = float(ask(meter, "POW:UNIT DBM;:READ?"))
    assert dbm == pytest.approx(10.0 * math.log10(watts / 1e-3), abs=1e-3)
    relative = float(ask(meter, "POW:REF 5E-4;:POW:REF:STAT ON;:READ?"))
    assert relative == pytest.approx(dbm + 3.0103, abs=1e-2)
    less = float(ask(meter, "POW:UNIT W;:READ?"))
    assert less == pytest.approx(watts - 5e-4, rel=1e-3)
    density = float(ask(meter, "CORR:BEAM 10;:MEAS:PDEN?"))
    assert density == pytest.approx(watts / (math.pi * 0.5**2), rel=1e-3)
    amperes = float(ask(meter, "MEAS:CURR?"))
    assert amperes == pytest.approx(watts * float(ask(meter, "CORR:POW?")), rel=1e-3)
    assert ask(meter, "CONF?") == "CURR"
    doubled = float(ask(meter, "POW:REF:STAT OFF;:CORR:POW:RESP 0.103;:MEAS:POW?"))
    assert doubled == pytest.approx(2.0 * watts, rel=1e-3)


def test_the_head_says_what_it_is():
    meter, _ = alone(sensor="S150C")
    name, _, _, kind, _, flags = ask(meter, "SYST:SENS:IDN?").split(",")
    assert (name, kind) == ("S150C", "1")
    assert int(flags) & 0x21 == 0x21
    assert float(ask(meter, "CORR:WAV? MIN")) == pytest.approx(350.0)
    assert float(ask(meter, "CORR:WAV? MAX")) == pytest.approx(1100.0)
    with pytest.raises(BenchError, match=r"S999.*S155C"):
        alone(sensor="S999")


def test_a_silicon_head_is_blind_in_the_infrared():
    meter, _ = alone(1e-3, 1550e-9, sensor="S150C")
    assert float(ask(meter, "READ?")) < 1e-8


def test_a_reading_averages_over_its_window(lab):
    lab.shine(1550.0, 1.0)
    full = float(lab.direct.query("READ?"))
    lab.direct.write("AVER 100;:INIT")
    lab.wait(0.15)
    lab.laser.write("POW:STAT 0")
    half = float(lab.direct.query("FETC?"))
    assert half == pytest.approx(0.5 * full, rel=0.05)
    lab.direct.write("INIT")
    with contextlib.suppress(Exception):
        lab.direct.clear()
    assert int(lab.direct.query("STAT:OPER:COND?")) & 16 == 0, "a device clear ends the reading"
