"""Write the run's report from what its folder holds."""

from dataclasses import replace
from typing import Any

import numpy as np

from calibration.device import Array, Flag
from calibration.sampling.coverage import sampled_points
from calibration.sampling.multitone import MultiTone
from calibration.sampling.plan import from_unit_cube
from calibration.sampling.reference import ReferencePlan
from calibration.surrogate.evaluation import predict
from hil.acceptance import criteria
from hil.chronicle import run_of
from hil.page.data import (
    Amplifier,
    Criterion,
    ExampleBatch,
    Level,
    Region,
    Repeatability,
    ReportData,
    Sampling,
    Surrogate,
    Task,
    Trace,
)
from hil.page.metrics import metrics
from hil.page.page import write_report
from hil.steps.fit import dataset_of, surrogate_of
from hil.steps.sample import plan_of
from hil.steps.session import SAMPLING, DnpuSession
from hil.steps.verify import TRACES
from hil.store import BatchTable

_POINTS = 60  # a batch, in the projections of the covered space
_OUTPUTS = 50_000


def report(session: DnpuSession) -> None:
    """Write report.html, and every figure in it to metrics.json."""
    with session.store.step("report"):
        data = report_data(session)
        session.note("report", metrics(data))
        write_report(data, session.folder / "report.html")


def report_data(session: DnpuSession) -> ReportData:
    """Everything the report shows; what the run has not got yet stays out."""
    figures = session.metrics()
    table = session.store.table(SAMPLING) if SAMPLING in session.store.tables else None
    return ReportData(
        run=run_of(session),
        amplifier=_amplifier(session, figures["amplifier"]) if "amplifier" in figures else None,
        sampling=_sampling(session, figures, table) if table is not None and table.committed else None,
        repeatability=Repeatability.from_figures(figures["repeatability"])
        if "repeatability" in figures
        else None,
        surrogate=_surrogate(session, figures["surrogate"]) if "surrogate" in figures else None,
        tasks=_tasks(session, figures),
        acceptance=tuple(
            Criterion(line.what, line.measured, line.limit, line.unit, line.sense, line.passed)
            for line in criteria(session.experiment, figures)
        ),
    )


def _amplifier(session: DnpuSession, figures: dict[str, Any]) -> Amplifier:
    return Amplifier(
        gain_V_per_A=figures["gain_V_per_A"],
        gain_uncertainty_V_per_A=figures["gain_std"],
        offset_V=figures["offset_V"],
        offset_uncertainty_V=figures["offset_std"],
        nominal_gain_V_per_A=session.bench.chip.readout.gain,
        applied_A=np.array(figures["levels_V"]) / figures["resistor_ohm"],
        reading_V=np.array(figures["readings_V"]),
    )


def _sampling(session: DnpuSession, figures: dict[str, Any], table: BatchTable) -> Sampling:
    plan = plan_of(session)
    electrodes = plan.channels
    data = table.read()
    flags, outputs = data["flags"], data["outputs"][:, 0]
    clipped = flags & Flag.CLIPPED != 0
    good = outputs[flags == 0]
    summary = figures.get("sampling", {})
    amplifier = figures.get("amplifier")
    example = next((k for k in range(table.committed) if not plan.is_reference(k)), 0)
    one = slice(example * table.rows_per_batch, (example + 1) * table.rows_per_batch)
    return Sampling(
        electrodes=electrodes.names,
        low_V=electrodes.low,
        high_V=electrodes.high,
        sample_rate_Hz=plan.sample_rate_Hz,
        batches=table.committed,
        batches_planned=plan.batches,
        samples=len(flags),
        useful_samples=int((flags == 0).sum()),
        clipped_samples=int(clipped.sum()),
        chip_time_s=summary.get("chip_time_s"),
        useful_fraction=summary.get("duty", {}).get("useful_fraction"),
        plan=plan.describe(),
        example=ExampleBatch(example, data["inputs"][one], outputs[one], clipped[one]),
        coverage=summary.get("coverage", {}),
        points_V=_points(plan),
        outputs_A=good[:: max(1, len(good) // _OUTPUTS)] if len(good) else None,
        clipping_A=_clipping(amplifier) if amplifier else None,
    )


def _points(plan: ReferencePlan) -> dict[str, Array]:
    plans = {"run": plan}
    if isinstance(plan.plan, MultiTone):
        plans["fixed phases"] = replace(plan, plan=replace(plan.plan, phases="running"))
    return {name: from_unit_cube(sampled_points(one, _POINTS), one.channels) for name, one in plans.items()}


def _clipping(amplifier: dict[str, Any]) -> tuple[float, float]:
    ends = [
        (sign * amplifier["saturation_V"] - amplifier["offset_V"]) / amplifier["gain_V_per_A"]
        for sign in (-1, 1)
    ]
    return min(ends), max(ends)


def _surrogate(session: DnpuSession, figures: dict[str, Any]) -> Surrogate:
    dataset = dataset_of(session)
    network = surrogate_of(session.folder)
    inputs_V = dataset.scaling.voltages(dataset.test.inputs)
    curve = figures["training_curve"]
    settings, worst = session.experiment.surrogate, figures["worst_region"]
    seconds = sum(epoch["seconds"] for epoch in curve)
    return Surrogate(
        rmse_A=figures["rmse_A"],
        samples=figures["samples"],
        batches=figures["batches"],
        description=f"{len(settings.hidden)} hidden layers of {', '.join(map(str, dict.fromkeys(settings.hidden)))}, "
        f"{settings.activation}",
        parameters=figures["parameters"],
        bias_A=figures["bias_A"],
        largest_error_A=figures["worst_A"],
        best_epoch=figures["best_epoch"],
        validation_rmse_A=np.array([epoch["validation_rmse_A"] for epoch in curve]),
        training_rmse_A=None
        if settings.likelihood
        else np.sqrt([epoch["train_loss"] for epoch in curve]) * dataset.scaling.scale_A,
        duration_s=seconds,
        samples_per_s=len(dataset.train) * len(curve) / seconds if seconds else None,
        electrodes=dataset.electrodes,
        inputs_V=inputs_V,
        measured_A=dataset.scaling.currents(dataset.test.targets)[:, 0],
        predicted_A=predict(network, inputs_V)[:, 0],
        worst_region=Region(
            tuple(worst["electrodes"]),
            tuple(worst["low_V"]),
            tuple(worst["high_V"]),
            worst["rmse_A"],
            worst["samples"],
        )
        if worst
        else None,
    )


def _tasks(session: DnpuSession, figures: dict[str, Any]) -> tuple[Task, ...]:
    verified = figures.get("tasks")
    if not verified:
        return tuple(
            Task(name, tuple(session.experiment.search.inputs), {}, reason="no solution found")
            if found["best"] is None
            else Task(
                name,
                tuple(found["best"]["inputs"]),
                found["best"]["controls_V"],
                threshold_A=found["best"]["threshold_A"],
                predicted_margin_A=found["best"]["margin_A"],
            )
            for name, found in figures.get("solutions", {}).items()
        )
    traces = session.store.read_json(TRACES)
    return tuple(_task(session, name, one, traces.get(name)) for name, one in verified.items())


def _task(session: DnpuSession, name: str, one: dict[str, Any], trace: dict[str, Any] | None) -> Task:
    if trace is None:
        return Task(name, tuple(session.experiment.search.inputs), {}, passed=False, reason=one["reason"])
    current, used = np.array(trace["trace_A"]), np.array(trace["used"])
    applied = _applied(np.array(trace["inputs_V"]), np.array([level["inputs_V"] for level in one["points"]]))
    rate = session.bench.chip.sample_rate
    levels = []
    for row, level in enumerate(one["points"]):
        at_level = used & (applied == row)
        means = [trace[here].mean() for trace, here in zip(current, at_level, strict=True) if here.any()]
        levels.append(
            Level(
                combination=level["name"],
                wanted=level["label"],
                mean_A=level["mean_A"] if level["mean_A"] is not None else float("nan"),
                std_A=level["spread_A"],
                predicted_A=level["predicted_A"],
                repeats_A=np.array(means),
            )
        )
    return Task(
        name=name,
        inputs=tuple(trace["inputs"]),
        controls_V=one["solution"]["controls_V"],
        levels=tuple(levels),
        threshold_A=one["threshold_A"],
        margin_A=one["margin_A"],
        noise_A=one["noise_A"],
        accuracy=one["accuracy"],
        predicted_margin_A=one["solution"]["margin_A"],
        passed=one["passed"],
        reason=one["reason"],
        trace=Trace(
            time_s=np.arange(current.size) / rate,
            current_A=current.reshape(-1),
            settled=used.reshape(-1),
            level=applied.reshape(-1),
        ),
    )


def _applied(inputs_V: Array, points_V: Array) -> Any:
    """Which point of the task stands at each sample, (repeats, time); -1 on the way between two."""
    there = np.isclose(inputs_V[..., None, :], points_V, atol=1e-6).all(axis=-1)
    return np.where(there.any(axis=-1), there.argmax(axis=-1), -1)
