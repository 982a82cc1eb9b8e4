"""The virtual clock on which every emulated thing advances."""

import heapq
import itertools
import time
from collections.abc import Callable


class VirtualClock:
    """Seconds since the bench was switched on, moved only by whoever waits.

    Nothing here looks at the computer's own clock, so a session takes as long as its arithmetic and the
    same commands always meet the same instants.
    """

    paced = False
    """Whether the computer's time passes too."""

    def __init__(self) -> None:
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self._now

    @property
    def next_event(self) -> float | None:
        """The instant of the earliest event that is scheduled, None where there is none."""
        return self._events[0][0] if self._events else None

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; a negative or non-finite time raises ValueError."""
        if not 0.0 <= seconds < float("inf"):
            raise ValueError(f"time cannot advance by {seconds} s")
        self.advance_to(self._now + seconds)

    def advance_to(self, instant: float) -> None:
        """Let time pass up to `instant`, firing what was scheduled on the way; the past is ignored."""
        while self._events and self._events[0][0] <= instant:
            due, _, action = heapq.heappop(self._events)
            self._now = max(self._now, due)
            action()
        self._now = max(self._now, instant)

    def pass_idle(self) -> None:
        """What the program did between two exchanges, and how long it slept, takes no virtual time."""

    def schedule(self, instant: float, action: Callable[[], None]) -> None:
        """Call `action` when the clock reaches `instant`; events at one instant keep their order."""
        heapq.heappush(self._events, (instant, next(self._order), action))


class PacedClock(VirtualClock):
    """A virtual clock on which the computer's time passes too, for scripts that sleep while something settles.

    It runs ahead when somebody waits for an instrument, as any virtual clock, and at the wall's pace else; a
    session on it is no longer repeatable to the last digit.
    """

    paced = True

    def __init__(self) -> None:
        super().__init__()
        self._seen_s = time.monotonic()

    def pass_idle(self) -> None:
        """Let the time since the last call pass."""
        now_s = time.monotonic()
        elapsed_s, self._seen_s = now_s - self._seen_s, now_s
        self.advance(elapsed_s)
