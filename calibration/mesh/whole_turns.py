"""How a shifter's fringe moves when neighbours' heaters are stepped by the power of one whole turn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from calibration.device import Array
from calibration.mesh.fringe import fringe_phases
from calibration.mesh.ports import reading_noise
from calibration.mesh.probing import Probe, Readings
from calibration.mesh.record import MeshCalibration
from calibration.mesh.sweep import Arrangement
from simulators.models.mesh import HeaterBank

_POINTS = 4  # of each fringe
_SPAN = 1.5  # half turns from the first point to the last


@dataclass(frozen=True, eq=False)
class WholeTurns:
    """Fringes of one shifter, as it is and with a whole turn of each neighbour, by steps of their power.

    Attributes:
        near: numbers of the neighbours.
        steps_W: of each, (k,).
        readings: four points of each fringe, (4 (1 + k),) samples.
    """

    shifter: int
    detector: int
    near: Sequence[int]
    steps_W: Array
    readings: Readings


def steps_of(probe: Probe, arrangement: Arrangement, near: Sequence[int]) -> dict[int, float]:
    """The steps in W by which heaters turn their phases once: up where the limit lets it, down else, or left out."""
    turns, most = 2.0 * probe.half_turn_W(), probe.most_W()
    heater_W = probe.heating(arrangement.phases_rad)
    found = {}
    for j in near:
        if heater_W[j] + turns[j] <= most[j]:
            found[j] = float(turns[j])
        elif heater_W[j] >= turns[j]:
            found[j] = -float(turns[j])
    return found


def read_whole_turns(
    probe: Probe, shifter: int, arrangement: Arrangement, steps: dict[int, float]
) -> Readings:
    """Read the fringes of a shifter, as the others have to stand and with each of the steps."""
    heater_W = probe.heating(arrangement.phases_rad)
    most = min(_SPAN * float(probe.half_turn_W()[shifter]), float(probe.most_W()[shifter]))
    watts = np.tile(heater_W, (1 + len(steps), _POINTS, 1))
    watts[:, :, shifter] = np.linspace(0.0, most, _POINTS)
    for row, (j, step) in enumerate(steps.items(), start=1):
        watts[row, :, j] += step
    heaters = [shifter, *steps]
    volts = probe.volts(watts.reshape(-1, watts.shape[-1]))
    return probe.sweep(heaters, volts[:, heaters], probe.lit(arrangement.lit), probe.volts(heater_W))


def put_crosstalk(probe: Probe, known: MeshCalibration, turns: WholeTurns) -> tuple[Array, Array]:
    """Put into the twin how far the fringes move beyond what it expects; returns the new row and its errors.

    A whole turn leaves the light where it was, so that but for what the twin knows already all of the move is the
    heat that the shifter feels of that neighbour. Both (k,) in rad/W, NaN where a detector was at its end.
    """
    twin, rows, k = probe.twin, turns.readings, turns.shifter
    light = probe.light(rows, known.dark_W)
    noise = reading_noise(known, light)
    shape = 1 + len(turns.near), _POINTS
    turned = (float(twin.heaters.gamma_rad_per_W[k]) * probe.swept_W(rows)[:, 0]).reshape(shape)
    phases, errors = fringe_phases(
        turned, light[:, turns.detector].reshape(shape), noise[:, turns.detector].reshape(shape)
    )
    expected, _ = fringe_phases(turned, probe.expected(rows)[:, turns.detector].reshape(shape))
    beyond = phases - expected
    moved = np.angle(np.exp(1j * (beyond[1:] - beyond[0]))) / turns.steps_W
    slots = slots_of(twin.heaters, k, turns.near)
    with torch.no_grad():
        row = twin.heaters.crosstalk_rad_per_W[k]
        row[slots] += torch.as_tensor(np.nan_to_num(moved))
        values = np.where(np.isfinite(moved), row[slots].numpy(), np.nan)
    return values, np.hypot(errors[1:], errors[0]) / np.abs(turns.steps_W)


def slots_of(heaters: HeaterBank, shifter: int, near: Sequence[int]) -> list[int]:
    """Where some heaters are in a shifter's list of neighbours."""
    listed = heaters.neighbours[shifter].tolist()
    return [listed.index(j) for j in near]
