"""Optical devices in process, by their file, with errors that no method sees."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor

from calibration.device import Device
from calibration.networks import power_scores
from calibration.tuning import Limits, Problem
from calibration.tuning.losses import Logits
from hil.config.device_file import (
    DiffractiveDeviceSection,
    MeshNetworkSection,
    NoisyNetworkSection,
)
from hil.config.tune_experiment import ClassesTask
from hil.devices import (
    EmulatedBidirectionalNetwork,
    EmulatedDiffractive,
    EmulatedMeshNetwork,
    EmulatedNoisyNetwork,
)
from hil.tuning.classes import classes_task
from hil.tuning.in_silico import start_of
from hil.tuning.lab import TuningLab
from hil.tuning.session import Given, TuneSession
from simulators.models.diffraction import (
    Assembly,
    DiffractiveDesign,
    DiffractiveNetwork,
    Grid,
    Region,
    assemble,
)
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.model import Model
from simulators.models.optical import ElectroOptic, MeshNetwork, NoiseLevels, NoisyNetwork, fabricate_network

_TURN = 2.0 * torch.pi


@contextmanager
def in_process_lab(session: TuneSession, seed: int) -> Iterator[TuningLab]:
    """A fresh device as its file says, its task, and the design as its model."""
    lab = optical_in_process(Given.of(session, seed))
    session.store.describe(instruments=dict(lab.device.identity))
    yield lab
    lab.device.rest()


def optical_in_process(given: Given) -> TuningLab:
    """See `in_process_lab`."""
    experiment = given.experiment
    device, ideal, logits, turn = _made(given.chip, given.seed)
    task = classes_task(cast(ClassesTask, experiment.task), device, logits, given.folder)
    model = None if experiment.model == "none" else ideal
    problem = Problem(task, Limits.of(device.controls, turn=turn), model=model, seed=given.seed)
    return TuningLab(device, problem, start_of(given, ideal, problem, device.controls))


def _made(chip: Any, seed: int) -> tuple[Device, Model, Logits, float | None]:
    """The device with its hidden errors, the design, what is made of its outputs, and the period of its controls."""
    if isinstance(chip, MeshNetworkSection):
        layout, hidden = MeshLayout(chip.kind, chip.ports), chip.emulator
        errors = Fabrication.perfect(splitter_rad=hidden.splitter, phase_rad=hidden.phase)

        def network(fabrication: Fabrication, of: int) -> MeshNetwork:
            return fabricate_network(
                layout, fabrication, of, meshes=chip.meshes, activation=ElectroOptic(), readout=chip.readout
            )

        kind = EmulatedBidirectionalNetwork if chip.bidirectional else EmulatedMeshNetwork
        device = kind(
            network(errors, hidden.seed),
            taps=chip.taps,
            noise_relative=hidden.noise_relative,
            noise_floor=hidden.noise_floor,
            seed=seed,
            name=chip.name,
        )
        return device, network(Fabrication.perfect(), 0), power_scores, _TURN
    if isinstance(chip, DiffractiveDeviceSection):
        return _planes(chip, seed)
    return _noisy(chip, seed)


def _planes(section: DiffractiveDeviceSection, seed: int) -> tuple[Device, Model, Logits, float | None]:
    n, hidden = section.samples, section.emulator
    plan = DiffractiveDesign(
        grid=Grid((n, n), section.pitch),
        wavelength_m=section.wavelength,
        distances_m=(section.gap,) * (section.planes + 1),
        pixels=(n, n),
        input_region=Region(n // 4, n // 4, n // 2, n // 2),
        input_pixels=(section.inputs, section.inputs),
        detectors=_rows_of_detectors(n, section.detectors),
        power_W=section.power,
    )
    off = Assembly.perfect(
        shift_m=hidden.shift, rotation_rad=hidden.rotation, distance_m=hidden.distance, mask_rad=hidden.mask
    )
    device = EmulatedDiffractive(
        assemble(plan, off, hidden.seed),
        taps=section.taps,
        noise_relative=hidden.noise_relative,
        seed=seed,
        name=section.name,
    )
    return device, DiffractiveNetwork(plan), power_scores, _TURN


def _rows_of_detectors(samples: int, count: int) -> dict[str, Region]:
    """Squares of an eighth of the plane, in as many rows as columns or one fewer, in its middle four fifths."""
    columns = math.ceil(math.sqrt(count))
    rows, size = math.ceil(count / columns), max(1, samples // 8)

    def place(k: int, of: int) -> int:
        return round(samples * (0.1 + 0.8 * (k + 0.5) / of) - 0.5 * size)

    places = [divmod(k, columns) for k in range(count)]
    return {
        f"d{k}": Region(place(row, rows), place(column, columns), size, size)
        for k, (row, column) in enumerate(places)
    }


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
