"""The emulated Q8iv chain on its own: commands and replies as the maker's library has them, and physics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.bench import BenchError
from simulators.clock import VirtualClock
from simulators.instrument import NothingToRead
from simulators.instruments.catalogue import make_instrument
from simulators.instruments.loads import Resistance
from simulators.instruments.qontrol_q8iv.channel import quantised


class Unit:
    """A chain, and what it says to one line."""

    def __init__(self, channels=8, noise=0.0, seed=1, serial="10"):
        self.clock = VirtualClock()
        rng = np.random.default_rng(seed)
        options = {"channels": channels}
        self.chain = make_instrument("qontrol_q8iv", self.clock, serial, rng, noise=noise, options=options)

    def load(self, channel, ohm):
        self.chain.terminals.loads[str(channel)](Resistance(ohm))

    def heard(self):
        text = b""
        while True:
            try:
                text += self.chain.read(1 << 16)[0]
            except NothingToRead:
                return text.decode()

    def say(self, line, wait_s=5e-4):
        self.chain.write(line.encode() + b"\n")
        self.clock.advance(wait_s)
        return self.heard()

    def number(self, line):
        return float(self.say(line).split()[0])


@pytest.mark.parametrize("channels", [8, 16, 64])
def test_a_chain_tells_its_units(channels):
    unit = Unit(channels, serial="00FE")
    assert unit.say("nup=0") == "OK\n"
    units = unit.say("nupall?").splitlines()
    assert units == [f"Q8iv-{0xFE + k:04X}:{k}" for k in range(channels // 8)]
    assert unit.say("id?") == "Q8iv-00FE\n"
    assert unit.say("NCHAN?") == "8\n"
    assert unit.say("VFULL?") == "+12.0000 V\n"
    assert unit.say("IFULL?") == "+24.0000 mA\n"
    assert len(unit.say("VALL?").splitlines()) == channels
    assert list(unit.chain.terminals.sources) == [str(k) for k in range(channels)]


@pytest.mark.parametrize("channels", [0, 7, 12, 72, "8", 8.0])
def test_only_whole_units(channels):
    with pytest.raises(BenchError, match="units have 8 channels each"):
        Unit(channels)


def test_it_wakes_up_at_zero_with_its_limits_at_full_scale():
    unit = Unit()
    assert unit.heard() == ""
    assert "E90:00" in unit.say("LOG?")
    assert unit.say("VALL?") == 8 * "+0.0000 V\n"
    assert unit.say("VMAXALL?") == 8 * "+12.0000 V\n"
    assert unit.say("IMAXALL?") == 8 * "+24.0000 mA\n"
    assert [unit.say(f"{flag}?") for flag in ("QUIET", "ROCOM", "SAFE")] == 3 * ["0\n"]


def test_the_spelling_is_free_and_the_line_is_not_echoed():
    unit = Unit()
    for line in ("V3=1.5", "v3 = 1.5", "V3=+1.5E0\r", " V3=1.50 "):
        assert unit.say(line) == "OK\n"
    assert unit.say("") == unit.say("\r") == ""
    assert unit.say("OK") == "OK\n"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("NONSENSE?", "E10:00"),
        ("V0", "E10:00"),
        ("V0!", "E10:00"),
        ("ECHO=1", "E10:00"),
        ("VÄ?", "E10:00"),
        ("V3=", "E11:03"),
        ("V3=abc", "E11:03"),
        ("V3=nan", "E11:03"),
        ("V3=-0.1", "E11:03"),
        ("V3=12.01", "E11:03"),
        ("I3=24.01", "E11:03"),
        ("V3=1,2", "E11:03"),
        ("VVEC0=1,2,3,4,5,6,7,8,9", "E11:00"),
        ("QUIET=2", "E11:00"),
        ("NUP=1", "E11:00"),
        ("V8=1", "E12:08"),
        ("V99?", "E12:99"),
        ("V=1", "E12:00"),
        ("VCAL0=1", "E13:00"),
        ("NVM?", "E13:00"),
        ("V0=" + 2000 * "1", "E14:00"),
    ],
)
def test_refusals_have_the_makers_numbers_and_change_nothing(line, error):
    unit = Unit()
    assert unit.say(line) == error + "\n"
    assert unit.say("VALL?") == 8 * "+0.0000 V\n"
    assert unit.say("V0=1") == "OK\n"


def test_a_vector_starts_at_its_channel():
    unit = Unit(16)
    assert unit.say("VVEC8=1,2,3") == "OK\n"
    volts = [float(line.split()[0]) for line in unit.say("VALL?").splitlines()]
    assert volts == pytest.approx([0.0] * 8 + [1.0, 2.0, 3.0] + [0.0] * 5, rel=5e-3)
    assert unit.say("VALL=2") == "OK\n"
    assert unit.number("V15?") == pytest.approx(2.0, rel=5e-3)


@given(st.floats(0.0, 12.0), st.floats(200.0, 1e5))
def test_voltage_and_current_obey_ohms_law(volts, ohm):
    unit = Unit()
    unit.load(2, ohm)
    unit.say(f"V2={volts:.6f}", wait_s=2e-3)
    if volts / ohm > 24e-3 * 1.003:
        assert unit.number("V2?") == 0.0
        return
    if volts / ohm > 24e-3 * 0.997:
        return
    assert unit.number("V2?") == pytest.approx(volts, rel=1e-2, abs=1e-3)
    assert unit.number("I2?") == pytest.approx(1e3 * volts / ohm, rel=1e-2, abs=2e-3)


@given(st.floats(0.05, 23.0))
def test_a_current_makes_its_voltage(milliamperes):
    unit = Unit()
    unit.load(0, 400.0)
    assert unit.say(f"I0={milliamperes:.6f}", wait_s=2e-3) == "OK\n"
    assert unit.chain.channels[0].at(unit.clock.now) == pytest.approx(0.4 * milliamperes, rel=5e-3, abs=1e-3)
    volts, amperes, watts = (float(part.split()[0]) for part in unit.say("VIP0?").split(","))
    assert watts == pytest.approx(volts * amperes, rel=1e-3, abs=1e-3)


@given(st.floats(0.0, 12.0))
def test_sixteen_bits(volts):
    step = 12.0 / 65535
    assert abs(quantised(volts, 12.0) - volts) <= 0.5 * step * (1 + 1e-9)
    assert quantised(volts, 12.0) / step == pytest.approx(round(volts / step), abs=1e-6)


def test_a_short_folds_back_then_trips_and_says_so():
    unit = Unit()
    unit.load(1, 5.0)
    unit.say("V1=3", wait_s=5e-4)
    assert unit.chain.channels[1].at(unit.clock.now) == pytest.approx(5.0 * 24e-3, rel=1e-2)
    unit.clock.advance(1e-3)
    assert unit.heard() == "E02:01\n"
    assert unit.chain.channels[1].at(unit.clock.now + 1e-3) == 0.0
    assert unit.say("V1?") == "+0.0000 V\n"
    assert "E02:01" in unit.say("LOG?")
    assert unit.say("LOG=0") == "OK\n"
    assert unit.say("LOG?") == "OK\n"


def test_an_open_output_holds_a_voltage_and_no_current():
    unit = Unit()
    assert unit.say("V4=5", wait_s=0.1) == "OK\n"
    assert unit.number("I4?") == 0.0
    assert unit.say("I4=1", wait_s=0.1) == "OK\nE01:04\n"
    assert unit.number("V4?") == 0.0
    assert unit.say("I4=0", wait_s=0.1) == "OK\n"


def test_limits_switch_off_what_is_beyond_them():
    unit = Unit()
    unit.load(0, 1e3)
    unit.say("VMAX0=5")
    unit.say("IMAX0=3")
    assert unit.say("V0=2.99", wait_s=0.1) == "OK\n"
    assert unit.say("V0=4", wait_s=0.1) == "OK\nE02:00\n"
    unit.say("IMAX0=24")
    assert unit.say("V0=6", wait_s=0.1) == "OK\nE01:00\n"
    unit.say("V0=4", wait_s=0.1)
    assert unit.say("VMAX0=3.5", wait_s=0.1) == "OK\nE01:00\n"


def test_quiet_and_report_on_command_and_safe():
    unit = Unit()
    unit.load(0, 5.0)
    assert unit.say("QUIET=1") == ""
    assert unit.say("V1=2") == ""
    assert unit.say("V99=2") == "E12:99\n"
    assert unit.say("QUIET=0") == "OK\n"
    unit.say("ROCOM=1")
    assert unit.say("V0=3", wait_s=0.1) == "OK\n"
    assert unit.say("V1?").splitlines()[0] == "E02:00"
    assert unit.say("SAFE") == "OK\n"
    assert unit.number("V1?") == 0.0
    assert unit.say("V1=2") == "E13:01\n"
    assert unit.say("V1=0") == "OK\n"
    unit.say("SAFE=0")
    assert unit.say("V1=2") == "OK\n"


def test_readings_have_noise_of_the_rng_only():
    def readings(**kwargs):
        unit = Unit(**kwargs)
        unit.say("V0=5")
        return [unit.number("V0?") for _ in range(20)]

    noisy = readings(noise=1.0)
    assert noisy == readings(noise=1.0)
    assert noisy != readings(noise=1.0, seed=2)
    assert len(set(readings(noise=0.0))) == 1
    assert 1e-5 < np.std(noisy) < 2e-3


def test_outputs_move_in_time_not_at_once():
    unit = Unit()
    unit.say("V0=12", wait_s=0.0)
    source = unit.chain.terminals.sources["0"]
    unit.clock.advance(1e-3)
    course = source.knots(0.0, 1e-3)
    assert course.at(np.array([50e-6]))[0] == pytest.approx(6.0, rel=1e-2)
    assert course.at(np.array([1e-3]))[0] == pytest.approx(12.0, rel=5e-3)
