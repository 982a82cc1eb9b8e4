"""What has been run."""

from pathlib import Path

from hil.store.index import RunSummary, list_runs


def runs(folder: Path | str = "runs") -> list[RunSummary]:
    """Every run in `folder`, oldest first; a damaged or foreign folder is listed with its `problem`.

    Raises ConfigError where there is no such folder.
    """
    return list_runs(folder)
