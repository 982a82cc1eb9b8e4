"""Steady states of the mean-field master equation, in batches.

Damped Newton with the analytic derivative. Once a point's step is small, the factorised derivative is kept
for a few more steps (chord steps), which cost a quarter of a full one. Points that are done leave the batch.
What Newton does not settle is integrated towards its steady state by implicit Euler with growing steps
(pseudo-transient continuation).

A point is done when its error, estimated from the last step and the rate at which steps shrink, is below
`TOLERANCE` in every occupation. A site that hardly exchanges holes is the exception: where its balance is
zero to rounding, its occupation may be loose by some 1e-9, which moves the currents as little.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from simulators.errors import ConvergenceError
from simulators.models.hopping_equations import Bias, HoppingEquations

TOLERANCE = 1e-14  # largest error of an occupation
CHUNK = 512  # points worked on at once: fewer pay more for each operation, more leave the cache
_LARGEST_STEP = 0.3
_QUADRATIC = 1e-10  # after a full step smaller than this the error is its square
_NEAR = 0.03  # after a full step smaller than this chord steps are tried
_CONTRACTION = 0.2  # a chord step should be at most this times the one before
_CHORD_STEPS = 5
_NEWTON_STEPS = 16
_TRANSIENT_STEPS = 2000
_ROUNDING = 3e-15  # of the fastest rate: a balance smaller than this is zero within double precision
_LOOSE = 1e-7  # how far rounding may move the occupation of a site that is all but isolated
_LARGE_MOVE = 0.2  # a transient step that moves an occupation further is followed by a shorter one
_LONG = 1e12  # time constants: a transient step this long is a Newton step


@dataclass
class _Points:
    """Operating points still worked on."""

    columns: Tensor  # their places in the batch
    bias: Bias
    occupation: Tensor

    def keep(self, chosen: Tensor) -> "_Points":
        return _Points(self.columns[chosen], self.bias.pick(chosen), self.occupation[:, chosen])


def steady_state(equations: HoppingEquations, voltages: Tensor, start: Tensor | None = None) -> Tensor:
    """Occupations (n_sites, batch) at `voltages` (8, batch), from `start` or from one half.

    Raises:
        ConvergenceError: a point that neither method settles; it names the point's voltages.
    """
    batch = voltages.shape[1]
    result = voltages.new_full((equations.n_sites, batch), 0.5) if start is None else start.clone()
    left = torch.arange(batch, device=voltages.device)
    # Newton gives up early: the few points that need more are dear while they hold up a chunk of their own.
    left = torch.cat([_newton(equations, voltages, result, chunk) for chunk in torch.split(left, CHUNK)])
    result[:, left] = 0.5
    left = torch.cat([_transient(equations, voltages, result, chunk) for chunk in torch.split(left, CHUNK)])
    if len(left):
        first = int(left[0])
        raise ConvergenceError(
            f"no steady state at point {first}: electrode voltages "
            f"{[round(v, 6) for v in voltages[:, first].tolist()]} V; "
            f"{_NEWTON_STEPS} Newton steps and {_TRANSIENT_STEPS} transient steps were tried"
        )
    return result


def _newton(equations: HoppingEquations, voltages: Tensor, result: Tensor, columns: Tensor) -> Tensor:
    """Settle `columns` of `result`, in place; which of them are left."""
    points = _Points(columns, equations.bias(voltages[:, columns]), result[:, columns])
    for _ in range(_NEWTON_STEPS):
        if not len(points.columns):
            break
        done = _newton_step(equations, points)
        result[:, points.columns] = points.occupation
        points = points.keep(~done)
    return points.columns


def _transient(equations: HoppingEquations, voltages: Tensor, result: Tensor, columns: Tensor) -> Tensor:
    """Settle `columns` of `result`, in place; which of them are left."""
    points = _Points(columns, equations.bias(voltages[:, columns]), result[:, columns])
    interval = torch.ones(len(columns), dtype=voltages.dtype, device=voltages.device)
    before = torch.zeros_like(points.occupation)
    for _ in range(_TRANSIENT_STEPS):
        if not len(points.columns):
            break
        step, done = _transient_step(equations, points, interval, before)
        result[:, points.columns] = points.occupation
        points, interval, before = points.keep(~done), interval[~done], step[:, ~done]
    return points.columns


def _newton_step(equations: HoppingEquations, points: _Points) -> Tensor:
    """One full step and the chord steps it is good for, in place; which points are done."""
    balance, derivative = equations.linearised(points.bias, points.occupation)
    factors, pivots, _ = torch.linalg.lu_factor_ex(derivative)
    step = torch.linalg.lu_solve(factors, pivots, -balance.T[:, :, None])[:, :, 0].T.nan_to_num(0.01)
    size = step.abs().amax(0)
    points.occupation = (points.occupation + step * (_LARGEST_STEP / size).clamp(max=1)).clamp(0, 1)
    done = (size < _QUADRATIC) | ((size < _LOOSE) & _balanced(balance, points.bias))
    near = (size < _NEAR) & ~done
    if 2 * int(near.sum()) < len(near) - int(done.sum()):
        return done
    for _ in range(_CHORD_STEPS):
        balance = equations.balance(points.bias, points.occupation)
        step = torch.linalg.lu_solve(factors, pivots, -balance.T[:, :, None])[:, :, 0].T
        before, size = size, step.abs().amax(0)
        near &= size < _CONTRACTION * before
        points.occupation = (points.occupation + step * near).clamp(0, 1)
        done |= near & (size * size < TOLERANCE * before)
        near &= ~done
        if not bool(near.any()):
            break
    return done


def _balanced(balance: Tensor, bias: Bias) -> Tensor:
    """Points whose balance is zero but for rounding."""
    return balance.abs().amax(0) < _ROUNDING * bias.coupling.amax(0)


def _transient_step(
    equations: HoppingEquations, points: _Points, interval: Tensor, before: Tensor
) -> tuple[Tensor, Tensor]:
    """One step of implicit Euler, in place, sites in units of their time constants.

    `interval` (batch,) grows while steps go on in the direction of the one `before`, and shrinks where they
    turn back: across the bend of a rate at equal energies long steps can go to and fro for ever. A step too
    far is not taken. Returns the step and which points are done.
    """
    balance, derivative = equations.linearised(points.bias, points.occupation)
    pace = derivative.diagonal(dim1=1, dim2=2).abs().clamp(min=1e-300)
    matrix = torch.diag_embed(pace / interval[:, None]) - derivative
    step = torch.linalg.solve_ex(matrix, balance.T[:, :, None]).result[:, :, 0].T
    moved, size = points.occupation + step, step.abs().amax(0)
    sound = (size < 0.5) & (moved.amin(0) > -1e-9) & (moved.amax(0) < 1 + 1e-9)  # false where not finite
    points.occupation = torch.where(sound, moved.clamp(0, 1), points.occupation)
    still = (size < _QUADRATIC) | ((size < _LOOSE) & _balanced(balance, points.bias))
    turned = (step * before).sum(0) < -0.5 * (step * step).sum(0)
    growth = torch.where((size > _LARGE_MOVE) | (turned & ~still), 0.5, 3.0)
    done = sound & still & (interval > _LONG)
    interval *= torch.where(sound, growth, 0.25)
    interval.clamp_(max=100 * _LONG)
    return torch.where(sound, step, before), done
