"""A whole session's data for the tests of the report, from real plans and a made-up device."""

from dataclasses import replace

import numpy as np

from calibration.device import ChannelGroup
from calibration.sampling.coverage import coverage_by_phases, sampled_points
from calibration.sampling.duty import duty
from calibration.sampling.multitone import MultiTone
from calibration.sampling.reference import ReferencePlan
from calibration.sampling.repeatability import repeatability
from hil.page.data import (
    Amplifier,
    Criterion,
    Event,
    ExampleBatch,
    Level,
    Region,
    Repeatability,
    ReportData,
    Run,
    Sampling,
    Step,
    Surrogate,
    Task,
    Trace,
)

CHANNELS = ChannelGroup(
    names=tuple(f"e{i}" for i in range(1, 8)),
    unit="V",
    low=np.array([-1.2] * 5 + [-0.7] * 2),
    high=np.array([0.6] * 5 + [0.3] * 2),
    max_slew=np.full(7, 60.0),
    settling_s=500e-6,
)
INNER = MultiTone(CHANNELS, 1000.0, seed=1, batches=24, samples_per_batch=500)
PLAN = ReferencePlan(INNER, every=4)
GATES = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "XOR": (0, 1, 1, 0)}


class MadeUpDevice:
    """A smooth, heavy-tailed function of seven voltages with noise and drift."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._inner = self._rng.normal(0, 1.6, (7, 24))
        self._bias = self._rng.normal(0, 0.7, 24)
        self._outer = self._rng.normal(0, 0.9e-9, 24)

    def ideal(self, volts: np.ndarray) -> np.ndarray:
        hidden = np.tanh(volts @ self._inner + self._bias)
        linear = hidden @ self._outer
        return linear * (1 + 1.5 * np.abs(linear) / 1e-8)

    def read(self, volts: np.ndarray, hours: float) -> np.ndarray:
        current = self.ideal(volts) * (1 + 0.02 * hours) - 0.15e-9 * hours
        return current + (0.012 * np.abs(current) + 0.1e-9) * self._rng.standard_normal(current.shape)


def whole_session() -> ReportData:
    """A session that did everything: one gate fails, one batch clipped, one interruption."""
    device = MadeUpDevice(4)
    hours = np.arange(PLAN.batches) * 0.05
    inputs = np.array([PLAN.stimulus(k) for k in range(PLAN.batches)])
    outputs = np.array([device.read(inputs[k], hours[k]) for k in range(PLAN.batches)])
    limit = 60e-9
    clipped = np.abs(outputs) > limit
    outputs = np.clip(outputs, -limit, limit)
    references = [k for k in range(PLAN.batches) if PLAN.is_reference(k)]
    found = repeatability(outputs[references][:, :, None], 3600 * hours[references], ~clipped[references])
    figures = coverage_by_phases(INNER, per_batch=60, probes=1024)
    names = {"random": "phases drawn every batch", "running": "fixed phases, time running on"}
    rng = np.random.default_rng(9)
    test = np.concatenate([inputs[k][::2] for k in range(PLAN.batches) if not PLAN.is_reference(k)][:8])
    measured = device.read(test, 0.6)
    predicted = (
        device.ideal(test) * 1.012 + 0.25e-9 * np.sin(6 * test[:, 1]) + 0.2e-9 * rng.normal(size=len(test))
    )
    epochs = np.arange(1, 25)
    rmse = float(np.sqrt(np.mean((predicted - measured) ** 2)))
    return ReportData(
        run=Run(
            name="gates",
            folder="runs/20260101-120000-gates",
            created_utc="2026-01-01T12:00:00.000000+00:00",
            seed=1,
            chip="dopant network chip-7",
            steps=(
                Step("sample", "done", 41.3, attempts=2),
                Step("fit", "done", 63.9),
                Step("search", "done", 12.2),
                Step("verify", "done", 8.7),
            ),
            identities={
                "dac": "QDevil, QDAC-II, 1017, 13-1.57",
                "meter": "Keysight Technologies, 34465A, MY57502311, A.03.02",
            },
            versions={"python": "3.11.7", "hil": "0.1.0", "numpy": "2.4.6", "torch": "2.13.0"},
            files={"experiment.yaml": "9f" * 32, "bench.yaml": "c4" * 32},
            events=(
                Event("2026-01-01T12:00:21+00:00", "interrupted", "SIGINT: stopped after batch 14"),
                Event("2026-01-01T12:02:02+00:00", "resumed", "sampling goes on with batch 15"),
                Event("2026-01-01T12:04:40+00:00", "warning", "0.1 % of the samples clipped"),
            ),
        ),
        amplifier=_amplifier(rng),
        sampling=Sampling(
            electrodes=CHANNELS.names,
            low_V=CHANNELS.low,
            high_V=CHANNELS.high,
            sample_rate_Hz=1000.0,
            batches=PLAN.batches,
            batches_planned=PLAN.batches,
            samples=outputs.size,
            useful_samples=int((~clipped).sum()),
            clipped_samples=int(clipped.sum()),
            chip_time_s=duty(PLAN).total_s,
            useful_fraction=duty(PLAN).useful_fraction,
            plan=PLAN.describe(),
            example=ExampleBatch(1, inputs[1], outputs[1], clipped[1]),
            coverage={name: figures[key].as_dict() for key, name in names.items()},  # type: ignore[index]
            points_V={
                name: CHANNELS.low
                + (CHANNELS.high - CHANNELS.low) * sampled_points(replace(INNER, phases=key), 120)  # type: ignore[arg-type]
                for key, name in names.items()
            },
            outputs_A=outputs[~clipped],
            clipping_A=(-limit, limit),
        ),
        repeatability=Repeatability.from_figures(found.as_dict()),
        surrogate=Surrogate(
            rmse_A=rmse,
            samples=len(test),
            batches=8,
            description="5 hidden layers of 90, ReLU",
            parameters=33571,
            bias_A=float(np.mean(predicted - measured)),
            largest_error_A=float(np.abs(predicted - measured).max()),
            best_epoch=21,
            validation_rmse_A=rmse * (1 + 6 * np.exp(-epochs / 4.0) + 0.02 * np.abs(epochs - 21) / 4),
            training_rmse_A=rmse * (0.94 + 6 * np.exp(-epochs / 3.8)),
            duration_s=61.0,
            samples_per_s=191_000.0,
            electrodes=CHANNELS.names,
            inputs_V=test,
            measured_A=measured,
            predicted_A=predicted,
            worst_region=Region(("e2", "e5"), (-0.3, -1.2), (0.15, -0.75), 1.9 * rmse, 211),
        ),
        tasks=tuple(_task(name, wanted, rng) for name, wanted in GATES.items()),
        acceptance=(
            Criterion("surrogate RMSE over repeatability", 1.62, 2.0, "", "at most", True),
            Criterion("surrogate RMSE", rmse, 1e-9, "A", "at most", rmse <= 1e-9),
            Criterion("AND: accuracy", 1.0, 1.0, "%", "at least", True),
            Criterion("XOR: margin over noise", -1.0, 3.0, "", "at least", False),
        ),
    )


def _amplifier(rng: np.random.Generator) -> Amplifier:
    applied = np.linspace(-10e-9, 10e-9, 11)
    return Amplifier(
        gain_V_per_A=10.1312e6,
        gain_uncertainty_V_per_A=0.0058e6,
        offset_V=-57.02e-3,
        offset_uncertainty_V=0.03e-3,
        nominal_gain_V_per_A=10e6,
        applied_A=applied,
        reading_V=10.1312e6 * applied - 57.02e-3 + 25e-6 * rng.standard_normal(11),
    )


def _task(name: str, wanted: tuple[int, ...], rng: np.random.Generator) -> Task:
    """A gate of 8 repeats of 4 plateaus of 20 ms at 1 kHz, exponential settling; XOR has one level wrong."""
    low, high = 2.0e-9, 8.0e-9
    ideal = np.array([high if bit else low for bit in wanted]) + rng.normal(0, 0.6e-9, 4)
    if name == "XOR":
        ideal[3] = 6.5e-9
    level = np.tile(np.repeat(np.arange(4), 20), 8)
    settled = np.tile(np.arange(20) >= 5, 32)
    target = ideal[level]
    start = np.roll(target, 20)
    current = target + (start - target) * np.exp(-np.tile(np.arange(1, 21), 32) / 1.2)
    current = current + 0.12e-9 * rng.standard_normal(640)
    means = np.where(settled, current, np.nan).reshape(8, 4, 20)
    repeats = np.nanmean(means, axis=2)
    levels = tuple(
        Level(
            combination=f"{i // 2}{i % 2}",
            wanted=wanted[i],
            mean_A=float(repeats[:, i].mean()),
            std_A=float(repeats[:, i].std(ddof=1)),
            predicted_A=float(ideal[i] + 0.3e-9),
            repeats_A=repeats[:, i],
        )
        for i in range(4)
    )
    threshold = 5e-9
    margin = min((1 if lv.wanted else -1) * (lv.mean_A - threshold) for lv in levels)
    return Task(
        name=name,
        inputs=("e3", "e4"),
        controls_V={"e1": -0.812, "e2": 0.233, "e5": -0.051, "e6": 0.108, "e7": -0.4412},
        levels=levels,
        threshold_A=threshold,
        margin_A=float(margin),
        noise_A=max(lv.std_A for lv in levels),
        accuracy=float(np.mean([(lv.mean_A > threshold) == bool(lv.wanted) for lv in levels])),
        predicted_margin_A=2.4e-9,
        passed=bool(margin > 0),
        reason="" if margin > 0 else "the level of 11 lies on the wrong side of the threshold",
        trace=Trace(np.arange(640) * 1e-3, current, settled, level),
    )
