"""What was read at settings of a mesh beside what its twin predicts, and beside what was wanted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.mesh.readings import PowerNoise, PowerReadings
from calibration.mesh.record import MeshCalibration
from calibration.mesh.settings import readings_of
from simulators.models.mesh import PhotonicChip


@dataclass(frozen=True, eq=False)
class Compared:
    """Of each setting, (S, N outputs, N inputs): light read and predicted, and 1 where a reading counts, else 0.

    `dead` names the detectors that saw nothing.
    """

    measured: Tensor
    predicted: Tensor
    counts: Tensor
    dead: tuple[str, ...]


@torch.no_grad()
def predicted_powers(twin: PhotonicChip, inputs_V: Array, controls_V: Array) -> Array:
    """What a twin says (S, T, N) in W for modulator voltages (S, T, N) and heater voltages (S, H)."""
    found: Array = twin(torch.as_tensor(inputs_V), torch.as_tensor(controls_V)[:, None]).numpy()
    return found


def residual(readings: PowerReadings, twin: PhotonicChip, noise: PowerNoise) -> float:
    """RMS of what `twin` leaves of readings at its own light, over the noise of a reading."""
    expected = predicted_powers(twin, readings.inputs, readings.controls)
    readings, _ = at_the_same_light(readings, expected, noise)
    off = (readings.powers - expected) / noise.std(expected)
    return float(np.sqrt(np.mean(off[readings.usable] ** 2)))


def at_the_same_light(
    readings: PowerReadings, reference: Array, noise: PowerNoise
) -> tuple[PowerReadings, float]:
    """The readings as they would be at the light of the reference (S, T, N) in W, and how much more theirs is."""
    weight = np.where(readings.usable, noise.std(reference) ** -2.0, 0.0)
    powers = np.where(readings.usable, readings.powers, 0.0)
    light = float(np.sum(weight * powers * reference) / np.sum(weight * reference**2))
    return replace(readings, powers=readings.powers / light), light


def compared(blocks: Iterable[Mapping[str, Array]], known: MeshCalibration, device: Device) -> Compared:
    """Powers measured and predicted, (S, N outputs, N inputs), transmissions taken off, and which of them count.

    Those that do not are nothing in all three: where a detector is dead or at its end, the others are what is
    compared.
    """
    floor_W = known.figures.get("twin", {}).get("noise_floor_W", 0.0)
    readings, dead = readings_of(blocks, known, device, floor_W)
    expected = predicted_powers(known.twin, readings.inputs, readings.controls)
    ports = known.twin.port_transmission.detach().numpy()

    def counted(light: Array) -> Tensor:
        return torch.as_tensor(np.where(readings.usable, np.maximum(light, 0.0) / ports, 0.0)).mT

    counts = torch.as_tensor(readings.usable).double().mT
    return Compared(counted(readings.powers), counted(expected), counts, dead)
