"""Parameter types: what each accepts, and the error number of everything else."""

import contextlib
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.scpi import (
    Block,
    Boolean,
    ChannelList,
    Choice,
    Integer,
    Number,
    Optional,
    Parameter,
    Rest,
    ScpiError,
    Text,
)

VOLTS = Number("V", -10, 10, default=1)


def read(parameter: Parameter, token: Any) -> Any:
    return parameter.convert(token, None, ())


@pytest.mark.parametrize(
    ("token", "value"),
    [
        ("1.5", 1.5),
        ("-2e-3", -2e-3),
        (".5", 0.5),
        ("5.", 5.0),
        ("1.5V", 1.5),
        ("1.5 MV", 1.5e-3),
        ("3 uV", 3e-6),
        ("0.001 kv", 1.0),
        ("0.000001 MAV", 1.0),
        ("1 E 1", 10.0),
        ("MIN", -10.0),
        ("maximum", 10.0),
        ("DEF", 1.0),
        ("#HA", 10.0),
        ("#Q7", 7.0),
        ("#b101", 5.0),
    ],
)
def test_numbers(token: str, value: float) -> None:
    assert read(VOLTS, token) == pytest.approx(value, rel=1e-15)


def test_an_m_before_ohm_is_mega() -> None:
    assert read(Number("Ohm"), "10 MOHM") == 10e6
    assert read(Number("A"), "10 MA") == 10e-3


@pytest.mark.parametrize(("token", "value"), [("2 MHZ", 2e6), ("2 kHz", 2e3), ("3 HZ", 3.0)])
def test_an_m_before_hertz_is_mega(token: str, value: float) -> None:
    assert read(Number("Hz"), token) == value


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("10.1", -222),
        ("-1e9", -222),
        ("1e400", -222),
        ("1e99999999", -123),
        ("INF", -222),
        ("nan", -104),
        ("inf", -222),
        ("infinity", -222),
        ("1_0", -121),
        ("1.2.3", -121),
        ("+", -121),
        ("ABC", -104),
        ("MINI", -104),
        ("1 A", -131),
        ("1 QV", -131),
        ('"1"', -158),
        (b"1", -168),
        ("(@1)", -104),
    ],
)
def test_what_is_no_voltage(token: str | bytes, code: int) -> None:
    with pytest.raises(ScpiError) as caught:
        read(VOLTS, token)
    assert caught.value.code == code


def test_a_unit_on_a_plain_number_and_bounds_that_do_not_exist() -> None:
    for token, code in (("1 V", -138), ("MIN", -224)):
        with pytest.raises(ScpiError) as caught:
            read(Number(), token)
        assert caught.value.code == code


def test_infinity_where_it_is_allowed() -> None:
    parameter = Number(infinity=True)
    assert read(parameter, "INF") == math.inf
    assert read(parameter, "NINF") == -math.inf
    assert read(parameter, "9.9E37") == 9.9e37
    assert read(Integer(1, infinity=True), "INFinity") == math.inf


def test_bounds_may_depend_on_the_instrument_and_the_channel() -> None:
    parameter = Number("V", lambda bench, channel: -bench[channel], lambda bench, channel: bench[channel])
    assert parameter.convert("2", {3: 2.0}, (3,)) == 2.0
    with pytest.raises(ScpiError, match="above 2"):
        parameter.convert("2.1", {3: 2.0}, (3,))
    assert parameter.convert("MIN", {3: 2.0}, (3,)) == -2.0


@given(st.floats(-10, 10))
def test_a_written_float_is_read_back(value: float) -> None:
    assert read(VOLTS, repr(value)) == value
    assert read(VOLTS, f"{value:.17E} V") == value


@given(st.text(min_size=1, max_size=12) | st.binary(max_size=8))
def test_no_token_raises_anything_but_scpi_errors(token: str | bytes) -> None:
    for parameter in (
        VOLTS,
        Integer(0, 5),
        Boolean(),
        Choice("FIXed", "INTernal#"),
        Text(),
        ChannelList(),
        Block(),
    ):
        with contextlib.suppress(ScpiError):
            read(parameter, token)


def test_integers_are_rounded() -> None:
    assert read(Integer(0, 300), "2.6") == 3
    assert isinstance(read(Integer(0, 300), "2.6"), int)


@pytest.mark.parametrize(
    ("token", "state"),
    [("ON", True), ("off", False), ("1", True), ("0", False), ("2.7", True), ("0.4", False)],
)
def test_booleans(token: str, state: bool) -> None:
    assert read(Boolean(), token) is state


@pytest.mark.parametrize(
    ("token", "word"), [("fix", "FIX"), ("FIXED", "FIX"), ("int3", "INT3"), ("INTERNAL", "INT1")]
)
def test_choices(token: str, word: str) -> None:
    assert read(Choice("FIXed", "INTernal#"), token) == word


@pytest.mark.parametrize("token", ["FIXE", "LIST", "FIX1", "3"])
def test_other_words_are_illegal(token: str) -> None:
    with pytest.raises(ScpiError, match="Illegal parameter value"):
        read(Choice("FIXed", "INTernal#"), token)


def test_strings() -> None:
    assert read(Text(), '"say ""hi"""') == 'say "hi"'
    assert read(Text(), "'it''s'") == "it's"
    assert read(Text(bare=True), "name") == "name"
    with pytest.raises(ScpiError):
        read(Text(), "name")
    with pytest.raises(ScpiError, match="Too much data"):
        read(Text(longest=3), "'four'")


@pytest.mark.parametrize(
    ("token", "channels"),
    [("(@1)", (1,)), ("(@1,3:5)", (1, 3, 4, 5)), ("(@ 5:3 , 1 )", (5, 4, 3, 1)), ("(@2:2)", (2,))],
)
def test_channel_lists(token: str, channels: tuple[int, ...]) -> None:
    assert read(ChannelList(8), token) == channels


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("(@)", -171),
        ("(@1:2:3)", -171),
        ("(@a)", -171),
        ("(@9)", -222),
        ("(@0)", -222),
        ("1", -104),
        ("(1)", -104),
    ],
)
def test_what_is_no_channel_list(token: str, code: int) -> None:
    with pytest.raises(ScpiError) as caught:
        read(ChannelList(8), token)
    assert caught.value.code == code


def test_a_channel_list_cannot_fill_the_memory() -> None:
    with pytest.raises(ScpiError, match="Too much data"):
        read(ChannelList(), "(@" + ",".join(["1:60000"] * 1000) + ")")


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=50))
def test_blocks(values: list[float]) -> None:
    wire = np.array(values, "<f4")
    for dtype in ("<f4", ">f4"):
        got = read(Block(dtype), wire.astype(dtype).tobytes())
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, wire.astype(np.float64))
    if values:
        got = Block().convert_rest([repr(v) for v in values], None, ())
        np.testing.assert_array_equal(got, values)


def test_block_layouts() -> None:
    assert read(Block(None), b"\x00\x01") == b"\x00\x01"
    np.testing.assert_array_equal(read(Block(">i2"), b"\x01\x00"), [256])
    np.testing.assert_array_equal(read(Block(lambda _: "<u1"), b"\x07"), [7])
    with pytest.raises(ScpiError, match="Invalid block data"):
        read(Block(), b"\x00\x01\x02")


def test_optional_and_rest() -> None:
    assert Optional(VOLTS, default=4.0).default == 4.0
    assert read(Optional(VOLTS), "2") == 2.0
    assert Rest(VOLTS).convert_rest(["1", "2 MV"], None, ()) == (1.0, 2e-3)
    with pytest.raises(ScpiError, match="Missing parameter"):
        Rest(VOLTS, least=3).convert_rest(["1", "2"], None, ())
