"""How far two answers to the same question are apart."""

import re
from enum import StrEnum

import numpy as np
import numpy.typing as npt

_FORMS = (">f8", "<f8", ">f4", "<f4")
_PLAUSIBLE = (1e-15, 1e15)
_OVERLOAD = 9.9e37


class Verdict(StrEnum):
    """How an answer compares with the recorded one."""

    EQUAL = "equal"
    CLOSE = "close"
    DIFFERENT = "different"


def judge(recorded: bytes, answered: bytes, tolerance: float) -> tuple[Verdict, float | None]:
    """The verdict, and for numbers the largest difference relative to the largest recorded value.

    Answers are numbers if they are lists of them in ASCII, or IEEE 488.2 blocks of the same length whose
    bytes make plausible values in one floating-point form; else they are compared byte for byte, but for
    white space at the end.
    """
    if recorded.rstrip() == answered.rstrip():
        return Verdict.EQUAL, None
    pair = _numbers(recorded, answered)
    if pair is None or pair[0].shape != pair[1].shape:
        return Verdict.DIFFERENT, None
    ours, theirs = pair
    largest = np.abs(ours).max(initial=0.0)
    distance = np.abs(ours - theirs).max(initial=0.0)
    relative = float(distance / largest) if largest > 0.0 else float(distance > 0.0)
    if distance == 0.0:
        return Verdict.EQUAL, None
    return (Verdict.CLOSE if relative <= tolerance else Verdict.DIFFERENT), relative


Array = npt.NDArray[np.float64]


def _numbers(recorded: bytes, answered: bytes) -> tuple[Array, Array] | None:
    blocks = block(recorded), block(answered)
    if blocks[0] is not None and blocks[1] is not None:
        return _floats(blocks[0], blocks[1]) if len(blocks[0]) == len(blocks[1]) else None
    lists = _listed(recorded), _listed(answered)
    return None if lists[0] is None or lists[1] is None else (lists[0], lists[1])


def block(message: bytes) -> bytes | None:
    """The data of a definite-length block that the message is, or None."""
    extent = _extent(message)
    return None if extent is None else bytes(message[extent[0] : extent[1]])


def lacks(message: bytes | bytearray) -> bool:
    """Whether the message is a definite-length block that is not complete."""
    extent = _extent(message)
    return extent is not None and len(message) < extent[1]


def _extent(message: bytes | bytearray) -> tuple[int, int] | None:
    digits = message[1:2]
    if message[:1] != b"#" or not digits.isdigit() or digits == b"0":
        return None
    start = 2 + int(digits)
    count = message[2:start]
    return (start, start + int(count)) if count.isdigit() else None


def _floats(recorded: bytes, answered: bytes) -> tuple[Array, Array] | None:
    for form in _FORMS:
        if recorded and len(recorded) % int(form[2]) == 0:
            with np.errstate(all="ignore"):  # bytes read in the wrong form make any number
                ours, theirs = (np.frombuffer(data, form).astype(float) for data in (recorded, answered))
            if _plausible(ours) and _plausible(theirs):
                return ours, theirs
    return None


def _plausible(values: Array) -> bool:
    size = np.abs(values)
    good = (size == 0.0) | ((size >= _PLAUSIBLE[0]) & (size <= _PLAUSIBLE[1]))
    return bool((good | np.isclose(size, _OVERLOAD, rtol=1e-6)).all())


def _listed(answer: bytes) -> Array | None:
    parts = [part for part in re.split(rb"[,;\s]+", answer.strip()) if part]
    try:
        return np.array([float(part) for part in parts]) if parts else None
    except ValueError:
        return None
