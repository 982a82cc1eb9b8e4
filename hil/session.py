"""An open run: its store, its two files, and what its steps share."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from hil.config import BenchFile, ExperimentFile, load_bench, load_experiment
from hil.errors import ConfigError, NotARun, StepError
from hil.interrupts import Interrupts
from hil.progress import Progress, Silent
from hil.store import RunStore
from hil.traffic import TrafficLog

STEPS = ("sample", "fit", "search", "verify", "report")
SAMPLING = "sampling"
"""The table of the samples that the surrogate is fitted to."""


class Session:
    """One run being worked on.

    Attributes:
        store: the run folder.
        experiment, bench: its files, as they were when the run began.
        bench_path: where the bench file lies, for what it names relative to itself.
        progress: who is told.
        interrupts: what signals mean here.
    """

    def __init__(
        self,
        store: RunStore,
        experiment: ExperimentFile,
        bench: BenchFile,
        bench_path: Path,
        progress: Progress,
        interrupts: Interrupts,
    ) -> None:
        self.store, self.experiment, self.bench, self.bench_path = store, experiment, bench, bench_path
        self.progress, self.interrupts = progress, interrupts
        self.traffic: TrafficLog | None = None

    def checkpoint(self) -> None:
        """Where nothing is half done: stop here after a first SIGINT, or when the log could not be written."""
        if self.traffic is not None:
            self.traffic.check()
        self.interrupts.checkpoint()

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.store.folder

    def require(self, step: str, wanted_by: str) -> None:
        """StepError unless `step` is done."""
        if self.status(step) != "done":
            raise StepError(
                f"{self.folder}: {wanted_by} needs {step}, which is {self.status(step)}; "
                f"run: hil {step} {self.folder}"
            )

    def status(self, step: str) -> str:
        """The status of a step: pending, running, done, failed or interrupted."""
        return self.store.status(step)

    @contextmanager
    def resumable(self) -> Iterator[None]:
        """Tell whoever is stopped in here how to go on."""
        try:
            yield
        except BaseException as error:
            self.progress.finish()
            error.add_note(f"the run is whole and can be resumed: hil calibrate {self.folder}")
            raise

    def note(self, section: str, figures: dict[str, Any]) -> None:
        """Put figures into the run's metrics.json."""
        metrics = self.metrics()
        metrics[section] = figures
        self.store.write_json("metrics.json", metrics)

    def metrics(self) -> dict[str, Any]:
        """Every figure so far."""
        return self.store.read_json("metrics.json") if (self.folder / "metrics.json").exists() else {}


@contextmanager
def open_session(
    target: Path | str, progress: Progress | None = None, *, new: bool = True
) -> Iterator[Session]:
    """Open the run folder `target`, or begin a run from the experiment file `target` where `new` allows it.

    Raises ConfigError for files that cannot be used, NotARun for a folder without a run.
    """
    path = Path(target)
    shown = progress or Silent()
    if path.is_dir():
        with RunStore.open(path, writable=True) as store, Interrupts() as interrupts:
            yield _resumed(store, shown, interrupts)
        return
    if not new:
        raise NotARun(f"{path} is no run folder; list them with: hil runs")
    experiment = load_experiment(path)
    bench_path = (path.parent / experiment.bench).resolve()
    bench = load_bench(bench_path)
    check_together(experiment, bench, path)
    folder = _folder(path.parent / experiment.runs, experiment.name)
    with (
        RunStore.create(
            folder,
            name=experiment.name,
            seed=experiment.seed,
            files={"experiment.yaml": path, "bench.yaml": bench_path},
            bench_path=str(bench_path),
        ) as store,
        Interrupts() as interrupts,
    ):
        yield Session(store, experiment, bench, bench_path, shown, interrupts)


def _resumed(store: RunStore, progress: Progress, interrupts: Interrupts) -> Session:
    if "bench_path" not in store.manifest:
        raise StepError(
            f"{store.folder} holds imported data: it has no bench to drive and no experiment to follow; "
            "read it with `hil runs` and `hil export`"
        )
    experiment = load_experiment(store.folder / "experiment.yaml")
    copy = store.folder / "bench.yaml"
    original = Path(store.manifest["bench_path"])
    # What the bench file names relative to itself (a stored chip) lies beside the original, not the copy.
    same = original.exists() and _digest(original) == _digest(copy)
    return Session(
        store,
        experiment,
        load_bench(original if same else copy),
        original if same else copy,
        progress,
        interrupts,
    )


def check_together(experiment: ExperimentFile, bench: BenchFile, path: Path) -> None:
    """ConfigError where the experiment asks for what the bench does not have."""
    electrodes = bench.chip.electrodes
    for name in experiment.search.inputs:
        if name not in electrodes:
            raise ConfigError(f"{path}: search.inputs names {name!r}; the bench has {', '.join(electrodes)}")
    wanted = [
        (f"search.levels of {name}", name, level)
        for name in experiment.search.inputs
        for level in experiment.search.levels
    ]
    wanted += [
        (f"search.points {item.name!r}", name, value)
        for item in experiment.search.points
        for point in item.points
        for name, value in zip(experiment.search.inputs, point, strict=False)
    ]
    for what, name, value in wanted:
        low, high = electrodes[name].low, electrodes[name].high
        if not low <= value <= high:
            raise ConfigError(
                f"{path}: {what}: {value:g} V is outside {name}'s range {low:g} V to {high:g} V; "
                "choose one inside"
            )


def _folder(runs: Path, name: str) -> Path:
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    folder, count = runs / stem, 1
    while folder.exists():
        count += 1
        folder = runs / f"{stem}-{count}"
    return folder


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
