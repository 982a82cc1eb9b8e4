"""Waiting in virtual time, as long as a timeout allows."""

from simulators.clock import VirtualClock

_FOREVER_S = 86400.0
"""What an infinite timeout is worth: a virtual day, so that nothing ever hangs."""


def wait(clock: VirtualClock, until_s: float, timeout_s: float) -> bool:
    """Let time pass up to an instant, or for the timeout if that is sooner; whether the instant has come."""
    deadline_s = clock.now + (timeout_s if timeout_s >= 0.0 else _FOREVER_S)
    clock.advance_to(min(until_s, deadline_s))
    return until_s <= deadline_s
