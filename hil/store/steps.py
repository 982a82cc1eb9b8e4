"""What has become of each step of a run: pending, running, done, failed or interrupted."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from hil.errors import DamagedRun
from hil.store.files import write_whole
from hil.store.layout import read_json
from hil.store.lines import encode
from hil.store.manifest import utc_now

Status = Literal["pending", "running", "done", "failed", "interrupted"]
NAME = "state.json"


@dataclass(frozen=True)
class StepState:
    """One step: `reason` says why it failed or was interrupted, `exit_status` what the shell was told."""

    status: Status = "pending"
    started: str | None = None
    finished: str | None = None
    attempts: int = 0
    reason: str | None = None
    exit_status: int | None = None

    def begun(self) -> "StepState":
        """The same step, running once more."""
        return StepState("running", started=utc_now(), attempts=self.attempts + 1)

    def ended(self, status: Status, reason: str | None, exit_status: int | None) -> "StepState":
        """The same step at its end."""
        return replace(self, status=status, finished=utc_now(), reason=reason, exit_status=exit_status)


def read_state(folder: Path) -> dict[str, StepState]:
    """The steps of the run in `folder`, in the order they were first begun; raises DamagedRun."""
    path = folder / NAME
    if not path.exists():
        return {}
    steps = {}
    for name, stored in read_json(path).items():
        try:
            steps[name] = StepState(**stored)
        except TypeError as error:
            raise DamagedRun(f"{path}, step {name!r}: {error}") from None
        if steps[name].status not in get_args(Status):
            raise DamagedRun(f"{path}, step {name!r}: unknown status {steps[name].status!r}")
    return steps


def write_state(folder: Path, steps: Mapping[str, StepState]) -> None:
    """Replace the state on disk, whole or not at all; raises DiskFull."""
    stored = {name: asdict(step) for name, step in steps.items()}
    write_whole(folder / NAME, encode(stored, indent=2).encode())


class Step:
    """A step in progress, as `RunStore.step` hands it out."""

    def __init__(self, name: str, attempt: int) -> None:
        self.name = name
        self.attempt = attempt
        self.outcome: tuple[Status, str | None, int | None] = ("done", None, 0)

    def interrupted(self, reason: str, exit_status: int | None = None) -> None:
        """End as interrupted although nothing is raised: a stop that was asked for and went well."""
        self.outcome = ("interrupted", reason, exit_status)


def outcome_of(error: BaseException) -> tuple[Status, str, int | None]:
    """How a step ends that `error` left; an error may say its `exit_status` itself."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    status: Any = getattr(error, "exit_status", None)
    if isinstance(error, Exception):
        return "failed", reason, status if isinstance(status, int) else 1
    if isinstance(error, KeyboardInterrupt):
        status = 130
    elif isinstance(error, SystemExit):
        status = error.code
    return "interrupted", reason, status if isinstance(status, int) else None
