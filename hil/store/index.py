"""What has been run: one line for each folder, the damaged and the foreign included."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hil.errors import ConfigError, NotARun, RunError
from hil.store import layout, manifest, steps
from hil.store.lock import is_locked

RECORDS = "calibrations"
"""The folder among the runs that holds none, but the calibration records of chips."""


@dataclass(frozen=True)
class RunSummary:
    """One run folder.

    `steps` maps each step to its status; `batches` each table to its committed batches; `figures` is what
    metrics.json says; `problem` is why the folder cannot be used, None if it can.
    """

    folder: Path
    name: str = ""
    created: str = ""
    steps: Mapping[str, str] = field(default_factory=dict)
    batches: Mapping[str, int] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    size_bytes: int = 0
    active: bool = False
    problem: str | None = None


def list_runs(folder: Path | str) -> list[RunSummary]:
    """Every folder in `folder`, oldest run first, those that are no runs last; raises ConfigError.

    Hidden folders and `RECORDS` are passed over. A step whose process is gone reads as interrupted.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder")
    folders = (path for path in folder.iterdir() if path.is_dir() and path.name != RECORDS)
    found = [summary(path) for path in folders if not path.name.startswith(".")]
    return sorted(found, key=lambda run: (run.created == "", run.created, run.folder.name))


def summary(folder: Path) -> RunSummary:
    """What can be said of one folder without reading its data; never raises for what is in it."""
    size = _size(folder)
    try:
        described = manifest.read_manifest(folder)
    except NotARun as error:
        return RunSummary(folder, size_bytes=size, problem=f"not a run: {error}")
    except RunError as error:
        return RunSummary(folder, size_bytes=size, problem=str(error))
    active = is_locked(folder)
    problem, states, batches, figures = None, {}, {}, {}
    try:
        states = {
            name: "interrupted" if step.status == "running" and not active else str(step.status)
            for name, step in steps.read_state(folder).items()
        }
        for path in sorted((folder / "data").glob("*.zarr")):
            paths = layout.TablePaths(folder / "data", path.stem)
            batches[path.stem] = layout.check_table(paths).batches
        manifest.check_files(folder, described)
        figures = _figures(folder / "metrics.json")
    except RunError as error:
        problem = str(error)
    return RunSummary(
        folder,
        str(described["name"]),
        str(described["created"]),
        states,
        batches,
        figures,
        size,
        active,
        problem,
    )


def _figures(path: Path) -> dict[str, Any]:
    return layout.read_json(path) if path.exists() else {}


def _size(folder: Path) -> int:
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(at, name)).st_size
            except OSError:
                continue  # a file that its writer has just replaced
    return total
