"""One shifter's fringe: how it is arranged and read, what of it can be trusted, and what the twin says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from calibration.device import Array
from calibration.mesh.fringe import Fringe, fit_fringe
from calibration.mesh.ports import reading_noise
from calibration.mesh.probing import Probe, Readings, sweep_settings
from calibration.mesh.record import MeshCalibration, Shifter
from calibration.mesh.routing import Route, Router, State

PHASES = {State.BAR: np.pi, State.CROSS: 0.0}
"""Internal phases of an MZI without errors."""
_FAINT = 8.0  # standard errors of its amplitude that a fringe must stand out by
_SETTABLE_WITHIN_RAD = 0.5  # an internal phase known better than this serves to set its MZI


@dataclass(frozen=True)
class SweepPlan:
    """How shifters are swept, and what a fringe must be for its fit to be trusted.

    Attributes:
        points: of each sweep, even in power up to the heater's limit.
        min_visibility: of a fringe; below it too much light has come another way.
        max_residual: root mean square of what the fit leaves, over the fringe's amplitude.
        opening: points of the first, rough sweeps that let light through a way.
        rounds: how often at most a way that stays dark is gone over with those.
        turns: how far a sweep goes at most, in turns of the phase.
    """

    points: int = 24
    min_visibility: float = 0.3
    max_residual: float = 0.15
    opening: int = 9
    rounds: int = 4
    turns: float = 2.0


@dataclass(frozen=True, eq=False)
class Arrangement:
    """What has to stand how for one shifter's fringe.

    Attributes:
        lit: inputs with light.
        phases_rad: of the other shifters, by number.
        detector: that sees the fringe.
        passes: what an internal shifter's MZI does to the light that comes to the detector.
        other: a detector that sees the same fringe from the MZI's other side; None for none.
    """

    lit: Sequence[int]
    phases_rad: Mapping[int, float]
    detector: int
    passes: State = State.BOTH
    other: int | None = None


def arranged(
    router: Router, mzi: int, external: bool, can: Mapping[int, Sequence[State]]
) -> Arrangement | None:
    """How an MZI's internal or external fringe is seen with the others known; None where it cannot be.

    The internal one needs a single way past it, the external one light on both its inputs and half of it passed on.
    """
    if external:
        loop = router.loop(mzi, can) if mzi in can else None
        if loop is None:
            return None
        phases = {k: PHASES[state] for k, state in loop.states.items()} | {mzi: np.pi / 2.0}
        return Arrangement(loop.starts, phases, loop.stop)
    ways = router.routes({mzi}, can)
    if not ways or list(ways[0].unknown) != [mzi]:
        return None
    return along(ways[0], mzi)


def along(way: Route, mzi: int) -> Arrangement:
    """What has to stand how for an MZI on a single way, with all others that are known set for it."""
    phases = {k: PHASES[state] for k, state in way.states.items()}
    return Arrangement([way.start], phases, way.stop, way.unknown[mzi], way.other)


def settable(probe: Probe, shifters: Sequence[Shifter]) -> dict[int, list[State]]:
    """What each MZI whose internal phase is known can be set to: nothing for one that stays as it is."""
    half = len(shifters) // 2
    known = [
        k for k in range(half) if shifters[k].figures.get("phase_error_rad", np.inf) < _SETTABLE_WITHIN_RAD
    ]
    reached = {state: probe.reaches(phase) for state, phase in PHASES.items()}
    return {
        k: [state for state in PHASES if reached[state][k]]
        for k in known
        if shifters[k].ok or not probe.live(k)
    }


def swept(probe: Probe, shifter: int, arrangement: Arrangement, points: int, turns: float) -> Readings:
    """Read a sweep of one shifter, even in power, over some turns or up to its limit."""
    return probe.sweep([shifter], *_settings(probe, shifter, arrangement, points, turns))


def foreseen(
    probe: Probe, known: MeshCalibration, shifter: int, arrangement: Arrangement, points: int, turns: float
) -> Fringe | None:
    """The fringe that the twin as it is now would have in such a sweep."""
    settings = sweep_settings([shifter], *_settings(probe, shifter, arrangement, points, turns))
    return predicted(probe, known, settings, arrangement.detector)


def _settings(
    probe: Probe, shifter: int, arrangement: Arrangement, points: int, turns: float
) -> tuple[Array, Array, Array]:
    """Voltages of the shifter (T, 1), of the modulators (N,) and of all heaters (H,)."""
    heater_W = probe.heating({k: phase for k, phase in arrangement.phases_rad.items() if k != shifter})
    most = min(float(probe.most_W()[shifter]), 2.0 * turns * float(probe.half_turn_W()[shifter]))
    whole = np.tile(heater_W, (points, 1))
    whole[:, shifter] = np.linspace(0.0, most, points)
    return probe.volts(whole)[:, [shifter]], probe.lit(arrangement.lit), probe.volts(heater_W)


@dataclass(frozen=True, eq=False)
class Seen:
    """A sweep as it was seen at a detector: heater powers (T,), light (T,), both in W, and the fringe if any.

    `turns` is how far the sweep went by what is known of γ.
    """

    detector: int
    heater_W: Array
    light_W: Array
    turns: float
    fringe: Fringe | None

    def curve(self) -> dict[str, Any]:
        """Plain values for a plot; None where nothing was read or fitted."""
        light = [None if np.isnan(power) else float(power) for power in self.light_W]
        none = [None] * len(light)
        fitted = none if self.fringe is None else self.fringe.at(self.heater_W).tolist()
        return {"heater_W": self.heater_W.tolist(), "powers_W": light, "fitted_W": fitted}


def seen(probe: Probe, known: MeshCalibration, readings: Readings, detector: int) -> Seen:
    """The fringe of a sweep of one shifter at a detector."""
    return _fitted(probe, known, readings, probe.light(readings, known.dark_W), detector)


def predicted(probe: Probe, known: MeshCalibration, readings: Readings, detector: int) -> Fringe | None:
    """The fringe that the twin as it is now has in a sweep, fitted as a measured one is."""
    return _fitted(probe, known, readings, probe.expected(readings), detector).fringe


def _fitted(probe: Probe, known: MeshCalibration, readings: Readings, light: Array, detector: int) -> Seen:
    watts, mine = probe.swept_W(readings)[:, 0], light[:, detector]
    noise = reading_noise(known, light)[:, detector]
    gamma = float(probe.twin.heaters.gamma_rad_per_W[int(readings["swept"][0])])
    turns = float(np.ptp(watts)) * gamma / (2.0 * np.pi)
    return Seen(detector, watts, mine, turns, fit_fringe(watts, mine, noise, gamma))


def judged(shifter: Shifter, found: Seen, plan: SweepPlan) -> Shifter:
    """The shifter, marked with a reason where its fringe cannot be trusted."""
    name, fringe = shifter.name, found.fringe
    if fringe is None:
        lost = int(np.isnan(found.light_W).sum())
        if found.turns < 0.5:
            why = f"its heater's limit allows {found.turns:.2f} turns of its phase, half a turn is needed"
        elif lost > len(found.light_W) // 2:
            why = f"{lost} of {len(found.light_W)} readings are not to be used: detector or source was at its end"
        else:
            why = "the fit of its fringe does not converge"
        return shifter.failed(f"{name}: {why}")
    if fringe.significance < _FAINT:
        return shifter.failed(
            f"{name}: too little light reaches the detector: its fringe is {fringe.significance:.1f} standard "
            f"errors, {_FAINT:g} are needed"
        )
    if fringe.visibility < plan.min_visibility:
        return shifter.failed(
            f"{name}: the visibility of its fringe is {fringe.visibility:.2f}, {plan.min_visibility:g} is needed; "
            "light comes another way"
        )
    if fringe.residual > plan.max_residual:
        return shifter.failed(
            f"{name}: the fit leaves {fringe.residual:.0%} of its fringe, {plan.max_residual:.0%} is allowed, and "
            f"{fringe.residual_over_noise:.1f} times the noise"
        )
    return shifter


def with_figures(shifter: Shifter, fringe: Fringe, phase_rad: float, gamma_rad_per_W: float) -> Shifter:
    """The shifter with the figures of its fringe and with what they come to."""
    found = {
        "phase_rad": float(phase_rad % (2.0 * np.pi)),
        "phase_error_rad": fringe.phase_error_rad,
        "half_wave_W": float(np.pi / gamma_rad_per_W),
        "half_wave_error_W": float(np.pi * fringe.gamma_error_rad_per_W / gamma_rad_per_W**2),
        "visibility": fringe.visibility,
        "visibility_error": fringe.visibility_error,
        "residual_over_noise": fringe.residual_over_noise,
    }
    return replace(shifter, figures={**shifter.figures, **found})


def by_difference(
    probe: Probe, known: MeshCalibration, readings: Readings, found: Seen, shifter: Shifter, plan: SweepPlan
) -> Shifter:
    """What a sweep says of its shifter by how its fringe differs from the twin's at the same settings.

    That holds for every arrangement, whatever else adds to the fringe's phase, as far as the twin knows of it. A
    phase and γ that can be trusted are put into the twin.
    """
    k, fringe = int(readings["swept"][0]), found.fringe
    shifter = judged(shifter, found, plan)
    if fringe is None:
        return shifter
    twins = predicted(probe, known, readings, found.detector)
    if twins is None:
        return shifter.failed(f"{shifter.name}: the twin expects no fringe to compare its own with")
    twin = probe.twin
    phase = float(twin.mesh.phase_offset[k]) + fringe.phase_rad - twins.phase_rad
    gamma = float(twin.heaters.gamma_rad_per_W[k]) + fringe.gamma_rad_per_W - twins.gamma_rad_per_W
    if shifter.ok:
        put_phase(probe, k, phase, gamma)
    return with_figures(shifter, fringe, phase, gamma)


def put_phase(probe: Probe, shifter: int, phase_rad: float, gamma_rad_per_W: float) -> None:
    """Take a shifter's phase offset and γ over into the twin."""
    with torch.no_grad():
        probe.twin.mesh.phase_offset[shifter] = phase_rad % (2.0 * np.pi)
        probe.twin.heaters.gamma_rad_per_W[shifter] = gamma_rad_per_W
