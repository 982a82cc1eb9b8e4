"""The Qontrol driver: what it puts on the line, and what it makes of an emulated chain of units."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import pyvisa

from drivers.errors import (
    EnvelopeError,
    IdentityError,
    InstrumentError,
    InstrumentTimeout,
    ReadbackError,
    SafeStateError,
    ShapeError,
    TripError,
)
from drivers.qontrol import QontrolQ8iv
from drivers.roles import HeaterSource
from simulators.bench import EmulatedBench, EmulatorConfig, build
from simulators.instrument import NothingToRead
from simulators.visa import HilVisaLibrary
from tests.drivers.qontrol_script import Pair, Script, expected_protocol, opening

PORT = "ASRL3::INSTR"
OPEN, SHORTED = 5, 6
CHANNELS = 16
OHM = 1000.0


# On the line ----------------------------------------------------------------------------------------------


def test_opening_finds_the_chain_and_its_limits() -> None:
    with expected_protocol([], units=2, vmax=5.0, imax=10.0) as (driver, _):
        assert driver.heaters == tuple(range(16))
        assert driver.limits(15) == (5.0, 0.01)
        assert driver.identity() == "Q8iv-0010"
    with expected_protocol([("FIRMWARE?", ["1.3.1"])]) as (driver, _):
        assert driver.get_idn() == {
            "vendor": "Qontrol",
            "model": "Q8iv",
            "serial": "0010",
            "firmware": "1.3.1",
        }


def test_a_voltage_is_set_in_volts_and_read_back() -> None:
    pairs: list[Pair] = [
        ("V3=2.500000", ["OK"]),
        ("V3?", ["+2.5003 V"]),
        ("I3?", ["+2.4987 mA"]),
        ("V3?", ["+2.4999 V"]),
    ]
    with expected_protocol(pairs) as (driver, _):
        driver.channels[3].voltage(2.5)
        assert driver.channels[3].voltage() == 2.4999


def test_a_current_is_sent_in_milliamperes_and_given_in_amperes() -> None:
    pairs: list[Pair] = [
        ("I3=2.500000", ["OK"]),
        ("V3?", ["+2.5003 V"]),
        ("I3?", ["+2.4987 mA"]),
        ("I3?", ["+2.5001 mA"]),
        ("V3?", ["+2.0000 V"]),
        ("I3?", ["+3.0000 mA"]),
    ]
    with expected_protocol(pairs) as (driver, _):
        driver.channels[3].current(2.5e-3)
        assert driver.channels[3].current() == pytest.approx(2.5001e-3)
        assert driver.channels[3].power() == pytest.approx(6e-3)


def test_whole_units_are_set_by_one_vector_the_rest_one_by_one() -> None:
    volts = {k: 0.5 * k for k in range(10)}
    pairs: list[Pair] = [
        ("VVEC0=0.000000,0.500000,1.000000,1.500000,2.000000,2.500000,3.000000,3.500000", ["OK"]),
        ("V8=4.000000", ["OK"]),
        ("V9=4.500000", ["OK"]),
        ("VALL?", [f"{volts.get(k, 0.0):+.4f} V" for k in range(16)]),
        ("IALL?", ["+1.0000 mA"] * 16),
    ]
    with expected_protocol(pairs, units=2) as (driver, _):
        driver.set_voltages(volts)


def test_readings_may_name_their_channel() -> None:
    with expected_protocol([("V3?", ["V3:+3.456 V"])]) as (driver, _):
        assert driver.read_voltage(3) == 3.456


def test_limits_are_set_in_the_unit_and_read_back() -> None:
    pairs: list[Pair] = [
        ("VMAX2=6.000000", ["OK"]),
        ("VMAX2?", ["+6.0001 V"]),
        ("IMAX2=5.000000", ["OK"]),
        ("IMAX2?", ["+5.0002 mA"]),
    ]
    with expected_protocol(pairs) as (driver, _):
        driver.channels[2].voltage_limit(6.0)
        driver.channels[2].current_limit(5e-3)
        assert driver.limits(2) == pytest.approx((6.0001, 5.0002e-3))


def test_nothing_is_sent_outside_the_limits_and_the_channel_is_named() -> None:
    with expected_protocol([], vmax=5.0, imax=10.0) as (driver, script):
        mark = len(script.sent)
        with pytest.raises(EnvelopeError, match=r"5\.5 V on channel 1 .* 0 to 5 V") as caught:
            driver.set_voltages({0: 1.0, 1: 5.5})
        assert (caught.value.channel, caught.value.value, caught.value.limit) == ("1", 5.5, 5.0)
        for bad in (-0.1, float("nan"), float("inf")):
            with pytest.raises(EnvelopeError):
                driver.set_voltages({0: bad})
        with pytest.raises(EnvelopeError, match=r"0\.02 A on channel 2"):
            driver.set_currents({2: 0.02})
        with pytest.raises(EnvelopeError, match="full scale"):
            driver.set_limit(0, volts=13.0)
        with pytest.raises(ShapeError, match=r"channel 8 .* 0 to 7"):
            driver.set_voltages({8: 0.0})
        assert script.sent[mark:] == []


@pytest.mark.parametrize(("code", "words"), [(10, "not known"), (11, "not accepted"), (13, "not allowed")])
def test_a_refusal_is_translated(code: int, words: str) -> None:
    with (
        expected_protocol([("V3=1.000000", [f"E{code}:03"])]) as (driver, _),
        pytest.raises(InstrumentError, match=rf"'V3=1.000000' was refused: E{code} on channel 3 .*{words}"),
    ):
        driver.set_voltages({3: 1.0})


def test_a_trip_reported_in_between_is_not_taken_for_an_answer() -> None:
    with expected_protocol([("V3?", ["E02:05", "+1.0000 V"])]) as (driver, _):
        assert driver.read_voltage(3) == 1.0
        (said,) = driver.errors()
        assert "E02 on channel 5" in said
        assert driver.errors() == []


def test_a_unit_that_was_switched_on_again_is_told_before_the_next_set() -> None:
    with expected_protocol([("V3?", ["E90:00", "+0.0000 V"])]) as (driver, script):
        assert driver.read_voltage(3) == 0.0
        mark = len(script.sent)
        with pytest.raises(TripError, match=r"E90.*limits at full scale"):
            driver.set_voltages({3: 1.0})
        assert script.sent[mark:] == []


def test_stale_lines_are_dropped_and_the_question_asked_again() -> None:
    pairs: list[Pair] = [("V3?", ["+3.0000 V"]), ("V3?", ["+3.0000 V"])]
    with expected_protocol(pairs) as (driver, script):
        script.lines = ["+9.0000 V"]
        assert driver.read_voltage(3) == 3.0
    pairs = [("V3=1.000000", ["OK"]), ("V3=1.000000", ["OK"]), ("V3?", ["+1.0 V"]), ("I3?", ["+1.0 mA"])]
    with expected_protocol(pairs) as (driver, script):
        script.lines = ["OK", "E01:07"]
        with pytest.raises(TripError, match="channel 7"):
            driver.set_voltages({3: 1.0})


def test_a_garbled_request_is_sent_again_and_a_second_time_is_an_error() -> None:
    with expected_protocol([("V3?", ["E15:00"]), ("V3?", ["+1.0000 V"])]) as (driver, _):
        assert driver.read_voltage(3) == 1.0
    with (
        expected_protocol([("V3?", ["E15:00"]), ("V3?", ["E15:00"])]) as (driver, _),
        pytest.raises(InstrumentError, match="E15, garbled as the answer to 'V3"),
    ):
        driver.read_voltage(3)


def test_nonsense_is_no_reading() -> None:
    for reply in (["+1.0000 mA"], ["hello"], ["+1.0 V, +2.0 mA"]):
        with (
            expected_protocol([("V3?", reply)]) as (driver, _),
            pytest.raises(InstrumentError, match="is no reading in V"),
        ):
            driver.read_voltage(3)


def test_a_silent_unit_times_out_and_the_line_is_found_again() -> None:
    with expected_protocol([("V3?", ["+1.0000 V"])]) as (driver, script):
        script.mute = True
        with pytest.raises(InstrumentTimeout, match="ASRL3::INSTR: no answer"):
            driver.read_voltage(3)
        script.mute = False
        script.lines = ["+7.0000 V", "Q8iv-0010"]  # what comes late
        assert driver.read_voltage(3) == 1.0


def test_a_read_back_that_never_agrees_names_the_channel() -> None:
    pairs: list[Pair] = [("V3=1.000000", ["OK"])] + 20 * [("V3?", ["+0.5000 V"]), ("I3?", ["+0.5 mA"])]
    with (
        expected_protocol(pairs) as (driver, _),
        pytest.raises(ReadbackError, match=r"channel 3 reads 0.5000 V .* set to 1.0000 V"),
    ):
        driver.set_voltages({3: 1.0})


def test_the_safe_state_is_sent_to_a_unit_that_does_not_answer() -> None:
    with expected_protocol([]) as (driver, script):
        script.mute = True
        script.sent = []
        with pytest.raises(SafeStateError, match="0 V was sent to every channel"):
            driver.safe_state()
        for channel in range(8):
            assert f"V{channel}=0.000000" in script.sent
        script.mute = False


def test_other_units_are_refused() -> None:
    pairs: list[Pair] = [("NUP=0", ["OK"]), ("NUPALL?", ["Q8iv-0010:0", "Q8b-0011:1"])]
    with pytest.raises(IdentityError, match="Q8b-0011"):
        QontrolQ8iv("heaters", resource=Script(pairs))  # type: ignore[arg-type]
    script = Script(opening())
    script.write = lambda text: script.lines.append("Keithley")  # type: ignore[method-assign]
    with pytest.raises(InstrumentError, match="answers 'Keithley'"):
        QontrolQ8iv("heaters", resource=script)  # type: ignore[arg-type]


# On the emulated chain ------------------------------------------------------------------------------------


@dataclass
class Rack:
    """The driver, and the bench that it does not see."""

    heaters: QontrolQ8iv
    bench: EmulatedBench

    def output_V(self, channel: int) -> float:
        unit: Any = self.bench.instruments["heaters"]
        return float(unit.channels[channel].at(self.bench.clock.now))


@pytest.fixture
def rack() -> Iterator[Rack]:
    wired = [k for k in range(CHANNELS) if k not in (OPEN, SHORTED)]
    section = {
        "seed": 3,
        "instruments": {
            "heaters": {"model": "qontrol_q8iv", "serial": "10", "options": {"channels": CHANNELS}}
        },
        "wires": [
            *(f"heaters.{k} -> 1 kOhm -> ground" for k in wired),
            f"heaters.{SHORTED} -> 2 ohm -> ground",
        ],
    }
    bench = build(EmulatorConfig.model_validate(section), {"heaters": PORT}, ".")
    manager = pyvisa.ResourceManager(HilVisaLibrary.for_bench(bench))  # type: ignore[arg-type]
    driver = QontrolQ8iv(
        f"heaters_{id(bench):x}",
        resource=manager.open_resource(PORT),
        pause=bench.clock.advance,  # type: ignore[arg-type]
    )
    yield Rack(driver, bench)
    driver.close()
    manager.close()


def test_ohms_law_on_every_wired_channel(rack: Rack) -> None:
    volts = {k: 0.25 + 0.5 * k for k in range(CHANNELS) if k not in (OPEN, SHORTED)}
    rack.heaters.set_voltages(volts)
    read_V, read_A = rack.heaters.voltages(), rack.heaters.currents()
    for k, value in volts.items():
        assert rack.output_V(k) == pytest.approx(value, rel=5e-3)
        assert read_V[k] == pytest.approx(value, rel=1e-2, abs=2e-3)
        assert read_A[k] == pytest.approx(value / OHM, rel=1e-2, abs=4e-6)
    rack.heaters.set_currents(dict.fromkeys(volts, 3e-3))
    for k in volts:
        assert rack.output_V(k) == pytest.approx(3.0, rel=5e-3)
    assert rack.heaters.channels[1].power() == pytest.approx(9e-3, rel=2e-2)


def test_arrays_and_the_serial_port(rack: Rack) -> None:
    assert rack.heaters.visa_handle.baud_rate == 115_200  # type: ignore[attr-defined]
    wanted = np.where(np.isin(np.arange(CHANNELS), [OPEN, SHORTED]), 0.0, 1.5)
    rack.heaters.voltages(wanted)
    np.testing.assert_allclose(rack.heaters.voltages(), wanted, atol=1e-2)
    rack.heaters.currents(wanted * 1e-3)
    np.testing.assert_allclose(rack.heaters.currents(), wanted * 1e-3, atol=2e-5)


def test_a_short_is_found_and_the_others_go_on(rack: Rack) -> None:
    rack.heaters.set_voltages({0: 2.0})
    with pytest.raises(TripError, match=rf"E02 on channel {SHORTED}.*shorted.*24 mA") as caught:
        rack.heaters.set_voltages({SHORTED: 1.0})
    assert caught.value.channels == (SHORTED,)
    assert rack.output_V(SHORTED) == 0.0
    assert rack.output_V(0) == pytest.approx(2.0, rel=5e-3)
    rack.heaters.set_voltages({0: 2.5})


def test_an_open_heater_is_found_in_current_mode(rack: Rack) -> None:
    rack.heaters.set_voltages({OPEN: 3.0})
    assert rack.heaters.read_current(OPEN) == pytest.approx(0.0, abs=2e-6)
    with pytest.raises(TripError, match=rf"E01 on channel {OPEN}.*open"):
        rack.heaters.set_currents({OPEN: 1e-3})
    assert rack.output_V(OPEN) == 0.0


def test_a_current_limit_trips_although_the_voltage_was_right(rack: Rack) -> None:
    rack.heaters.set_limit(2, amperes=2e-3)
    rack.heaters.set_voltages({2: 1.5})
    with pytest.raises(TripError, match=r"channel 2 may have 12 V and 2 mA"):
        rack.heaters.set_voltages({2: 5.0})
    assert rack.output_V(2) == 0.0


def test_a_trip_between_two_commands_is_told_before_the_next(rack: Rack) -> None:
    rack.heaters.set_voltages({1: 5.0})
    rack.heaters.write("IMAX1=1")
    rack.bench.clock.advance(0.1)
    assert rack.heaters.read_voltage(1) == pytest.approx(0.0, abs=2e-3)
    with pytest.raises(TripError, match="channel 1"):
        rack.heaters.set_voltages({0: 1.0})
    rack.heaters.set_voltages({0: 1.0})
    assert rack.heaters.errors() == []


def test_the_safe_state_at_once_and_by_a_ramp(rack: Rack) -> None:
    wired = [k for k in range(CHANNELS) if k not in (OPEN, SHORTED)]
    rack.heaters.set_voltages(dict.fromkeys(wired, 6.0))
    rack.heaters.safe_state()
    assert all(rack.output_V(k) == 0.0 for k in range(CHANNELS))
    rack.heaters.set_currents(dict.fromkeys(wired, 6e-3))
    began_s = rack.bench.clock.now
    rack.heaters.safe_state(ramp_s=0.5)
    now = rack.bench.clock.now
    assert now - began_s > 0.45
    assert all(rack.output_V(k) == 0.0 for k in range(CHANNELS))
    unit: Any = rack.bench.instruments["heaters"]
    grid = np.linspace(began_s, now, 2000)
    course = unit.channels[0].knots(began_s, now).at(grid)
    assert np.all(np.diff(course) <= 1e-2)
    assert course[1000] == pytest.approx(3.0, abs=0.4), "half way down at half time"
    assert np.max(-np.diff(course)) < 0.3, "in small steps"


def test_a_muddled_line_recovers(rack: Rack) -> None:
    unit: Any = next(
        iter(rack.bench.resources.values())
    )  # as the line gives it, with its own instrument behind
    rack.heaters.set_voltages({0: 1.0, 1: 2.0})
    spoken = unit.read

    def silent(limit: int) -> tuple[bytes, bool]:
        raise NothingToRead

    unit.read = silent
    with pytest.raises(InstrumentTimeout):
        rack.heaters.read_voltage(0)
    unit.read = spoken
    assert rack.heaters.read_voltage(1) == pytest.approx(2.0, rel=1e-2)
    unit.write(b"V0?\nV0?\n")  # somebody else's questions
    assert rack.heaters.read_voltage(1) == pytest.approx(2.0, rel=1e-2)
    unit.write(b"V0?\nV1")  # and half of one
    assert rack.heaters.read_voltage(1) == pytest.approx(2.0, rel=1e-2)
    unit.write(b"half a li")
    rack.heaters.recover()
    assert rack.heaters.errors() == []
    assert rack.heaters.read_voltage(0) == pytest.approx(1.0, rel=1e-2)


def test_anything_can_be_asked_and_written(rack: Rack) -> None:
    assert rack.heaters.ask("NUPALL?").split("\n") == ["Q8iv-0010:0", "Q8iv-0011:1"]
    assert rack.heaters.ask("ID?") == "Q8iv-0010"
    assert rack.heaters.read_voltage(0) == pytest.approx(0.0, abs=2e-3)
    with pytest.raises(InstrumentError, match="E10"):
        rack.heaters.write("NONSENSE=1")
    with pytest.raises(InstrumentError, match="E12 on channel 40"):
        rack.heaters.ask("V40?")


def test_it_plays_the_role(rack: Rack) -> None:
    source: HeaterSource = rack.heaters
    assert source.limits(0) == pytest.approx((12.0, 24e-3))
    assert source.identity() == "Q8iv-0010"
    assert len(source.read_currents()) == len(source.heaters) == CHANNELS
