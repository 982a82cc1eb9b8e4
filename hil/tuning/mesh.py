"""A mesh on its bench: a unitary or classes as the task, the calibrated twin as the model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self, cast

import numpy as np
import torch

from calibration.device import Array, ChannelGroup, Channels, Device
from calibration.errors import OutsideLimits
from calibration.mesh import MeshCalibration
from calibration.mesh.deploy import deploy
from calibration.mesh.drive import HeaterLimits
from calibration.mesh.settings import check_fits, lit_alone
from calibration.networks import power_scores
from calibration.tuning import Examples, Limits, Problem, TuningTask, share_fidelity, share_infidelity
from hil.config.mesh_chip import MeshSection
from hil.config.tune_experiment import ClassesTask, MatrixTask
from hil.errors import ConfigError, NoCalibration
from hil.mesh.calibrate import RECORD
from hil.mesh.design import design
from hil.mesh.records import Records
from hil.mesh.session import MeshSession
from hil.mesh.target import Target, haar, read_target
from hil.tuning.classes import classes_task
from hil.tuning.in_silico import start_of
from hil.tuning.lab import TuningLab, plain_start
from hil.tuning.session import Given, TuneSession
from simulators.models.mesh import PhotonicChip


@contextmanager
def mesh_lab(session: TuneSession, seed: int, *, hold: bool = False) -> Iterator[TuningLab]:
    """The mesh, connected; raises NoCalibration where a fitted twin is asked for and there is none."""
    from hil.chips.mesh import connect

    given = Given.of(session, seed)
    known = Known.of(given)  # before anything is connected
    with connect(cast(MeshSession, session), hold=hold) as device:
        yield mesh_on(given, device, known)


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a mesh before it is connected.

    Attributes:
        target: the matrix that it is to have, where that is its task.
        calibration: what the experiment names, or the newest; None where the design is all that is asked for.
    """

    target: Target | None
    calibration: MeshCalibration | None

    @classmethod
    def of(cls, given: Given) -> Self:
        """Raises ConfigError for a file that holds no matrix that fits, NoCalibration where one is needed."""
        return cls(_target(given), _calibration(given))


def mesh_on(given: Given, device: Device, known: Known) -> TuningLab:
    """The task on a mesh that is connected."""
    experiment, section = given.experiment, cast(MeshSection, given.chip)
    ideal = design(section)
    if known.calibration is not None:
        check_fits(device, known.calibration)
    twin = ideal if known.calibration is None else known.calibration.twin
    controls = _together(section, device.controls, ideal)
    problem = Problem(
        _task(given, device, twin, known.target),
        Limits.of(device.controls, high=controls.high),
        model={"fitted": twin, "ideal": ideal, "none": None}[experiment.model],
        seed=given.seed,
    )
    if known.target is None:
        start = start_of(given, ideal if experiment.model == "ideal" else twin, problem, controls)
    elif experiment.start.at == "deployed" and experiment.start.file is None:
        start = _deployed(given, controls, known, ideal)
    else:
        start = plain_start(experiment.start, controls, given.folder, given.seed)
    return TuningLab(device, problem, start)


def _task(given: Given, device: Device, twin: PhotonicChip, target: Target | None) -> TuningTask:
    """Classes, their inputs how far each modulator opens; or a matrix, each port lit alone."""
    if target is None:
        section = cast(ClassesTask, given.experiment.task)
        with torch.no_grad():
            shut, reach = twin.modulators.closed_V.numpy(), twin.modulators.half_wave_V.numpy()
        return classes_task(section, device, power_scores, given.folder, lambda inputs: shut + reach * inputs)
    probes = cast(MatrixTask, given.experiment.task).probes
    shares = torch.as_tensor(np.abs(target.unitary) ** 2).T  # by input: what each output gets of it
    once = lit_alone(device, twin)
    return TuningTask(
        Examples(once, shares),
        Examples(np.tile(once, (probes, 1)), shares.repeat(probes, 1)),
        share_infidelity,
        share_fidelity,
    )


def _deployed(given: Given, controls: Channels, known: Known, ideal: PhotonicChip) -> Array:
    """The heaters' voltages of the matrix, by as much of the calibration as the experiment says."""
    calibration, way = known.calibration, given.experiment.start.deploy
    section = cast(MeshSection, given.chip)
    planned = deploy(
        cast(Target, known.target).unitary,
        ideal if way == "designed" or calibration is None else calibration.twin,
        correct=way == "corrected",
        dead=[] if calibration is None else [one.name for one in calibration.shifters if not one.ok],
        limits=HeaterLimits(section.heaters.total_power, section.heaters.current),
    )
    return _allowed(planned.drive.volts, controls, section)


def _target(given: Given) -> Target | None:
    ports, wanted = given.chip.layout.ports, given.experiment.task
    if not isinstance(wanted, MatrixTask):
        return None
    if wanted.haar is not None:
        return haar(ports, wanted.haar)
    return read_target(given.folder / str(wanted.file), ports)


def _calibration(given: Given) -> MeshCalibration | None:
    experiment, name = given.experiment, given.chip.name
    deployed = experiment.start.at == "deployed" and isinstance(experiment.task, MatrixTask)
    needed = experiment.model == "fitted" or (deployed and experiment.start.deploy != "designed")
    if experiment.known is not None:
        record = given.folder / experiment.known / RECORD
        if not record.exists():
            raise NoCalibration(
                f"known: {given.folder / experiment.known} has no finished calibration of a mesh"
            )
        return MeshCalibration.load(record)
    records = Records(given.runs, name)
    if not records.versions:
        if needed:
            raise NoCalibration(
                f"{name} was never calibrated; run hil calibrate with its mesh.yaml, or ask for model: "
                "ideal and a start that needs none"
            )
        return None
    return MeshCalibration.load(records.latest())


def _together(section: MeshSection, controls: Channels, ideal: PhotonicChip) -> ChannelGroup:
    """The heaters, up to the voltages that all may have at once without drawing too much together.

    By the least resistance that a heater may have, so that no parameters that a method asks for are refused.
    """
    count = len(controls.names)
    if ideal.n_controls != count:
        raise ConfigError(
            f"{section.name}: {count} heaters have wires, {ideal.n_controls} are needed for tuning"
        )
    least = section.heaters.resistance * (1.0 - section.heaters.tolerance)
    each = np.sqrt(section.heaters.total_power / count * least)
    high = np.minimum(controls.high, each)
    return ChannelGroup(controls.names, controls.unit, controls.low, high, controls.max_slew)


def _allowed(volts: Array, controls: Channels, section: MeshSection) -> Array:
    """`volts` as they are; OutsideLimits where the heaters could not all be as high."""
    over = volts > controls.high * (1.0 + 1e-9)
    if over.any():
        k = int(np.argmax(over))
        raise OutsideLimits(
            f"{controls.names[k]}: the start asks for {volts[k]:.4g} V, and {len(volts)} heaters of "
            f"{section.heaters.total_power:g} W together may have {controls.high[k]:.4g} V each; raise "
            "heaters.total_power, or start elsewhere"
        )
    return np.minimum(volts, controls.high)
