"""Framers: how a stream is cut makes no difference, and what they keep has a limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.framing import Framer, InputOverrun, LineFramer
from simulators.scpi.errors import ScpiError
from simulators.scpi.framing import MessageFramer
from tests.fuzz.scpi import LIMIT, framed_by

STREAM = st.lists(
    st.one_of(st.binary(max_size=30), st.sampled_from([b"\n", b"\r\n", b"#13", b' "', b"x" * 200, b"#0"])),
    max_size=12,
)


@pytest.mark.parametrize(
    "framer", [LineFramer(LIMIT), MessageFramer(LIMIT, whole=True)], ids=["lines", "SCPI"]
)
@given(parts=STREAM)
def test_cutting_makes_no_difference(framer: Framer, parts: list[bytes]) -> None:
    kind = type(framer)
    make = (lambda: LineFramer(LIMIT)) if kind is LineFramer else (lambda: MessageFramer(LIMIT, whole=True))
    framed_by(make)([(part, False) for part in parts])


def test_lines() -> None:
    framer = LineFramer(4)
    assert framer.feed(b"a\rb\n\nc", False) == [b"a\r", b"b\n", b"\n"]
    assert framer.feed(b"", True) == [b"c"]
    assert framer.feed(b"", True) == []
    (dropped, kept) = framer.feed(b"abcde\nf\n", False)
    assert isinstance(dropped, InputOverrun)
    assert kept == b"f\n"
    assert framer.feed(b"abc", False) == framer.feed(b"def", False) == []
    assert isinstance(framer.feed(b"\r", False)[0], InputOverrun)
    framer.feed(b"abc", False)
    framer.clear()
    assert framer.feed(b"\r", False) == [b"\r"]


def test_whole_messages_keep_their_newlines() -> None:
    framer = MessageFramer(100, whole=True)
    assert framer.feed(b'a "x\n', False) == [b'a "x\n']
    assert framer.feed(b"b #12\n\n\nc", False) == [b"b #12\n\n\n"]
    assert framer.feed(b"\n", True) == [b"c\n"]
    assert framer.feed(b"d #0e\n", True) == [b"d #0e\n"]
    (error,) = framer.feed(b"f" * 101 + b"\n", False)
    assert isinstance(error, ScpiError)
    assert error.code == -363
