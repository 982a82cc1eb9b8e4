"""The experiment file of in-situ tuning: what a chip is to do, with which methods, for how many readings."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from hil.config.experiment import Gate
from hil.config.experiment_file import ExperimentBase
from hil.config.fields import Amperes, Count, Ordinal, Seconds, Section, Share, Volts
from hil.config.keep_section import KeepSection

FORMAT = "hil-tune/1"


class _Plateaus(Section):
    """How a dopant network is asked for a point, and how often each is in the probe set.

    Attributes:
        inputs: the electrodes that carry the points.
        plateau: how long each point is held, settling included.
        repeats: how often each is held in one reading of it.
        probes: how often each point is in the probe set; even.
        noise: standard deviation of one reading; the chip's own where it is known.
    """

    inputs: Annotated[list[str], Field(min_length=1)]
    plateau: Seconds = 0.02
    repeats: Count = 1
    probes: Annotated[int, Field(ge=2, multiple_of=2)] = 8
    noise: Amperes | None = None


class GateTask(_Plateaus):
    """A Boolean gate of two inputs."""

    kind: Literal["gate"]
    gate: Gate
    levels: Annotated[list[Volts], Field(min_length=2, max_length=2)]


class TableTask(_Plateaus):
    """A truth table: the wanted output for each combination of inputs."""

    kind: Literal["truth_table"]
    table: Annotated[dict[str, Literal[0, 1]], Field(min_length=2)]
    levels: Annotated[list[Volts], Field(min_length=2, max_length=2)]


class PointsTask(_Plateaus):
    """Points of the input plane and the class of each."""

    kind: Literal["points"]
    points: Annotated[list[list[Volts]], Field(min_length=2)]
    labels: Annotated[list[Literal[0, 1]], Field(min_length=2)]


class MatrixTask(Section):
    """A unitary on a mesh, each port lit alone: from a file, or the one that a seed stands for.

    Attributes:
        probes: how often each port is in the probe set; even.
    """

    kind: Literal["matrix"]
    file: str | None = None
    haar: Ordinal | None = None
    probes: Annotated[int, Field(ge=2, multiple_of=2)] = 2

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.file is None) == (self.haar is None):
            raise ValueError("name one matrix: file, or haar with a seed for a random one")
        return self


class ClustersSection(Section):
    """Classes that need no file, from 0 to 1 on every input, drawn by `seed`.

    Attributes:
        shape: blobs, points around a centre for each class; rings, shells around the middle, which no plane parts.
        samples: of all classes together.
        spread: standard deviation of each input, away from the centre or the shell.
    """

    shape: Literal["blobs", "rings"] = "blobs"
    classes: Annotated[int, Field(ge=2)] = 4
    samples: Annotated[int, Field(ge=8)] = 400
    spread: Annotated[float, Field(gt=0)] = 0.2
    seed: Ordinal = 0


class ClassesTask(Section):
    """Classes told apart by which output is the strongest.

    Attributes:
        file: a .npz or .safetensors file with `inputs` (samples, n) and `labels` (samples,).
        clusters: instead, made here.
        amplitude: factor on the inputs, which are in the chip's units: fields of a network of meshes, amplitudes of
            diffractive planes; of a mesh on its bench how far each modulator opens, from 0 to 1.
        probe, test: shares of the samples that steps are accepted on, and that are only reported on.
    """

    kind: Literal["classes"]
    file: str | None = None
    clusters: ClustersSection | None = None
    amplitude: Annotated[float, Field(gt=0)] = 1.0
    probe: Share = 0.2
    test: Share = 0.2

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.file is None) == (self.clusters is None):
            raise ValueError("name one set of samples: file, or clusters")
        if self.probe + self.test >= 0.9:
            raise ValueError(f"probe {self.probe} and test {self.test} leave too few samples to learn from")
        return self


TaskSection: TypeAlias = Annotated[
    GateTask | TableTask | PointsTask | MatrixTask | ClassesTask, Field(discriminator="kind")
]


class TrainSection(Section):
    """Training in silico, on the ideal model, before the chip is asked.

    Attributes:
        noise: whether the model's noise is drawn meanwhile, where it has any.
    """

    steps: Count = 300
    batch_size: Count = 128
    rate: Annotated[float, Field(gt=0)] = 0.03
    noise: bool = True


class StartSection(Section):
    """Where tuning begins.

    Attributes:
        at: middle of every range, drawn at random by the seed, or deployed: what is best by what is known already
            (of a mesh its matrix by its calibration, of a dopant network the solution that `search` found).
        deploy: of a mesh, by what: the design, the calibration without its splitters, or all of it.
        file: a .json file of controls by name, such as a run keeps as best/METHOD-SEED.json; or such a run's folder,
            for the best of its methods.
        train: in silico first.
    """

    at: Literal["middle", "random", "deployed"] = "middle"
    deploy: Literal["designed", "calibrated", "corrected"] = "corrected"
    file: str | None = None
    train: TrainSection | None = None


class TuningSection(Section):
    """The budget of each method, and what is accepted; see `calibration.tuning.TuningPlan`.

    Attributes:
        seeds: every method is run with each.
        within: share of every control's range, around the start, that it may use.
    """

    readings: Count = 20_000
    checks: Count = 10
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    repeats: Count = 1
    sought: Annotated[float, Field(gt=0)] | None = None
    seeds: Annotated[list[Ordinal], Field(min_length=1)] = [0]
    within: Share | None = None


class AcceptanceSection(Section):
    """What counts as good; `hil tune` exits with 5 where no method reaches it.

    Attributes:
        min_score: of the probe set, at the end.
        min_gain: of the score, from start to end.
    """

    min_score: float | None = None
    min_gain: float | None = None


class TuneExperiment(ExperimentBase):
    """A whole experiment file.

    Attributes:
        bench: a bench file, or the file of a device in process (format hil-device/1).
        known: a run folder of `hil calibrate` that knows the chip; of a mesh the newest calibration unless named.
        model: what methods with a model are given: the fitted twin or surrogate, or the design; none.
        methods: by name, with their settings.
        keep: how the tuned chip is watched, and brought back.
    """

    format: Literal["hil-tune/1"]
    task: TaskSection
    known: str | None = None
    model: Literal["fitted", "ideal", "none"] = "fitted"
    start: StartSection = StartSection()
    methods: Annotated[dict[str, dict[str, Any]], Field(min_length=1)] = {"spsa": {}}
    tuning: TuningSection = TuningSection()
    keep: KeepSection | None = None
    acceptance: AcceptanceSection = AcceptanceSection()
