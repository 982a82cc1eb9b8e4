"""From the phases that a mesh is to have to the heater voltages that make them, through a calibration."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from calibration.device import Array
from calibration.mesh.record import MeshCalibration

_TURN = 2.0 * np.pi
_MOST_TURNS, _ROUNDING_W = 3.0, 1e-12


@dataclass(frozen=True, eq=False)
class Heating:
    """Heater voltages for a setting of phases.

    Attributes:
        volts: of every heater, (H,).
        off_rad: by how much each phase is then off, (H,): 0 but for `beyond` and heaters that are not driven.
        beyond: names of the heaters that would have to pass their limit.
        idle: names of those that are not driven, as they failed in the calibration.
        total_W: of all heaters together.
    """

    volts: Array
    off_rad: Array
    beyond: tuple[str, ...]
    idle: tuple[str, ...]
    total_W: float


def heat_for(calibration: MeshCalibration, phases: Tensor, high_V: Array) -> Heating:
    """Voltages with which the heaters add `phases` (H,) in rad, each up to whole turns.

    Crosstalk is taken off by solving for all powers at once; every heater takes the lowest power that does. One that
    failed is left at 0 V.

    Args:
        high_V: voltage limit of each heater, (H,).
    """
    heaters = calibration.twin.heaters
    names = tuple(shifter.name for shifter in calibration.shifters)
    driven = np.array([shifter.ok for shifter in calibration.shifters])
    effect = heaters.matrix().detach().numpy()
    high_W = heaters.powers(heaters.high_V.new_tensor(high_V)).detach().numpy()
    wanted = phases.detach().double().numpy() % _TURN
    powers = np.zeros(len(names))
    rows = np.flatnonzero(driven)
    if rows.size:
        powers[rows] = _lowest(effect[np.ix_(rows, rows)], wanted[rows])
    beyond = driven & (powers > high_W * (1.0 + 1e-9))
    powers = np.clip(powers, 0.0, np.where(driven, high_W, 0.0))
    volts = heaters.volts(heaters.high_V.new_tensor(powers)).detach().numpy()
    volts = np.where(powers > 0.0, np.minimum(volts, high_V), 0.0)
    off = (effect @ powers - wanted + np.pi) % _TURN - np.pi
    return Heating(volts, off, _those(names, beyond), _those(names, ~driven), float(powers.sum()))


def _lowest(effect: Array, wanted: Array) -> Array:
    """Powers with effect @ powers = wanted up to whole turns, none of them negative, each as low as can be."""
    turns = np.zeros(len(wanted))
    while True:
        powers = np.linalg.solve(effect, wanted + _TURN * turns)
        # what its neighbours heat too much already needs a turn more; those past their limits are beyond help
        short = (powers < -_ROUNDING_W) & (turns < _MOST_TURNS)
        if not short.any():
            return np.asarray(np.maximum(powers, 0.0), dtype=np.float64)
        turns[short] += 1.0


def _those(names: tuple[str, ...], mask: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, chosen in zip(names, mask, strict=True) if chosen)
