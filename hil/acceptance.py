"""Whether a run is good enough, by what its experiment file states."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hil.config.experiment import ExperimentFile

Sense = Literal["at most", "at least"]


@dataclass(frozen=True)
class Criterion:
    """One line of the acceptance; `measured` and `passed` are None where nothing was measured yet."""

    what: str
    measured: float | None
    limit: float
    unit: str
    sense: Sense
    impossible: bool = False
    """There is nothing to measure and never will be: the search found no solution."""

    @property
    def passed(self) -> bool | None:
        """Whether it is met."""
        if self.measured is None:
            return False if self.impossible else None
        return self.measured <= self.limit if self.sense == "at most" else self.measured >= self.limit

    def __str__(self) -> str:
        asked = f"{self.sense} {self._in_unit(self.limit)} was asked for"
        if self.measured is None:
            return f"{self.what}: {'no solution to try' if self.impossible else 'not measured yet'}; {asked}"
        return f"{self.what}: {self._in_unit(self.measured)}; {asked}"

    def _in_unit(self, value: float) -> str:
        if self.unit == "A":
            return f"{value * 1e9:.4g} nA"
        return f"{value:.6g}" if 0.99 < value < 1.0 else f"{value:.4g}"  # a fidelity is told by its nines


def criteria(experiment: ExperimentFile, metrics: Mapping[str, Any]) -> tuple[Criterion, ...]:
    """Every criterion of the experiment with what was measured."""
    return (
        *_bench(experiment, metrics),
        *_surrogate(experiment, metrics.get("surrogate", {})),
        *_tasks(experiment, metrics.get("tasks", {})),
    )


def missed(experiment: ExperimentFile, metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """The criteria that were measured and not met, in words."""
    return tuple(str(line) for line in criteria(experiment, metrics) if line.passed is False)


def _bench(experiment: ExperimentFile, metrics: Mapping[str, Any]) -> Iterator[Criterion]:
    asked = experiment.acceptance
    if asked.min_effect_over_noise > 0:
        effects = metrics.get("effects", {})
        what = f"effect of electrode {effects['weakest']}" if effects else "effect of the weakest electrode"
        measured = effects.get("least_over_noise")
        yield Criterion(f"{what} over noise", measured, asked.min_effect_over_noise, "", "at least")
    if asked.max_change is not None:
        changes = metrics.get("repeatability", {}).get("change", {})
        measured = changes["of_spread"][0] if changes else None
        yield Criterion("change of the reference, of the spread", measured, asked.max_change, "", "at most")


def _surrogate(experiment: ExperimentFile, surrogate: Mapping[str, Any]) -> Iterator[Criterion]:
    asked = experiment.acceptance
    if asked.max_rmse is not None:
        yield Criterion("surrogate RMSE", surrogate.get("rmse_A"), asked.max_rmse, "A", "at most")
    if asked.max_rmse_over_repeatability is not None:
        limit, ratio = asked.max_rmse_over_repeatability, surrogate.get("over_repeatability")
        yield Criterion("surrogate RMSE over repeatability", ratio, limit, "", "at most")


def _tasks(experiment: ExperimentFile, tasks: Mapping[str, Any]) -> Iterator[Criterion]:
    asked = experiment.acceptance
    limits = (
        ("accuracy", "accuracy", asked.min_accuracy, ""),
        ("margin", "margin_A", asked.min_margin, "A"),
        ("margin over noise", "margin_over_noise", asked.min_margin_over_noise, ""),
    )
    for name in experiment.search.names if asked.tasks is None else asked.tasks:
        found = tasks.get(name)
        for what, key, limit, unit in limits:
            if limit is not None:
                measured = found[key] if found is not None else None
                impossible = found is not None and not found["tried"]
                yield Criterion(f"{name}: {what}", measured, limit, unit, "at least", impossible)
