"""Whether a run is good enough, by what its experiment file states."""

from collections.abc import Mapping
from typing import Any

from hil.config.experiment import ExperimentFile


def missed(experiment: ExperimentFile, metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """The criteria that were measured and not met, in words; what was not measured yet is not missed."""
    found = [
        f"{name}: {value:.4g}{unit}; at most {limit:.4g}{unit} was asked for"
        for name, value, limit, unit in criteria(experiment, metrics)
        if not value <= limit
    ]
    verdicts = metrics.get("tasks", {})
    for task in experiment.acceptance.tasks or list(verdicts):
        if task in verdicts and not verdicts[task]["passed"]:
            found.append(f"{task}: {verdicts[task]['reason']}")
    return tuple(found)


def criteria(experiment: ExperimentFile, metrics: Mapping[str, Any]) -> list[tuple[str, float, float, str]]:
    """(what, measured, largest allowed, unit) of each criterion on the surrogate."""
    asked, surrogate = experiment.acceptance, metrics.get("surrogate", {})
    found = []
    if asked.max_rmse is not None and surrogate.get("rmse_A") is not None:
        found.append(("surrogate RMSE", surrogate["rmse_A"] * 1e9, asked.max_rmse * 1e9, " nA"))
    if asked.max_rmse_over_repeatability is not None and surrogate.get("over_repeatability") is not None:
        found.append(
            (
                "surrogate RMSE over repeatability",
                surrogate["over_repeatability"],
                asked.max_rmse_over_repeatability,
                "",
            )
        )
    return found
