"""What a command hands back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from hil.session import Session


@dataclass(frozen=True)
class Outcome:
    """A run after one or more of its steps.

    Attributes:
        run: the run folder.
        steps: the status of each step.
        metrics: every figure, as in the run's metrics.json.
        missed: the acceptance criteria that were not met, in words.
        report: the HTML file, once written.
    """

    run: Path
    steps: Mapping[str, str]
    metrics: Mapping[str, Any]
    missed: tuple[str, ...] = ()
    report: Path | None = None

    @classmethod
    def of(cls, session: "Session[Any, Any]") -> Self:
        """A session's run as it stands."""
        metrics = session.metrics()
        page = session.folder / "report.html"
        return cls(
            run=session.folder,
            steps={name: str(state.status) for name, state in session.store.state.items()},
            metrics=metrics,
            missed=session.kind.missed(session.experiment, metrics),
            report=page if page.exists() else None,
        )

    @property
    def exit_code(self) -> int:
        """0, or 5 when the acceptance was missed."""
        return 5 if self.missed else 0

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        plain = asdict(self)
        return {**plain, "run": str(self.run), "report": str(self.report) if self.report else None}
