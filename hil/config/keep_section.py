"""What an experiment file says of keeping a tuned chip: how it is watched, and what brings it back."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from hil.config.fields import Count, Seconds, Section


class RungSection(Section):
    """One rung of the ladder: a method, from the best parameters so far.

    Attributes:
        method: its name.
        settings: of the method; those of the experiment's `methods` unless said.
        readings, checks, significance: see `calibration.tuning.TuningPlan`; the budget is that of each time.
    """

    method: str
    settings: dict[str, Any] | None = None
    readings: Count
    checks: Count = 4
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05


class KeepSection(Section):
    """How a chip is kept; see `calibration.tuning.KeepingPlan`.

    Attributes:
        every: from one look to the next.
        duration: of the whole; `for` in the file.
        tolerance: how far the mean score may fall below that of the start, or the loss rise.
        watch: which of the two.
        significance, passes, readout, readings, compare: as there.
        ladder: from the cheapest rung on; none to watch alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    every: Seconds
    duration: Annotated[Seconds, Field(alias="for")]
    tolerance: Annotated[float, Field(ge=0)]
    watch: Literal["score", "loss"] = "score"
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    passes: Count = 1
    readout: bool = False
    readings: Count | None = None
    compare: bool = True
    ladder: list[RungSection] = []

    @model_validator(mode="after")
    def _longer(self) -> Self:
        if self.every > self.duration:
            raise ValueError(f"a look every {self.every:g} s is none in {self.duration:g} s; shorten every")
        return self
