"""The experiment file: what to sample, fit, search and verify, and what counts as good."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hil.config.experiment_file import ExperimentBase
from hil.config.fields import Amperes, Count, Seconds, Section, Share, Volts
from hil.config.yaml_file import load

FORMAT = "hil-experiment/1"
Gate = Literal["AND", "OR", "NAND", "NOR", "XOR", "XNOR"]


class SamplingSection(Section):
    """What to drive while the chip's response is learned."""

    waveform: Literal["triangle", "sine", "sobol"] = "triangle"
    batches: Count = 100
    batch_time: Seconds = Field(default=2.0)
    fresh_phases: Annotated[int, Field(ge=0)] = 1
    slew_fraction: Share = 0.9
    plateau: Seconds = Field(default=0.01)
    reference_every: Annotated[int, Field(ge=2)] = 10


class SurrogateSection(Section):
    """The network that is fitted to the samples."""

    hidden: Annotated[list[Count], Field(min_length=1)] = [90, 90, 90, 90, 90]
    activation: Literal["relu", "elu", "silu", "tanh"] = "relu"
    epochs: Count = 30
    batch_size: Annotated[int, Field(ge=16)] = 256
    learning_rate: Annotated[float, Field(gt=0, le=0.1)] = 8e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    patience: Count = 10
    likelihood: bool = False


class TruthTableSection(Section):
    """A truth table: the wanted output for each combination of inputs, such as `{"00": 0, "01": 1, …}`."""

    name: str = Field(pattern=r"^\w+$")
    table: Annotated[dict[str, Literal[0, 1]], Field(min_length=2)]


class PointsSection(Section):
    """Points of the input plane and the class of each."""

    name: str = Field(pattern=r"^\w+$")
    points: Annotated[list[list[Volts]], Field(min_length=2)]
    labels: Annotated[list[Literal[0, 1]], Field(min_length=2)]

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.points) != len(self.labels):
            raise ValueError(
                f"{len(self.points)} points but {len(self.labels)} labels; give one label a point"
            )
        return self


class SearchSection(Section):
    """Which tasks to look for, and how hard."""

    inputs: Annotated[list[str], Field(min_length=1)]
    levels: Annotated[list[Volts], Field(min_length=2, max_length=2)]
    gates: list[Gate] = []
    truth_tables: list[TruthTableSection] = []
    points: list[PointsSection] = []
    restarts: Count = 256
    steps: Count = 300
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.2
    keep: Count = 3

    @property
    def names(self) -> list[str]:
        """The names of all tasks."""
        return [
            *self.gates,
            *(table.name for table in self.truth_tables),
            *(item.name for item in self.points),
        ]

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if not (self.gates or self.truth_tables or self.points):
            raise ValueError("nothing to search for; name gates, truth_tables or points")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]} is asked for twice; give each task its own name")
        if self.gates and len(self.inputs) != 2:
            raise ValueError(f"Boolean gates take two inputs, not {len(self.inputs)}; use truth_tables")
        if len(set(self.inputs)) != len(self.inputs):
            raise ValueError(f"inputs {self.inputs} name an electrode twice; give each input its own")
        if self.levels[0] == self.levels[1]:
            raise ValueError("the two logic levels are the same voltage")
        return self


class VerifySection(Section):
    """How the chip itself is asked."""

    plateau: Seconds = Field(default=0.02)
    repeats: Annotated[int, Field(ge=2)] = 8


class AcceptanceSection(Section):
    """What counts as good; `hil verify` exits with 5 if a figure that is given is missed.

    The first two ask whether the bench can be believed, and are asked unless they are set to 0 and to null: that
    every electrode has an effect, in standard deviations, and that the reference batches stay alike, as a
    share of the output's spread.
    """

    min_effect_over_noise: Annotated[float, Field(ge=0)] = 4.0
    max_change: Share | None = 0.1

    max_rmse: Amperes | None = None
    max_rmse_over_repeatability: Annotated[float, Field(gt=0)] | None = None
    min_accuracy: Share = 1.0
    min_margin: Amperes | None = None
    min_margin_over_noise: Annotated[float, Field(gt=0)] | None = None
    tasks: list[str] | None = None


class ExperimentFile(ExperimentBase):
    """A whole experiment file."""

    format: Literal["hil-experiment/1"]
    sampling: SamplingSection = SamplingSection()
    surrogate: SurrogateSection = SurrogateSection()
    search: SearchSection
    verify: VerifySection = VerifySection()
    acceptance: AcceptanceSection = AcceptanceSection()

    @model_validator(mode="after")
    def _known_tasks(self) -> Self:
        known = self.search.names
        for name in self.acceptance.tasks or []:
            if name not in known:
                raise ValueError(
                    f"acceptance.tasks names {name!r}, which search does not look for ({', '.join(known)})"
                )
        return self


def load_experiment(path: Path) -> ExperimentFile:
    """Read an experiment file; ConfigError names file, line, key, value and remedy."""
    return load(path, ExperimentFile)
