"""From the experiment file's settings to a sampling plan."""

from dataclasses import replace

import numpy as np

from calibration.device import ChannelGroup, Channels
from calibration.sampling.coverage import Coverage, coverage
from calibration.sampling.multitone import MultiTone
from calibration.sampling.plan import SamplingPlan
from calibration.sampling.plateaus import SobolPlateaus
from calibration.sampling.reference import ReferencePlan
from drivers.hardware import Timing
from hil.config.dnpu_chip import DnpuSection
from hil.config.experiment import SamplingSection


def sampled_channels(chip: DnpuSection) -> ChannelGroup:
    """All driven electrodes as fast inputs, as the chip's driver offers them.

    A waveform may use only that share of the slew limits in which each step is over before it is read.
    """
    electrodes = chip.electrodes.values()
    share = Timing(chip.sample_rate, chip.aperture).slew_fraction
    return ChannelGroup(
        tuple(chip.electrodes),
        "V",
        np.array([electrode.low for electrode in electrodes]),
        np.array([electrode.high for electrode in electrodes]),
        share * np.array([electrode.max_slew for electrode in electrodes]),
        chip.readout.settling,
    )


def sampling_plan(
    settings: SamplingSection, channels: Channels, sample_rate_Hz: float, seed: int
) -> ReferencePlan:
    """The plan of a run: the experiment's waveform with its reference batches in between.

    `settings.batches` counts the batches that bring new points. Raises PlanError where the settings cannot
    be carried out on these channels.
    """
    return ReferencePlan(_waveform(settings, channels, sample_rate_Hz, seed), settings.reference_every)


def _waveform(
    settings: SamplingSection, channels: Channels, sample_rate_Hz: float, seed: int
) -> SamplingPlan:
    samples = max(1, round(settings.batch_time * sample_rate_Hz))
    if settings.waveform == "sobol":
        plateau = max(1, round(settings.plateau * sample_rate_Hz))
        plan = SobolPlateaus(
            channels, sample_rate_Hz, seed, settings.batches, 1, plateau, settings.slew_fraction
        )
        points = max(1, samples // (plateau + plan.slope_samples))
        return replace(plan, points_per_batch=points)
    return MultiTone(
        channels,
        sample_rate_Hz,
        seed,
        settings.batches,
        samples,
        wave=settings.waveform,
        phases="random" if settings.fresh_phases else "running",
        redraw_every=max(1, settings.fresh_phases),
        slew_fraction=settings.slew_fraction,
    )


def coverages(plan: ReferencePlan) -> dict[str, Coverage]:
    """Coverage of the input space by the run's plan and, for tones, by the same plan with fixed phases."""
    found = {"run": coverage(plan)}
    if isinstance(plan.plan, MultiTone):
        found["fixed phases"] = coverage(replace(plan.plan, phases="running"))
    return found
