"""An open run: its store, its two files, and what its steps share."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from hil.config import BenchFile, ExperimentFile, load_bench, load_experiment
from hil.config.visa_library import absolute
from hil.config.yaml_file import load
from hil.errors import NotARun, RunError, StepError, Unwritable
from hil.feasible import check_feasible, check_together
from hil.interrupts import Interrupts
from hil.progress import Progress, Silent
from hil.store import RunStore
from hil.traffic import TrafficLog
from simulators.yaml_source import YamlSource

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
            # what the files ask for, or what is missing, does not come right by going on
            if isinstance(error, OSError) or not isinstance(error, Exception):
                command = f"hil calibrate {shlex.quote(str(self.folder))}"
                error.add_note(f"the run is whole and can be resumed: {command}")
            raise

    def warn(self, message: str) -> None:
        """Tell whoever is watching, and whoever reads the run, of something that no figure shows by itself."""
        self.progress.say(f"warning: {message}")
        self.store.event("warning", message=message)

    def note(self, section: str, figures: dict[str, Any]) -> None:
        """Put figures into the run's metrics.json."""
        metrics = self.metrics()
        metrics[section] = figures
        self.store.write_json("metrics.json", metrics)

    def metrics(self) -> dict[str, Any]:
        """Every figure so far; DamagedRun where a step is done and its figures are gone."""
        begun = any(state.status == "done" for state in self.store.state.values())
        there = (self.folder / "metrics.json").exists()
        return self.store.read_json("metrics.json") if begun or there else {}


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
    check_feasible(experiment, bench, path)
    folder = _folder(path.parent / experiment.runs, experiment.name)
    with _begun(folder, experiment, path, bench_path) as store, Interrupts() as interrupts:
        copy = folder / "bench.yaml"  # says the same, whatever folder it is read from
        yield Session(store, experiment, load(copy, BenchFile), copy, shown, interrupts)


def _begun(folder: Path, experiment: ExperimentFile, path: Path, bench_path: Path) -> RunStore:
    try:
        return RunStore.create(
            folder,
            name=experiment.name,
            seed=experiment.seed,
            files={"experiment.yaml": path, "bench.yaml": _standing_alone(bench_path)},
            bench_path=str(bench_path),
        )
    except RunError:
        raise
    except OSError as error:
        raise Unwritable(
            f"no run can be written to {folder.parent}: {error.strerror}; choose another `runs:`"
        ) from None


def _standing_alone(bench_path: Path) -> str:
    """The bench file's text for a run's folder: what it names relative to itself is named absolutely."""
    text, source = bench_path.read_text(encoding="utf-8"), YamlSource.read(bench_path)
    replaced: list[tuple[yaml.Node, str]] = []
    if (file := source.node(("emulator", "chip", "file"))) is not None:
        replaced.append((file, str((bench_path.parent / str(file.value)).resolve())))
    named = [
        ("station", "instruments", name, "init", "visalib")
        for name in source.values["station"]["instruments"]
    ]
    for visa in (source.node(where) for where in (("visa",), *named)):
        if visa is not None:
            replaced.append((visa, absolute(str(visa.value), bench_path.parent)))
    for node, value in sorted(replaced, key=lambda one: -one[0].start_mark.index):
        if str(node.value) != value:
            text = text[: node.start_mark.index] + json.dumps(value) + text[node.end_mark.index :]
    return text


def _resumed(store: RunStore, progress: Progress, interrupts: Interrupts) -> Session:
    if "bench_path" not in store.manifest:
        raise StepError(
            f"{store.folder} holds imported data: it has no bench to drive and no experiment to follow; "
            "read it with `hil runs` and `hil export`"
        )
    experiment = load_experiment(store.folder / "experiment.yaml")
    # the chip in the emulator, if any, is wanted only by what connects to it
    copy = store.folder / "bench.yaml"
    return Session(store, experiment, load(copy, BenchFile), copy, progress, interrupts)


def _folder(runs: Path, name: str) -> Path:
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    folder, count = runs / stem, 1
    while folder.exists():
        count += 1
        folder = runs / f"{stem}-{count}"
    return folder
