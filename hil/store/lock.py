"""One writer at a time.

The lock belongs to the open file, so the system takes it back when a process dies, however it dies: a
stale lock cannot exist. The process id in the file is only there to tell a person who holds it.
"""

import os
import sys
import weakref
from pathlib import Path

from hil.errors import RunBusy

NAME = "writer.lock"


class WriterLock:
    """Holds `folder/writer.lock` until `release`; raises RunBusy, naming the process, if another has it."""

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            _take(descriptor)
        except (BlockingIOError, PermissionError) as error:
            os.close(descriptor)
            raise RunBusy(
                error.errno,
                f"{folder} is being written by process {_owner(path)}: let it finish, or stop it",
            ) from None
        self._closer = weakref.finalize(self, os.close, descriptor)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let another process write; harmless when released already."""
        self._closer()


def is_locked(folder: Path) -> bool:
    """Whether a process is writing to the run in `folder` now."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDWR)
    except OSError:
        return False
    try:
        _take(descriptor)
    except (BlockingIOError, PermissionError):
        return True
    finally:
        os.close(descriptor)
    return False


def _owner(path: Path) -> str:
    try:
        return path.read_text().strip() or "(unknown)"
    except OSError:
        return "(unknown)"


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # a byte far behind the text, which stays readable
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
