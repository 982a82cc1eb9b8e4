"""Devices in process, by their file: networks of meshes and noisy networks, with errors that no method sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.networks import ClassifierPlan, power_scores, train_classifier
from calibration.tuning import Limits, Problem
from calibration.tuning.losses import Logits
from hil.config.device_file import DeviceFile, MeshNetworkSection, NoisyNetworkSection
from hil.config.tune_experiment import ClassesTask, TrainSection
from hil.devices import EmulatedMeshNetwork, EmulatedNoisyNetwork
from hil.errors import ConfigError
from hil.tuning.classes import classes_task
from hil.tuning.lab import TuningLab, plain_start
from hil.tuning.session import TuneSession, folder_of
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.model import Model
from simulators.models.optical import ElectroOptic, MeshNetwork, NoiseLevels, NoisyNetwork, fabricate_network

_TURN = 2.0 * torch.pi


@contextmanager
def in_process_lab(session: TuneSession, seed: int) -> Iterator[TuningLab]:
    """A fresh device as its file says, its task, and the design as its model."""
    experiment, file = session.experiment, cast(DeviceFile, session.bench)
    device, ideal, logits, turn = _made(file.chip, seed)
    session.store.describe(instruments=dict(device.identity))
    task = classes_task(cast(ClassesTask, experiment.task), device, logits, folder_of(session))
    model = None if experiment.model == "none" else ideal
    problem = Problem(task, Limits.of(device.controls, turn=turn), model=model, seed=seed)
    begin, folder = experiment.start, folder_of(session)
    if begin.at == "deployed" and begin.train is None and begin.file is None:
        raise ConfigError(
            "start.at: deployed needs start.train here: what is deployed is what was trained in silico"
        )
    start = plain_start(begin, device.controls, folder, seed)
    if begin.train is not None:
        session.progress.say("training in silico, on the design")
        trained = _trained(ideal, problem, start, begin.train, logits, seed)
        limits = problem.limits  # angles come in again by whole turns, the rest is cut off
        start = limits.controls((trained - limits.origin) / limits.scale)
    try:
        yield TuningLab(device, problem, start)
    finally:
        device.rest()


def _made(chip: Any, seed: int) -> tuple[Device, Model, Logits, float | None]:
    """The device with its hidden errors, the design, what is made of its outputs, and the period of its controls."""
    if isinstance(chip, MeshNetworkSection):
        layout, hidden = MeshLayout(chip.kind, chip.ports), chip.emulator
        errors = Fabrication.perfect(splitter_rad=hidden.splitter or 0.0, phase_rad=hidden.phase or 0.0)

        def network(fabrication: Fabrication, of: int) -> MeshNetwork:
            return fabricate_network(
                layout, fabrication, of, meshes=chip.meshes, activation=ElectroOptic(), readout=chip.readout
            )

        device = EmulatedMeshNetwork(
            network(errors, hidden.seed),
            taps=chip.taps,
            noise_relative=hidden.noise_relative,
            noise_floor=hidden.noise_floor,
            seed=seed,
            name=chip.name,
        )
        return device, network(Fabrication.perfect(), 0), power_scores, _TURN
    return _noisy(chip, seed)


def _noisy(section: NoisyNetworkSection, seed: int) -> tuple[Device, Model, Logits, float | None]:
    layers = len(section.widths) - 1
    true = NoisyNetwork(
        section.widths, section.activation, NoiseLevels.uniform(layers, section.emulator.level)
    )
    assumed = NoisyNetwork(section.widths, section.activation, NoiseLevels.uniform(layers, section.assumed))
    noisy = EmulatedNoisyNetwork(
        true, taps=section.taps, seed=section.emulator.seed + 1000 * seed, name=section.name
    )
    return noisy, assumed, _as_they_are, None


def _as_they_are(outputs: Tensor) -> Tensor:
    return outputs


def _trained(
    ideal: Model, problem: Problem, start: Array, section: TrainSection, logits: Logits, seed: int
) -> Array:
    """Controls trained in silico; of a noisy network with the noise that is assumed."""
    generator = torch.Generator().manual_seed(seed)
    plan = ClassifierPlan(section.steps, section.batch_size, section.rate, seed)
    begin = torch.as_tensor(start)
    if isinstance(ideal, NoisyNetwork):
        begin = ideal.initial(generator)

    def scores(inputs: Tensor, controls: Tensor) -> Tensor:
        if isinstance(ideal, NoisyNetwork) and section.noise:
            return logits(ideal(inputs, controls, ideal.draw(inputs.shape[:1], generator)))
        return logits(ideal(inputs, controls))

    training = problem.task.training
    found = train_classifier(scores, begin, torch.as_tensor(training.inputs), training.targets, plan)
    return cast(Array, found.numpy())
