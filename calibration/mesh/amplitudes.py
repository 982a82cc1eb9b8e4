"""The amplitudes of a mesh's matrix, from the powers at every output with one input lit at a time."""

import numpy as np

from calibration.device import Array, Device, Flag
from calibration.mesh.record import MeshCalibration


def one_at_a_time(calibration: MeshCalibration, low_V: Array, high_V: Array) -> Array:
    """Modulator voltages (N, N): in row i port i is open as far as its range goes, and every other shut."""
    modulators = calibration.twin.modulators
    shut = modulators.closed_V.detach().numpy()
    width = modulators.half_wave_V.detach().numpy()
    nearer = np.where(shut + width <= high_V, shut + width, high_V)
    volts = np.tile(np.clip(shut, low_V, high_V), (len(shut), 1))
    np.fill_diagonal(volts, nearer)
    return volts


def read_powers(device: Device, calibration: MeshCalibration, heater_V: Array) -> Array:
    """Powers (N, N) in W, outputs by inputs, with the heaters at `heater_V` (H,), as if every port were alike.

    Darks are subtracted and the ports' transmission is divided out; what reads less than nothing counts as nothing,
    and clipped readings as nan. A device whose modulators are the inputs and heaters the controls.
    """
    volts = one_at_a_time(calibration, np.asarray(device.inputs.low), np.asarray(device.inputs.high))
    device.set_controls(heater_V)
    answer = device.run(volts[None])
    powers = (answer.outputs[0] - calibration.dark_W) / calibration.twin.port_transmission.detach().numpy()
    powers = np.maximum(powers, 0.0)
    powers[answer.flags[0] & Flag.CLIPPED != 0] = np.nan
    return np.asarray(powers.T, dtype=np.float64)
