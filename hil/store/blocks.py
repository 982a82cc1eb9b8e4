"""Blocks of readings of any shape, one safetensors file each: what a calibration of many small sweeps keeps.

    data/blocks/sweeps/0007-t0_0.safetensors   the arrays of the block t0_0, the eighth of its stage

A file is there whole or not at all, and is never written again. Its metadata hold the block's name, a CRC-32 of
its arrays and whatever was noted about it. Everybody else reads with `safetensors.numpy.load_file`.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from hil.errors import DamagedRun, RunConflict, RunError
from hil.store.files import room_for, settle, write_whole
from hil.store.lines import encode

Array = npt.NDArray[Any]
_SUFFIX = ".safetensors"


@dataclass(frozen=True, eq=False)
class StoredBlock:
    """The arrays of one block by name, and what was noted about it."""

    name: str
    arrays: Mapping[str, Array]
    meta: Mapping[str, Any] = field(default_factory=dict)


class BlockFolder:
    """The blocks of one stage in the order in which they were measured; made by `RunStore.blocks`."""

    def __init__(self, folder: Path, *, writable: bool) -> None:
        self._folder, self._writable = folder, writable
        self._files = sorted(folder.glob(f"*{_SUFFIX}"))
        if [path.name.split("-", 1)[0] for path in self._files] != [f"{k:04d}" for k in range(len(self))]:
            raise DamagedRun(f"{folder}: of the {len(self)} blocks there, one before the last is missing")

    def __len__(self) -> int:
        return len(self._files)

    def append(self, name: str, arrays: Mapping[str, Array], meta: Mapping[str, Any] | None = None) -> None:
        """Keep one more block: when this returns, a kill cannot lose it. Raises RunConflict, DiskFull."""
        from safetensors.numpy import save

        if not self._writable:
            raise RunError(f"{self._folder} was opened for reading")
        quoted = quote(name, safe="")
        if any(path.name.split("-", 1)[1] == quoted + _SUFFIX for path in self._files):
            raise RunConflict(f"{self._folder} holds a block {name!r} already")
        kept = {key: np.asarray(values, order="C") for key, values in arrays.items()}
        told = {"name": name, "crc32": str(_crc(kept)), "meta": encode(dict(meta or {}))}
        path = self._folder / f"{len(self):04d}-{quoted}{_SUFFIX}"
        with room_for(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, save(kept, told))
        settle(self._folder)
        self._files.append(path)

    def read(self) -> dict[str, StoredBlock]:
        """Every block by its name; raises DamagedRun for one that is cut short or altered."""
        return {block.name: block for block in map(_read, self._files)}


def _read(path: Path) -> StoredBlock:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            told = file.metadata() or {}
            names = file.keys()
            arrays = {key: file.get_tensor(key) for key in names}
        block = StoredBlock(told["name"], arrays, json.loads(told["meta"]))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DamagedRun(f"{path} is cut short or altered ({error}); restore it from a copy") from None
    if str(_crc(arrays)) != told.get("crc32"):
        raise DamagedRun(f"{path} is altered: its CRC-32 differs; restore it from a copy")
    return block


def _crc(arrays: Mapping[str, Array]) -> int:
    found = 0
    for name in sorted(arrays):
        found = zlib.crc32(arrays[name].tobytes(), zlib.crc32(name.encode(), found))
    return found
