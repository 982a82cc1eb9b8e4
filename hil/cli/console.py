"""What a person sees: rich text on stderr, progress bars with the time left."""

import sys
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

stderr = Console(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """One JSON document on stdout, numbers that JSON cannot say as null."""
    import json

    sys.stdout.write(json.dumps(_plain(document), indent=2, allow_nan=False, default=str) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


class Bars:
    """A `hil.progress.Progress` on the terminal; plain lines where stderr is not one."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def start(self, title: str, total: int, done: int = 0) -> None:
        """See `hil.progress.Progress`."""
        self.finish()
        if not stderr.is_terminal:
            stderr.print(f"{title}: {total}" + (f", {done} done before" if done else ""))
            return
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=stderr,
        )
        self._task = self._bars.add_task(title, total=total, completed=done, note="")
        self._bars.start()

    def advance(self, note: str = "", by: int = 1) -> None:
        """See `hil.progress.Progress`."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, advance=by, note=note)

    def finish(self) -> None:
        """See `hil.progress.Progress`."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def say(self, text: str) -> None:
        """See `hil.progress.Progress`."""
        stderr.print(text, soft_wrap=True)
