"""The five steps of a session, each callable alone on a run folder."""

from collections.abc import Callable
from pathlib import Path

from hil.config import mesh_experiment, tune_experiment
from hil.config.experiment_file import format_of
from hil.outcome import Outcome
from hil.progress import Progress
from hil.session import open_session
from hil.steps.session import DNPU, DnpuSession

Target = Path | str


def sample(target: Target, progress: Progress | None = None) -> Outcome:
    """Sample the chip: a new run from an experiment file, or what a run folder still lacks.

    Raises ConfigError, the drivers' errors (after the safe state) and RunError.
    """
    from hil.steps.sample import sample as step

    return _run(target, progress, step, new=True)


def fit(target: Target, progress: Progress | None = None) -> Outcome:
    """Fit the surrogate to a run's samples, from its last checkpoint if there is one.

    Raises StepError where nothing was sampled, NotEnoughData where too little was.
    """
    from hil.steps.fit import fit as step

    return _run(target, progress, step)


def search(target: Target, progress: Progress | None = None) -> Outcome:
    """Look for control voltages that do the experiment's tasks, on the run's surrogate.

    Raises StepError where nothing was fitted.
    """
    from hil.steps.search import search as step

    return _run(target, progress, step)


def verify(target: Target, progress: Progress | None = None) -> Outcome:
    """Try the best solutions on the chip; what misses the acceptance is in the outcome.

    Raises StepError where nothing was searched, and the drivers' errors (after the safe state).
    """
    from hil.steps.verify import verify as step

    return _run(target, progress, step)


def report(target: Target, progress: Progress | None = None) -> Outcome:
    """Write a run's report from what it holds so far."""
    if format_of(Path(target)) == mesh_experiment.FORMAT:
        from hil.api.mesh import report_mesh

        return report_mesh(target, progress)
    if format_of(Path(target)) == tune_experiment.FORMAT:
        from hil.api.tune import report_tuning

        return report_tuning(target, progress)
    from hil.steps.report import report as step

    return _run(target, progress, step)


def _run(
    target: Target, progress: Progress | None, step: Callable[[DnpuSession], None], *, new: bool = False
) -> Outcome:
    with open_session(DNPU, target, progress, new=new) as session, session.resumable():
        step(session)
        return Outcome.of(session)
