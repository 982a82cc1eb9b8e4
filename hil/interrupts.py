"""What a signal means in the middle of a session.

First SIGINT: finish the batch, then go safe and stop. Second SIGINT: go safe and stop now. SIGTERM and SIGHUP
(a shutdown, a lost terminal): go safe and stop now. Python would otherwise let the last two kill the process
with every output on.
"""

import signal
import threading
from types import FrameType
from typing import Any, Self

_NOW = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


class Stopped(BaseException):
    """A stop that was asked for; no Exception, so that nothing on the way to the safe state swallows it."""

    def __init__(self, reason: str, number: int) -> None:
        super().__init__(reason)
        self.exit_status = 130 if number == signal.SIGINT else 143


class Interrupts:
    """Catches the signals while it is entered; only the main thread can, elsewhere it does nothing.

    Attributes:
        stopping: a first SIGINT has come; the session stops at its next `checkpoint`.
    """

    def __init__(self) -> None:
        self.stopping = False
        self._before: dict[int, Any] = {}
        self._held = 0
        self._pending: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._on_sigint)
            for number in _NOW:
                self._before[number] = signal.signal(number, self._on_stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def checkpoint(self) -> None:
        """Where a session may stop with nothing half done; raises Stopped after a first SIGINT."""
        if self.stopping:
            raise Stopped("interrupted by SIGINT, after what was begun was finished", signal.SIGINT)

    def hold(self) -> "Hold":
        """A stretch that no signal may cut, such as the way to the safe state."""
        return Hold(self)

    def _on_sigint(self, number: int, _: FrameType | None) -> None:
        if not self.stopping:
            self.stopping = True
            return
        self._on_stop(number, None)

    def _on_stop(self, number: int, _: FrameType | None) -> None:
        if self._held:
            self._pending = number
            return
        raise _stopped(number)


def _stopped(number: int) -> Stopped:
    return Stopped(f"stopped by {signal.Signals(number).name}", number)


class Hold:
    """See `Interrupts.hold`; a signal that came meanwhile takes effect when it ends."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts

    def __enter__(self) -> None:
        self._interrupts._held += 1

    def __exit__(self, kind: object, *_: object) -> None:
        interrupts = self._interrupts
        interrupts._held -= 1
        if not interrupts._held and interrupts._pending is not None and kind is None:
            number, interrupts._pending = interrupts._pending, None
            raise _stopped(number)
