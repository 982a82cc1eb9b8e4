"""Settings of a whole mesh: random ones, the inputs read at each, and the blocks that come of it."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch

from calibration.device import Array, Device, Flag
from calibration.errors import NotEnoughData, ShapeError
from calibration.mesh.readings import PowerNoise, PowerReadings
from calibration.mesh.record import MeshCalibration
from simulators.models.mesh import PhotonicChip

_DEAD = 5.0  # standard deviations of a dark reading: a detector that never saw more is dead


def check_fits(device: Device, known: MeshCalibration) -> None:
    """Raise WrongChip or ShapeError unless the record is of this device, and of as many channels."""
    known.check(device.identity)
    names, twin = known.twin.mesh.layout.shifters, known.twin
    if device.controls.names != names or len(device.inputs.names) != twin.n_inputs:
        raise ShapeError(
            f"the record's twin has {twin.n_inputs} ports and {len(names)} heaters, the device "
            f"{len(device.inputs.names)} inputs and {len(device.controls.names)} controls: {names[0]}, … expected"
        )


def dead_shifters(known: MeshCalibration) -> list[int]:
    """Numbers of the shifters that are not to be driven."""
    return [number for number, shifter in enumerate(known.shifters) if not shifter.ok]


def lit_alone(device: Device, twin: PhotonicChip) -> Array:
    """Modulator voltages (N, N) that open one port after the other and shut the rest."""
    with torch.no_grad():
        shut = twin.modulators.closed_V.numpy()
        opened = shut + twin.modulators.half_wave_V.numpy()
    volts = np.where(np.eye(len(shut), dtype=bool), opened, shut)
    return np.clip(volts, device.inputs.low, device.inputs.high)


def all_shut(device: Device, twin: PhotonicChip) -> Array:
    """Modulator voltages (1, N) that shut every port."""
    shut = twin.modulators.closed_V.detach().numpy()[None]
    return np.clip(shut, device.inputs.low, device.inputs.high)


def lit_together(device: Device, twin: PhotonicChip, count: int, rng: np.random.Generator) -> Array:
    """Modulator voltages (count, N) that open every port by anything from nothing to all."""
    with torch.no_grad():
        shut, reach = twin.modulators.closed_V.numpy(), twin.modulators.half_wave_V.numpy()
    return np.clip(shut + reach * rng.random((count, len(shut))), device.inputs.low, device.inputs.high)


def random_controls(
    device: Device,
    twin: PhotonicChip,
    rng: np.random.Generator,
    dead: Sequence[int] = (),
    total_W: float | None = None,
) -> Array:
    """Heater voltages (H,) for phases that are anything from 0 to 2 π, as far as heaters reach.

    Args:
        dead: shifters left at 0 V.
        total_W: what all heaters may draw together; a setting that would draw more is scaled down.
    """
    heaters = twin.heaters
    with torch.no_grad():
        most = heaters.powers(torch.minimum(heaters.high_V, torch.as_tensor(device.controls.high))).numpy()
        turn = (2.0 * torch.pi / heaters.gamma_rad_per_W).numpy()
        powers = np.minimum(turn, most) * rng.random(len(turn))
        powers[list(dead)] = 0.0
        if total_W is not None and powers.sum() > total_W:
            powers *= total_W / powers.sum()
        volts = heaters.volts(torch.as_tensor(powers)).nan_to_num(0.0).numpy()
    return np.clip(volts, device.controls.low, device.controls.high)


def read(device: Device, controls: Array, inputs: Array, repeats: int = 1) -> Mapping[str, Array]:
    """The block of a setting: the heaters at `controls` (H,), all `inputs` (T, N) read in turn, `repeats` times."""
    device.set_controls(controls)
    found = device.run(np.broadcast_to(inputs, (repeats, *inputs.shape)))
    return {
        "controls_V": np.asarray(controls, dtype=np.float64),
        "inputs_V": found.inputs,
        "powers_W": found.outputs,
        "flags": found.flags.astype(np.float64),
    }


def noise_of(block: Mapping[str, Array], known: MeshCalibration, device: Device) -> PowerNoise:
    """The noise of one reading, from a block that was read several times."""
    usable = _usable(block, device).all(axis=0)
    powers = block["powers_W"][:, usable] - np.broadcast_to(known.dark_W, usable.shape)[usable]
    if not powers.size:
        raise NotEnoughData(
            "no detector gave a usable reading; look at the laser, and at the detectors' ranges"
        )
    return PowerNoise.of_repeats(powers)


def readings_of(
    blocks: Iterable[Mapping[str, Array]], known: MeshCalibration, device: Device, floor_W: float
) -> tuple[PowerReadings, tuple[str, ...]]:
    """The readings of blocks that were read once each, and the names of detectors that saw nothing in any of them.

    Left out are those detectors, samples flagged late or limited, and saturated readings.

    Args:
        floor_W: standard deviation of a reading in the dark.
    """
    kept = list(blocks)
    powers = np.concatenate([block["powers_W"] for block in kept]) - known.dark_W
    usable = np.concatenate([_usable(block, device) for block in kept])
    light = np.where(usable, powers, -np.inf).max(axis=(0, 1))
    dead = ~(light > _DEAD * floor_W)
    readings = PowerReadings(
        np.concatenate([block["inputs_V"] for block in kept]),
        np.stack([block["controls_V"] for block in kept]),
        powers,
        usable & ~dead,
    )
    return readings, tuple(device.outputs.names[port] for port in np.flatnonzero(dead))


def _usable(block: Mapping[str, Array], device: Device) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    powers, flags = block["powers_W"], block["flags"].astype(np.uint8)
    bad = (flags & np.uint8(Flag.COMPLIANCE | Flag.LATE)) > 0
    full = powers >= device.outputs.high * (1.0 - 1e-9)
    # where a sample is flagged as clipped but no reading is at its end, any of them may be the one
    clipped = (flags & np.uint8(Flag.CLIPPED)) > 0
    bad |= clipped & ~full.any(axis=-1)
    found: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = np.isfinite(powers) & ~full & ~bad[..., None]
    return found
