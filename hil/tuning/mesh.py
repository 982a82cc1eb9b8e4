"""A mesh on its bench: a unitary as the task, each port lit alone, the calibrated twin as the model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch

from calibration.device import Array, ChannelGroup, Channels, Device
from calibration.errors import OutsideLimits
from calibration.mesh import MeshCalibration
from calibration.mesh.deploy import deploy
from calibration.mesh.drive import HeaterLimits
from calibration.mesh.settings import check_fits, lit_alone
from calibration.tuning import Examples, Limits, Problem, TuningTask, share_fidelity, share_infidelity
from hil.config.mesh_chip import MeshSection
from hil.config.tune_experiment import MatrixTask
from hil.errors import ConfigError, NoCalibration
from hil.mesh.calibrate import RECORD
from hil.mesh.design import design
from hil.mesh.records import Records
from hil.mesh.session import MeshSession
from hil.mesh.target import Target, haar, read_target
from hil.tuning.lab import TuningLab, plain_start
from hil.tuning.session import Given, TuneSession
from simulators.models.mesh import PhotonicChip


@contextmanager
def mesh_lab(session: TuneSession, seed: int, *, hold: bool = False) -> Iterator[TuningLab]:
    """The mesh, connected; raises NoCalibration where a fitted twin is asked for and there is none."""
    from hil.chips.mesh import connect

    given = Given.of(session, seed)
    target, calibration = target_of(given), calibration_of(given)  # before anything is connected
    with connect(cast(MeshSession, session), hold=hold) as device:
        yield mesh_on(given, device, target, calibration)


def mesh_on(given: Given, device: Device, target: Target, calibration: MeshCalibration | None) -> TuningLab:
    """The task on a mesh that is connected."""
    experiment, section = given.experiment, cast(MeshSection, given.chip)
    wanted, ideal = cast(MatrixTask, experiment.task), design(section)
    if calibration is not None:
        check_fits(device, calibration)
    twin = ideal if calibration is None else calibration.twin
    shares = torch.as_tensor(np.abs(target.unitary) ** 2).T  # by input: what each output gets of it
    once = lit_alone(device, twin)
    task = TuningTask(
        Examples(once, shares),
        Examples(np.tile(once, (wanted.probes, 1)), shares.repeat(wanted.probes, 1)),
        share_infidelity,
        share_fidelity,
    )
    model = {"fitted": twin, "ideal": ideal, "none": None}[experiment.model]
    controls = _together(section, device.controls, ideal)
    limits = Limits.of(device.controls, high=controls.high)
    if experiment.start.at == "deployed" and experiment.start.file is None:
        way = experiment.start.deploy
        planned = deploy(
            target.unitary,
            ideal if way == "designed" else twin,
            correct=way == "corrected",
            dead=[] if calibration is None else [one.name for one in calibration.shifters if not one.ok],
            limits=HeaterLimits(section.heaters.total_power, section.heaters.current),
        )
        start = _allowed(planned.drive.volts, controls, section)
    else:
        start = plain_start(experiment.start, controls, given.folder, given.seed)
    return TuningLab(device, Problem(task, limits, model=model, seed=given.seed), start)


def target_of(given: Given) -> Target:
    """The matrix of the task; ConfigError for a file that holds none that fits."""
    ports, wanted = given.chip.layout.ports, cast(MatrixTask, given.experiment.task)
    if wanted.haar is not None:
        return haar(ports, wanted.haar)
    return read_target(given.folder / str(wanted.file), ports)


def calibration_of(given: Given) -> MeshCalibration | None:
    """What the experiment names, or the chip's newest; None where the design is all that is asked for."""
    experiment, name = given.experiment, given.chip.name
    needed = experiment.model == "fitted" or (
        experiment.start.at == "deployed" and experiment.start.deploy != "designed"
    )
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
