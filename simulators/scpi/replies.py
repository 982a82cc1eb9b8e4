"""How values are written in a response message (IEEE 488.2, chapter 8)."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

NOT_A_NUMBER = "9.91E+37"
INFINITY = "9.9E+37"


class Later:
    """An answer that appears when the clock reaches `ready_at`.

    `ready_at` may be a callable that gives infinity while the instant is still unknown. The instrument takes
    no further command until then, as one that is busy with a measurement.
    """

    __slots__ = ("produce", "ready_at")

    def __init__(self, ready_at: float | Callable[[], float], produce: Callable[[], Any]) -> None:
        self.ready_at = ready_at
        self.produce = produce

    def instant(self) -> float:
        """The instant, as far as it is known now."""
        return self.ready_at() if callable(self.ready_at) else self.ready_at


def quoted(text: str) -> str:
    """String response data: in double quotes, inner ones doubled."""
    return '"' + text.replace('"', '""') + '"'


def block(payload: bytes) -> bytes:
    """A definite-length arbitrary block."""
    length = str(len(payload))
    if len(length) > 9:
        raise ValueError(f"{len(payload)} bytes do not fit in a definite block")
    return f"#{len(length)}{length}".encode() + payload


def real(value: float) -> str:
    """A number as `+1.00000000E-03`, infinities and NaN as SCPI writes them."""
    if math.isfinite(value):
        return f"{value:+.8E}"
    if math.isnan(value):
        return NOT_A_NUMBER
    return INFINITY if value > 0 else "-" + INFINITY


def render(value: Any, write_real: Callable[[float], str]) -> bytes:
    """Write a handler's result: bool, int, float, str, bytes (a block), or a sequence of them."""
    if type(value) is float:  # first, because most answers are: this is in every query's way
        return write_real(value).encode("ascii")
    if isinstance(value, str):
        return value.encode("latin-1", "replace")
    if isinstance(value, bool | np.bool_):
        return b"1" if value else b"0"
    if isinstance(value, int | np.integer):
        return b"%d" % int(value)
    if isinstance(value, float | np.floating):
        return write_real(float(value)).encode("ascii")
    if isinstance(value, bytes | bytearray | memoryview):
        return block(bytes(value))
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist()
        if value and isinstance(value[0], float):
            return ",".join(map(write_real, value)).encode("ascii")
    if isinstance(value, Sequence):
        return b",".join(render(item, write_real) for item in value)
    raise TypeError(f"a query cannot answer with {type(value).__name__}")
