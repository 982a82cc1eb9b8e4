"""Arbitrary bytes to the SCPI engine of every emulated instrument, and to everything that frames a stream.

    python -m tests.fuzz.scpi -max_total_time=3600     an hour; any other libFuzzer option goes the same way
    python -m tests.fuzz.scpi crash-...                one input again

Needs atheris (`pip install atheris`), which is no dependency of hil: it is for Linux and for some versions of
Python only. An input that breaks something is left as a file crash-..., and the exception says what broke.

The first byte of an input chooses the target, the second how the rest is cut into pieces; each piece is one
write, and some of them end with the transport's END.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from simulators.clock import VirtualClock
from simulators.framing import Framer, LineFramer
from simulators.instrument import NothingToRead
from simulators.instruments.catalogue import covered_headers, models, personality
from simulators.scpi import ScpiInstrument
from simulators.scpi.framing import MessageFramer
from simulators.server.hislip_messages import MessageReader, PoorHeader

LIMIT = 300  # bytes that the framers here keep of one message

MODELS = [model for model in sorted(models()) if issubclass(personality(model), ScpiInstrument)]

Pieces = list[tuple[bytes, bool]]


class Broken(Exception):
    """What was promised does not hold."""


def pieces(data: bytes) -> Pieces:
    """The rest of an input in pieces, as its first byte says; every third ends with END."""
    size = 1 + data[0] % 61 if data else 1
    rest = data[1:]
    return [(rest[k : k + size], k // size % 3 == 2) for k in range(0, len(rest), size)]


def instrument_of(model: str) -> Callable[[Pieces], None]:
    """A target: whatever comes, no exception, no handler that failed, and an answer afterwards."""

    kind = personality(model)  # as `make_instrument` does, but it looks through all that is installed

    def feed(sent: Pieces) -> None:
        clock = VirtualClock()
        instrument = kind(clock, "1", np.random.default_rng(0), 0.0, 1.0, **kind.example.options)
        for data, end in sent:
            instrument.write(data, end)
            instrument.status_byte()
            clock.advance(1e-3)
            try:
                instrument.read(100)
            except NothingToRead as nothing:
                if nothing.ready_at is not None and nothing.ready_at <= clock.now:
                    raise Broken("an answer was promised for an instant that has passed") from None
            while len(instrument.status.errors):
                error = instrument.status.errors.pop()
                if error.code == -310:
                    raise Broken(error.message)
        instrument.clear()
        instrument.write(b"*IDN?\n")
        if b"," not in instrument.read(100)[0]:
            raise Broken("deaf after a device clear")

    return feed


def framed_by(make: Callable[[], Framer]) -> Callable[[Pieces], None]:
    """A target: messages do not depend on how the stream is cut, none is too long, and nothing is added."""

    def messages(sent: Pieces) -> Iterator[bytes | None]:
        framer = make()
        for data, _ in sent:
            for message in framer.feed(data, False):
                yield message if isinstance(message, bytes) else None

    def feed(sent: Pieces) -> None:
        whole = b"".join(data for data, _ in sent)
        cut = list(messages(sent))
        if cut != list(messages([(whole, False)])):
            raise Broken("how the stream is cut makes a difference")
        if any(message is not None and len(message) > LIMIT for message in cut):
            raise Broken("a message is longer than the limit")
        if None not in cut and not whole.startswith(b"".join(message or b"" for message in cut)):
            raise Broken("the messages are not what came")

    return feed


def read_as_hislip(sent: Pieces) -> None:
    """A target: PoorHeader is the only exception."""
    reader = MessageReader()
    try:
        for data, _ in sent:
            list(reader.feed(data))
    except PoorHeader:
        return


TARGETS: list[Callable[[Pieces], None]] = [
    *(instrument_of(model) for model in MODELS),
    framed_by(lambda: MessageFramer(LIMIT, whole=True)),
    framed_by(lambda: LineFramer(LIMIT)),
    read_as_hislip,
]


def exercise(data: bytes) -> None:
    """Run one input."""
    if data:
        TARGETS[data[0] % len(TARGETS)](pieces(data[1:]))


def seeds() -> Iterator[bytes]:
    """Inputs to start from: the headers of every instrument, blocks, and HiSLIP messages."""
    for k, model in enumerate(MODELS):
        for header in covered_headers(model):
            plain = header.replace("[", "").replace("]", "").replace("#", "2").lstrip(":")
            yield bytes([k, 60]) + plain.encode() + b" 1,(@1:3)\n"
    for k in range(len(MODELS), len(TARGETS)):
        for text in (b"a 1\rb?\n", b'X "q\n",#15ab\ncd\n', b"X #0abc\n", b"#9999999999", b"x" * 1000 + b"\n"):
            yield bytes([k, 7]) + text
        yield bytes([k, 20]) + b"HS\x07\x00\x00\x00\x00\x02" + (6).to_bytes(8, "big") + b"*IDN?\nHS"


def main() -> None:
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris")
    with tempfile.TemporaryDirectory() as folder:
        for k, seed in enumerate(seeds()):
            (Path(folder) / f"{k}").write_bytes(seed)
        atheris.instrument_all()
        files = [word for word in sys.argv[1:] if not word.startswith("-")]
        atheris.Setup(sys.argv + ([] if files else [folder]), exercise)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
