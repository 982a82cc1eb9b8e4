"""Tuning in situ."""

from collections.abc import Sequence
from pathlib import Path

from hil.config.tune_experiment import TuneExperiment
from hil.config.yaml_file import load
from hil.errors import ConfigError, StepError
from hil.outcome import Outcome
from hil.progress import Progress
from hil.session import check_kind, open_session
from hil.tuning.acceptance import KEEPING
from hil.tuning.session import ASKED, FOLDER, TUNE


def tune(
    target: Path | str,
    methods: Sequence[str] = (),
    *,
    readings: int | None = None,
    seeds: Sequence[int] = (),
    hold: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Tune the chip in situ, by what the experiment file asks; given a run folder, go on with it.

    Args:
        target: an experiment file of format hil-tune/1, or the folder of a run.
        methods: which to run, one after another, each from the same start and with the same budget; by default those
            of the file. One that the file does not set has its defaults.
        readings, seeds: instead of the file's.
        hold: leave the best parameters of the last method on the chip; otherwise it is at rest afterwards.

    A method that does not apply to the chip, or comes to nothing, does not keep the others from running; its error is
    raised when the report is written. Every step is kept: a session that is interrupted or killed goes on after its
    last one. Raises ConfigError, the drivers' errors (after the safe state), RunError, and of the tuning itself
    BudgetTooSmall, NotFinite, NotRepeatable, OutsideLimits, ReadingFailed, ShapeError: the best parameters are kept in
    the run then too.
    """
    from hil.tuning.report import report
    from hil.tuning.tune import tune as run

    path, asked = Path(target), {}
    if path.is_dir():
        if methods or readings is not None or seeds:
            raise ConfigError(
                f"{path} is a run, which goes on as it began; name the experiment file for something else"
            )
    else:
        asked = _asked(path, methods, readings, seeds)
    with open_session(TUNE, path, progress, manifest=asked) as session, session.resumable():
        if KEEPING in session.store.manifest:
            raise StepError(f"{path} is a watch over a tuned chip; go on with it by hil keep")
        errors = run(session, hold=hold)
        report(session)
        for error in errors[:1]:
            error.add_note(f"the other methods have run, see {session.folder / 'report.html'}")
            raise error
        return Outcome.of(session)


def _asked(
    path: Path, methods: Sequence[str], readings: int | None, seeds: Sequence[int]
) -> dict[str, object]:
    from calibration.errors import PlanError
    from calibration.tuning.registry import make_method

    check_kind(TUNE, path, path)
    experiment = load(path, TuneExperiment)
    wanted = list(dict.fromkeys(methods)) or list(experiment.methods)
    try:
        for name in wanted:
            make_method(name, experiment.methods.get(name, {}))
    except PlanError as error:
        raise ConfigError(f"--method: {error}") from None
    if readings is not None and readings < 1:
        raise ConfigError(f"a budget of {readings} readings; at least 1")
    asked = {
        "methods": wanted,
        "seeds": list(dict.fromkeys(seeds)) or experiment.tuning.seeds,
        "readings": readings or experiment.tuning.readings,
    }
    return {ASKED: asked, FOLDER: str(path.parent.resolve())}


def report_tuning(target: Path | str, progress: Progress | None = None) -> Outcome:
    """The page of a tuning or a watch from what its run holds so far; see `hil.report`."""
    from hil.tuning.report import report

    with open_session(TUNE, target, progress, new=False) as session, session.resumable():
        report(session)
        return Outcome.of(session)
