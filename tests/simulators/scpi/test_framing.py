"""Finding message ends: blocks hide newlines, and how the bytes were cut must not matter."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.scpi.errors import ScpiError
from simulators.scpi.framing import MessageFramer

LIMIT = 64


def frames(pieces: list[bytes], end: bool = True, limit: int = LIMIT) -> list[bytes | int]:
    framer = MessageFramer(limit)
    found: list[bytes | ScpiError] = []
    for index, piece in enumerate(pieces):
        found += framer.feed(piece, end and index == len(pieces) - 1)
    return [item if isinstance(item, bytes) else item.code for item in found]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"*IDN?\n", [b"*IDN?"]),
        (b"*IDN?", [b"*IDN?"]),
        (b"*CLS\n*IDN?\n", [b"*CLS", b"*IDN?"]),
        (b"D #15\n\n\n\n\n\n", [b"D #15\n\n\n\n\n"]),
        (b"D 1,#13\n\n\n;*OPC\nX\n", [b"D 1,#13\n\n\n;*OPC", b"X"]),
        (b"D #0a\nb\n", [b"D #0a\nb"]),
        (b"D #0a\nb\n\n", [b"D #0a\nb\n"]),
        (b"D #15ab", [b"D #15ab"]),
        (b"D '#15'\nE\n", [b"D '#15'", b"E"]),
        (b'D "lost\nE\n', [b'D "lost', b"E"]),
        (b'D "lost\nE #13\n\n\n\n', [b'D "lost', b"E #13\n\n\n"]),
        (b"D #HFF\nE\n", [b"D #HFF", b"E"]),
        (b"#15\n", [b"#15"]),
        (b"A#15\nB\n", [b"A#15", b"B"]),
        (b"D #2x5\nE\n", [b"D #2x5", b"E"]),
        (b"\n\n", [b"", b""]),
        (b"", []),
        (b"A" * 64 + b"\n", [b"A" * 64]),
        (b"A" * 65 + b"\nB\n", [-363, b"B"]),
        (b"D #3100" + b"\n" * 100 + b"\nB\n", [-363, b"B"]),
    ],
)
def test_messages(data: bytes, expected: list[bytes | int]) -> None:
    assert frames([data]) == expected


def test_without_end_an_unfinished_message_waits() -> None:
    framer = MessageFramer(LIMIT)
    assert framer.feed(b"*ID", False) == []
    assert framer.pending
    assert framer.feed(b"N?\n", False) == [b"*IDN?"]
    assert not framer.pending


@pytest.mark.parametrize("cut_short", [b"D #19abc", b"D #0abc", b'D "abc', b"D #2"])
def test_what_end_cuts_short_does_not_touch_the_next_message(cut_short: bytes) -> None:
    framer = MessageFramer(LIMIT)
    assert framer.feed(cut_short, True) == [cut_short]
    assert framer.feed(b"E #13\n\n\n\nF\n", False) == [b"E #13\n\n\n", b"F"]


def test_clear_forgets_an_endless_block() -> None:
    framer = MessageFramer(LIMIT)
    assert framer.feed(b"D #9999999999", False) == []
    framer.feed(b"\n" * 1000, False)
    framer.clear()
    assert framer.feed(b"*IDN?\n", False) == [b"*IDN?"]


def test_an_overrun_does_not_keep_the_bytes() -> None:
    framer = MessageFramer(LIMIT)
    for _ in range(100):
        assert framer.feed(b"x" * 1000, False) == []
    assert len(framer._buffer) <= LIMIT
    (error,) = framer.feed(b"\n", False)
    assert isinstance(error, ScpiError)
    assert error.code == -363


fragments = st.lists(
    st.sampled_from(
        [
            b"*IDN?",
            b"V 1",
            b"\n",
            b";",
            b" ",
            b",",
            b"#",
            b"#0",
            b"#13",
            b"#210",
            b'"',
            b"'",
            b"abc\n",
            b"#41",
        ]
    )
    | st.binary(max_size=6),
    max_size=12,
).map(b"".join)


@settings(max_examples=400)
@given(data=fragments, cuts=st.lists(st.integers(0, 80), max_size=6), end=st.booleans())
def test_how_the_bytes_are_cut_does_not_matter(data: bytes, cuts: list[int], end: bool) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    for limit in (8, LIMIT, 1000):
        assert frames(pieces, end, limit) == frames([data], end, limit)


@given(
    messages=st.lists(st.binary(max_size=60), min_size=1, max_size=4),
    cut=st.integers(1, 20),
)
def test_blocks_come_through_whole(messages: list[bytes], cut: int) -> None:
    sent = [b"D 'x',#%d%d%b" % (len(str(len(m))), len(m), m) for m in messages]
    stream = b"".join(message + b"\n" for message in sent)
    pieces = [stream[i : i + cut] for i in range(0, len(stream), cut)]
    assert frames(pieces, end=False, limit=1000) == sent
