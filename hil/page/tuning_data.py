"""What the report of a tuning or of a watch shows, as plain values in SI units; a part that does not exist is empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hil.page.data import Array, Page


@dataclass(frozen=True, eq=False)
class TuningRun:
    """One method with one seed, from its start to the end of its budget.

    Attributes:
        method, seed: which.
        readings: spent in all.
        at: readings spent at each check of the best parameters on the probe set, (checks,); the first is the start's.
        loss, score: of the best parameters after each check, (checks,).
        score_error: standard error of each score, (checks,).
        verdicts: of each check: start, accepted, kept, rolled back, drifted.
        test_score: of the best parameters on examples that nothing was decided on.
        seconds, chip_time_s: of the computer's and the chip's time.
    """

    method: str
    seed: int
    readings: int
    at: Array
    loss: Array
    score: Array
    score_error: Array
    verdicts: tuple[str, ...]
    test_score: float | None = None
    seconds: float | None = None
    chip_time_s: float | None = None

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From a run's figures in metrics.json."""
        curve: Sequence[Mapping[str, Any]] = figures["curve"]
        at, loss, score, score_error = (
            np.array([np.nan if check[key] is None else check[key] for check in curve], dtype=np.float64)
            for key in ("readings", "loss", "score", "score_error")
        )
        return cls(
            figures["method"],
            figures["seed"],
            figures["readings"],
            at,
            loss,
            score,
            score_error,
            tuple(check["verdict"] for check in curve),
            *(figures.get(key) for key in ("test_score", "seconds", "chip_time_s")),
        )

    def count(self, verdict: str) -> int:
        """How many checks ended so."""
        return self.verdicts.count(verdict)


@dataclass(frozen=True, eq=False)
class Retuned:
    """One rung of the ladder that was tried during a watch; times in s since its start."""

    rung: str
    time_s: float
    readings: int
    chip_time_s: float
    score_before: float
    score_after: float
    failed: str = ""

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From its figures in metrics.json."""
        given = {field.name: figures[field.name] for field in fields(cls)}
        nothing: dict[str, Any] = {key: np.nan for key, value in given.items() if value is None}
        return cls(**{**given, **nothing})


@dataclass(frozen=True, eq=False)
class Watch:
    """A chip that was kept; arrays are (looks,).

    Attributes:
        time_s, readings, loss, score: of each look, nan where it came to nothing.
        verdicts: start, within, out, failed.
        judges: which looks judge a rung, and are not those of the interval.
        start_loss, start_score: what the parameters of the start read at the same time, nan where they were not read.
        residual: what gain and offset of the outputs leave of their change, RMS over the outputs; nan where not known.
        retunings: every rung that was tried.
        watch, tolerance: what was watched, score or loss, and how far it might get worse.
        every_s, compared_readings, chip_time_s: between looks; spent on the start's parameters alone; driven.
    """

    time_s: Array
    readings: Array
    loss: Array
    score: Array
    verdicts: tuple[str, ...]
    judges: npt.NDArray[np.bool_]
    start_loss: Array
    start_score: Array
    residual: Array
    retunings: tuple[Retuned, ...]
    watch: str
    tolerance: float
    every_s: float
    compared_readings: int
    chip_time_s: float

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From the figures of a watch in metrics.json."""
        looks: Sequence[Mapping[str, Any]] = figures["looks"]

        def column(key: str) -> Array:
            return np.array([np.nan if look[key] is None else look[key] for look in looks], dtype=np.float64)

        residual = [look["residual"] for look in looks]
        tried = [look["retuning"] for look in looks if look["retuning"] is not None]
        return cls(
            column("time_s"),
            column("readings"),
            column("loss"),
            column("score"),
            tuple(look["verdict"] for look in looks),
            np.array([look["retuning"] is not None for look in looks]),
            column("start_loss"),
            column("start_score"),
            np.array([float(np.sqrt(np.mean(np.square(r)))) if len(r) else np.nan for r in residual]),
            tuple(Retuned.of(one) for one in tried),
            figures["watch"],
            figures["tolerance"],
            figures["every_s"],
            figures["compared_readings"],
            figures["chip_time_s"],
        )


@dataclass(frozen=True, eq=False)
class TuningReport(Page):
    """Everything in the report of a tuning or a watch.

    Attributes:
        task: what the chip is tuned for, in words.
        score_name: what the score is, such as accuracy.
        runs: every method with every seed.
        wanted_score: what the acceptance asks for.
        watch: of a chip that was kept.
    """

    task: str = ""
    score_name: str = "score"
    runs: tuple[TuningRun, ...] = ()
    wanted_score: float | None = None
    watch: Watch | None = None
