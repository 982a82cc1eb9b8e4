"""Policy gradients with parameters that are explored: the mean and the spreads of a normal distribution learn."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from calibration.device import Array
from calibration.errors import PlanError
from calibration.tuning.generation import losses_of
from calibration.tuning.method import Method, Problem, State, Stepped, Steps
from calibration.tuning.updates import Update


@dataclass(frozen=True)
class Pepg(Method):
    """PEPG (Sehnke et al., Neural Networks 23, 551 (2010)): θ ~ N(m, diag s²), in pairs m ± ε.

    With L± of a pair, estimates of the gradients of the expected loss:
    g_m = mean of ε (L+ - L-) / (2 s²), g_s = mean of [(ε² - s²) / s³] [(L+ + L-) / 2 - b].
    The baseline b of a pair is the mean of the other pairs of the step, which were read on the same examples: it
    depends on nothing that the pair draws, so the estimate has no bias. m goes by `update`; log s by -`spread_rate`
    s g_s, in units of the deviation of the pairs' losses as the paper scales its rewards, and s stays within a tenth
    and ten times what it was. With `natural` the gradients are those in the metric of the distribution, s² g_m and
    (s² / 2) g_s (Wierstra et al., J. Mach. Learn. Res. 15, 949 (2014)).

    Attributes:
        update: of m, the parameters.
        spread: s at the start, in the parameters' scale.
        spread_rate: 0 for spreads that stay.
        pairs: read in a step; 2 at least.
        batch: examples of each reading.
        natural: whether gradients are natural ones.
    """

    name: ClassVar[str] = "pepg"
    update: Update = field(default_factory=lambda: Update(rate=0.005))
    spread: float = 0.05
    spread_rate: float = 0.05
    pairs: int = 4
    batch: int = 64
    natural: bool = False

    def __post_init__(self) -> None:
        if self.pairs < 2 or self.batch < 1:
            raise PlanError(f"pairs {self.pairs}, batch {self.batch}: at least 2 and 1")
        if not (0.0 < self.spread < math.inf and 0.0 <= self.spread_rate < 1.0):
            raise PlanError(
                f"spread {self.spread}: positive; spread_rate {self.spread_rate}: from 0 to below 1"
            )

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        return 2 * self.pairs * problem.batch_cost(self.batch)

    def begin(self, problem: Problem, theta: Array) -> State:
        """See `Method`."""
        return State(theta, {"spreads": np.full(len(theta), self.spread)})

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        mean, spreads = state.theta, state.memory["spreads"]
        apart = spreads * problem.rng(number).standard_normal((self.pairs, len(mean)))
        candidates = np.stack((mean + apart, mean - apart), axis=1).reshape(-1, len(mean))
        losses = (yield from losses_of(candidates, problem.batch(number, self.batch))).reshape(-1, 2)
        middles = losses.mean(axis=1)
        of_mean, of_log = gradients(apart, spreads, losses)
        scale = float(middles.std(ddof=1))
        turn = 0.5 * of_log if self.natural else of_log
        grown = np.exp(-self.spread_rate * np.clip(turn / scale, -4.0, 4.0)) if scale > 0.0 else 1.0
        rule = spreads**2 * of_mean if self.natural else of_mean
        theta, memory = self.update.apply(mean, rule, state.memory)
        memory["spreads"] = np.clip(spreads * grown, 0.1 * self.spread, 10.0 * self.spread)
        figures = {"gradient": float(np.linalg.norm(of_mean)), "spread": float(memory["spreads"].mean())}
        return Stepped(State(theta, memory), float(losses.mean()), figures)


def gradients(apart: Array, spreads: Array, losses: Array) -> tuple[Array, Array]:
    """Estimates of the gradients of the expected loss by the mean and by the logarithm of the spreads, each (n,).

    Args:
        apart: how far each pair was from the mean, (pairs, n).
        spreads: with which they were drawn, (n,).
        losses: of each pair, + and -, (pairs, 2).
    """
    pairs = len(apart)
    half = 0.5 * (losses[:, 0] - losses[:, 1])
    middles = losses.mean(axis=1)
    above = (middles - middles.mean()) * pairs / (pairs - 1)  # over the mean of the others
    of_mean = half @ apart / (pairs * spreads**2)
    of_log = above @ ((apart / spreads) ** 2 - 1.0) / pairs
    return of_mean, of_log
