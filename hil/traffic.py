"""Every byte sent to an instrument, and every waveform given to a card, written to the run's events.

This is the run's own account, always kept and part of it: what was sent, among the events of the session, by
the instruments' names, and a disk that is full stops the session at its next checkpoint. A recording
(`simulators.recording`) is asked for, belongs to no run and must be able to answer: it has every read, status
and error below the drivers, from the first opening on, and never stops anything. Neither could be had from
the other without giving up one of its promises, so each has its own few lines at the library's `write`.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qcodes.instrument import VisaInstrument

from hil.store.files import room_for, write_all

_INLINE = 200
"""Longer messages, and those that are not text, go to the side file."""


class TrafficLog:
    """Writes what goes to instruments: text as JSON lines, blocks to a binary side file by offset.

    `emit` appends one event; `path` is the side file. A log that cannot be written never comes between a
    driver and its instrument, least of all on the way to the safe state: the failure is kept, nothing more
    is logged, and `check` raises it where a session can act on it.
    """

    def __init__(self, emit: Callable[..., None], path: Path) -> None:
        self._emit, self._path = emit, path
        self._blocks = path.open("ab", buffering=0)
        self._failure: Exception | None = None

    def follow(self, name: str, instrument: Any) -> None:
        """Trace an open instrument: what it writes over VISA, or what its driver tells its `journal`."""
        if isinstance(instrument, VisaInstrument):
            resource: Any = instrument.visa_handle
            resource.visalib = TracedLibrary(resource.visalib, name, self)
        elif hasattr(instrument, "journal"):
            instrument.journal = lambda text, samples: self.sent(
                name, text.encode() + samples, 0, bool(samples)
            )

    def check(self) -> None:
        """Raise what kept the log from being written, such as DiskFull."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Let go of the side file."""
        self._blocks.close()

    def sent(self, name: str, message: bytes, status: int, block: bool = False) -> None:
        """Record one write and the VISA status it ended with; a `block` goes to the side file. Never raises."""
        if self._failure is not None:
            return
        try:
            self._record(name, message, status, block)
        except Exception as error:
            self._failure = error

    def _record(self, name: str, message: bytes, status: int, block: bool) -> None:
        fields: dict[str, Any] = {"instrument": name, "t": time.monotonic()}
        if not block and len(message) <= _INLINE and message.isascii():
            fields["text"] = message.decode("ascii").rstrip("\r\n")
        else:
            fields["head"] = message[:40].split(b"#")[0].decode("ascii", "replace")
            fields["block"] = [self._blocks.tell(), len(message)]
            with room_for(self._path):
                write_all(self._blocks.fileno(), message)
        if status < 0:
            fields["status"] = status
        self._emit("write", **fields)


class TracedLibrary:
    """A VISA library that records writes and is otherwise the one it wraps."""

    def __init__(self, library: Any, name: str, log: TrafficLog) -> None:
        self._library, self._name, self._log = library, name, log

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._library, attribute)

    def write(self, session: Any, data: bytes) -> tuple[int, Any]:
        """Write and record; what fails is recorded too, and raises as before."""
        try:
            count, status = self._library.write(session, data)
        except Exception as error:
            self._log.sent(self._name, bytes(data), int(getattr(error, "error_code", -1)))
            raise
        self._log.sent(self._name, bytes(data), int(status))
        return count, status
