"""A dopant network's task as a problem: its points as plateaus, its loss of currents, its surrogate as the model."""

from typing import TypeVar

from calibration.device import Device
from calibration.errors import ShapeError
from calibration.tasks.task import Task
from calibration.tuning.current_losses import tuning_task
from calibration.tuning.limits import Limits
from calibration.tuning.method import Problem
from calibration.tuning.plateaus import Plateaus
from calibration.tuning.task import Loss
from simulators.errors import ModelError
from simulators.models.model import ElectrodeModel, Model

Chip = TypeVar("Chip", bound=ElectrodeModel)


def model_of(device: Device, chip: Chip) -> Chip:
    """A model of all of a chip's electrodes, such as its fitted surrogate, parted and in the order of `device`.

    Raises ShapeError where the device has other electrodes than the model.
    """
    try:
        return chip.with_inputs(device.inputs.names, device.controls.names)
    except ModelError as error:
        raise ShapeError(f"the model is not of this device: {error}") from error


def dopant_problem(
    device: Device,
    task: Task,
    *,
    model: Model | None,
    noise_A: float,
    plateau_s: float,
    settling_s: float | None = None,
    repeats: int = 1,
    probes: int = 8,
    high: int = 1,
    loss: Loss | None = None,
    seed: int = 0,
) -> Problem:
    """A task of two classes on `device`, parted so that its inputs are the task's.

    Args:
        device: one chip, or a network of several.
        task: gate, truth table or labelled points, in the order of the device's inputs.
        model: for methods that need one: of a single chip its fitted surrogate, in whichever order its electrodes are;
            of a network one of the surrogates of its chips.
        noise_A: standard deviation of one reading.
        plateau_s, settling_s, repeats: how a point is held; see `Plateaus`.
        probes, high, loss: see `tuning_task`.
        seed: of everything random.

    Raises:
        PlanError: points outside the inputs' ranges, plateaus that never settle.
        ShapeError: a model of another chip.
    """
    inputs = device.inputs
    task.check_range(inputs.names, inputs.low, inputs.high)
    asking = Plateaus.of(
        device, plateau_s=plateau_s, settling_s=settling_s, points=task.points, repeats=repeats, seed=seed
    )
    readings = repeats * (asking.holding.plateau - asking.holding.settling)
    of_sample_A = noise_A / readings**0.5
    return Problem(
        tuning_task(task, noise_A=of_sample_A, high=high, loss=loss, probes=probes),
        Limits.of(device.controls),
        asking,
        model_of(device, model) if isinstance(model, ElectrodeModel) else model,
        seed,
    )
