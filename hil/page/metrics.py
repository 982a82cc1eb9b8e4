"""Every figure of a report as plain values, and the only way by which the page gets at a figure."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hil.page.data import (
    Amplifier,
    Array,
    Page,
    Repeatability,
    ReportData,
    Sampling,
    Surrogate,
    Task,
)
from hil.page.markup import Markup, tag

Metrics = dict[str, Any]
PERCENTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)


def metrics(data: ReportData) -> Metrics:
    """Every figure of the report, in SI units; a part that is missing is missing here too."""
    found = run_metrics(data)
    if data.amplifier is not None:
        found["amplifier"] = _amplifier(data.amplifier)
    if data.sampling is not None:
        found["sampling"] = _sampling(data.sampling)
    if data.repeatability is not None:
        found["repeatability"] = _repeatability(data.repeatability)
    if data.surrogate is not None:
        found["surrogate"] = _surrogate(data.surrogate, data.repeatability)
    if data.tasks:
        found["tasks"] = {task.name: _task(task) for task in data.tasks}
        found["tasks_verified"] = sum(task.passed is not None for task in data.tasks)
        found["tasks_passed"] = sum(task.passed is True for task in data.tasks)
    return found


def run_metrics(data: Page) -> Metrics:
    """The figures that every report has."""
    found: Metrics = {
        "verdict": data.verdict,
        "run": {
            "seed": data.run.seed,
            "duration_s": _total([step.duration_s for step in data.run.steps]),
            "steps": {
                step.name: {"status": step.status, "duration_s": step.duration_s, "attempts": step.attempts}
                for step in data.run.steps
            },
        },
    }
    if data.acceptance:
        found["acceptance"] = [
            {
                "what": line.what,
                "measured": line.measured,
                "sense": line.sense,
                "limit": line.limit,
                "unit": line.unit,
                "passed": line.passed,
            }
            for line in data.acceptance
        ]
    return found


class Numbers:
    """The figures of one report by their path, written as `<data>` elements with the exact value inside."""

    def __init__(self, found: Metrics) -> None:
        self._found = found

    def value(self, *path: str | int) -> Any:
        """The figure at `path`; KeyError or IndexError where there is none."""
        here: Any = self._found
        for key in path:
            here = here[key]
        return here

    def __call__(self, form: Callable[[Any], str], *path: str | int) -> Markup:
        """The figure at `path` as text made by `form`."""
        value = self.value(*path)
        return tag("data", form(value), value="" if value is None else value)

    def pair(self, form: Callable[[Any, Any], str], path: tuple[str | int, ...], beside: str) -> Markup:
        """The figure at `path` together with its neighbour `beside`: a value and its uncertainty."""
        value, other = self.value(*path), self.value(*path[:-1], beside)
        return tag("data", form(value, other), value="" if value is None else value)


def _amplifier(measured: Amplifier) -> Metrics:
    nominal = measured.nominal_gain_V_per_A
    found: Metrics = {
        "gain_V_per_A": measured.gain_V_per_A,
        "gain_uncertainty_V_per_A": measured.gain_uncertainty_V_per_A,
        "offset_V": measured.offset_V,
        "offset_uncertainty_V": measured.offset_uncertainty_V,
        "offset_A": measured.offset_V / measured.gain_V_per_A,
        "nominal_gain_V_per_A": nominal,
        "gain_from_nominal": measured.gain_V_per_A / nominal - 1 if nominal else None,
    }
    if measured.applied_A is not None and measured.reading_V is not None:
        left = measured.reading_V - measured.gain_V_per_A * measured.applied_A - measured.offset_V
        found["points"] = len(left)
        found["residual_rms_V"] = _rms(left)
    return found


def _sampling(sampling: Sampling) -> Metrics:
    found: Metrics = {
        "electrodes": len(sampling.electrodes),
        "sample_rate_Hz": sampling.sample_rate_Hz,
        "batches": sampling.batches,
        "batches_planned": sampling.batches_planned,
        "samples": sampling.samples,
        "useful_samples": sampling.useful_samples,
        "clipped_samples": sampling.clipped_samples,
        "clipped_fraction": sampling.clipped_samples / sampling.samples if sampling.samples else None,
        "chip_time_s": sampling.chip_time_s,
        "useful_fraction": sampling.useful_fraction,
        "useful_samples_per_s": sampling.useful_samples / sampling.chip_time_s
        if sampling.chip_time_s
        else None,
        "coverage": {name: dict(figures) for name, figures in sampling.coverage.items()},
    }
    if sampling.outputs_A is not None and len(sampling.outputs_A):
        outputs = sampling.outputs_A
        spread = float(outputs.std())
        found["output"] = {
            "mean_A": float(outputs.mean()),
            "std_A": spread,
            "skewness": float(np.mean((outputs - outputs.mean()) ** 3) / spread**3) if spread else None,
            "percentiles_A": {
                str(p): float(v)
                for p, v in zip(PERCENTILES, np.percentile(outputs, PERCENTILES), strict=True)
            },
        }
    return found


def _repeatability(found: Repeatability) -> Metrics:
    return {
        "repeats": found.repeats,
        "repeatability_A": found.repeatability_A,
        "with_drift_A": found.with_drift_A,
        "short_term_A": found.short_term_A,
        "gain_rate_per_hour": found.gain_rate_per_hour,
        "gain_rate_uncertainty_per_hour": found.gain_rate_uncertainty_per_hour,
        "offset_rate_A_per_hour": found.offset_rate_A_per_hour,
        "offset_rate_uncertainty_A_per_hour": found.offset_rate_uncertainty_A_per_hour,
        "gain_range": float(np.ptp(found.gain)),
        "offset_range_A": float(np.ptp(found.offset_A)),
        "noise_a": found.noise_a,
        "noise_a_uncertainty": found.noise_a_uncertainty,
        "noise_b_A": found.noise_b_A,
        "noise_b_uncertainty_A": found.noise_b_uncertainty_A,
        "drift": {
            "times_s": found.times_s.tolist(),
            "gain": found.gain.tolist(),
            "offset_A": found.offset_A.tolist(),
            "residual_A": found.residual_A.tolist(),
        },
        "noise_bins": {"output_A": found.bins_output_A.tolist(), "sigma_A": found.bins_sigma_A.tolist()},
    }


def _surrogate(surrogate: Surrogate, floor: Repeatability | None) -> Metrics:
    found: Metrics = {
        "rmse_A": surrogate.rmse_A,
        "repeatability_A": None if floor is None else floor.repeatability_A,
        "with_drift_A": None if floor is None else floor.with_drift_A,
        "over_repeatability": surrogate.rmse_A / floor.repeatability_A
        if floor is not None and floor.repeatability_A
        else None,
        "samples": surrogate.samples,
        "batches": surrogate.batches,
        "bias_A": surrogate.bias_A,
        "largest_error_A": surrogate.largest_error_A,
        "parameters": surrogate.parameters,
        "epochs": None if surrogate.validation_rmse_A is None else len(surrogate.validation_rmse_A),
        "best_epoch": surrogate.best_epoch,
        "validation_rmse_A": _list(surrogate.validation_rmse_A),
        "training_rmse_A": _list(surrogate.training_rmse_A),
        "duration_s": surrogate.duration_s,
        "samples_per_s": surrogate.samples_per_s,
    }
    region = surrogate.worst_region
    if region is not None:
        found["worst_region"] = {
            "electrodes": list(region.electrodes),
            "low_V": list(region.low_V),
            "high_V": list(region.high_V),
            "rmse_A": region.rmse_A,
            "samples": region.samples,
        }
    return found


def _task(task: Task) -> Metrics:
    return {
        "passed": task.passed,
        "reason": task.reason,
        "inputs": list(task.inputs),
        "controls_V": dict(task.controls_V),
        "threshold_A": task.threshold_A,
        "margin_A": task.margin_A,
        "noise_A": task.noise_A,
        "margin_over_noise": task.margin_over_noise,
        "predicted_margin_A": task.predicted_margin_A,
        "accuracy": task.accuracy,
        "levels": [
            {
                "combination": level.combination,
                "wanted": level.wanted,
                "mean_A": level.mean_A,
                "std_A": level.std_A,
                "predicted_A": level.predicted_A,
            }
            for level in task.levels
        ],
    }


def _list(values: Array | None) -> list[float] | None:
    return None if values is None else values.tolist()


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _total(durations: list[float | None]) -> float | None:
    known = [duration for duration in durations if duration is not None]
    return sum(known) if known else None
