"""Simultaneous perturbation: the slope along one random direction, from two readings of the loss."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from calibration.errors import PlanError
from calibration.tuning.method import Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.paired import compared
from calibration.tuning.updates import Update, falling


@dataclass(frozen=True)
class Spsa(Method):
    """Spall's two-sided SPSA: g = [L(θ + c Δ) - L(θ - c Δ)] / (2 c) Δ with Δ = ±1 (IEEE Trans. Autom. Control 37, 332
    (1992)), both losses of the same examples; gains fall as a / (k + 1 + A)^0.602 and c / (k + 1)^0.101.

    Parameters that stop at a limit are perturbed around a place that leaves room for it.

    Attributes:
        update: plain is Spall's; momentum and Adam average over directions.
        perturbation: c, in the parameters' scale.
        batch: examples of each reading.
        stability: A, in steps; Spall advises a tenth of the steps that there will be.
        directions: how many directions are averaged in a step.
        blocking: whether a step is taken back where the loss behind it, of the same examples once more, is
            significantly above that of θ ± c Δ; half as many readings again, for robustness against a high rate.
    """

    name: ClassVar[str] = "spsa"
    update: Update = field(default_factory=Update)
    perturbation: float = 0.05
    batch: int = 64
    stability: float = 50.0
    directions: int = 1
    blocking: bool = False

    def __post_init__(self) -> None:
        if self.batch < 1 or self.directions < 1:
            raise PlanError(f"batch {self.batch}, directions {self.directions}: at least 1 each")
        if self.update.fall:
            raise PlanError(
                f"fall {self.update.fall}: the gains of {self.name} fall by themselves; set stability"
            )
        if not (0.0 < self.perturbation < math.inf and 0.0 <= self.stability < math.inf):
            raise PlanError(f"perturbation {self.perturbation}, stability {self.stability}: positive numbers")

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        return (2 * self.directions + int(self.blocking)) * problem.batch_cost(self.batch)

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        rows, rng = problem.batch(number, self.batch), problem.rng(number)
        apart = self.perturbation / (number + 1.0) ** 0.101
        centre = problem.limits.inside(state.theta, apart)
        gradient, losses = np.zeros_like(centre), []
        for _ in range(self.directions):
            signs = rng.choice((-1.0, 1.0), centre.shape)
            above = yield Query(centre + apart * signs, rows)
            below = yield Query(centre - apart * signs, rows)
            gradient += above.minus(below) / (2.0 * apart * self.directions) * signs
            losses += [above.placed(above.losses), below.placed(below.losses)]
        fall = falling(number, 1.0 + self.stability)
        theta, memory = self.update.apply(state.theta, gradient, state.memory, fall)
        before = sum(losses[1:], start=losses[0]) / len(losses)
        figures = {"gradient": float(np.linalg.norm(gradient))}
        if self.blocking:
            behind = yield Query(theta, rows)
            blocked = compared(behind.placed(behind.losses), before, 0.05).worse
            figures["blocked"] = float(blocked)
            if blocked:
                # what led astray is forgotten as well
                theta, memory = state.theta, {}
        return Stepped(State(theta, memory), float(before.nanmean()), figures)
