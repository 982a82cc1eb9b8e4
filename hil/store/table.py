"""A table of a run: columns of samples, written in whole batches, readable as a Zarr 3 group.

    data/sampling.zarr/           arrays inputs (rows, n_in), outputs (rows, n_out), flags (rows,) ...
    data/sampling.batches.jsonl   one line a batch: seed, CRC-32 of each column's bytes, wall time, meta
    data/sampling.commit.json     how many batches and rows count, and how long the lines above are

A chunk of an array is one batch, so no chunk is ever read, changed and written again. The arrays are
pre-grown (their fill value is NaN, or the end of an integer's range); then the chunks and the line of a batch
are written and forced to the disk, and only after them, by a rename, the commit marker. What the marker does
not count does not exist: a kill at any moment loses at most the batch being written, and a power cut at most
the one before it.

The chunks are not compressed (measured samples do not compress), and the bytes of such a chunk are the
array's: they are written directly, which costs a tenth of a call through zarr's event loop and lets them be
forced to the disk before the marker says that they are there. Everybody else reads with zarr:

    group = zarr.open_group("run/data/sampling.zarr", mode="r")
    rows = json.loads(Path("run/data/sampling.commit.json").read_text())["rows"]
    inputs, outputs = group["inputs"][:rows], group["outputs"][:rows]
"""

import contextlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hil.errors import DamagedRun, DiskFull, RunConflict, RunError
from hil.store import layout
from hil.store.files import room_for, settle, write_whole
from hil.store.lines import JsonLines, encode, plain

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ColumnSpec:
    """One column: `width` values a row (None: one, stored without the second axis), in `unit`.

    `channels` names the values of a row; `dtype` is a numpy name of a float or integer type.
    """

    width: int | None = None
    dtype: str = "float64"
    unit: str = ""
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.width is not None and self.width < 1:
            raise RunConflict(f"a column needs at least one value a row, not {self.width}")
        if self.channels and len(self.channels) != (self.width or 1):
            raise RunConflict(f"{len(self.channels)} channel names for {self.width or 1} values a row")
        if np.dtype(self.dtype).kind not in "fiu":
            raise RunConflict(f"a column holds floats or integers, not {self.dtype}")

    def shape(self, rows: int) -> tuple[int, ...]:
        """The shape of `rows` rows."""
        return (rows,) if self.width is None else (rows, self.width)

    @property
    def stored(self) -> np.dtype[Any]:
        """The type on disk, little-endian."""
        return np.dtype(self.dtype).newbyteorder("<")

    @property
    def fill(self) -> Any:
        """What a row reads as before it is written: never mistaken for a measured value."""
        if self.stored.kind == "f":
            return float("nan")
        return int(np.iinfo(self.stored).max if self.stored.kind == "u" else np.iinfo(self.stored).min)


@dataclass(frozen=True, eq=False)
class Batch:
    """One committed batch: `arrays` by column, each (rows, width) or (rows,)."""

    k: int
    seed: int | None
    arrays: Mapping[str, Array]
    written: str
    meta: Mapping[str, Any] = field(default_factory=dict)


class BatchTable:
    """A table of the run; made by `RunStore.table`, appended to by its one writer.

    Attributes:
        name: the table's name.
        columns: their specifications, by name.
        rows_per_batch: rows of every batch.
        attributes: what the maker of the table noted about it (sample rate, waveform...).
    """

    def __init__(self, data: Path, name: str, *, writable: bool) -> None:
        self.name = name
        self.writable = writable
        self._paths = layout.TablePaths(data, name)
        stored = layout.read_attributes(self._paths)
        self.rows_per_batch = int(stored["rows_per_batch"])
        self.columns = {
            key: ColumnSpec(spec["width"], spec["dtype"], spec["unit"], tuple(spec["channels"]))
            for key, spec in stored["columns"].items()
        }
        self.attributes: Mapping[str, Any] = stored["attributes"]
        self._committed = 0
        self._grown = 0
        self._pool: futures.ThreadPoolExecutor | None = None
        self._records: list[dict[str, Any]] = []
        self._lines = JsonLines(self._paths.batches, writable=False)
        self.refresh()
        if writable:
            self._recover()

    @classmethod
    def create(
        cls,
        data: Path,
        name: str,
        columns: Mapping[str, ColumnSpec],
        rows_per_batch: int,
        attributes: Mapping[str, Any] | None = None,
    ) -> "BatchTable":
        """Make an empty table below the folder `data`; raises RunConflict, DiskFull."""
        if rows_per_batch < 1 or not columns:
            raise RunConflict(f"table {name!r} needs columns and at least one row a batch")
        paths = layout.TablePaths(data, name)
        with room_for(paths.zarr):
            layout.create_group(
                paths, columns, {"rows_per_batch": rows_per_batch, "attributes": plain(attributes or {})}
            )
        return cls(data, name, writable=True)

    @property
    def committed(self) -> int:
        """Number of batches that are there for good."""
        return self._committed

    @property
    def rows(self) -> int:
        """Number of rows in the committed batches."""
        return self._committed * self.rows_per_batch

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seed of each committed batch."""
        return tuple(record["seed"] for record in self._records)

    @property
    def metas(self) -> tuple[Mapping[str, Any], ...]:
        """What was noted about each committed batch; needs none of its data."""
        return tuple(record["meta"] for record in self._records)

    def refresh(self) -> None:
        """Read the commit marker again: a reader sees what its writer has committed since.

        Raises DamagedRun, naming batch and column, if something committed is missing or cut short.
        """
        marker = layout.check_table(self._paths)
        self._committed = marker.batches
        self._records = list(self._lines.read(marker.log_bytes)) if marker.batches else []
        if [record.get("k") for record in self._records] != list(range(marker.batches)):
            raise DamagedRun(
                f"{self._paths.batches}: {len(self._records)} batches are described, "
                f"{marker.batches} were committed; restore the file from a copy"
            )

    def append(
        self,
        k: int,
        arrays: Mapping[str, npt.ArrayLike],
        *,
        seed: int | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        """Commit batch `k`, which must be the next one: when this returns, a kill cannot lose it.

        Args:
            k: index of the batch; equal to `committed`.
            arrays: every column by name, shape (rows_per_batch, width) or (rows_per_batch,).
            seed: what the batch's stimulus can be made from again.
            meta: anything else worth keeping about the batch (device clock, controls), as JSON.

        Raises RunConflict for a batch out of order or of another shape, DiskFull with the table as it was.
        """
        if not self.writable:
            raise RunError(f"table {self.name!r} was opened for reading")
        if k != self._committed:
            raise RunConflict(
                f"table {self.name!r} holds {self._committed} batches: the next is {self._committed}, not {k}"
            )
        blocks = self._blocks(arrays)
        record = {
            "k": k,
            "seed": seed,
            "crc32": {column: zlib.crc32(block.data) for column, block in blocks.items()},
            "written": datetime.now(UTC).isoformat(timespec="microseconds"),
            "meta": plain(meta or {}),
        }
        try:
            self._grow()
            size = self._write(k, blocks, record)
            self._commit(k + 1, size, blocks)
        except BaseException:
            self._forget_uncommitted()
            raise
        self._committed = k + 1
        self._records.append(record)

    def read(self, columns: Sequence[str] | None = None, batches: slice = slice(None)) -> dict[str, Array]:
        """Columns (all by default) of the committed `batches`, each (rows, width) or (rows,).

        Every batch is checked against its CRC-32. Raises DamagedRun naming the batch that does not match.
        """
        import zarr

        start, stop, step = batches.indices(self._committed)
        picked = range(start, stop, step)
        names = self._known(self.columns if columns is None else columns)
        result = {}
        for name in names:
            spec = self.columns[name]
            if not picked:
                result[name] = np.empty(spec.shape(0), spec.dtype)
                continue
            first, last = min(picked), max(picked) + 1
            stored = zarr.open_array(self._paths.zarr / name, mode="r")
            whole = np.asarray(stored[first * self.rows_per_batch : last * self.rows_per_batch])
            by_batch = whole.reshape(last - first, self.rows_per_batch, *whole.shape[1:])
            for k in picked:
                self._check(name, k, by_batch[k - first])
            chosen = by_batch[[k - first for k in picked]] if step != 1 else by_batch
            result[name] = chosen.reshape(-1, *whole.shape[1:]).astype(spec.dtype, copy=False)
        return result

    def iter_batches(self, columns: Sequence[str] | None = None) -> Iterator[Batch]:
        """The committed batches one by one; raises DamagedRun like `read`."""
        for k in range(self._committed):
            record = self._records[k]
            arrays = self.read(columns, slice(k, k + 1))
            yield Batch(k, record["seed"], arrays, record["written"], record["meta"])

    def batch(self, k: int, columns: Sequence[str] | None = None) -> Batch:
        """Committed batch `k`; raises RunConflict if there is none, DamagedRun like `read`."""
        if not 0 <= k < self._committed:
            raise RunConflict(f"table {self.name!r} holds batches 0 to {self._committed - 1}, not {k}")
        record = self._records[k]
        return Batch(
            k, record["seed"], self.read(columns, slice(k, k + 1)), record["written"], record["meta"]
        )

    def verify(self) -> int:
        """Read everything that was committed and check it; the number of batches. Raises DamagedRun."""
        for _ in self.iter_batches():
            pass
        return self._committed

    def close(self) -> None:
        """Trim the arrays to what is committed, so that a reader needs no marker; stop writing."""
        if self.writable and self._grown != self._committed:
            # Trimming is a courtesy: on a full disk the marker still says where the data end.
            with contextlib.suppress(DiskFull), room_for(self._paths.zarr):
                self._resize(self._committed)
        self._lines.close()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
            settle(self._paths.data)
        self.writable = False

    def _blocks(self, arrays: Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
        if missing := [name for name in self.columns if name not in arrays]:
            raise RunConflict(f"batch for table {self.name!r} lacks column {missing[0]!r}")
        blocks = {}
        for name in self._known(arrays):
            spec = self.columns[name]
            block = np.asarray(arrays[name])
            if block.shape != spec.shape(self.rows_per_batch):
                raise RunConflict(
                    f"column {name!r} of table {self.name!r} takes {spec.shape(self.rows_per_batch)} "
                    f"values a batch, not {block.shape}"
                )
            if not np.can_cast(block.dtype, spec.stored, "same_kind"):
                raise RunConflict(
                    f"column {name!r} of table {self.name!r} holds {spec.dtype}, not {block.dtype}"
                )
            blocks[name] = np.ascontiguousarray(block, dtype=spec.stored)
        return blocks

    def _known(self, names: Mapping[str, Any] | Sequence[str]) -> list[str]:
        if unknown := [name for name in names if name not in self.columns]:
            raise RunConflict(
                f"table {self.name!r} has no column {unknown[0]!r}; there are {', '.join(self.columns)}"
            )
        return list(names)

    def _check(self, name: str, k: int, block: Array) -> None:
        stored = np.ascontiguousarray(block, dtype=self.columns[name].stored)
        if zlib.crc32(stored.data) != self._records[k]["crc32"][name]:
            raise DamagedRun(
                f"{self._paths.zarr}, batch {k}: column {name!r} is not what was written "
                "(CRC-32 differs); restore it from a copy"
            )

    def _write(self, k: int, blocks: Mapping[str, Array], record: Mapping[str, Any]) -> int:
        """Put chunks and line on the disk, all at once: the disk's journal then settles them together."""
        if self._pool is None:
            self._pool = futures.ThreadPoolExecutor(
                len(self.columns), thread_name_prefix=f"{self.name} chunk"
            )
        jobs = [
            self._pool.submit(write_whole, self._paths.chunk(name, k, self.columns[name].width), block)
            for name, block in blocks.items()
        ]
        try:
            size = self._lines.append(record)
            self._lines.sync()
        finally:
            futures.wait(jobs)
        for job in jobs:
            job.result()
        return size

    def _commit(self, batches: int, log_bytes: int, blocks: Mapping[str, Array]) -> None:
        marker = layout.Marker(
            batches,
            batches * self.rows_per_batch,
            log_bytes,
            {column: block.nbytes for column, block in blocks.items()},
            {column: self.columns[column].width for column in blocks},
        )
        write_whole(self._paths.commit, encode(marker.as_json()).encode())

    def _grow(self) -> None:
        if self._grown <= self._committed:
            with room_for(self._paths.zarr):
                self._resize(self._committed + layout.PREGROWN)

    def _resize(self, batches: int) -> None:
        import zarr

        rows = batches * self.rows_per_batch
        for name, spec in self.columns.items():
            zarr.open_array(self._paths.zarr / name, mode="r+").resize(spec.shape(rows))
        self._grown = batches

    def _recover(self) -> None:
        self._lines = JsonLines(self._paths.batches, writable=True)
        self._forget_uncommitted()
        rows = [
            json.loads((self._paths.zarr / name / "zarr.json").read_text())["shape"][0]
            for name in self.columns
        ]
        self._grown = min(rows) // self.rows_per_batch

    def _forget_uncommitted(self) -> None:
        """Drop what a killed or failed `append` had begun: chunks and lines that no marker counts."""
        marker = layout.read_marker(self._paths)
        self._lines.cut(marker.log_bytes)
        layout.drop_chunks(self._paths, marker.batches)
        self.refresh()
