"""The sessions of in-situ tuning, of any kind of chip."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

from hil.config import device_file
from hil.config.bench import RackFile, load_chip_bench
from hil.config.device_file import DeviceFile
from hil.config.experiment_file import format_of
from hil.config.keep_section import KeepSection
from hil.config.tune_experiment import FORMAT, TuneExperiment
from hil.config.yaml_file import load
from hil.errors import ConfigError
from hil.session import Kind, Session
from hil.tuning.acceptance import missed

TunedBench: TypeAlias = RackFile | DeviceFile
TuneSession: TypeAlias = Session[TuneExperiment, Any]
START = "start"
"""The field of the manifest that names the tuned controls that a watch begins with."""
ASKED, FOLDER = "tuning", "experiment_folder"
"""Fields of a run's manifest: what is run, the command line heeded, and where the experiment file was."""

_DOPANT = ("gate", "truth_table", "points")
_TASKS = {"dnpu": _DOPANT, "dopant": _DOPANT, "mesh": ("matrix", "classes")}
"""The tasks of each type of chip; all others tell classes apart."""


class TuneKind(Kind[TuneExperiment, Any]):
    """Sessions on a bench, or on a device in process."""

    def load_bench(self, path: Path, *, emulated: bool = True) -> TunedBench:
        """See `Kind`; the file says by its format which of the two it is."""
        if format_of(path) == device_file.FORMAT:
            return load(path, DeviceFile)
        return load_chip_bench(path, RackFile) if emulated else load(path, RackFile)


def check(experiment: TuneExperiment, bench: TunedBench, path: Path) -> None:
    """ConfigError for a task that the chip cannot be asked, or a method or setting that there is not."""
    from calibration.errors import PlanError
    from calibration.tuning.registry import make_method

    if bench.chip is None:
        raise ConfigError(f"{path}: the bench {experiment.bench} has no chip; name one that has")
    tasks = _TASKS.get(bench.chip.type, ("classes",))
    if experiment.task.kind not in tasks:
        raise ConfigError(
            f"{path}: task: {experiment.task.kind} is nothing that a {bench.chip.type} chip can be asked; "
            f"its task is {' or '.join(tasks)}"
        )
    for name, settings in experiment.methods.items():
        try:
            make_method(name, settings)
        except PlanError as error:
            raise ConfigError(f"{path}: methods: {error}") from None


def check_keeping(experiment: TuneExperiment, bench: TunedBench, path: Path) -> None:
    """ConfigError also where nothing is said of keeping, or of a rung that there is not."""
    from calibration.errors import PlanError
    from calibration.tuning.registry import make_method

    check(experiment, bench, path)
    if experiment.keep is None:
        raise ConfigError(
            f"{path}: it says nothing of keeping; add a section such as  "
            "keep: {every: 10 min, for: 24 h, tolerance: 0.02}"
        )
    for place, rung in enumerate(experiment.keep.ladder):
        try:
            make_method(rung.method, rung.settings)
        except PlanError as error:
            raise ConfigError(f"{path}: keep.ladder.{place}: {error}") from None


class KeepKind(TuneKind):
    """Sessions in which a tuned chip is watched."""

    command = "keep"


TUNE = TuneKind(FORMAT, TuneExperiment, RackFile, check, missed)
KEEP = KeepKind(FORMAT, TuneExperiment, RackFile, check_keeping, missed)


def keep_section(experiment: TuneExperiment) -> KeepSection:
    """What the experiment says of keeping; ConfigError where it says nothing."""
    if experiment.keep is None:
        raise ConfigError("the experiment file says nothing of keeping; add a section keep")
    return experiment.keep


def folder_of(session: TuneSession) -> Path:
    """The folder of the experiment file, which what it names is relative to."""
    return Path(session.store.manifest[FOLDER])


@dataclass(frozen=True)
class Given:
    """What is known of a tuning without its chip.

    Attributes:
        experiment: its file.
        chip: the section of the bench file, or of what takes its place.
        folder: of the experiment file, which what it names is relative to.
        runs: where runs are, and the calibrations of chips.
        seed: of the method.
        say: tells whoever watches.
        rehearsed: only on paper, so that nothing is trained.
    """

    experiment: TuneExperiment
    chip: Any
    folder: Path
    runs: Path
    seed: int
    say: Callable[[str], None]
    rehearsed: bool = False

    @classmethod
    def of(cls, session: TuneSession, seed: int) -> Self:
        """Of a session, for one of its seeds."""
        return cls(
            session.experiment,
            session.bench.chip,
            folder_of(session),
            session.folder.parent,
            seed,
            session.progress.say,
        )
