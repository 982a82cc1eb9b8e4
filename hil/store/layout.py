"""Where the parts of a table lie, and what its commit marker says. Needs no zarr except to make a group."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hil.errors import DamagedRun, NewerFormat, RunConflict
from hil.store.files import PARTIAL, settle

if TYPE_CHECKING:
    from hil.store.table import ColumnSpec

FORMAT = "hil-table/1"
PREGROWN = 64
"""Batches by which the arrays are grown ahead of the data."""


@dataclass(frozen=True)
class TablePaths:
    """The files of table `name` in the folder `data`."""

    data: Path
    name: str

    @property
    def zarr(self) -> Path:
        """The Zarr group."""
        return self.data / f"{self.name}.zarr"

    @property
    def commit(self) -> Path:
        """The commit marker."""
        return self.data / f"{self.name}.commit.json"

    @property
    def batches(self) -> Path:
        """One line a batch."""
        return self.data / f"{self.name}.batches.jsonl"

    def chunk(self, column: str, k: int, width: int | None) -> Path:
        """The chunk of batch `k`, in Zarr's default key encoding with a dot between the axes."""
        return self.zarr / column / (f"c.{k}" if width is None else f"c.{k}.0")


@dataclass(frozen=True)
class Marker:
    """How much of a table counts, and how large its chunks are."""

    batches: int = 0
    rows: int = 0
    log_bytes: int = 0
    chunk_bytes: Mapping[str, int] = field(default_factory=dict)
    widths: Mapping[str, int | None] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What is written to the marker file."""
        return {"format": FORMAT, **vars(self)}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from `path`; raises DamagedRun, naming the file, for anything else."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DamagedRun(f"{path} is missing; restore it from a copy") from None
    except ValueError as error:
        size = path.stat().st_size
        raise DamagedRun(f"{path} is cut short or altered at {size} bytes ({error}); restore it") from None
    if not isinstance(value, dict):
        raise DamagedRun(f"{path} holds no JSON object; restore it from a copy")
    return value


def check_format(path: Path, found: object, known: str) -> None:
    """Raise NewerFormat or DamagedRun unless `found` is `known`, a name and a number such as hil-run/1."""
    kind, number = known.rsplit("/", 1)
    if found == known:
        return
    newer = str(found).removeprefix(kind + "/")
    if newer.isdecimal() and int(newer) > int(number):
        raise NewerFormat(f"{path} has format {found}; this hil reads {known}: use a newer hil")
    raise DamagedRun(f"{path} has format {found!r}, not {known}")


def read_marker(paths: TablePaths) -> Marker:
    """The commit marker; an absent one counts nothing. Raises DamagedRun, NewerFormat."""
    if not paths.commit.exists():
        return Marker()
    stored = read_json(paths.commit)
    check_format(paths.commit, stored.pop("format", None), FORMAT)
    try:
        return Marker(**stored)
    except TypeError as error:
        raise DamagedRun(f"{paths.commit}: {error}") from None


def read_attributes(paths: TablePaths) -> dict[str, Any]:
    """What `create_group` noted about the table; raises DamagedRun, NewerFormat."""
    path = paths.zarr / "zarr.json"
    stored = read_json(path).get("attributes", {})
    check_format(path, stored.get("format"), FORMAT)
    return dict(stored)


def check_table(paths: TablePaths) -> Marker:
    """The commit marker of a table of which everything committed is there, in its full size.

    Raises DamagedRun, naming the batch and column that is missing or cut short, and NewerFormat.
    """
    read_attributes(paths)
    marker = read_marker(paths)
    logged = paths.batches.stat().st_size if paths.batches.exists() else 0
    if logged < marker.log_bytes:
        raise DamagedRun(
            f"{paths.batches} is cut short: {logged} of {marker.log_bytes} bytes; restore it from a copy"
        )
    _check_chunks(paths, marker)
    return marker


def _check_chunks(paths: TablePaths, marker: Marker) -> None:
    for column, size in marker.chunk_bytes.items():
        try:
            with os.scandir(paths.zarr / column) as entries:
                sizes = {entry.name: entry.stat().st_size for entry in entries}
        except OSError as error:
            raise DamagedRun(f"{paths.zarr}: column {column!r} is missing ({error}); restore it") from None
        for k in range(marker.batches):
            found = sizes.get(paths.chunk(column, k, marker.widths[column]).name)
            if found != size:
                state = "is missing" if found is None else f"is cut short: {found} of {size} bytes"
                raise DamagedRun(
                    f"{paths.zarr}: batch {k} of {marker.batches}, column {column!r}, {state}; "
                    "restore it from a copy"
                )


def drop_chunks(paths: TablePaths, committed: int) -> None:
    """Remove the chunks of batches that were never committed."""
    for chunk in paths.zarr.glob("*/c.*"):
        if int(chunk.name.split(".")[1]) >= committed:
            chunk.unlink()


def create_group(
    paths: TablePaths, columns: Mapping[str, "ColumnSpec"], attributes: Mapping[str, Any]
) -> None:
    """Make the Zarr group and its pre-grown arrays, whole or not at all."""
    import zarr

    if paths.zarr.exists():
        raise RunConflict(f"there is a table {paths.name!r} already")
    rows = int(attributes["rows_per_batch"])
    partial = paths.zarr.with_name(paths.zarr.name + PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    described = {
        name: {"width": s.width, "dtype": s.dtype, "unit": s.unit, "channels": list(s.channels)}
        for name, s in columns.items()
    }
    try:
        group = zarr.create_group(
            partial, zarr_format=3, attributes={"format": FORMAT, "columns": described, **attributes}
        )
        for name, spec in columns.items():
            group.create_array(
                name,
                shape=spec.shape(rows * PREGROWN),
                chunks=spec.shape(rows),
                dtype=spec.stored,
                compressors=None,
                filters=None,
                fill_value=spec.fill,
                chunk_key_encoding={"name": "default", "separator": "."},
                dimension_names=("row",) if spec.width is None else ("row", f"{name}_channel"),
                attributes={"units": spec.unit, "channels": list(spec.channels)},
            )
        os.replace(partial, paths.zarr)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    settle(paths.data)
