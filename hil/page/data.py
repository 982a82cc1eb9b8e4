"""What a report shows, as plain values in SI units; a part of a run that does not exist yet is None.

The application fills these from the run store. Nothing here computes or draws.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Verdict = Literal["accepted", "missed", "failed", "incomplete"]


@dataclass(frozen=True)
class Step:
    """One step of the session; `reason` says why it failed or was interrupted."""

    name: str
    status: str
    duration_s: float | None = None
    attempts: int = 1
    reason: str | None = None
    exit_status: int | None = None


@dataclass(frozen=True)
class Event:
    """Something worth telling: a warning, a failure, an interruption, a resumption."""

    time_utc: str
    kind: Literal["warning", "failure", "interrupted", "resumed", "note"]
    message: str


@dataclass(frozen=True)
class Run:
    """What ran, on what, with what."""

    name: str
    folder: str
    created_utc: str
    seed: int
    chip: str = ""
    steps: tuple[Step, ...] = ()
    identities: Mapping[str, str] = field(default_factory=dict)
    """Instruments and chip by role: manufacturer, model, serial number, firmware."""
    versions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Digest of each file that the run was given."""
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, eq=False)
class Amplifier:
    """The measured transimpedance stage: reading = gain x current + offset; uncertainties are standard."""

    gain_V_per_A: float
    gain_uncertainty_V_per_A: float
    offset_V: float
    offset_uncertainty_V: float
    nominal_gain_V_per_A: float | None = None
    applied_A: Array | None = None
    """Currents of the known source, shape (n,)."""
    reading_V: Array | None = None
    """Readings at these currents, shape (n,)."""


@dataclass(frozen=True, eq=False)
class ExampleBatch:
    """One batch as it was driven and read."""

    index: int
    inputs_V: Array
    """(time, n_in)."""
    outputs_A: Array
    """(time,)."""
    clipped: Mask
    """(time,)."""


@dataclass(frozen=True, eq=False)
class Sampling:
    """What was driven and how well it covers the input space."""

    electrodes: tuple[str, ...]
    low_V: Array
    high_V: Array
    sample_rate_Hz: float
    batches: int
    batches_planned: int
    samples: int
    useful_samples: int
    clipped_samples: int
    chip_time_s: float | None = None
    useful_fraction: float | None = None
    """Share of the time on the chip that is useful samples."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """The plan's settings by name."""
    example: ExampleBatch | None = None
    coverage: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Figures of `calibration.sampling.coverage` for this plan and its peers, the run's own first."""
    points_V: Mapping[str, Array] = field(default_factory=dict)
    """Some sampled points of the same plans, each (n, n_in)."""
    outputs_A: Array | None = None
    """Good readings, or an even selection of them, shape (n,)."""
    clipping_A: tuple[float, float] | None = None
    """Currents at which the amplifier or the meter ends."""


@dataclass(frozen=True, eq=False)
class Repeatability:
    """Repeatability, drift and noise of one output; see `calibration.sampling.repeatability`."""

    repeats: int
    repeatability_A: float
    with_drift_A: float
    short_term_A: float
    times_s: Array
    gain: Array
    offset_A: Array
    residual_A: Array
    gain_rate_per_hour: float
    gain_rate_uncertainty_per_hour: float
    offset_rate_A_per_hour: float
    offset_rate_uncertainty_A_per_hour: float
    noise_a: float
    noise_a_uncertainty: float
    noise_b_A: float
    noise_b_uncertainty_A: float
    bins_output_A: Array
    bins_sigma_A: Array

    @classmethod
    def from_figures(cls, figures: Mapping[str, Any], output: int = 0) -> Self:
        """One output's part of what `calibration.sampling.repeatability.Repeatability.as_dict` gives."""
        drift, noise = figures["drift"], figures["noise"]

        def column(values: Any) -> Array:
            return np.asarray(values, dtype=float)[:, output]

        return cls(
            repeats=figures["repeats"],
            repeatability_A=figures["repeatability"][output],
            with_drift_A=figures["with_drift"][output],
            short_term_A=figures["short_term"][output],
            times_s=np.asarray(drift["times_s"], dtype=float),
            gain=column(drift["gain"]),
            offset_A=column(drift["offset"]),
            residual_A=column(drift["residual"]),
            gain_rate_per_hour=drift["gain_rate"]["per_hour"][output],
            gain_rate_uncertainty_per_hour=drift["gain_rate"]["uncertainty_per_hour"][output],
            offset_rate_A_per_hour=drift["offset_rate"]["per_hour"][output],
            offset_rate_uncertainty_A_per_hour=drift["offset_rate"]["uncertainty_per_hour"][output],
            noise_a=noise["a"][output],
            noise_a_uncertainty=noise["a_uncertainty"][output],
            noise_b_A=noise["b"][output],
            noise_b_uncertainty_A=noise["b_uncertainty"][output],
            bins_output_A=column(noise["bins_output"]),
            bins_sigma_A=column(noise["bins_sigma"]),
        )


@dataclass(frozen=True)
class Region:
    """A box of two electrodes' voltages, and the surrogate's error inside."""

    electrodes: tuple[str, str]
    low_V: tuple[float, float]
    high_V: tuple[float, float]
    rmse_A: float
    samples: int


@dataclass(frozen=True, eq=False)
class Surrogate:
    """The fitted network and its error on batches that it has not seen."""

    rmse_A: float
    samples: int
    batches: int
    description: str = ""
    """Its shape in words."""
    parameters: int | None = None
    bias_A: float | None = None
    largest_error_A: float | None = None
    best_epoch: int | None = None
    validation_rmse_A: Array | None = None
    """After each epoch, shape (epochs,)."""
    training_rmse_A: Array | None = None
    duration_s: float | None = None
    samples_per_s: float | None = None
    electrodes: tuple[str, ...] = ()
    inputs_V: Array | None = None
    """Inputs of the test samples, (n, n_in)."""
    measured_A: Array | None = None
    """(n,)."""
    predicted_A: Array | None = None
    """(n,)."""
    worst_region: Region | None = None


@dataclass(frozen=True, eq=False)
class Level:
    """The device's answer to one combination of logic inputs."""

    combination: str
    wanted: int
    mean_A: float
    std_A: float
    """Standard deviation between repeats."""
    predicted_A: float | None = None
    """What the surrogate promised."""
    repeats_A: Array | None = None
    """The mean of each repeat's plateau, shape (repeats,)."""


@dataclass(frozen=True, eq=False)
class Trace:
    """The device's current while the combinations are played as plateaus; arrays of shape (time,)."""

    time_s: Array
    current_A: Array
    settled: Mask
    level: npt.NDArray[np.int64]
    """Index into the task's levels of the combination that is applied."""


@dataclass(frozen=True, eq=False)
class Task:
    """One gate or labelled set, verified on the device, or so far only found on the surrogate."""

    name: str
    inputs: tuple[str, ...]
    controls_V: Mapping[str, float]
    levels: tuple[Level, ...] = ()
    threshold_A: float | None = None
    margin_A: float | None = None
    """Gap between the nearest plateaus of the two classes; negative where they overlap."""
    noise_A: float | None = None
    accuracy: float | None = None
    predicted_margin_A: float | None = None
    passed: bool | None = None
    """None until it is verified."""
    reason: str = ""
    trace: Trace | None = None

    @property
    def margin_over_noise(self) -> float | None:
        """The margin as a multiple of the noise."""
        if self.margin_A is None or not self.noise_A:
            return None
        return self.margin_A / self.noise_A


@dataclass(frozen=True)
class Criterion:
    """One line of the acceptance; `passed` and `measured` are None where nothing was measured yet."""

    what: str
    measured: float | None
    limit: float
    unit: str
    sense: Literal["at most", "at least"]
    passed: bool | None


@dataclass(frozen=True, eq=False)
class Page:
    """What every report has: the run, and what was asked of it."""

    run: Run
    acceptance: tuple[Criterion, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Failed if a step failed, missed if a criterion is, accepted if all steps and criteria are done."""
        statuses = {step.status for step in self.run.steps if step.name != "report"}
        if "failed" in statuses:
            return "failed"
        if any(criterion.passed is False for criterion in self.acceptance):
            return "missed"
        open_criteria = any(criterion.passed is None for criterion in self.acceptance)
        if open_criteria or not statuses or statuses != {"done"} or not self.acceptance:
            return "incomplete"
        return "accepted"


@dataclass(frozen=True, eq=False)
class ReportData(Page):
    """Everything in the report of a dopant network."""

    amplifier: Amplifier | None = None
    sampling: Sampling | None = None
    repeatability: Repeatability | None = None
    surrogate: Surrogate | None = None
    tasks: tuple[Task, ...] = ()
