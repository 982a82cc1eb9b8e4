"""The chip's own verdict on a solution: plateaus of every point, in random order, again and again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration.device import Array, Channels, Device, Measured
from calibration.errors import NotEnoughData, PlanError, ShapeError
from calibration.sampling.holding import Holding
from calibration.tasks.search import Solution
from calibration.tasks.task import Task
from calibration.tasks.threshold import Polarity, Threshold, best_threshold

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Acceptance:
    """What a verified task must reach.

    Attributes:
        min_accuracy: share of plateaus on the right side of the threshold.
        min_margin_A: gap between the classes' nearest plateaus.
        min_margin_over_noise: that gap as a multiple of the standard deviation of one reading.
    """

    min_accuracy: float = 1.0
    min_margin_A: float = 0.0
    min_margin_over_noise: float = 0.0


@dataclass(frozen=True)
class PointResult:
    """What the chip answered at one point of the task.

    `mean_A` and `noise_A` are of single readings within plateaus; `spread_A` is the standard deviation of
    the plateaus' means between repeats: slow noise and drift, which averaging does not remove. A point
    without a good reading has no mean.
    """

    name: str
    inputs_V: tuple[float, ...]
    label: int
    readings: int
    mean_A: float | None
    noise_A: float
    spread_A: float
    predicted_A: float


@dataclass(frozen=True, eq=False)
class Verification:
    """A solution as measured on the chip.

    Attributes:
        task: its name.
        points: the answer at every point of the task.
        threshold_A, high: the best threshold on the plateaus' means; outputs above it read as `high`.
        margin_A: gap between the classes' nearest plateaus, of all repeats; negative where they overlap.
        noise_A: standard deviation of one reading within a plateau, over all of them.
        margin_over_noise: the one by the other.
        plateau_accuracy, reading_accuracy: share on their label's side of the best threshold of each.
        prediction_rmse_A: of the model's outputs against the measured means.
        flagged: readings left out because they were flagged.
        passed, reasons: the verdict, and what was missed.
        inputs_V, trace_A, used: the waveform (repeats, time, n_in), what was read (repeats, time), and
            which readings count, for a plot; not part of `as_dict`.
    """

    task: str
    points: tuple[PointResult, ...]
    threshold_A: float
    high: int
    margin_A: float
    noise_A: float
    margin_over_noise: float | None
    plateau_accuracy: float
    reading_accuracy: float
    prediction_rmse_A: float
    flagged: int
    passed: bool
    reasons: tuple[str, ...]
    inputs_V: Array = field(repr=False)
    trace_A: Array = field(repr=False)
    used: Mask = field(repr=False)

    @property
    def reason(self) -> str:
        """Why it failed, in one line; empty where it passed."""
        return "; ".join(self.reasons)

    def as_dict(self) -> dict[str, Any]:
        """The figures as plain numbers, for JSON."""
        names = (
            "task threshold_A high margin_A noise_A margin_over_noise plateau_accuracy reading_accuracy "
            "prediction_rmse_A flagged passed reason"
        )
        figures: dict[str, Any] = {name: getattr(self, name) for name in names.split()}
        figures["points"] = [{**vars(point), "inputs_V": list(point.inputs_V)} for point in self.points]
        return figures


@dataclass(frozen=True, eq=False)
class PlateauPlan:
    """Plateaus of a task's points, each point once a repeat, joined by slopes.

    Attributes:
        inputs_V: (repeats, time, n_in).
        point: which point a sample belongs to, (repeats, time); -1 on slopes and while settling.
    """

    inputs_V: Array
    point: npt.NDArray[np.int64]


def plan_plateaus(
    task: Task,
    inputs: Channels,
    sample_rate_Hz: float,
    *,
    plateau_s: float,
    settling_s: float,
    repeats: int,
    rng: np.random.Generator,
    slew_fraction: float = 0.9,
) -> PlateauPlan:
    """Every point of `task` for `plateau_s`, of which the first `settling_s` do not count, `repeats` times.

    The order is drawn afresh each repeat, so that drift and memory do not side with a point. Slopes take
    as long as the largest step needs at `slew_fraction` of the channels' slew limits. Raises PlanError for
    points outside the channels' ranges, and where settling leaves no reading of a plateau.
    """
    task.check_range(inputs.names, inputs.low, inputs.high)
    if repeats < 2:
        raise PlanError(f"{repeats} repeats show no repeatability; ask for 2 or more")
    holding = Holding.within(
        inputs,
        sample_rate_Hz,
        plateau=round(plateau_s * sample_rate_Hz),
        settling_s=settling_s,
        span=np.ptp(task.points, axis=0),
        slew_fraction=slew_fraction,
    )
    owners = holding.owners(len(task))
    orders = [rng.permutation(len(task)) for _ in range(repeats)]
    return PlateauPlan(
        np.stack([holding.waveform(task.points[order]) for order in orders]),
        np.stack([np.where(owners < 0, -1, order[owners]) for order in orders]),
    )


def verify(
    device: Device,
    solution: Solution,
    task: Task,
    *,
    plateau_s: float,
    repeats: int,
    rng: np.random.Generator,
    settling_s: float | None = None,
    slew_fraction: float = 0.9,
    acceptance: Acceptance | None = None,
) -> Verification:
    """Set the solution's controls on `device`, drive the task's plateaus, and judge what is read.

    `settling_s` is the device's own where it is None. The device is left with its controls set: bringing
    it to rest is the caller's. Raises PlanError for a plan that cannot be carried out and ShapeError where
    device, solution and task do not fit; a point without a single good reading fails the verdict.
    """
    chip = device.with_inputs(solution.inputs)
    if chip.inputs.names != solution.inputs:
        raise ShapeError(f"the solution drives {solution.inputs}, the device offers {chip.inputs.names}")
    voltages = solution.voltages(chip.controls.names)
    if solution.predicted_A.shape != task.labels.shape:
        raise ShapeError(
            f"the solution of {solution.task} predicts {solution.predicted_A.size} points, not {len(task)}"
        )
    plan = plan_plateaus(
        task,
        chip.inputs,
        chip.sample_rate_Hz,
        plateau_s=plateau_s,
        settling_s=chip.outputs.settling_s if settling_s is None else settling_s,
        repeats=repeats,
        rng=rng,
        slew_fraction=slew_fraction,
    )
    chip.set_controls(voltages)
    return judge(chip.run(plan.inputs_V), plan, solution, task, acceptance or Acceptance())


def judge(
    measured: Measured, plan: PlateauPlan, solution: Solution, task: Task, acceptance: Acceptance
) -> Verification:
    """The verdict on `measured`, the device's answer to `plan`.

    Raises NotEnoughData where no reading of one of the two labels is good.
    """
    trace = measured.outputs[..., 0]
    used = (plan.point >= 0) & (measured.flags == 0) & np.isfinite(trace)
    means, variances, points = _plateaus(trace, used, plan, solution, task)
    repeat, point = np.nonzero(np.isfinite(means))
    plateaus, labels = means[repeat, point], task.labels[point]
    if len(set(labels.tolist())) < 2:
        raise NotEnoughData(
            f"task {task.name}: every reading of a label was flagged; see why the readout clips"
        )
    polarity: Polarity = "high" if solution.high == 1 else "low"
    found = best_threshold(plateaus, labels, polarity)
    readings = best_threshold(trace[used], task.labels[plan.point[used]], polarity)
    noise = math.sqrt(float(np.nanmean(variances))) if np.isfinite(variances).any() else 0.0
    ratio = found.margin / noise if noise > 0.0 else None
    reasons = _reasons(points, acceptance, found, noise, ratio)
    errors = [point.mean_A - point.predicted_A for point in points if point.mean_A is not None]
    return Verification(
        task=task.name,
        points=points,
        threshold_A=found.threshold,
        high=found.high,
        margin_A=found.margin,
        noise_A=noise,
        margin_over_noise=ratio,
        plateau_accuracy=found.accuracy,
        reading_accuracy=readings.accuracy,
        prediction_rmse_A=math.sqrt(float(np.mean(np.square(errors)))),
        flagged=int(((plan.point >= 0) & ~used).sum()),
        passed=not reasons,
        reasons=reasons,
        inputs_V=plan.inputs_V,
        trace_A=trace,
        used=used,
    )


def _plateaus(
    trace: Array, used: Mask, plan: PlateauPlan, solution: Solution, task: Task
) -> tuple[Array, Array, tuple[PointResult, ...]]:
    """Mean and variance of the readings of each plateau, (repeats, points), and the points' results."""
    repeats = len(trace)
    means, variances = np.full((2, repeats, len(task)), np.nan)
    points = []
    for k in range(len(task)):
        for row in range(repeats):
            readings = trace[row][used[row] & (plan.point[row] == k)]
            if readings.size:
                means[row, k] = readings.mean()
            if readings.size > 1:
                variances[row, k] = readings.var(ddof=1)
        readings, known = trace[used & (plan.point == k)], means[np.isfinite(means[:, k]), k]
        within = variances[np.isfinite(variances[:, k]), k]
        points.append(
            PointResult(
                name=task.names[k],
                inputs_V=tuple(task.points[k].tolist()),
                label=int(task.labels[k]),
                readings=int(readings.size),
                mean_A=float(readings.mean()) if readings.size else None,
                noise_A=math.sqrt(float(within.mean())) if within.size else 0.0,
                spread_A=float(known.std(ddof=1)) if known.size > 1 else 0.0,
                predicted_A=float(solution.predicted_A[k]),
            )
        )
    return means, variances, tuple(points)


def _reasons(
    points: Sequence[PointResult],
    acceptance: Acceptance,
    found: Threshold,
    noise_A: float,
    ratio: float | None,
) -> tuple[str, ...]:
    """What was missed, in words."""
    missed = [f"no good reading at {point.name}" for point in points if point.readings == 0]
    if found.accuracy < acceptance.min_accuracy:
        missed.append(f"accuracy {found.accuracy:.4g}, asked for {acceptance.min_accuracy:.4g}")
    if found.margin < acceptance.min_margin_A:
        missed.append(f"margin {found.margin * 1e9:.3g} nA, asked for {acceptance.min_margin_A * 1e9:.3g} nA")
    if ratio is not None and ratio < acceptance.min_margin_over_noise:
        missed.append(
            f"margin {ratio:.3g} times the noise of {noise_A * 1e9:.3g} nA, "
            f"asked for {acceptance.min_margin_over_noise:.3g} times"
        )
    return tuple(missed)
