"""The internal phase of an interferometer whose heater is dead, from how it shares light out."""

from dataclasses import replace

import numpy as np

from calibration.mesh.ports import reading_noise
from calibration.mesh.probing import Probe, Readings
from calibration.mesh.record import MeshCalibration, Shifter
from calibration.mesh.sweep import Arrangement, put_phase

_REPEATS = 4


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
    if arrangement.at_least:  # the detector is on the side to which light crosses
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
