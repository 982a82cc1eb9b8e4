"""Write the report of a tuning or a watch from what its folder holds."""

from hil.chronicle import run_of
from hil.config.tune_experiment import TaskSection
from hil.page.data import Criterion
from hil.page.tuning_data import TuningReport, TuningRun, Watch
from hil.page.tuning_metrics import tuning_metrics
from hil.page.tuning_page import write_tuning_report
from hil.tuning.acceptance import KEEPING, TUNING, criteria
from hil.tuning.session import TuneSession


def report(session: TuneSession) -> None:
    """Write report.html, and every figure in it to metrics.json."""
    with session.store.step("report"):
        data = report_data(session)
        session.note("report", tuning_metrics(data))
        write_tuning_report(data, session.folder / "report.html")


def report_data(session: TuneSession) -> TuningReport:
    """Everything the report shows; what the run has not got yet stays out."""
    figures, experiment = session.metrics(), session.experiment
    matrix = experiment.task.kind == "matrix"
    return TuningReport(
        run=run_of(session),
        acceptance=tuple(
            Criterion(line.what, line.measured, line.limit, line.unit, line.sense, line.passed)
            for line in criteria(experiment, figures)
        ),
        task=_told(experiment.task),
        score_name="amplitude fidelity" if matrix else "accuracy",
        runs=tuple(TuningRun.of(run) for run in figures.get(TUNING, [])),
        wanted_score=experiment.acceptance.min_score,
        watch=Watch.of(figures[KEEPING]) if KEEPING in figures else None,
    )


def _told(task: TaskSection) -> str:
    """The task in a few words."""
    if task.kind == "gate":
        return f"{task.gate} of {' and '.join(task.inputs)}"
    if task.kind == "truth_table":
        return f"a truth table of {' and '.join(task.inputs)}"
    if task.kind == "points":
        return f"{len(task.points)} labelled points"
    if task.kind == "matrix":
        return f"the matrix {task.file}" if task.file else f"the random unitary of seed {task.haar}"
    return f"the classes of {task.file}" if task.file else "clusters of points"
