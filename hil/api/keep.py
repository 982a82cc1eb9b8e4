"""Keeping a tuned chip."""

from pathlib import Path

from hil.config.tune_experiment import TuneExperiment
from hil.config.yaml_file import load
from hil.errors import StepError
from hil.outcome import Outcome
from hil.progress import Progress
from hil.session import check_kind, open_session
from hil.tuning.acceptance import KEEPING
from hil.tuning.session import FOLDER, KEEP, START


def keep(target: Path | str, *, hold: bool = False, progress: Progress | None = None) -> Outcome:
    """Watch a tuned chip and re-tune it when it leaves its tolerance, by the section `keep` of its experiment file.

    It starts from the best controls that the newest `hil tune` of the same experiment found; where there is none, or
    where the file names controls (`start.file`), from what the file says. Time passes on the bench's own clock.

    Args:
        target: an experiment file of format hil-tune/1, or the folder of a run to go on with.
        hold: leave the kept controls on the chip; otherwise it is at rest afterwards.

    Every look is kept: a watch that is interrupted or killed goes on after its last one. Raises ConfigError, the
    drivers' errors (after the safe state), RunError, and of the algorithms BudgetTooSmall, NotFinite, OutsideLimits,
    ReadingFailed, ShapeError.
    """
    from hil.tuning.keep import keep as watch
    from hil.tuning.report import report

    path = Path(target)
    told = {} if path.is_dir() else _begun(path, progress)
    with open_session(KEEP, path, progress, manifest=told) as session:
        if KEEPING not in session.store.manifest:
            raise StepError(
                f"{path} is a tuning; go on with it by hil tune, or keep the chip by its experiment file"
            )
        with session.resumable():
            watch(session, hold=hold)
            report(session)
            return Outcome.of(session)


def _begun(path: Path, progress: Progress | None) -> dict[str, object]:
    """What a new run's manifest holds besides."""
    from hil.tuning.best import newest_tuned

    check_kind(KEEP, path, path)
    experiment = load(path, TuneExperiment)
    told: dict[str, object] = {KEEPING: True, FOLDER: str(path.parent.resolve())}
    tuned = None
    if experiment.start.file is None:
        tuned = newest_tuned(path.parent / experiment.runs, experiment.name)
    if tuned is not None:
        told[START] = str(tuned.file.resolve())
        if progress is not None:
            progress.say(f"starting from {tuned.file}, score {tuned.score:.4g}")
    return told
