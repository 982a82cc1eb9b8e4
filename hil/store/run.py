"""One run: a folder that is whole after a kill at any moment.

    run/
      manifest.json                   what it is: versions, seed, files, instruments
      bench.yaml experiment.yaml      copies of what it was given
      state.json                      what has become of each step
      data/                           tables of samples, see `hil.store.table`; blocks, see `hil.store.blocks`
      events.jsonl metrics.jsonl      what happened, what was measured, one JSON object a line
      metrics.json report.html models/
      writer.lock                     held while a process writes

Files are replaced whole or appended to by the line; nothing that was committed is written again.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hil.errors import ConfigError, HilError, RunConflict, RunError, RunExists
from hil.store import manifest as manifests
from hil.store import steps
from hil.store.blocks import BlockFolder
from hil.store.files import PARTIAL, room_for, settle, sweep, write_whole
from hil.store.layout import read_json
from hil.store.lines import JsonLines, encode, plain
from hil.store.lock import WriterLock
from hil.store.manifest import utc_now
from hil.store.table import BatchTable, ColumnSpec


class RunStore:
    """A run folder, opened by `create` or `open`; a context manager that closes it.

    Attributes:
        folder: where it lies.
        writable: whether this object holds the writer's lock.
    """

    def __init__(self, folder: Path, lock: WriterLock | None) -> None:
        self.folder = folder
        self._lock = lock
        self._manifest = manifests.read_manifest(folder)
        self._steps = steps.read_state(folder)
        self._tables: dict[str, BatchTable] = {}
        self._events = JsonLines(folder / "events.jsonl", writable=self.writable)
        self._metrics = JsonLines(folder / "metrics.jsonl", writable=self.writable)

    @classmethod
    def create(
        cls,
        folder: Path | str,
        *,
        name: str,
        seed: int,
        files: Mapping[str, Path | str] | None = None,
        **manifest: Any,
    ) -> Self:
        """Begin a run in `folder`, which must be absent or empty, and open it for writing.

        Args:
            folder: where; its parents are made.
            name: what to call the run in reports.
            seed: of everything random in it.
            files: copied into the run by name: a Path is read, a string is the text itself.
            manifest: more fields for the manifest, as JSON.

        The folder appears with everything in it or not at all. Raises RunExists, ConfigError, DiskFull.
        """
        folder = Path(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "a run" if (folder / manifests.NAME).exists() else "something else"
            raise RunExists(f"{folder} holds {what} already: resume it, or choose another folder")
        contents = manifests.read_files(files or {})
        made = manifests.make_manifest(name, seed, contents, manifest)
        partial = folder.with_name(f".{folder.name}.{os.getpid()}{PARTIAL}")
        try:
            with room_for(folder):
                (partial / "data").mkdir(parents=True)
                (partial / "models").mkdir()
                for file, data in contents.items():
                    write_whole(partial / file, data)
                write_whole(partial / manifests.NAME, encode(made, indent=2).encode())
                if folder.exists():
                    folder.rmdir()
                os.replace(partial, folder)
                settle(folder.parent)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return cls(folder, WriterLock(folder))

    @classmethod
    def open(cls, folder: Path | str, writable: bool = False) -> Self:
        """Open the run in `folder`.

        For writing, what a killed writer left half done is cleared away and its running steps are marked
        as interrupted. Raises NotARun, NewerFormat, DamagedRun (naming what is missing, cut short or
        altered) and, for writing, RunBusy.
        """
        folder = Path(folder)
        manifests.check_files(folder, manifests.read_manifest(folder))
        if not writable:
            store = cls(folder, None)
            _ = store.tables
            return store
        lock = WriterLock(folder)
        try:
            sweep(folder)
            store = cls(folder, lock)
            store._recover()
        except BaseException:
            lock.release()
            raise
        return store

    @property
    def writable(self) -> bool:
        """Whether this object may write to the run."""
        return self._lock is not None

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the run is."""
        return self._manifest

    @property
    def name(self) -> str:
        """What the run is called."""
        return str(self._manifest["name"])

    @property
    def seed(self) -> int:
        """The seed of everything random in the run."""
        return int(self._manifest["seed"])

    @property
    def models(self) -> Path:
        """The folder of the run's models."""
        return self.folder / "models"

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables there are; each is checked for what is missing or cut short."""
        names = sorted(path.stem for path in (self.folder / "data").glob("*.zarr"))
        for name in names:
            self._open_table(name)
        return tuple(names)

    @property
    def state(self) -> Mapping[str, steps.StepState]:
        """Every step that was ever begun, in that order."""
        return dict(self._steps)

    def status(self, step: str) -> steps.Status:
        """The status of a step; one that was never begun is pending."""
        return self._steps.get(step, steps.StepState()).status

    def describe(self, **fields: Any) -> None:
        """Add to the manifest what is known only now, such as the instruments' identities.

        Raises RunConflict if a field holds something else already: a run keeps what it was begun with.
        """
        self._writing()
        new = plain(fields)
        for key, value in new.items():
            if key in self._manifest and self._manifest[key] != value:
                raise RunConflict(
                    f"{self.folder}: the run was begun with {key} = {encode(self._manifest[key])}, "
                    f"not {encode(value)}; begin a new run for another bench"
                )
        if new.keys() - self._manifest.keys():
            merged = {**self._manifest, **new}
            self._replace(manifests.NAME, encode(merged, indent=2).encode())
            self._manifest = merged

    def table(
        self,
        name: str,
        columns: Mapping[str, ColumnSpec] | None = None,
        rows_per_batch: int | None = None,
        **attributes: Any,
    ) -> BatchTable:
        """The table `name`, made if there is none and `columns` and `rows_per_batch` are given.

        `attributes` (JSON) are kept with a table that is made. Raises RunConflict if the table there is
        differs from what is asked for, or if there is none and none can be made.
        """
        if (self.folder / "data" / f"{name}.zarr").exists():
            table = self._open_table(name)
            if columns is not None and dict(columns) != table.columns:
                raise RunConflict(f"{self.folder}: table {name!r} has other columns than those asked for")
            if rows_per_batch is not None and rows_per_batch != table.rows_per_batch:
                raise RunConflict(
                    f"{self.folder}: table {name!r} has {table.rows_per_batch} rows a batch, "
                    f"not {rows_per_batch}"
                )
            return table
        if columns is None or rows_per_batch is None:
            there = ", ".join(self.tables) or "none"
            raise RunConflict(f"{self.folder} has no table {name!r}; there are: {there}")
        self._writing()
        if not name.replace("_", "").isalnum():
            raise RunConflict(f"{name!r} cannot name a table: letters, digits and _ only")
        table = BatchTable.create(self.folder / "data", name, columns, rows_per_batch, attributes)
        self._tables[name] = table
        return table

    def blocks(self, stage: str) -> BlockFolder:
        """The blocks of a stage, none at first; raises DamagedRun."""
        return BlockFolder(self.folder / "data" / "blocks" / stage, writable=self.writable)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[steps.Step]:
        """Record that a step runs and how it ends: done, failed (an error), interrupted (anything else)."""
        self._writing()
        state = self._steps.get(name, steps.StepState()).begun()
        self._set_state(name, state)
        self.event("step", step=name, status="running", attempt=state.attempts)
        step = steps.Step(name, state.attempts)
        try:
            yield step
        except BaseException as error:
            try:
                self._end(name, steps.outcome_of(error))
            except (OSError, HilError) as second:
                error.add_note(f"and the end of step {name!r} could not be recorded: {second}")
            raise
        self._end(name, step.outcome)

    def event(self, kind: str, **fields: Any) -> None:
        """Add one line to events.jsonl; raises DiskFull."""
        self._writing()
        self._events.append({"t": utc_now(), "kind": kind, **fields})

    def metric(self, step: str, **fields: Any) -> None:
        """Add one line of figures to metrics.jsonl; raises DiskFull."""
        self._writing()
        self._metrics.append({"t": utc_now(), "step": step, **fields})

    def events(self) -> Iterator[dict[str, Any]]:
        """What happened, oldest first; raises DamagedRun."""
        return self._events.read()

    def metrics(self) -> Iterator[dict[str, Any]]:
        """What was measured, oldest first; raises DamagedRun."""
        return self._metrics.read()

    def write_json(self, name: str, value: Any) -> Path:
        """Put an object at `name` in the run, whole or not at all; where it lies. Raises DiskFull."""
        return self.write_bytes(name, (encode(value, indent=2) + "\n").encode())

    def write_bytes(self, name: str, data: bytes) -> Path:
        """Put bytes at the path `name` in the run, whole or not at all; where they lie. Raises DiskFull."""
        path = self._inside(name)
        if path.name in {manifests.NAME, steps.NAME} or path.is_relative_to(self.folder / "data"):
            raise ConfigError(f"{name!r} is the store's own")
        self._writing()
        return self._replace(name, data)

    def read_json(self, name: str) -> dict[str, Any]:
        """The object at `name` in the run; raises DamagedRun if it is missing or cut short."""
        return read_json(self._inside(name))

    def verify(self) -> dict[str, int]:
        """Read everything that was committed and check it; batches by table. Raises DamagedRun."""
        manifests.check_files(self.folder, self._manifest)
        for lines in (self._events, self._metrics):
            for _ in lines.read():
                pass
        for stage in sorted(path for path in (self.folder / "data" / "blocks").glob("*") if path.is_dir()):
            self.blocks(stage.name).read()
        return {name: self._open_table(name).verify() for name in self.tables}

    def close(self) -> None:
        """Stop writing and let go of the lock; harmless when closed already."""
        try:
            for table in self._tables.values():
                table.close()
        finally:
            self._events.close()
            self._metrics.close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _recover(self) -> None:
        for name in self.tables:
            self._open_table(name)
        for name, state in self._steps.items():
            if state.status == "running":
                self._set_state(name, state.ended("interrupted", "the process ended without a word", None))
                self.event("step", step=name, status="interrupted", reason="the process ended without a word")

    def _open_table(self, name: str) -> BatchTable:
        if name not in self._tables:
            self._tables[name] = BatchTable(self.folder / "data", name, writable=self.writable)
        return self._tables[name]

    def _end(self, name: str, outcome: tuple[steps.Status, str | None, int | None]) -> None:
        status, reason, exit_status = outcome
        self._set_state(name, self._steps[name].ended(status, reason, exit_status))
        self.event("step", step=name, status=status, reason=reason)

    def _set_state(self, name: str, state: steps.StepState) -> None:
        changed = {**self._steps, name: state}
        steps.write_state(self.folder, changed)
        self._steps = changed

    def _replace(self, name: str, data: bytes) -> Path:
        path = self._inside(name)
        with room_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
        settle(path.parent)
        return path

    def _inside(self, name: str) -> Path:
        path = self.folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts or path == self.folder:
            raise ConfigError(f"{name!r} does not lie in the run")
        return path

    def _writing(self) -> None:
        if self._lock is None:
            raise RunError(f"{self.folder} was opened for reading, or is closed")
