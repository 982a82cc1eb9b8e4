"""Whether a tuning run is good enough, by what its experiment file states."""

from collections.abc import Iterator, Mapping
from typing import Any

from hil.acceptance import Criterion
from hil.config.tune_experiment import TuneExperiment

TUNING = "tuning"
"""The section of the run's metrics that lists what each method came to."""
KEEPING = "keeping"
"""The section of the run's metrics that tells of a watch, and the field of its manifest that says that it is one."""


def criteria(experiment: TuneExperiment, metrics: Mapping[str, Any]) -> Iterator[Criterion]:
    """Every criterion, measured by the best of the methods that were run, or by a watch's last look."""
    if (watch := metrics.get(KEEPING)) is not None:
        if experiment.acceptance.min_score is not None:
            last = watch["looks"][-1]["score"]
            yield Criterion("score at the last look", last, experiment.acceptance.min_score, "", "at least")
        return
    runs, asked = metrics.get(TUNING, []), experiment.acceptance
    best = max(runs, key=lambda run: run["best_score"], default=None)
    name = f"{best['method']}, " if best else ""
    if asked.min_score is not None:
        measured = best["best_score"] if best else None
        yield Criterion(f"{name}score", measured, asked.min_score, "", "at least")
    if asked.min_gain is not None:
        measured = best["best_score"] - best["start_score"] if best else None
        yield Criterion(f"{name}gain of the score", measured, asked.min_gain, "", "at least")


def missed(experiment: TuneExperiment, metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """The criteria that were measured and not met, in words."""
    return tuple(str(line) for line in criteria(experiment, metrics) if line.passed is False)
