"""Coordinate search: one parameter at a time is moved, and kept where the loss has fallen."""

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import PlanError
from calibration.tuning.blocks import block, block_size
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.task import Rows

Rule = Literal["step", "sinusoid"]
_Search = Generator[Query, Answer, tuple[Array, Answer] | None]
"""Looking along one parameter: it ends with better parameters and their answer, if any."""
_ANGLES = 72
"""Places on the circle at which the loss is worked out from a sinusoid before the best is refined."""


@dataclass(frozen=True)
class CoordinateSearch(Method):
    """Zeroth-order coordinate descent (ZCD of L2ight, Gu et al., NeurIPS 2021, arXiv 2110.14807): parameters are tried
    one after another in random order, and a move is kept where the loss of the same examples is lower behind it.

    - step: θ + s, and if that is no better θ - s, beginning with the side that helped last time; every parameter has
      a step of its own, longer by a half after a move that was kept, and `decay` times as long after none.
    - sinusoid: for phases. From readings at φ and φ ± 2π/3 every output is fitted as A + B cos φ + C sin φ, exactly
      for powers behind linear optics that the light passes once; the lowest loss on that circle, whatever the loss
      is, is where the parameter goes. For a loss that is linear in the powers this is Rotosolve (Ostaszewski et al.,
      Quantum 5, 391 (2021)). It is read there and kept only if it is better, so that an activation behind the phase
      costs readings and does no harm.

    A kept reading is the one to beat for the next parameter.

    Attributes:
        rule: step or sinusoid.
        first: first step of each parameter, in its scale; of the rule step.
        decay: of a parameter's step where neither side is better.
        shortest: steps do not get shorter than this.
        parameters: how many are tried in a step of the method, all with the same examples.
        batch: examples of each reading.
    """

    name: ClassVar[str] = "coordinate-search"
    rule: Rule = "step"
    first: float = 0.1
    decay: float = 0.7
    shortest: float = 1e-3
    parameters: int = 64
    batch: int = 64

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise PlanError(f"rule {self.rule!r}; there are {', '.join(get_args(Rule))}")
        if self.batch < 1 or self.parameters < 0:
            raise PlanError(
                f"batch {self.batch}, parameters {self.parameters}: at least 1, and 0 for all or more"
            )
        if not 0.0 < self.decay < 1.0:
            raise PlanError(f"decay {self.decay}: above 0 and below 1")
        if not 0.0 < self.shortest <= self.first < math.inf:
            raise PlanError(
                f"first {self.first}, shortest {self.shortest}: positive, and the first not shorter"
            )

    def check(self, problem: Problem, device: Device) -> None:
        """Raise PlanError where sinusoids are asked of controls that are no angles; nothing is read."""
        rigid = np.flatnonzero(~np.isfinite(problem.limits.turn))
        if self.rule == "sinusoid" and len(rigid):
            raise PlanError(
                f"{problem.limits.names[rigid[0]]} is no angle that turns round; state the limits' turn where the "
                "controls are phases, or choose rule: step"
            )

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        each = 2 if self.rule == "step" else 3
        queries = 1 + each * block_size(len(problem.limits.names), self.parameters)
        return queries * problem.batch_cost(self.batch)

    def begin(self, problem: Problem, theta: Array) -> State:
        """See `Method`; what is remembered is each parameter's step, its sign that of the side to begin with."""
        return State(theta, {"steps": np.full(theta.shape, self.first)})

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        rows = problem.batch(number, self.batch)
        theta, steps = state.theta.copy(), state.memory["steps"].copy()
        best = yield Query(theta, rows)
        before, moves = best.loss, 0
        for k in block(problem, number, self.parameters):
            if self.rule == "step":
                found = yield from self._stepped(problem, theta, steps, int(k), rows, best)
            else:
                found = yield from self._turned(problem, theta, int(k), rows, best)
            if found is not None:
                theta, best = found
                moves += 1
        return Stepped(State(theta, {"steps": steps}), best.loss, {"moves": float(moves), "before": before})

    def _stepped(
        self, problem: Problem, theta: Array, steps: Array, k: int, rows: Rows, best: Answer
    ) -> _Search:
        for _ in range(2):
            tried = _moved(problem, theta, k, steps[k])
            # at its limit a parameter has one side only
            if tried[k] != theta[k]:
                answer = yield Query(tried, rows)
                if answer.minus(best) < 0.0:
                    steps[k] = math.copysign(min(1.5 * abs(steps[k]), self.first), steps[k])
                    return tried, answer
            steps[k] = -steps[k]
        steps[k] = math.copysign(max(self.decay * abs(steps[k]), self.shortest), steps[k])
        return None

    def _turned(self, problem: Problem, theta: Array, k: int, rows: Rows, best: Answer) -> _Search:
        limits = problem.limits
        third = float(limits.turn[k] / limits.scale[k]) / 3.0
        above = yield Query(_moved(problem, theta, k, third), rows)
        below = yield Query(_moved(problem, theta, k, -third), rows)
        answers = best, above, below
        usable = torch.stack([answer.reading.usable for answer in answers]).all(dim=0)
        if not bool(usable.any()):
            return None
        outputs = [answer.reading.outputs[usable].double() for answer in answers]
        angle = lowest(problem, outputs, best.targets[usable])
        tried = _moved(problem, theta, k, angle * third * 1.5 / math.pi)
        answer = yield Query(tried, rows)
        return (tried, answer) if answer.minus(best) < 0.0 else None


def lowest(problem: Problem, outputs: list[Tensor], targets: Tensor) -> float:
    """The angle from 0 to 2π of the lowest mean loss, of outputs (samples, n_out) at 0, 2π/3 and -2π/3.

    The outputs are sinusoids of it; the loss need not be one.
    """
    zero, above, below = outputs
    middle = (zero + above + below) / 3.0
    cosine = (2.0 * zero - above - below) / 3.0
    sine = (above - below) / math.sqrt(3.0)

    def loss(angle: float) -> float:
        with torch.no_grad():
            there = middle + math.cos(angle) * cosine + math.sin(angle) * sine
            return float(problem.task.loss(there, targets).double().mean())

    grid = 2.0 * math.pi * np.arange(_ANGLES) / _ANGLES
    losses = np.array([loss(float(angle)) for angle in grid])
    if not np.isfinite(losses).any():
        return 0.0
    best = int(np.nanargmin(np.where(np.isfinite(losses), losses, np.nan)))
    left, there, right = losses[best - 1], losses[best], losses[(best + 1) % _ANGLES]
    # a parabola through the best and its neighbours
    bend = left + right - 2.0 * there
    shift = 0.5 * (left - right) / bend if bend > 0.0 and np.isfinite(bend) else 0.0
    return float(grid[best] + shift * 2.0 * math.pi / _ANGLES)


def _moved(problem: Problem, theta: Array, k: int, by: float) -> Array:
    moved = theta.copy()
    moved[k] += by
    return problem.limits.project(moved)
