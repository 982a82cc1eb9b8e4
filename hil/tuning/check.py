"""A tuning on paper: whether task, model, start and budget fit the chip, and what the methods would cost it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

from calibration.device import ChannelGroup, Device
from calibration.tuning import Tuner, TuningPlan
from calibration.tuning.registry import make_method
from hil.cli.exit_codes import USAGE
from hil.config.device_file import DeviceFile, DopantSection
from hil.config.dnpu_chip import DnpuSection
from hil.config.mesh_chip import MeshSection
from hil.config.tune_experiment import TuneExperiment
from hil.config.yaml_file import load
from hil.devices.partition import PartedDevice
from hil.findings import CheckResult, Item, attempt
from hil.tuning.lab import TuningLab, confined
from hil.tuning.session import TUNE, Given, TunedBench

TUNE_FILE = "tune.yaml"
Opened = Callable[[Given], TuningLab]


def tuning_beside(bench: Path, named: Path | None) -> Path | None:
    """The tuning to look at: the file that was named, or the one beside the bench file, if there is one."""
    from hil.config.experiment_file import format_of
    from hil.config.tune_experiment import FORMAT

    path = named if named is not None else bench.with_name(TUNE_FILE)
    return path if (named is not None or path.exists()) and format_of(path) == FORMAT else None


def check_device(path: Path, named: Path | None) -> CheckResult:
    """The file of a device in process, and the tuning beside it; raises ConfigError for files that cannot be used."""
    bench, plan = load(path, DeviceFile), tuning_beside(path, named)
    result = CheckResult([Item("files", True, str(path) + (f", {plan}" if plan else ""))])
    if plan is not None:
        result.items += tuning_items(plan, bench)
    return result


def tuning_items(path: Path, bench: TunedBench, opened: Opened | None = None) -> Iterator[Item]:
    """What each method of the tuning at `path` would cost, or why it cannot be run; nothing is read.

    Args:
        bench: its bench, or what takes its place.
        opened: the task on its chip, where the file alone does not say what the chip is.

    Raises ConfigError for files that do not fit one another.
    """
    experiment = load(path, TuneExperiment)
    TUNE.check(experiment, bench, path)
    seed = experiment.tuning.seeds[0]
    given = Given(
        experiment,
        bench.chip,
        path.parent,
        path.parent / experiment.runs,
        seed,
        lambda _: None,
        rehearsed=True,
    )
    found, lab = attempt(
        "tuning", lambda: confined((opened or on_paper)(given), experiment, bench.chip), USAGE
    )
    if lab is None:
        yield found
        return
    for name, settings in experiment.methods.items():
        yield attempt(f"tuning by {name}", lambda n=name, s=settings: _cost(lab, experiment, n, s), USAGE)[0]  # type: ignore[misc]


def _cost(lab: TuningLab, experiment: TuneExperiment, name: str, settings: dict[str, Any]) -> str:
    asked = experiment.tuning
    plan = TuningPlan(asked.readings, asked.checks, asked.significance, asked.repeats, asked.sought)
    method = make_method(name, settings)
    tuner = Tuner(lab.device, lab.problem, method, plan, lab.start)
    step, runs = method.cost(lab.problem), len(asked.seeds)
    steps = (plan.readings - (plan.checks + 1) * tuner.check_cost) // step
    least_s = runs * plan.readings / lab.device.sample_rate_Hz
    return (
        f"{len(lab.start)} parameters; {runs} x {plan.readings} readings, at least {least_s / 60:.2g} min on the chip: "
        f"{max(steps, 1)} steps or more of {step} readings, {plan.checks} checks of {tuner.check_cost}"
    )


def on_paper(given: Given) -> TuningLab:
    """The task on the chip as its file describes it; nothing is opened."""
    chip = given.chip
    if isinstance(chip, DnpuSection):
        from hil.tuning.dopant import check_inputs, dopant_on

        check_inputs(given, tuple(chip.electrodes))
        return dopant_on(given, _electrodes(chip), chip.readout.settling)
    if isinstance(chip, MeshSection):
        from hil.mesh.dry_run import as_designed
        from hil.tuning.mesh import Known, mesh_on

        return mesh_on(given, as_designed(chip), Known.of(given))
    if isinstance(chip, DopantSection):
        from hil.tuning.dopant import check_inputs, dopant_on, made

        device = made(chip, given.seed)
        check_inputs(given, device.inputs.names)
        return dopant_on(given, device, device.outputs.settling_s)
    from hil.tuning.in_process import optical_in_process

    return optical_in_process(given)


def _electrodes(chip: DnpuSection) -> Device:
    """A dopant network that answers nothing."""
    each, free = chip.electrodes.values(), np.full(1, np.inf)
    electrodes = ChannelGroup(
        tuple(chip.electrodes),
        "V",
        np.array([one.low for one in each]),
        np.array([one.high for one in each]),
        np.array([one.max_slew for one in each]),
    )
    outputs = ChannelGroup((chip.readout.electrode,), "A", -free, free, free, chip.readout.settling)
    return cast(
        Device, PartedDevice({"kind": "dnpu", "name": chip.name}, electrodes, outputs, chip.sample_rate)
    )
