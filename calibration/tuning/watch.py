"""What is asked of watching a tuned chip, and what is recorded of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from calibration.errors import PlanError
from calibration.tuning.method import Method
from calibration.tuning.tuner import TuningPlan

READOUT = "readout"
"""The rung that reads the outputs' gain and offset anew and moves nothing."""


@dataclass(frozen=True)
class Rung:
    """One way to bring a chip back, from the best parameters so far.

    Attributes:
        method: does it.
        plan: its budget, for each time, and what is accepted.
    """

    method: Method
    plan: TuningPlan


@dataclass(frozen=True)
class KeepingPlan:
    """How a chip is watched.

    Attributes:
        every_s: from one look to the next.
        duration_s: of the whole, in the device's time: what it was driven and what it was left alone.
        tolerance: how far the mean score may fall below what it was at the start, or the mean loss rise.
        watch: which of the two.
        significance: probability at most with which one look finds a chip worse that is not.
        passes: over the probe set in each look.
        readout: whether gain and offset of the outputs may be read anew, as the first rung of the ladder; where a task
            is judged on outputs that a computer takes in, they may.
        readings: for all looks and re-tunings, at most; None for any number.
        compare: whether each look also reads the parameters of the start, once others are on the chip: what it would
            be without re-tuning. Those readings are counted apart.
        failures: how many looks on end may fail before the watch is given up.
    """

    every_s: float
    duration_s: float
    tolerance: float
    watch: Literal["score", "loss"] = "score"
    significance: float = 0.05
    passes: int = 1
    readout: bool = False
    readings: int | None = None
    compare: bool = True
    failures: int = 3

    def __post_init__(self) -> None:
        if not (0.0 < self.every_s <= self.duration_s < math.inf):
            raise PlanError(
                f"a look every {self.every_s} s for {self.duration_s} s; the interval should be positive and not "
                "longer than the whole"
            )
        if not 0.0 <= self.tolerance < math.inf:
            raise PlanError(f"tolerance {self.tolerance}: a number, not negative")
        if not 0.0 < self.significance < 0.5:
            raise PlanError(f"significance {self.significance}: above 0 and below 0.5, such as 0.05")
        if self.passes < 1 or self.failures < 1:
            raise PlanError(f"passes {self.passes}, failures {self.failures}: at least 1 each")
        if self.watch not in ("score", "loss"):
            raise PlanError(f"watch {self.watch!r}: score or loss")


@dataclass(frozen=True)
class Retuning:
    """One rung that was tried.

    Attributes:
        rung: its method's name, or `readout`.
        time_s: when it began.
        readings, chip_time_s: what it took, the look after it left out.
        loss_before, loss_after, score_before, score_after: by the looks before and after.
        failed: why it came to nothing; empty if it did not.
    """

    rung: str
    time_s: float
    readings: int
    chip_time_s: float
    loss_before: float
    loss_after: float
    score_before: float
    score_after: float
    failed: str = ""


@dataclass(frozen=True)
class Look:
    """The probe set read once more.

    Attributes:
        time_s: the device's time since the start.
        readings: spent so far, on looks and re-tunings.
        verdict: start, within, out (of the tolerance) or failed (nothing usable was read).
        loss, score: means over the probe set.
        fall, error: of what is watched, against the start: positive is worse; the mean of the pairs, its standard
            error.
        gain, offset, residual: of each output against what was read when the present parameters were set, as
            `ReadoutChange`; empty where too few points were usable.
        start_loss, start_score: of the parameters of the start, where they were read besides.
        retuning: the rung that this look is to judge; None for a look on the hour.
    """

    time_s: float
    readings: int
    verdict: str
    loss: float
    score: float
    fall: float = 0.0
    error: float = 0.0
    gain: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    residual: tuple[float, ...] = ()
    start_loss: float | None = None
    start_score: float | None = None
    retuning: Retuning | None = None

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """A look from its plain values, as `dataclasses.asdict` gives them."""
        retuning = facts["retuning"]
        lists = {key: tuple(facts[key]) for key in ("gain", "offset", "residual")}
        return cls(**{**facts, **lists, "retuning": None if retuning is None else Retuning(**retuning)})
