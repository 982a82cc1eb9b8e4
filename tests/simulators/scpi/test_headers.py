"""The header tree against the rules of SCPI-99, volume 1, chapter 6."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.scpi.errors import ScpiError
from simulators.scpi.headers import HeaderTree, absolute, check_header, parse_pattern


def tree() -> HeaderTree[str]:
    made: HeaderTree[str] = HeaderTree()
    made.add("[SOURce#]:VOLTage[:LEVel][:IMMediate]", "set", query=False)
    made.add("[SOURce#]:VOLTage[:LEVel][:IMMediate]", "get", query=True)
    made.add("[SOURce#]:VOLTage:LIMit#", "limit", query=False)
    made.add("SYSTem:ERRor[:NEXT]", "error", query=True)
    made.add("*IDN", "identify", query=True)
    return made


@pytest.mark.parametrize(
    ("header", "numbers"),
    [
        ("VOLT", (1,)),
        ("voltage", (1,)),
        ("SOUR:VOLT", (1,)),
        ("source3:Volt:lev", (3,)),
        ("SOUR24:VOLTAGE:LEVEL:IMM", (24,)),
        ("VOLT:IMM", (1,)),
        ("SOUR1:VOLT1:LEV1", (1,)),
    ],
)
def test_every_spelling_leads_to_the_command(header: str, numbers: tuple[int, ...]) -> None:
    leaf, found = tree().find(header, query=False)
    assert leaf.target == "set"
    assert found == numbers


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("VOLTA", -113),
        ("VOL", -113),
        ("SOURC:VOLT", -113),
        ("SOUR", -113),
        ("VOLT:IMM:LEV", -113),
        ("", -113),
        ("*RST", -113),
        ("VOLT2", -114),
        ("SOUR2:VOLT:LEV7", -114),
    ],
)
def test_nothing_in_between_is_accepted(header: str, code: int) -> None:
    with pytest.raises(ScpiError) as caught:
        tree().find(header, query=False)
    assert caught.value.code == code


def test_two_numbers_in_one_header() -> None:
    leaf, numbers = tree().find("SOUR3:VOLT:LIM2", query=False)
    assert (leaf.target, numbers, leaf.names) == ("limit", (3, 2), ("SOUR", "LIM"))
    assert tree().find("VOLT:LIM", query=False)[1] == (1, 1)


def test_a_query_that_does_not_exist_is_undefined() -> None:
    with pytest.raises(ScpiError, match=r"Undefined header;SOUR:VOLT:LIM\?"):
        tree().find("SOUR:VOLT:LIM", query=True)


def test_the_same_spelling_twice_is_refused_when_the_class_is_made() -> None:
    made = tree()
    with pytest.raises(ValueError, match="already a command"):
        made.add("VOLTage:LEVel", "other", query=False)


@pytest.mark.parametrize(
    "pattern", ["", "[SOURce]", "VOLT age", "VOLT:", "[VOLT:LEV]:X", "VOLT]", "[VOLT", "3V"]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|names no command"):
        parse_pattern(pattern)


@pytest.mark.parametrize(
    ("path", "header", "whole", "after"),
    [
        ("", "SOUR:VOLT", "SOUR:VOLT", "SOUR"),
        ("SOUR", "VOLT:MODE", "SOUR:VOLT:MODE", "SOUR:VOLT"),
        ("SOUR:VOLT", ":OUTP", "OUTP", ""),
        ("SOUR:VOLT", "*OPC", "*OPC", "SOUR:VOLT"),
        ("", "OUTP", "OUTP", ""),
    ],
)
def test_path_rule(path: str, header: str, whole: str, after: str) -> None:
    assert absolute(header, path) == (whole, after)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("VOLT ", -102),
        ("VO%LT", -102),
        ("::VOLT", -102),
        ("", -102),
        ("VOLT:", -102),
        ("VÖLT", -101),
        ("A" * 16, -112),
    ],
)
def test_malformed_headers(header: str, code: int) -> None:
    with pytest.raises(ScpiError) as caught:
        check_header(header)
    assert caught.value.code == code


mnemonics = st.builds(
    lambda short, rest: short + rest,
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=4),
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=5),
)


@given(
    nodes=st.lists(
        st.tuples(mnemonics, st.booleans(), st.booleans()),
        min_size=1,
        max_size=4,
        unique_by=lambda node: node[0][0],
    ),
    data=st.data(),
)
def test_generated_patterns_take_exactly_their_spellings(
    nodes: list[tuple[str, bool, bool]], data: st.DataObject
) -> None:
    nodes[-1] = (nodes[-1][0], False, nodes[-1][2])
    pattern = ":".join(f"{n}#" if numbered else n for n, _, numbered in nodes)
    pattern = "".join(
        ("" if i == 0 else ":") + name if not optional else f"[{'' if i == 0 else ':'}{name}]"
        for i, (name, (_, optional, _)) in enumerate(zip(pattern.split(":"), nodes, strict=True))
    )
    made: HeaderTree[str] = HeaderTree()
    made.add(pattern, "it", query=True)
    spelled: list[str] = []
    expected: list[int] = []
    for mnemonic, optional, numbered in nodes:
        if optional and data.draw(st.booleans()):
            expected += [1] * numbered
            continue
        short = "".join(c for c in mnemonic if c.isupper())
        word = data.draw(st.sampled_from([short, mnemonic.upper(), short.lower(), mnemonic]))
        number = data.draw(st.none() | st.integers(0, 99)) if numbered else None
        expected += [1 if number is None else number] * numbered
        spelled.append(word + ("" if number is None else str(number)))
    leaf, numbers = made.find(":".join(spelled), query=True)
    assert leaf.target == "it"
    assert numbers == tuple(expected)


def test_every_truncation_of_a_long_form_but_the_short_one_is_refused() -> None:
    made = tree()
    for first, second in itertools.product(range(1, 7), range(1, 6)):
        header = f"{'SYSTEM'[:first]}:{'ERROR'[:second]}"
        if first in (4, 6) and second in (3, 5):
            assert made.find(header, query=True)[0].target == "error"
        else:
            with pytest.raises(ScpiError):
                made.find(header, query=True)
