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

TOLERANCE = 1e-13  # largest error of an occupation
CHUNK = 512  # points worked on at once: fewer pay more for each operation, more leave the cache
_LARGEST_STEP = 0.3
_QUADRATIC = 1e-9  # after a full step smaller than this the error is its square
_NEAR = 0.03  # after a full step smaller than this chord steps are tried
_CONTRACTION = 0.2  # a chord step should be at most this times the one before
_CHORD_STEPS = 5
_NEWTON_STEPS = 40
_TRANSIENT_STEPS = 2000
_ROUNDING = 3e-15  # of the fastest rate: a balance smaller than this is zero within double precision
_LOOSE = 1e-7  # how far rounding may move the occupation of a site that is all but isolated
_SMALL_MOVE = 0.1  # a transient step that moves no occupation further may be followed by a longer one


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
    result = voltages.new_empty(equations.n_sites, batch)
    for first in range(0, batch, CHUNK):
        chunk = slice(first, min(first + CHUNK, batch))
        guess = result[:, chunk].fill_(0.5) if start is None else start[:, chunk]
        result[:, chunk] = _settle(equations, voltages[:, chunk], guess, first)
    return result


def _settle(equations: HoppingEquations, voltages: Tensor, start: Tensor, first: int) -> Tensor:
    columns = torch.arange(voltages.shape[1], device=voltages.device)
    points = _Points(columns, equations.bias(voltages), start.clone())
    result = start.clone()
    for _ in range(_NEWTON_STEPS):
        done = _newton_step(equations, points)
        result[:, points.columns] = points.occupation
        points = points.keep(~done)
        if not len(points.columns):
            return result
    points.occupation = torch.full_like(points.occupation, 0.5)
    for column in range(len(points.columns)):
        point = points.keep(torch.tensor([column], device=voltages.device))
        if not _transient(equations, point):
            where = int(point.columns)
            raise ConvergenceError(
                f"no steady state at point {first + where}: electrode voltages "
                f"{[round(v, 6) for v in voltages[:, where].tolist()]} V; "
                f"{_NEWTON_STEPS} Newton steps and {_TRANSIENT_STEPS} transient steps were tried"
            )
        result[:, point.columns] = point.occupation
    return result


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


def _transient(equations: HoppingEquations, point: _Points) -> bool:
    """Implicit Euler on one point, in place, sites in units of their time constants; whether it settled."""
    interval = 1.0
    for _ in range(_TRANSIENT_STEPS):
        balance, derivative = equations.linearised(point.bias, point.occupation)
        pace = derivative.diagonal(dim1=1, dim2=2).abs().T.clamp(min=1e-300)
        matrix = torch.diag_embed((pace / interval).T) - derivative
        step, fault = torch.linalg.solve_ex(matrix, balance.T[:, :, None])
        size = float(step.abs().max())
        moved = point.occupation + step[:, :, 0].T
        if int(fault) or not size < 0.5 or float(moved.min()) < -1e-9 or float(moved.max()) > 1 + 1e-9:
            interval /= 4
            continue
        point.occupation = moved.clamp(0, 1)
        if interval > 1e12 and (
            size < _QUADRATIC or (size < _LOOSE and bool(_balanced(balance, point.bias)))
        ):
            return True
        if size < _SMALL_MOVE:
            interval = min(3 * interval, 1e14)
    return False
