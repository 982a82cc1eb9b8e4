"""The writing side of a recording: one process, every exchange as it happens."""

import atexit
import json
import logging
import os
import platform
import threading
import zlib
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any

from simulators.errors import RecordingError
from simulators.recording.format import FORMAT, INLINE, head_of, plain, side_file

_log = logging.getLogger(__name__)
_recorders: dict[str, "Recorder"] = {}


def recorder(path: str, library: str, clock: str, seeds: dict[str, int]) -> "Recorder":
    """The recorder of this process for the file; begun if there is none. Raises RecordingError.

    It stays open for the life of the process, as sessions come and go; `finish` ends it.
    """
    absolute = os.path.abspath(path)
    if absolute not in _recorders:
        _recorders[absolute] = Recorder(Path(absolute), library, clock, seeds)
        atexit.register(finish, absolute)
    return _recorders[absolute]


def finish(path: str) -> None:
    """End the recording that this process writes to the file, if it does."""
    ended = _recorders.pop(os.path.abspath(path), None)
    if ended is not None:
        ended.close()


class Recorder:
    """Writes a recording that is whole after a kill at any moment: only the last line can be cut.

    Every line is one `write` to the system, and the block it refers to is written before. Nothing is forced
    to the disk: a power cut may lose the last seconds. A recording that cannot be written (a full disk)
    never comes between a program and its instrument: it is cut there, which `failure` and the log say.
    """

    def __init__(self, path: Path, library: str, clock: str, seeds: dict[str, int]) -> None:
        self.path = path
        self.failure: OSError | None = None
        self._lock = threading.Lock()
        self._offset = 0
        self._sessions = 0
        self._starts: dict[str, float] = {}
        self._latest_s = 0.0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._lines = os.open(path, flags, 0o644)
        except FileExistsError:
            raise RecordingError(
                f"{path} is there already, and one recording is one process; choose another name or remove it"
            ) from None
        except OSError as error:
            raise RecordingError(
                f"{path} cannot be written: {error.strerror}; choose another place"
            ) from None
        self._blocks = os.open(side_file(path), flags & ~os.O_EXCL | os.O_TRUNC, 0o644)
        header = {
            "format": FORMAT,
            "started": datetime.now(UTC).isoformat(timespec="microseconds"),
            "library": library,
            "clock": clock,
            "seeds": seeds,
            "versions": {name: _version(name) for name in ("hil", "pyvisa")},
            "system": f"Python {platform.python_version()} on {platform.system()}",
        }
        self._append(json.dumps(header) + "\n")

    def start_s(self, library: str, now_s: float) -> float:
        """The time on the library's clock at which it was first opened; that is now if it was not before."""
        return self._starts.setdefault(library, now_s)

    def new_session(self) -> int:
        """A number for a session that is opened."""
        with self._lock:
            self._sessions += 1
            return self._sessions

    def message(
        self, op: str, session: int, began_s: float, ended_s: float, data: bytes, status: int, error: str = ""
    ) -> None:
        """Record a write or a read; times are since the start."""
        self._latest_s = ended_s
        fault = f',"error":{encode_basestring_ascii(error)}' if error else ""
        line = (
            f'{{"t":{began_s:.6f},"took":{ended_s - began_s:.6f},"op":"{op}",'
            f'"session":{session},"status":{status:d}{fault}'
        )
        if len(data) <= INLINE and data.isascii():
            self._append(f'{line},"text":{encode_basestring_ascii(data.decode("ascii"))}}}\n')
        else:
            self._append(line, data)

    def call(self, op: str, session: int, began_s: float, ended_s: float, status: int, **fields: Any) -> None:
        """Record anything else; `fields` are those of the format."""
        self._latest_s = ended_s
        line: dict[str, Any] = {"t": round(began_s, 6), "took": round(ended_s - began_s, 6)}
        line |= {"op": op, "session": session, "status": status}
        line |= {name: plain(value) for name, value in fields.items()}
        self._append(json.dumps(line, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """Write the last line, which says that nothing is missing, and let go of the files."""
        self.call("end", 0, self._latest_s, self._latest_s, 0)
        with self._lock:
            self.failure = self.failure or OSError("closed")
            os.close(self._lines)
            os.close(self._blocks)

    def _append(self, line: str, block: bytes | None = None) -> None:
        with self._lock:
            if self.failure is not None:
                return
            try:
                if block is not None:
                    _write_all(self._blocks, block)
                    head = encode_basestring_ascii(head_of(block))
                    place = f"[{self._offset},{len(block)},{zlib.crc32(block)}]"
                    line = f'{line},"block":{place},"head":{head}}}\n'
                    self._offset += len(block)
                _write_all(self._lines, line.encode())
            except OSError as error:
                self.failure = error
                _log.error("%s: the recording is cut here, it cannot be written: %s", self.path, error)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):  # the system may take fewer than it was given
        written += os.write(descriptor, data[written:])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
