"""Finite differences: the slope along one parameter after another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch

from calibration.device import Array
from calibration.errors import PlanError
from calibration.tuning.blocks import block, block_size
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.updates import Update

Sides = Literal[1, 2]


@dataclass(frozen=True)
class FiniteDifferences(Method):
    """The gradient parameter by parameter, of losses of the same examples: two-sided, g = [L(θ + h e) - L(θ - h e)] /
    2 h, or one-sided, g = [L(θ + h e) - L(θ)] / h.

    A short step drowns in noise, a long one measures something else. With `adapt`, the loss is read twice at θ: the
    difference tells the noise ε of one mean loss, second differences along the parameters tell the curvature μ. The
    next step takes h = 8^(1/4) (ε / μ)^(1/2) one-sided (Moré, Wild, ACM Trans. Math. Softw. 38, 19 (2012)), or
    h = (3 ε / μ)^(1/3) two-sided, which makes ε² / 2h² + (μ h² / 6)² least if the third derivative is of the size of
    the second: along phases it is. From one step to the next h at most halves or doubles.

    Attributes:
        update: of the parameters; those outside of the step's block have no gradient.
        sides: two, or one at half the readings.
        perturbation: the first h, in the parameters' scale.
        adapt: whether h follows noise and curvature, between a tenth of `perturbation` and `longest`.
        longest: longest h.
        parameters: how many parameters a step looks at, in turns; 0 for all.
        batch: examples of each reading.
    """

    name: ClassVar[str] = "finite-differences"
    update: Update = field(default_factory=lambda: Update(rate=0.03))
    sides: Sides = 2
    perturbation: float = 0.1
    adapt: bool = True
    longest: float = 0.8
    parameters: int = 32
    batch: int = 32

    def __post_init__(self) -> None:
        if self.sides not in (1, 2):
            raise PlanError(f"sides {self.sides}: 1 or 2")
        if self.batch < 1 or self.parameters < 0:
            raise PlanError(
                f"batch {self.batch}, parameters {self.parameters}: at least 1, and 0 for all or more"
            )
        if not 0.0 < self.perturbation <= self.longest < math.inf:
            raise PlanError(
                f"perturbation {self.perturbation}, longest {self.longest}: positive, and not beyond the longest"
            )

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        queries = self.sides * block_size(len(problem.limits.names), self.parameters)
        if self.adapt:
            queries += 2 + int(self.sides == 1)
        elif self.sides == 1:
            queries += 1
        return queries * problem.batch_cost(self.batch)

    def begin(self, problem: Problem, theta: Array) -> State:
        """See `Method`; what is remembered is h."""
        return State(theta, {"perturbation": np.array([self.perturbation])})

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        memory = dict(state.memory)
        apart = float(memory.pop("perturbation")[0])
        rows = problem.batch(number, self.batch)
        centre = problem.limits.inside(state.theta, apart)
        gradient = np.zeros_like(centre)
        base: list[Answer] = []
        if self.adapt or self.sides == 1:
            base.append((yield Query(centre, rows)))
        second, losses = [], []
        for place, k in enumerate(block(problem, number, self.parameters)):
            step = np.zeros_like(centre)
            step[k] = apart
            above = yield Query(centre + step, rows)
            losses.append(above.loss)
            # one-sided steps look at one parameter from both sides, for the curvature
            if self.sides == 2 or (self.adapt and place == 0):
                below = yield Query(centre - step, rows)
                losses.append(below.loss)
                gradient[k] = above.minus(below) / (2.0 * apart)
                if self.adapt:
                    second.append(above.minus(base[0]) + below.minus(base[0]))
            else:
                gradient[k] = above.minus(base[0]) / apart
        if self.adapt:
            # at the end, so that what drifts counts as noise
            base.append((yield Query(centre, rows)))
            memory["perturbation"] = np.array([self._next(apart, base[0], base[1], second)])
        else:
            memory["perturbation"] = np.array([apart])
        theta, updated = self.update.apply(state.theta, gradient, memory, self.update.factor(number))
        figures = {"gradient": float(np.linalg.norm(gradient)), "perturbation": apart}
        kept = {**updated, "perturbation": memory["perturbation"]}
        return Stepped(State(theta, kept), float(np.mean(losses)), figures)

    def _next(self, apart: float, base: Answer, again: Answer, second: Sequence[float]) -> float:
        """h for the next step, of the noise between two readings and of second differences at the present one."""
        repeated = again.placed(again.losses) - base.placed(base.losses)
        repeated = repeated[torch.isfinite(repeated)]
        noise = float(repeated.square().mean() / (2.0 * len(repeated))) if len(repeated) else 0.0
        # of a second difference against one base: noise of both ends, and twice that of the base
        curved = float(np.mean(np.square(second))) - 6.0 * noise
        if curved <= 0.0:
            wanted = math.inf
        else:
            curvature = math.sqrt(curved) / apart**2
            error = math.sqrt(noise)
            wanted = (
                (3.0 * error / curvature) ** (1.0 / 3.0)
                if self.sides == 2
                else 8.0**0.25 * math.sqrt(error / curvature)
            )
        wanted = min(max(wanted, apart / 2.0), 2.0 * apart)
        return min(max(wanted, self.perturbation / 10.0), self.longest)
