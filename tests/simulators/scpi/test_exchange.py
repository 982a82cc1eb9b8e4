"""The message exchange: order, path rule, answers, waiting on the virtual clock, query errors."""

import itertools
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.clock import VirtualClock
from simulators.instrument import NothingToRead
from simulators.scpi import Later, Number, ScpiError, ScpiInstrument, command, query
from tests.simulators.scpi.supply import ArraySource, Supply


def answer(instrument: ScpiInstrument) -> str:
    data, end = instrument.read(1 << 20)
    assert end
    return data.decode("latin-1").removesuffix("\n")


def ask(instrument: ScpiInstrument, message: str) -> str:
    instrument.write(message.encode("latin-1"))
    return answer(instrument)


def errors(instrument: ScpiInstrument) -> list[int]:
    codes = []
    while (code := int(ask(instrument, "SYST:ERR?").partition(",")[0])) != 0:
        codes.append(code)
    return codes


@pytest.fixture
def supply() -> Supply:
    return Supply(VirtualClock())


def test_a_compound_message_is_answered_once(supply: Supply) -> None:
    assert ask(supply, "*IDN?;:SOUR2:VOLT 1.5;VOLT?;:VOLT?\n") == (
        "hil,Supply,17,1.0;+1.50000000E+00;+0.00000000E+00"
    )


def test_the_path_stays_and_common_commands_leave_it_alone(supply: Supply) -> None:
    assert ask(supply, "SOUR2:VOLT:LEV 2;*CLS;MODE LIST;*OPC;LEV?;MODE?") == "+2.00000000E+00;LIST"
    assert errors(supply) == []
    supply.write(b"SOUR2:VOLT:LEV 2;VOLT:LEV 2")
    assert errors(supply) == [-113]


def test_a_command_error_drops_the_rest_and_an_execution_error_does_not(supply: Supply) -> None:
    supply.write(b"VOLT 99;:SOUR2:VOLT 3")
    assert (supply.volts[1], supply.volts[2]) == (0.0, 3.0)
    supply.write(b"VOLTA 1;:SOUR3:VOLT 3")
    assert supply.volts[3] == 0.0
    assert ask(supply, "VOLT?;NONE?;VOLT?") == "+0.00000000E+00"
    supply.write(b"VOLT ABC;:SOUR4:VOLT 3")
    assert supply.volts[4] == 0.0
    assert errors(supply) == [-222, -113, -113, -104]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("VOLT", -109),
        ("VOLT 1,2", -108),
        ("VOLT? 1", -108),
        ("VOLT 1,", -103),
        ("VOLT ,", -103),
        ("VOLT 1 2", -121),
        ("VOLT '1'2", -103),
        ("SOUR5:VOLT 1", -114),
        ("SOUR0:VOLT 1", -114),
        ("OUTP5 ON", -114),
        ("SAMP:COUN 0", -222),
        ("TRAC:DATA 'x',#3", -161),
        ("TRAC:DATA 'x',#15abc", -161),
        ("TRAC:DATA 'x,1", -151),
        ("ROUT:CLOS (@1", -171),
        ("*IDN", -113),
        ("*FOO?", -113),
        ("VOLT\x01\xff", -104),
        ("\xff", -101),
        ("?", -102),
        (":", -102),
    ],
)
def test_every_fault_has_its_number(supply: Supply, message: str, code: int) -> None:
    supply.write(message.encode("latin-1"))
    assert errors(supply) == [code]
    with pytest.raises(NothingToRead):
        supply.read(10)


def test_minimum_maximum_and_default_can_be_asked_for(supply: Supply) -> None:
    supply.limit = 4.0
    assert ask(supply, "VOLT? MAX;:VOLT? MIN;:VOLT? DEF") == "+4.00000000E+00;-1.00000000E+01;+0.00000000E+00"
    assert ask(supply, "SAMP:COUN? MAX;COUN? DEF") == "1000;10"
    supply.write(b"VOLT MAX")
    assert supply.volts[1] == 4.0


def test_blocks_and_lists_carry_the_same_points(supply: Supply) -> None:
    points = np.array([1.5, -2.0, 10.0, 0.125], "<f4")
    supply.write(b'TRAC:DATA "a",#216' + points.tobytes() + b"\n")
    supply.write(b'TRAC:DATA "b",1.5,-2,10,125e-3\n')
    supply.write(b'TRAC:DATA "c",#0' + points.tobytes() + b"\n")
    assert ask(supply, "TRAC:CAT?") == '"a","b","c"'
    for name in "abc":
        np.testing.assert_array_equal(supply.stored[name], points.astype(float), err_msg=name)
    supply.write(b'TRAC:DATA? "a"')
    assert supply.read(100) == (b"#216" + points.tobytes() + b"\n", True)


def test_an_answer_can_be_read_in_pieces(supply: Supply) -> None:
    supply.write(b"*IDN?")
    assert supply.read(3) == (b"hil", False)
    assert supply.message_available
    assert supply.read(100) == (b",Supply,17,1.0\n", True)
    assert not supply.message_available


def test_how_values_are_written(supply: Supply) -> None:
    supply.write(b"LIST:POIN 1,-2 MV,3E9;:OUTP2 ON;:ROUT:CLOS (@2:4)")
    assert ask(supply, "LIST:POIN?") == "+1.00000000E+00,-2.00000000E-03,+3.00000000E+09"
    assert ask(supply, "OUTP2?;:OUTP?;:ROUT:CLOS?") == "1;0;2,3,4"
    supply.count = float("inf")
    assert ask(supply, "SAMP:COUN?") == "9.9E+37"


# Waiting ----------------------------------------------------------------------------------------------------


def test_a_measurement_takes_virtual_time_and_holds_up_what_follows(supply: Supply) -> None:
    supply.write(b"MEAS? 2;:VOLT 1;*IDN?")
    with pytest.raises(NothingToRead) as nothing:
        supply.read(100)
    assert nothing.value.ready_at == 2.0
    assert supply.volts[1] == 0.0
    supply.clock.advance(5.0)
    assert supply.volts[1] == 1.0
    assert answer(supply) == "+2.00000000E+00;hil,Supply,17,1.0"


def test_operation_complete_waits_for_the_slew(supply: Supply) -> None:
    supply.write(b"*CLS;VOLT 4;*OPC")
    assert ask(supply, "*ESR?") == "0"
    supply.clock.advance(1.9)
    assert ask(supply, "*ESR?") == "0"
    supply.clock.advance(0.2)
    assert ask(supply, "*ESR?") == "1"
    supply.write(b"VOLT 0;*OPC?")
    with pytest.raises(NothingToRead) as nothing:
        supply.read(10)
    assert nothing.value.ready_at == pytest.approx(4.1)
    supply.clock.advance_to(4.1)
    assert answer(supply) == "1"


def test_operation_complete_is_given_up_by_clear_status_and_reset(supply: Supply) -> None:
    for way in (b"*CLS", b"*RST", None):
        supply.write(b"*ESR?")
        answer(supply)
        supply.write(b"VOLT 4;*OPC")
        if way is None:
            supply.clear()
        else:
            supply.write(way)
        supply.clock.advance(10.0)
        assert ask(supply, "*ESR?") == "0"
        supply.write(b"VOLT 0")
        supply.clock.advance(10.0)


def test_wait_holds_the_next_command_until_the_slew_has_ended(supply: Supply) -> None:
    supply.write(b"VOLT 4;*WAI;:SOUR2:VOLT 1\n")
    supply.write(b"SOUR3:VOLT 1\n")
    assert (supply.volts[2], supply.volts[3]) == (0.0, 0.0)
    supply.clock.advance(2.0)
    assert (supply.volts[2], supply.volts[3]) == (1.0, 1.0)


def test_an_answer_whose_instant_is_unknown_comes_after_the_trigger(supply: Supply) -> None:
    supply.write(b"FETC?")
    with pytest.raises(NothingToRead) as nothing:
        supply.read(10)
    assert nothing.value.ready_at is None
    supply.clear()
    supply.trigger()
    supply.write(b"FETC?")
    with pytest.raises(NothingToRead) as nothing:
        supply.read(10)
    assert nothing.value.ready_at == 0.5
    supply.clock.advance(0.5)
    assert answer(supply) == "1"


def test_a_device_clear_ends_a_wait_that_would_not_end(supply: Supply) -> None:
    supply.write(b"*IDN?;FETC?;*IDN?")
    supply.write(b"VOLT 3")
    supply.clear()
    assert supply.volts[1] == 0.0
    assert ask(supply, "*IDN?") == "hil,Supply,17,1.0"
    assert errors(supply) == []


def test_a_trigger_waits_its_turn(supply: Supply) -> None:
    supply.write(b"MEAS? 1")
    supply.trigger()
    assert supply.triggers == 0
    supply.clock.advance(1.0)
    assert supply.triggers == 1


def test_a_measurement_that_fails_in_the_end_is_an_error_and_holds_nothing_up() -> None:
    class Failing(Supply):
        @query("LATE:RANGe")
        def out_of_range(self) -> Later:
            def produce() -> float:
                raise ScpiError(-222, "too late")

            return Later(self.clock.now + 1.0, produce)

        @query("LATE:BROKen")
        def no_instant(self) -> Later:
            return Later(lambda: 1 / 0, lambda: 1)

    failing = Failing(VirtualClock())
    failing.write(b"LATE:RANG?")
    failing.clock.advance(1.0)
    failing.write(b"LATE:BROK?")
    assert errors(failing) == [-222, -310]


# Query errors -----------------------------------------------------------------------------------------------


def test_an_unread_answer_is_interrupted(supply: Supply) -> None:
    supply.write(b"VOLT?")
    assert ask(supply, "*IDN?") == "hil,Supply,17,1.0"
    supply.write(b"*IDN?")
    supply.read(3)
    supply.write(b"VOLT 1")
    with pytest.raises(NothingToRead):
        supply.read(10)
    assert errors(supply) == [-410, -410]
    assert int(ask(supply, "*ESR?")) & 4


def test_an_empty_message_interrupts_nothing(supply: Supply) -> None:
    supply.write(b"*IDN?\n")
    supply.write(b"\r\n")
    assert answer(supply) == "hil,Supply,17,1.0"
    assert errors(supply) == []


def test_reading_without_a_question_is_unterminated(supply: Supply) -> None:
    supply.query_timed_out()
    assert errors(supply) == [-420]
    supply.write(b"MEAS? 5")
    supply.query_timed_out()
    supply.clock.advance(5.0)
    answer(supply)
    assert errors(supply) == []


def test_input_overrun_and_deadlock(supply: Supply) -> None:
    supply.write(b"A" * (supply.input_limit + 1) + b"\n")
    assert errors(supply) == [-363]
    supply.write(b"*IDN?\n")
    supply.write(b"A" * (supply.input_limit + 1) + b"\n")
    with pytest.raises(NothingToRead):
        supply.read(10)
    assert errors(supply) == [-430]


def test_an_instrument_of_byte_streams_answers_everything_in_order() -> None:
    source = ArraySource(VirtualClock())
    source.write(b"*IDN?\nVOLT?\n", end=False)
    source.write(b"OUTP", end=False)
    source.write(b"?\n", end=False)
    assert [answer(source) for _ in range(3)] == ["hil,Supply,17,1.0", "+0.00000000E+00", "0"]
    source.query_timed_out()
    assert errors(source) == []


# Channel lists, triggers, failures --------------------------------------------------------------------------


def test_a_channel_list_runs_a_command_for_each_channel() -> None:
    source = ArraySource(VirtualClock())
    source.write(b"SOUR:VOLT 1.5,(@1,3:4)\n")
    assert source.volts == {1: 1.5, 2: 0.0, 3: 1.5, 4: 1.5}
    assert ask(source, "VOLT? (@2:3)") == "+0.00000000E+00,+1.50000000E+00"
    assert ask(source, "VOLT? MAX,(@2:3)") == "+1.00000000E+01,+1.00000000E+01"
    source.write(b"SOUR:VOLT 1,(@5)\n")
    source.write(b"*TRG;:ROUT:CLOS (@1:2)\n")
    assert source.closed == (1, 2)
    assert errors(source)[-1] == -222


def test_triggers(supply: Supply) -> None:
    supply.write(b"*TRG")
    supply.trigger()
    assert supply.triggers == 2

    class Deaf(ScpiInstrument):
        pass

    deaf = Deaf(VirtualClock())
    deaf.trigger()
    deaf.write(b"*TRG")
    assert errors(deaf) == [-211, -211]


def test_a_failing_handler_is_a_system_error_and_is_logged(
    supply: Supply, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "simulators.scpi"):
        supply.write(b"CAL:FAIL?")
    assert "ZeroDivisionError" in caplog.text
    assert ask(supply, "SYST:ERR?") == '-310,"System error;ZeroDivisionError: inside the instrument"'


def test_an_overriding_method_keeps_its_header_and_a_new_declaration_replaces_the_old() -> None:
    class Other(Supply):
        def voltage(self, channel: int) -> float:
            return 7.0

        @query("[SOURce#]:VOLTage:MODE")
        def another_mode(self, channel: int) -> str:
            return "OTHER"

        @query("SLOW")
        def twice(self) -> Later:
            return Later(1.0, lambda: Later(2.0, lambda: "done"))

        @command("FORMat", Number())
        def _private(self, value: float) -> None: ...

        def format_real(self, value: float) -> str:
            return f"{value:g}"

    other = Other(VirtualClock(), identity="a,b,c,d")
    assert ask(other, "*IDN?;:VOLT?;:VOLT:MODE?") == "a,b,c,d;7;OTHER"
    other.write(b"SLOW?")
    other.clock.advance(3.0)
    assert answer(other) == "done"


# Generated input --------------------------------------------------------------------------------------------

FRAGMENTS = (
    *(
        b"SOUR2:VOLT ",
        b"*IDN?",
        b"1.5",
        b";",
        b"\n",
        b",",
        b" ",
        b":",
        b"?",
        b"#14",
        b"#0",
        b"(@1:3)",
        b"MAX",
    ),
    *(b'"x"', b"'", b"TRAC:DATA ", b"MEAS?", b"*WAI", b"*OPC?", b"FETC?", b"\xff\x00", b"SYST:ERR?"),
)
junk = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=8), max_size=14).map(b"".join)


@settings(max_examples=300)
@given(pieces=st.lists(st.tuples(junk, st.booleans()), max_size=5))
def test_no_input_raises_hangs_or_deafens(pieces: list[tuple[bytes, bool]]) -> None:
    supply = Supply(VirtualClock())
    for data, end in pieces:
        supply.write(data, end)
        supply.status_byte()
        supply.clock.advance(0.3)
        try:
            supply.read(5)
        except NothingToRead:
            supply.query_timed_out()
    supply.clear()
    assert ask(supply, "*IDN?") == "hil,Supply,17,1.0"
    assert all(-500 < code < 0 for code in errors(supply))


@settings(max_examples=200)
@given(data=junk, cuts=st.lists(st.integers(0, 60), max_size=4))
def test_splitting_a_message_anywhere_gives_the_same_result(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    whole, cut_up = Supply(VirtualClock()), Supply(VirtualClock())
    for instrument in (whole, cut_up):
        instrument.interrupts = False
    whole.write(data)
    for start, stop in itertools.pairwise(edges[:-1]):
        cut_up.write(data[start:stop], end=False)
    cut_up.write(data[edges[-2] :])
    whole.clock.advance(100.0)
    cut_up.clock.advance(100.0)
    whole.clear()
    cut_up.clear()
    assert [e.args for e in whole.status.errors._entries] == [e.args for e in cut_up.status.errors._entries]
    assert whole.volts == cut_up.volts


@given(
    sets=st.lists(st.tuples(st.integers(1, 4), st.floats(-10, 10), st.booleans(), st.booleans()), min_size=1),
)
def test_generated_commands_round_trip(sets: list[tuple[int, float, bool, bool]]) -> None:
    supply = Supply(VirtualClock())
    expected = dict.fromkeys(range(1, 5), 0.0)
    parts = []
    for channel, volts, long, explicit in sets:
        header = f"{'SOURCE' if long else 'sour'}{channel}:{'VOLTAGE' if long else 'Volt'}"
        parts.append(f":{header}{':LEV:IMM' if explicit else ''} {volts!r}{' V' if explicit else ''}")
        expected[channel] = volts
    queries = ";".join(f":SOUR{channel}:VOLT?" for channel in expected)
    got = ask(supply, ";".join(parts) + ";" + queries + "\n").split(";")
    assert [float(value) for value in got] == pytest.approx(list(expected.values()), rel=1e-8, abs=1e-300)
    assert supply.volts == expected
    assert errors(supply) == []
