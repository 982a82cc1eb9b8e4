"""The sessions of a dopant network."""

from pathlib import Path
from typing import TypeAlias

from hil.acceptance import missed
from hil.config.bench import BenchFile
from hil.config.experiment import FORMAT, ExperimentFile
from hil.feasible import check_feasible, check_together
from hil.session import Kind, Session

STEPS = ("sample", "fit", "search", "verify", "report")
SAMPLING = "sampling"
"""The table of the samples that the surrogate is fitted to."""

DnpuSession: TypeAlias = Session[ExperimentFile, BenchFile]


def _check(experiment: ExperimentFile, bench: BenchFile, path: Path) -> None:
    check_together(experiment, bench, path)
    check_feasible(experiment, bench, path)


DNPU = Kind(FORMAT, ExperimentFile, BenchFile, _check, missed)
