"""Files that are there whole or not at all, whatever happens to the process or the machine.

A file is written under a name of its own, forced to the disk, and only then renamed to its place: a
reader sees the old bytes or the new ones, never a mixture. What a kill leaves behind ends in `.partial`.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hil.errors import DiskFull

PARTIAL = ".partial"
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


def write_whole(path: Path, *parts: Any) -> None:
    """Put the bytes of `parts` (buffers, one after another) at `path`; raises DiskFull."""
    partial = path.with_name(path.name + PARTIAL)
    with room_for(path):
        try:
            with open(partial, "wb", buffering=0) as file:
                for part in parts:
                    write_all(file.fileno(), part)
                os.fsync(file.fileno())
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


def write_all(descriptor: int, data: Any) -> None:
    """Write every byte of a buffer: the system may take fewer than it was given."""
    left = memoryview(data).cast("B")
    while left:
        left = left[os.write(descriptor, left) :]


def settle(folder: Path) -> None:
    """Force the renames made in `folder` to the disk; a no-op where directories cannot be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(folder: Path) -> list[str]:
    """Remove what killed writers left anywhere below `folder`; the names that were removed."""
    left = [path for path in folder.rglob("*" + PARTIAL) if path.exists()]
    for path in left:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return [str(path.relative_to(folder)) for path in left]


@contextlib.contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Turn the system's ways of saying "no room" into one DiskFull that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        try:
            free = f"{shutil.disk_usage(path.parent).free / 1e6:.1f} MB free"
        except OSError:
            free = "free space unknown"
        reason = (
            f"no room to write {path.name} in {path.parent} ({free}; {os.strerror(error.errno or 0)}): "
            "everything committed before is whole; free some space, or lift the quota, and resume the run"
        )
        raise DiskFull(error.errno, reason) from error
