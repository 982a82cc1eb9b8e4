"""Phases of shifters whose heaters are dead: of internal ones from how their interferometer shares light out, of
external ones from the fringe of another shifter."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from calibration.mesh.fringe import Fringe
from calibration.mesh.ports import reading_noise
from calibration.mesh.probing import Probe, Readings
from calibration.mesh.record import MeshCalibration, Shifter
from calibration.mesh.routing import State
from calibration.mesh.sweep import Arrangement, SweepPlan, foreseen, judged, predicted, put_phase, seen

_REPEATS = 4
_NUDGE_RAD = 0.5  # by which a phase is changed in the twin to see what moves with it
_MOVES_WITHIN = 0.2  # of it


def read_idle(probe: Probe, arrangement: Arrangement) -> Readings:
    """Read what comes out on the two sides of an MZI."""
    heater_V = probe.volts(probe.heating(arrangement.phases_rad))
    return probe.read(np.tile(probe.lit(arrangement.lit), (_REPEATS, 1)), heater_V)


def judged_idle(
    probe: Probe,
    known: MeshCalibration,
    shifter: Shifter,
    mzi: int,
    arrangement: Arrangement,
    readings: Readings,
) -> Shifter:
    """The shifter with its phase, which is put into the twin.

    tan²(θ / 2) is the light that keeps its row over that which crosses. θ is taken to be in [0, π]: its negative
    comes to the same but for phases that the external shifters around it take up. A shifter whose light cannot be
    told stays as it is.
    """
    light = probe.light(readings, known.dark_W)
    if arrangement.other is None:
        return shifter
    sides = [arrangement.detector, arrangement.other]
    if np.isnan(light[:, sides]).any():
        return shifter
    noise = reading_noise(known, light).mean(axis=0) / np.sqrt(_REPEATS)
    through = probe.twin.port_transmission.numpy()[sides]
    shares, errors = light.mean(axis=0)[sides] / through, noise[sides] / through
    if arrangement.passes is State.CROSS:
        shares, errors = shares[::-1], errors[::-1]
    kept, crossed = np.maximum(shares, 0.0)
    if not kept + crossed > np.hypot(*errors) * 10.0:
        return shifter
    theta = 2.0 * float(np.arctan2(np.sqrt(kept), np.sqrt(crossed)))
    # the share that keeps its row is sin²(θ / 2), which changes by sin(θ) / 2 with θ and, at its ends, by the square
    share_error = float(np.hypot(crossed * errors[0], kept * errors[1])) / (kept + crossed) ** 2
    error = share_error / max(0.5 * np.sin(theta), np.sqrt(share_error))
    put = theta - probe.felt(mzi, readings["heater_V"])
    gamma = float(probe.twin.heaters.gamma_rad_per_W[mzi])
    put_phase(probe, mzi, put, gamma)
    found = {"phase_rad": float(put % (2.0 * np.pi)), "phase_error_rad": float(error)}
    return replace(shifter, figures={**shifter.figures, **found})


def stand_in(
    probe: Probe,
    known: MeshCalibration,
    dead: int,
    arrangement: Arrangement,
    others: Sequence[int],
    plan: SweepPlan,
) -> int | None:
    """The first of `others` whose fringe, arranged for a dead external shifter, moves with the phase of that one."""
    for k in others:
        fringe_of = partial(foreseen, probe, known, k, arrangement, plan.points, plan.turns)
        moved = _moved(probe, known, dead, fringe_of)
        if moved is not None and abs(abs(moved) - _NUDGE_RAD) < _MOVES_WITHIN * _NUDGE_RAD:
            return k
    return None


def judged_by_stand_in(
    probe: Probe,
    known: MeshCalibration,
    shifter: Shifter,
    dead: int,
    arrangement: Arrangement,
    readings: Readings,
    plan: SweepPlan,
) -> Shifter:
    """The shifter with its phase, which is put into the twin, by how far another's fringe is from the twin's."""
    detector = arrangement.detector
    found, twins = seen(probe, known, readings, detector), predicted(probe, known, readings, detector)
    fringe = found.fringe
    moved = _moved(probe, known, dead, partial(predicted, probe, known, readings, detector))
    if fringe is None or twins is None or moved is None or not judged(Shifter(shifter.name), found, plan).ok:
        return shifter
    offset = float(probe.twin.mesh.phase_offset[dead])
    offset += float(np.sign(moved)) * (fringe.phase_rad - twins.phase_rad)
    put_phase(probe, dead, offset, float(probe.twin.heaters.gamma_rad_per_W[dead]))
    figures = {"phase_rad": offset % (2.0 * np.pi), "phase_error_rad": fringe.phase_error_rad}
    return replace(shifter, figures={**shifter.figures, **figures})


def _moved(
    probe: Probe, known: MeshCalibration, shifter: int, fringe_of: Callable[[], Fringe | None]
) -> float | None:
    """By how much the twin's fringe moves when a shifter's phase is nudged, in rad; None where there is no fringe."""
    offset = float(probe.twin.mesh.phase_offset[shifter])
    gamma = float(probe.twin.heaters.gamma_rad_per_W[shifter])
    before = fringe_of()
    put_phase(probe, shifter, offset + _NUDGE_RAD, gamma)
    after = fringe_of()
    put_phase(probe, shifter, offset, gamma)
    if before is None or after is None:
        return None
    return float(np.angle(np.exp(1j * (after.phase_rad - before.phase_rad))))
