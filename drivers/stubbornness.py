"""Trying again what failed on a line."""

from collections.abc import Callable
from typing import TypeVar

from drivers.errors import ConnectionLost, GarbledAnswer, InstrumentTimeout

Result = TypeVar("Result")

PASSING = (InstrumentTimeout, ConnectionLost, GarbledAnswer)
"""What may not happen again: the line's troubles, as against those of an instrument."""


def stubbornly(action: Callable[[], Result], recover: Callable[[], None], replays: int) -> Result:
    """Do what may fail on a line, again after `recover`, at most `replays` times more.

    `action` has to start from a read-back, so that doing it again is safe wherever it broke off.
    """
    for attempt in range(replays + 1):
        try:
            if attempt:
                recover()
            return action()
        except PASSING as failure:
            last = failure
    raise type(last)(f"{last} (tried {replays + 1} times in vain)") from last
