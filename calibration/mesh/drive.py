"""The heater voltages that make wanted phases, with the least power."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import SuperLU, splu
from torch import Tensor

from calibration.device import Array
from calibration.errors import PlanError, PowerLimit, ShapeError
from simulators.models.mesh import HeaterBank

_TURN = 2.0 * np.pi
_BELOW_ZERO_W = 1e-15  # a power that is less than this below zero is rounding


@dataclass(frozen=True)
class HeaterLimits:
    """What heaters may draw beside each one's own voltage limit; None for no limit.

    Attributes:
        total_W: all of them together.
        current_A: each of them.
    """

    total_W: float | None = None
    current_A: float | None = None

    def __post_init__(self) -> None:
        for name in ("total_W", "current_A"):
            value = getattr(self, name)
            if value is not None and not value > 0.0:
                raise PlanError(f"heater limit {name} = {value} should be positive, or None for no limit")


NO_LIMITS = HeaterLimits()


@dataclass(frozen=True)
class Unreached:
    """A shifter that cannot have the phase asked of it.

    Attributes:
        name: as in `MeshLayout.shifters`.
        reason: what is in the way.
        error_rad: by how much it is off, in (-π, π].
    """

    name: str
    reason: str
    error_rad: float

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}; {self.error_rad:+.3f} rad off"


@dataclass(frozen=True, eq=False)
class Drive:
    """A setting of all heaters, and what the twin says of it.

    Attributes:
        volts, powers_W, currents_A: of each heater, (H,), as the supply makes them, quantised if it is.
        phases: what they add to the shifters, (H,) in rad.
        unreached: the shifters that are off by more than quantisation.
    """

    volts: Array
    powers_W: Array
    currents_A: Array
    phases: Array
    unreached: tuple[Unreached, ...]

    @property
    def total_W(self) -> float:
        """What all heaters draw together."""
        return float(self.powers_W.sum())


def drive(
    phases: Array | Tensor,
    heaters: HeaterBank,
    names: tuple[str, ...],
    dead: Collection[str] = (),
    limits: HeaterLimits = NO_LIMITS,
) -> Drive:
    """Solve K P = phases (modulo 2 π) for powers P from zero up to what each heater may have.

    Each phase is on a branch on which no power is negative and none could be a whole turn less. A dead heater stays
    at 0 V: its shifter keeps the phase that its neighbours' heat gives it. A heater that would need more than it may
    have stays at its limit or at 0 V, whichever is nearer. The others take all of that into account.

    Args:
        phases: that the heaters should add, (H,) in rad, on any branch.
        names: of the shifters, (H,).
        dead: names of heaters that are not to be used; those without a finite resistance or without an
            effect on their own shifter are known to be dead.

    Raises:
        ShapeError: the phases do not fit the heaters; a dead heater that there is not.
        PowerLimit: together the heaters would draw more than `limits.total_W`.
    """
    wanted = np.asarray(torch.as_tensor(phases).detach(), dtype=np.float64)
    if wanted.shape != (len(names),) or len(names) != len(heaters.high_V) or not np.isfinite(wanted).all():
        raise ShapeError(f"{len(heaters.high_V)} heaters need as many finite phases, not {wanted.shape}")
    idle = dead_heaters(heaters, names, dead)
    most = power_ceiling(heaters, limits)
    most[idle] = 0.0
    powers, saturated = least_powers(wanted, heaters, most, idle)
    reasons = {
        int(k): "its heater is dead: its neighbours alone give it a phase" for k in np.flatnonzero(idle)
    }
    for k, needed in saturated.items():
        reasons[k] = f"needs {1e3 * needed:.1f} mW, its limit is {1e3 * most[k]:.1f} mW"
    return of_powers(powers, wanted, heaters, names, reasons, limits)


def of_powers(
    powers_W: Array,
    wanted: Array,
    heaters: HeaterBank,
    names: tuple[str, ...],
    reasons: dict[int, str],
    limits: HeaterLimits,
) -> Drive:
    """The drive that comes nearest to `powers_W` (H,); `reasons` has the shifters that may be off, by number.

    Raises PowerLimit where they are too much together.
    """
    with torch.no_grad():
        asked = heaters.volts(torch.as_tensor(powers_W)).nan_to_num(nan=0.0)  # 0 W into an open heater
        volts = heaters.quantised(torch.minimum(asked, heaters.high_V))
        powers, currents = heaters.powers(volts), heaters.currents(volts)
        phases = heaters.phases(powers).numpy()
    total = float(powers.sum())
    if limits.total_W is not None and total > limits.total_W:
        raise PowerLimit(
            f"the heaters would draw {total:.3f} W together, {limits.total_W:.3f} W are allowed: "
            "raise the limit if the chip and its cooling bear it, or deploy a matrix that needs less"
        )
    off = np.angle(np.exp(1j * (phases - wanted)))
    unreached = tuple(Unreached(names[k], reasons[k], float(off[k])) for k in sorted(reasons))
    return Drive(volts.numpy(), powers.numpy(), currents.numpy(), phases, unreached)


def dead_heaters(heaters: HeaterBank, names: tuple[str, ...], dead: Collection[str]) -> NDArray[np.bool_]:
    """Which heaters cannot be used, (H,); raises ShapeError for a name that there is not."""
    unknown = sorted(set(dead) - set(names))
    if unknown:
        raise ShapeError(f"no shifter {unknown[0]!r} is on this chip; there are {names[0]} to {names[-1]}")
    works = np.isfinite(heaters.resistance_ohm.detach().numpy()) & (
        heaters.gamma_rad_per_W.detach().numpy() > 0.0
    )
    return np.isin(names, list(dead)) | ~works


def power_ceiling(heaters: HeaterBank, limits: HeaterLimits) -> Array:
    """The most power of each heater, (H,) in W, at its voltage limit or its current limit."""
    with torch.no_grad():
        most = heaters.powers(heaters.high_V)
        if limits.current_A is not None:
            cold = limits.current_A**2 * heaters.resistance_ohm
            # R₀ (1 + ρ P) I² = P; a heater that gets hot enough never draws that much
            keeps = 1.0 - heaters.rise_per_W * cold
            most = torch.where(keeps > 0.0, torch.minimum(most, cold / keeps), most)
    return most.nan_to_num(nan=0.0).double().numpy().copy()


def least_powers(
    wanted: Array, heaters: HeaterBank, most: Array, idle: NDArray[np.bool_]
) -> tuple[Array, dict[int, float]]:
    """Powers (H,) for phases (H,), and what those heaters would need that cannot have it, by number; see `drive`.

    Args:
        wanted: phases that the heaters should add, in rad, on any branch.
        most: what each heater may have, (H,) in W.
        idle: heaters that stay at 0 W, (H,); their phases are not looked at.
    """
    wanted, matrix = wanted % _TURN, heaters.sparse_matrix()
    own = np.where(idle, 1.0, matrix.diagonal())
    powers = np.where(idle, 0.0, wanted / own)
    felt = matrix @ powers - own * powers
    branch = np.ceil((felt - wanted) / _TURN)
    free, saturated = ~idle, {}
    while free.any():
        solver = splu(csc_array(matrix[free][:, free]))
        powers, branch = _least(
            solver, matrix, wanted, np.where(free, 0.0, powers), branch, free, _TURN / own
        )
        over = free & (powers > most)
        if not over.any():
            break
        for k in np.flatnonzero(over):
            saturated[int(k)] = float(powers[k])
            short = (powers[k] - most[k]) * own[k]
            powers[k] = most[k] if short <= _TURN - powers[k] * own[k] else 0.0
        free &= ~over
    return np.maximum(powers, 0.0), saturated


def _least(
    solver: SuperLU,
    matrix: csr_array,
    wanted: Array,
    kept: Array,
    branch: Array,
    free: NDArray[np.bool_],
    turn_W: Array,
) -> tuple[Array, Array]:
    """Powers and branches on which no free heater's power is negative, none a turn more than need be."""

    def powers_on(branches: Array) -> Array:
        powers = kept.copy()
        powers[free] = solver.solve((wanted + _TURN * branches - matrix @ kept)[free])
        return powers

    powers = powers_on(branch)
    while (below := free & (powers < -_BELOW_ZERO_W)).any():
        branch = branch - np.where(below, np.floor(powers / turn_W), 0.0)
        powers = powers_on(branch)
    # A heater that comes down a turn may leave one of the others below zero: then it stays.
    may = free.copy()
    while (spare := may & (powers >= turn_W)).any():
        highest = int(np.argmax(np.where(spare, powers / turn_W, 0.0)))
        lower = branch.copy()
        lower[highest] -= 1.0
        tried = powers_on(lower)
        if (tried[free] < -_BELOW_ZERO_W).any():
            may[highest] = False
        else:
            powers, branch = tried, lower
    return powers, branch
