"""The whole session."""

from pathlib import Path

from hil.config import mesh_experiment
from hil.config.experiment_file import format_of
from hil.outcome import Outcome
from hil.progress import Progress
from hil.session import open_session
from hil.steps.session import DNPU, STEPS


def calibrate(target: Path | str, progress: Progress | None = None) -> Outcome:
    """Calibrate the chip, by what the experiment file asks; given a run folder, do what it still lacks.

    A dopant network is sampled, its surrogate fitted, tasks searched and verified; a mesh goes through the stages
    of `hil.mesh.stages`. Both end in a report.

    A session that is interrupted or fails leaves a run that can be resumed: the error says how. Raises
    ConfigError, the drivers' errors (after the safe state) and RunError.
    """
    if format_of(Path(target)) == mesh_experiment.FORMAT:
        from hil.api.mesh import calibrate_mesh

        return calibrate_mesh(target, progress)
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
