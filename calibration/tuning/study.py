"""What a comparison of methods found: scores against readings, a table, and which method to take."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from calibration.device import Array
from calibration.errors import NotEnoughData


@dataclass(frozen=True)
class Run:
    """One method on one chip: plain values, for JSON.

    Attributes:
        method: as the table has it.
        seed: of the chip, the data and the method.
        readings: spent on tuning, from 0; those for the test scores are not among them.
        scores: mean score of the test examples under the best accepted parameters at that point.
        errors: standard error of each score, from the spread over the test examples.
        wall_s: duration, tests included.
        failed: why it ended early or does not apply; empty otherwise.
    """

    method: str
    seed: int
    readings: tuple[int, ...]
    scores: tuple[float, ...]
    errors: tuple[float, ...]
    wall_s: float
    failed: str = ""

    def at(self, readings: Array) -> Array:
        """The score after so many readings, (n,): that of the last point; nan before the first."""
        place = np.searchsorted(self.readings, readings, side="right") - 1
        scores = np.asarray(self.scores, dtype=np.float64)
        return np.where(place >= 0, scores[np.maximum(place, 0)], math.nan)

    def readings_to(self, score: float) -> int | None:
        """Readings after which the score is at least so high for good; None if it never is."""
        below = [k for k, value in enumerate(self.scores) if value < score]
        first = below[-1] + 1 if below else 0
        return self.readings[first] if first < len(self.readings) else None


@dataclass(frozen=True, eq=False)
class Band:
    """Scores of a method over its seeds: mean, and one standard deviation either way; all (points,)."""

    readings: Array
    mean: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Row:
    """One method in the table.

    Attributes:
        seeds: how many runs it has; those that do not apply are left out.
        before, after: mean score.
        spread: standard deviation of `after` over the seeds, nan of one.
        readings: to within the stated distance of the best method's mean, by its mean curve; None if not reached.
        wall_s: mean duration of a run.
        failed: of the runs that came to an early end, the first reason.
    """

    method: str
    seeds: int
    before: float
    after: float
    spread: float
    readings: int | None
    wall_s: float
    failed: str


@dataclass(frozen=True)
class Recommendation:
    """The method to take, and why in one sentence; no method where none is better than the start."""

    method: str | None
    reason: str


@dataclass(frozen=True)
class Study:
    """Runs of several methods with the same budget.

    Attributes:
        budget: readings that each run could spend.
    """

    budget: int
    runs: tuple[Run, ...]

    @classmethod
    def of(cls, budget: int, runs: Iterable[Run]) -> Self:
        """Of finished runs, such as `compare` yields."""
        return cls(budget, tuple(runs))

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """What `plain` gave."""
        curves = ("readings", "scores", "errors")
        runs = (Run(**{**run, **{key: tuple(run[key]) for key in curves}}) for run in values["runs"])
        return cls(int(values["budget"]), tuple(runs))

    def plain(self) -> dict[str, Any]:
        """Numbers, texts and lists, for JSON."""
        return asdict(self)

    @property
    def methods(self) -> tuple[str, ...]:
        """In the order of their first runs."""
        return tuple(dict.fromkeys(run.method for run in self.runs))

    def of_method(self, method: str) -> tuple[Run, ...]:
        """The runs of one method that have a score."""
        return tuple(run for run in self.runs if run.method == method and run.scores)

    def band(self, method: str, points: int = 101) -> Band:
        """Scores on an even grid of readings from 0 to the budget; raises NotEnoughData for a method without any."""
        return self._band(method, np.linspace(0.0, self.budget, points))

    def rows(self, within: float = 0.01) -> tuple[Row, ...]:
        """The table, best first; methods that do not apply come last."""
        best = self._best()
        target = math.inf if best is None else best.after - within
        found = [self._row(method, target) for method in self.methods]
        return tuple(sorted(found, key=lambda row: (row.seeds == 0, -row.after)))

    def table(self, within: float = 0.01) -> str:
        """The table as text."""
        heads = (
            "method",
            "before",
            "after",
            "±",
            "seeds",
            f"readings to within {within:g} of the best",
            "s",
            "",
        )
        lines: list[tuple[str, ...]] = [heads]
        for row in self.rows(within):
            reached = "-" if row.readings is None else f"{row.readings:,}"
            scores = [
                f"{score:.3f}" if math.isfinite(score) else "-"
                for score in (row.before, row.after, row.spread)
            ]
            lines.append((row.method, *scores, str(row.seeds), reached, f"{row.wall_s:.1f}", row.failed))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                [line[0].ljust(widths[0])]
                + [text.rjust(width) for text, width in zip(line[1:-1], widths[1:-1], strict=True)]
                + [line[-1]]
            ).rstrip()
            for line in lines
        )

    def recommendation(self) -> Recommendation:
        """The method that gets within the noise of the best with the fewest readings.

        The noise is two standard errors of the best method's mean score: of its seeds or of the test examples,
        whichever is larger. A method qualifies by its own mean.
        """
        best = self._best()
        if best is None:
            return Recommendation(None, "no method has run yet")
        runs = self.of_method(best.method)
        errors = [run.errors[-1] for run in runs]
        between = best.spread / math.sqrt(best.seeds) if best.seeds > 1 else 0.0
        noise = 2.0 * max(between, float(np.mean(errors)))
        if best.after <= best.before + noise:
            return Recommendation(
                None,
                f"no method is better than the start by more than the noise of {noise:.2g}: {best.method} is at "
                f"{best.after:.3f}, the start was at {best.before:.3f}; allow more readings, or leave the chip",
            )
        rows = [self._row(method, best.after - noise) for method in self.methods if self.of_method(method)]
        able = [(row.readings, -row.after, row) for row in rows if row.readings is not None]
        readings, _, chosen = min(able, key=lambda one: one[:2])
        start = f"from {chosen.before:.3f} to {chosen.after:.3f}"
        if chosen.method == best.method:
            others = "no other came as near"
            if len(able) > 1:
                others = f"{len(able) - 1} of {len(rows) - 1} others came as near, but later"
            return Recommendation(
                best.method,
                f"{best.method}: {start}, the highest score; within the noise of {noise:.2g} after {readings:,} "
                f"readings, and {others}",
            )
        later = self._row(best.method, best.after - noise).readings
        return Recommendation(
            chosen.method,
            f"{chosen.method}: {start}, within the noise of {noise:.2g} of the best, {best.method} at "
            f"{best.after:.3f}, but after {readings:,} readings against {later:,}",
        )

    def _best(self) -> Row | None:
        rows = [self._row(method, math.inf) for method in self.methods if self.of_method(method)]
        return max(rows, key=lambda row: row.after, default=None)

    def _band(self, method: str, readings: Array) -> Band:
        runs = self.of_method(method)
        if not runs:
            raise NotEnoughData(f"there is no run of {method} with a score")
        curves = np.array([run.at(readings) for run in runs])
        mean, spread = curves.mean(axis=0), curves.std(axis=0, ddof=1 if len(runs) > 1 else 0)
        return Band(readings, mean, mean - spread, mean + spread)

    def _row(self, method: str, target: float) -> Row:
        runs = self.of_method(method)
        every = [run for run in self.runs if run.method == method]
        failed = next((run.failed for run in every if run.failed), "")
        wall_s = float(np.mean([run.wall_s for run in runs or every]))
        if not runs:
            return Row(method, 0, math.nan, math.nan, math.nan, None, wall_s, failed)
        after = [run.scores[-1] for run in runs]
        spread = float(np.std(after, ddof=1)) if len(runs) > 1 else math.nan
        # the mean of all seeds as one curve, at every point at which it changes
        points = np.unique(np.concatenate([run.readings for run in runs])).astype(np.float64)
        whole = self._band(method, points)
        scores = tuple(whole.mean.tolist())
        mean = Run(method, 0, tuple(int(point) for point in points), scores, scores, wall_s)
        before = float(np.mean([run.scores[0] for run in runs]))
        return Row(
            method, len(runs), before, float(np.mean(after)), spread, mean.readings_to(target), wall_s, failed
        )
