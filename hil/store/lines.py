"""JSON that the store writes: values in, and append-only files of one object a line.

A line is one `write`, so a kill can only tear the last one. Readers pass over a torn last line, the next
writer cuts it off; anything wrong before it is damage and is named.
"""

import base64
import json
import math
import os
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hil.errors import DamagedRun
from hil.store.files import room_for, write_all


def encode(value: Any, *, indent: int | None = None) -> str:
    """Strict JSON of plain values, numpy values, paths and bytes (base64).

    A number that is not finite becomes null: JSON has no other way to say it. Raises TypeError for the rest.
    """
    return json.dumps(plain(value), indent=indent, allow_nan=False, ensure_ascii=False)


def plain(value: Any) -> Any:
    """`value` as `json` would read it back."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, bytes | bytearray):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} {value!r} cannot be written as JSON")


class JsonLines:
    """One append-only file of JSON objects; opening it for writing cuts off a torn last line."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        self.path = path
        self._descriptor: int | None = None
        if writable:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
            with room_for(path):
                self._descriptor = os.open(path, flags, 0o644)
            self._closer = weakref.finalize(self, os.close, self._descriptor)
            self.cut(self.whole_bytes())

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self.path.stat().st_size if self.path.exists() else 0

    def append(self, record: Mapping[str, Any]) -> int:
        """Write one object; returns the file's size afterwards. Raises DiskFull with the file as it was."""
        if self._descriptor is None:
            raise ValueError(f"{self.path} is not open for writing")
        line = (encode(record) + "\n").encode()
        before = self.size
        with room_for(self.path):
            try:
                write_all(self._descriptor, line)
            except OSError:
                self.cut(before)
                raise
        return before + len(line)

    def cut(self, size: int) -> None:
        """Keep the first `size` bytes."""
        if self._descriptor is not None and self.size > size:
            os.ftruncate(self._descriptor, size)

    def whole_bytes(self) -> int:
        """Bytes up to and with the last line end."""
        if not self.path.exists():
            return 0
        with open(self.path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            while end > 0:
                start = max(0, end - 4096)
                file.seek(start)
                at = file.read(end - start).rfind(b"\n")
                if at >= 0:
                    return start + at + 1
                end = start
        return 0

    def read(self, size: int | None = None) -> Iterator[dict[str, Any]]:
        """The objects in the first `size` bytes (all whole lines by default); raises DamagedRun."""
        if not self.path.exists():
            return
        end = self.whole_bytes() if size is None else size
        with open(self.path, "rb") as file:
            at = 0
            for number, line in enumerate(file, start=1):
                at += len(line)
                if at > end:
                    return
                try:
                    record = json.loads(line)
                except ValueError:
                    record = None
                if not isinstance(record, dict):
                    raise DamagedRun(f"{self.path}, line {number}: not a JSON object; restore it from a copy")
                yield record

    def sync(self) -> None:
        """Force what was appended to the disk."""
        if self._descriptor is not None:
            with room_for(self.path):
                os.fsync(self._descriptor)

    def close(self) -> None:
        """Stop writing; harmless when closed already."""
        if self._descriptor is not None:
            self._descriptor = None
            self._closer()
