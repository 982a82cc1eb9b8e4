"""The fuzzing targets themselves: they pass on their seeds, and they notice what they are to notice."""

import pytest

from simulators.framing import LineFramer
from tests.fuzz.scpi import Broken, exercise, framed_by, pieces, seeds


def test_every_seed_passes() -> None:
    for seed in seeds():
        exercise(seed)


def test_a_broken_framer_is_noticed() -> None:
    class Forgetful(LineFramer):
        def feed(self, data: bytes, end: bool) -> list[bytes | Exception]:
            self.clear()
            return super().feed(data, end)

    with pytest.raises(Broken):
        framed_by(Forgetful)(pieces(b"\x02abcdefgh\n"))
