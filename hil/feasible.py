"""Whether an experiment fits its bench and can be carried out, found on paper before anything is driven."""

from pathlib import Path

from calibration.errors import CalibrationError, PlanError
from calibration.sampling.repeatability import MIN_SAMPLES
from hil.config import BenchFile, ExperimentFile
from hil.errors import ConfigError

MIN_TRAINING = 100
"""Samples below which `calibration.surrogate.build_dataset` refuses to train."""


def check_together(experiment: ExperimentFile, bench: BenchFile, path: Path) -> None:
    """ConfigError where the experiment asks for what the bench does not have."""
    electrodes = bench.chip.electrodes
    for name in experiment.search.inputs:
        if name not in electrodes:
            raise ConfigError(f"{path}: search.inputs names {name!r}; the bench has {', '.join(electrodes)}")
    wanted = [
        (f"search.levels of {name}", name, level)
        for name in experiment.search.inputs
        for level in experiment.search.levels
    ]
    wanted += [
        (f"search.points {item.name!r}", name, value)
        for item in experiment.search.points
        for point in item.points
        for name, value in zip(experiment.search.inputs, point, strict=False)
    ]
    for what, name, value in wanted:
        low, high = electrodes[name].low, electrodes[name].high
        if not low <= value <= high:
            raise ConfigError(
                f"{path}: {what}: {value:g} V is outside {name}'s range {low:g} V to {high:g} V; "
                "choose one inside"
            )


def check_feasible(experiment: ExperimentFile, bench: BenchFile, path: Path) -> None:
    """ConfigError for a plan that cannot be carried out: found on paper, before anything is driven."""
    # here, because these steps work on a session, which is what calls this
    from calibration.surrogate.dataset import split_batches
    from hil.plans import sampled_channels, sampling_plan
    from hil.steps.search import tasks
    from hil.steps.verify import plateaus

    chip, sampling = bench.chip, experiment.sampling
    section = "sampling"
    try:
        plan = sampling_plan(sampling, sampled_channels(chip), chip.sample_rate, experiment.seed)
        useful = int(plan.useful(0).sum())
        if sampling.waveform == "sobol" and sampling.plateau > sampling.batch_time:
            raise PlanError(
                f"a plateau of {sampling.plateau:g} s does not fit a batch_time of {sampling.batch_time:g} s"
            )
        if useful < MIN_SAMPLES or split_batches(sampling.batches).train.size * useful < MIN_TRAINING:
            raise PlanError(
                f"{sampling.batches} batches of {useful} useful samples are too few to fit, stop and test a "
                "surrogate; ask for 3 batches or more and a longer batch_time"
            )
        section = "search"
        wanted = tasks(experiment)
        section = "verify"
        for task in wanted:
            plateaus(experiment, chip, task)
    except CalibrationError as error:
        raise ConfigError(f"{path}: {section}: {error}") from None
