"""Runs of one method with several seeds on a common grid of readings, and the methods beside one another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from calibration.tuning.study import Recommendation, Run, Study
from hil.page.data import Array
from hil.page.tuning_data import TuningRun

_POINTS = 240
_SURE = 2.0  # standard errors within which two means are not told apart


@dataclass(frozen=True, eq=False)
class Band:
    """Mean and standard deviation over the seeds at each number of readings; all (points,)."""

    readings: Array
    mean: Array
    spread: Array


@dataclass(frozen=True, eq=False)
class MethodRuns:
    """All seeds of one method."""

    method: str
    runs: tuple[TuningRun, ...]

    def final(self, what: Literal["loss", "score"] = "score") -> Array:
        """Of the best parameters at the end, (seeds,)."""
        return np.array([getattr(run, what)[-1] for run in self.runs])

    def start(self, what: Literal["loss", "score"] = "score") -> Array:
        """Of the start, (seeds,)."""
        return np.array([getattr(run, what)[0] for run in self.runs])

    def band(self, what: Literal["loss", "score"], grid: Array) -> Band:
        """On a common grid of readings; between two checks the earlier one holds, after the last one the last."""
        each = np.stack([_held(run.at, getattr(run, what), grid) for run in self.runs])
        spread = each.std(axis=0, ddof=1) if len(each) > 1 else np.zeros(len(grid))
        return Band(grid, each.mean(axis=0), spread)

    @property
    def standard_error(self) -> float:
        """Of the mean of the final scores: by the seeds or by the samples of the probe set, whichever is larger."""
        final = self.final()
        between = float(final.std(ddof=1) / math.sqrt(len(final))) if len(final) > 1 else 0.0
        return max(between, float(np.mean([run.score_error[-1] for run in self.runs])))

    def readings_to(self, score: float) -> float | None:
        """Mean number of readings at which the seeds first had a score; None unless all had it."""
        reached = [run.at[run.score >= score] for run in self.runs]
        return float(np.mean([at[0] for at in reached])) if all(at.size for at in reached) else None


def by_method(runs: Sequence[TuningRun]) -> tuple[MethodRuns, ...]:
    """The runs of each method, methods in the order in which they were run."""
    names = dict.fromkeys(run.method for run in runs)
    return tuple(MethodRuns(name, tuple(run for run in runs if run.method == name)) for name in names)


def grid_of(runs: Sequence[TuningRun]) -> Array:
    """Numbers of readings at which all methods are shown: every one's checks lie in it."""
    first, last = min(run.at[0] for run in runs), max(max(run.readings, run.at[-1]) for run in runs)
    even = np.linspace(first, last, _POINTS)
    return np.unique(np.concatenate([even, *(run.at for run in runs)]))


def good_enough(methods: Sequence[MethodRuns]) -> float:
    """The score from which on a method is within the noise of the best one: of the mean of its final scores."""
    best = max(methods, key=lambda one: float(one.final().mean()))
    return float(best.final().mean()) - _SURE * best.standard_error


def recommended(runs: Sequence[TuningRun]) -> Recommendation:
    """The method to take, by the scores of the probe set; see `Study.recommendation`."""
    budget = max((run.readings for run in runs), default=0)
    return Study.of(
        budget,
        (
            Run(
                run.method,
                run.seed,
                tuple(int(at) for at in run.at),
                tuple(run.score.tolist()),
                tuple(run.score_error.tolist()),
                run.seconds or 0.0,
            )
            for run in runs
        ),
    ).recommendation()


def _held(at: Array, values: Array, grid: Array) -> Array:
    place = np.searchsorted(at, grid, side="right") - 1
    held: Array = values[np.clip(place, 0, len(values) - 1)]
    return held
