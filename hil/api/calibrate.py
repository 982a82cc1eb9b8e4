"""The whole session."""

from pathlib import Path

from hil.outcome import Outcome
from hil.progress import Progress
from hil.session import open_session
from hil.steps.session import DNPU, STEPS


def calibrate(target: Path | str, progress: Progress | None = None) -> Outcome:
    """Sample, fit, search, verify and report; given a run folder, do what it still lacks.

    A session that is interrupted or fails leaves a run that can be resumed: the error says how. Raises
    ConfigError, the drivers' errors (after the safe state) and RunError.
    """
    from hil.steps import fit, report, sample, search, verify

    steps = {
        "sample": sample.sample,
        "fit": fit.fit,
        "search": search.search,
        "verify": verify.verify,
        "report": report.report,
    }
    with open_session(DNPU, target, progress) as session, session.resumable():
        for name in STEPS:
            session.checkpoint()
            # the report is cheap, and whatever was just done belongs in it
            if name == "report" or session.status(name) != "done":
                steps[name](session)
        return Outcome.of(session)
