"""An open run of any kind of chip: its store, its two files, and what its steps share."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import yaml
from pydantic import BaseModel

from hil.config.bench import load_chip_bench
from hil.config.experiment_file import COMMANDS, EXPERIMENT, FORMATS, ExperimentBase, format_of
from hil.config.visa_library import absolute
from hil.config.yaml_file import load
from hil.errors import NotARun, RunError, StepError, Unwritable
from hil.interrupts import Interrupts
from hil.progress import Progress, Silent
from hil.store import RunStore
from hil.traffic import TrafficLog
from simulators.yaml_source import YamlSource

Experiment = TypeVar("Experiment", bound=ExperimentBase)
Bench = TypeVar("Bench", bound=BaseModel)
"""A bench file, or what takes its place."""


@dataclass(frozen=True)
class Kind(Generic[Experiment, Bench]):
    """What is particular to the sessions of one kind of chip.

    Attributes:
        format: of its experiment file.
        experiment, bench: its two files.
        check: raises ConfigError for an experiment that does not fit its bench, found on paper; is given the
            experiment's path too.
        missed: what of the acceptance was measured and not met, in words, by the run's figures.
    """

    format: str
    experiment: type[Experiment]
    bench: type[Bench]
    check: Callable[[Experiment, Bench, Path], None]
    missed: Callable[[Experiment, Mapping[str, Any]], tuple[str, ...]]

    @property
    def command(self) -> str:
        """What goes on with a run of this kind."""
        return COMMANDS[self.format]

    def load_bench(self, path: Path, *, emulated: bool = True) -> Bench:
        """Read the bench file at `path`; where it is not to be connected, what it emulates need not be there."""
        return (
            cast(Bench, load_chip_bench(path, cast(Any, self.bench))) if emulated else load(path, self.bench)
        )


class Session(Generic[Experiment, Bench]):
    """One run being worked on.

    Attributes:
        kind: of chip.
        store: the run folder.
        experiment, bench: its files, as they were when the run began.
        bench_path: where the bench file lies, for what it names relative to itself.
        progress: who is told.
        interrupts: what signals mean here.
    """

    def __init__(
        self,
        kind: Kind[Experiment, Bench],
        store: RunStore,
        experiment: Experiment,
        bench: Bench,
        bench_path: Path,
        progress: Progress,
        interrupts: Interrupts,
    ) -> None:
        self.kind, self.store = kind, store
        self.experiment, self.bench, self.bench_path = experiment, bench, bench_path
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
                command = f"hil {self.kind.command} {shlex.quote(str(self.folder))}"
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
    kind: Kind[Experiment, Bench],
    target: Path | str,
    progress: Progress | None = None,
    *,
    new: bool = True,
    beside: Path | None = None,
    label: str = "",
    manifest: Mapping[str, Any] | None = None,
) -> Iterator[Session[Experiment, Bench]]:
    """Open the run folder `target`, or begin a run from the experiment file `target` where `new` allows it.

    Args:
        kind: which commands work on it.
        target: the experiment file, or the run's folder.
        progress: who is told.
        new: whether a run may be begun.
        beside: the folder for a new run, instead of the experiment's.
        label: added to a new run's name.
        manifest: more fields of a new run's manifest.

    Raises ConfigError for files that cannot be used, NotARun for a folder without a run, StepError for what
    belongs to another kind of chip.
    """
    path = Path(target)
    shown = progress or Silent()
    if path.is_dir():
        with RunStore.open(path, writable=True) as store, Interrupts() as interrupts:
            yield _resumed(kind, store, shown, interrupts)
        return
    if not new:
        raise NotARun(f"{path} is no run folder; list them with: hil runs")
    check_kind(kind, path, path)
    experiment = load(path, kind.experiment)
    bench_path = (path.parent / experiment.bench).resolve()
    bench = kind.load_bench(bench_path)
    kind.check(experiment, bench, path)
    runs = beside or path.parent / experiment.runs
    with (
        _begun(experiment, path, bench_path, runs, label, manifest or {}) as store,
        Interrupts() as interrupts,
    ):
        copy = store.folder / "bench.yaml"  # says the same, whatever folder it is read from
        yield Session(kind, store, experiment, kind.load_bench(copy, emulated=False), copy, shown, interrupts)


def check_kind(kind: Kind[Any, Any], target: Path, file: Path) -> None:
    """Raise StepError where `file`, of what the user named as `target`, is of another kind of chip."""
    found = format_of(file)
    if found != kind.format and found in FORMATS:
        raise StepError(
            f"{target} is for {FORMATS[found]}, and this command for {FORMATS[kind.format]}; "
            f"run: hil {COMMANDS[found]}"
        )


def _begun(
    experiment: ExperimentBase,
    path: Path,
    bench_path: Path,
    runs: Path,
    label: str,
    manifest: Mapping[str, Any],
) -> RunStore:
    name = f"{experiment.name}-{label}" if label else experiment.name
    folder = _folder(runs, name)
    try:
        return RunStore.create(
            folder,
            name=name,
            seed=experiment.seed,
            files={EXPERIMENT: path, "bench.yaml": _standing_alone(bench_path)},
            bench_path=str(bench_path),
            **manifest,
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
        for name in source.values.get("station", {}).get("instruments", {})
    ]
    for visa in (source.node(where) for where in (("visa",), *named)):
        if visa is not None:
            replaced.append((visa, absolute(str(visa.value), bench_path.parent)))
    for node, value in sorted(replaced, key=lambda one: -one[0].start_mark.index):
        if str(node.value) != value:
            text = text[: node.start_mark.index] + json.dumps(value) + text[node.end_mark.index :]
    return text


def _resumed(
    kind: Kind[Experiment, Bench], store: RunStore, progress: Progress, interrupts: Interrupts
) -> Session[Experiment, Bench]:
    if "bench_path" not in store.manifest:
        raise StepError(
            f"{store.folder} holds imported data: it has no bench to drive and no experiment to follow; "
            "read it with `hil runs` and `hil export`"
        )
    check_kind(kind, store.folder, store.folder / EXPERIMENT)
    experiment = load(store.folder / EXPERIMENT, kind.experiment)
    # the chip in the emulator, if any, is wanted only by what connects to it
    copy = store.folder / "bench.yaml"
    bench = kind.load_bench(copy, emulated=False)
    return Session(kind, store, experiment, bench, copy, progress, interrupts)


def _folder(runs: Path, name: str) -> Path:
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    folder, count = runs / stem, 1
    while folder.exists():
        count += 1
        folder = runs / f"{stem}-{count}"
    return folder
