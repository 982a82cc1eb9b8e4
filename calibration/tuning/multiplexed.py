"""Multiplexed gradient descent: every parameter is perturbed in a code of its own, and the cost told apart by codes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np

from calibration.device import Array
from calibration.errors import PlanError
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.task import Rows
from calibration.tuning.updates import Update

Code = Literal["random", "walsh", "sinusoid", "sequential"]
Baseline = Literal["mean", "measured"]


@dataclass(frozen=True)
class MultiplexedGradientDescent(Method):
    """The gradient as the correlation of the cost with the parameters' perturbations (McCaughan et al., APL Mach.
    Learn. 1, 026118 (2023)).

    At tick t, one reading of a batch, the parameters are θ + p(t), p_k(t) = c code_k(t). The cost's modulation C~(t)
    is correlated with each perturbation and integrated for `tau_theta` ticks,
    G_k = Σ C~(t) p_k(t) / Σ p_k(t)², then the parameters are updated; perturbations change every `tau_p` ticks, the
    examples every `tau_x`. Codes:

    - random: ±1, drawn anew each time, each draw followed by its opposite;
    - walsh: ±1, rows of a Hadamard matrix, orthogonal over a whole code, shuffled for each, each column followed by
      its opposite: without it the product of two rows, which a curved cost answers to, would be a third row;
    - sinusoid: each parameter has a frequency of its own, an odd number of cycles in a code, so that sums and
      differences of two are at nobody's;
    - sequential: one parameter at a time.

    Limits: random codes with tau_theta = tau_x = 2 and tau_p = 1 are SPSA; sequential ones, baseline measured, are
    one-sided finite differences if updated after a whole code, coordinate descent if after each perturbation.

    The modulation is what the cost has above its `baseline`: the cost at θ itself, measured again whenever examples
    or θ change, or the mean cost of the same examples in the window. Codes that sum to nothing over a window do
    without a measurement; a tick that is alone with its examples does not.

    Attributes:
        update: of the parameters.
        code: family of codes.
        perturbation: c, in the parameters' scale.
        tau_x, tau_p, tau_theta: the three time constants, in ticks; a `tau_theta` of 0 is one whole code.
        baseline: mean or measured.
        batch: examples of each reading.
    """

    name: ClassVar[str] = "mgd"
    update: Update = field(default_factory=lambda: Update(fall=150.0))
    code: Code = "random"
    perturbation: float = 0.05
    tau_x: int = 4
    tau_p: int = 1
    tau_theta: int = 4
    baseline: Baseline = "mean"
    batch: int = 32

    def __post_init__(self) -> None:
        if self.code not in get_args(Code) or self.baseline not in get_args(Baseline):
            raise PlanError(
                f"code {self.code!r}, baseline {self.baseline!r}; there are {', '.join(get_args(Code))}, and "
                f"{', '.join(get_args(Baseline))}"
            )
        if min(self.tau_x, self.tau_p, self.batch) < 1 or self.tau_theta < 0:
            raise PlanError(
                f"tau_x {self.tau_x}, tau_p {self.tau_p}, tau_theta {self.tau_theta}, batch {self.batch}: at least 1, "
                "and tau_theta 0 for one whole code"
            )
        if not 0.0 < self.perturbation < math.inf:
            raise PlanError(f"perturbation {self.perturbation}: a positive number")
        if self.baseline == "mean":
            if self.code == "sequential":
                raise PlanError(
                    "sequential codes all raise their parameters, so a mean of the cost is no baseline; choose "
                    "baseline: measured"
                )
            if self.tau_theta and self.tau_theta <= self.tau_p:
                raise PlanError(
                    f"tau_theta {self.tau_theta} with tau_p {self.tau_p}: the cost is not modulated before parameters "
                    "are updated; choose tau_theta twice tau_p at least, or baseline: measured"
                )
            if self.tau_x <= self.tau_p:
                raise PlanError(
                    f"tau_x {self.tau_x} with tau_p {self.tau_p}: examples change with the perturbation, so no mean "
                    "tells the modulation; choose tau_x twice tau_p at least, or baseline: measured"
                )

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        window = self._window(problem)
        queries = window
        if self.baseline == "measured":
            queries += min(window, math.ceil((window - 1) / self.tau_x) + 1)
        elif window % self.tau_x and self.tau_x % window:
            queries += 2  # a tick at either end of the window may be alone with its examples
        return queries * problem.batch_cost(self.batch)

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        window = self._window(problem)
        centre = problem.limits.inside(state.theta, self.perturbation)
        correlated, power = np.zeros_like(centre), np.zeros_like(centre)
        losses = []
        for rows, codes in self._segments(problem, number * window, window):
            base: Answer | None = None
            if self.baseline == "measured" or len(codes) == 1:
                base = yield Query(centre, rows)
            answers: list[Answer] = []
            for code in codes:
                answers.append((yield Query(centre + self.perturbation * code, rows)))
            losses += [answer.loss for answer in answers]
            reference = answers[0] if base is None else base
            modulation = np.array([answer.minus(reference) for answer in answers])
            if base is None:
                modulation -= modulation.mean()
            correlated += self.perturbation * modulation @ codes
            power += self.perturbation**2 * (codes**2).sum(axis=0)
        gradient = np.divide(correlated, power, out=np.zeros_like(power), where=power > 0.0)
        theta, memory = self.update.apply(state.theta, gradient, state.memory, self.update.factor(number))
        figures = {"gradient": float(np.linalg.norm(gradient))}
        return Stepped(State(theta, memory), float(np.mean(losses)), figures)

    def codes(self, problem: Problem, first: int, count: int) -> Array:
        """Perturbations (ticks, n) in units of c, of `count` ticks from tick `first` of the run."""
        return np.stack([self._code(problem, tick // self.tau_p) for tick in range(first, first + count)])

    def _segments(self, problem: Problem, first: int, count: int) -> Iterator[tuple[Rows, Array]]:
        """The parts of a window with the same examples: their rows, and codes (ticks, n)."""
        codes = self.codes(problem, first, count)
        ticks = np.arange(first, first + count) // self.tau_x
        for sample in np.unique(ticks):
            yield problem.batch(int(sample), self.batch), codes[ticks == sample]

    def _window(self, problem: Problem) -> int:
        return self.tau_theta or self._length(problem) * self.tau_p

    def _length(self, problem: Problem) -> int:
        """Perturbations of a whole code."""
        n = len(problem.limits.names)
        whole = {"random": 2, "walsh": 2 << (n - 1).bit_length(), "sinusoid": 4 * n, "sequential": n}
        return whole[self.code]

    def _code(self, problem: Problem, place: int) -> Array:
        """The `place`-th perturbation of the run, (n,)."""
        n, length = len(problem.limits.names), self._length(problem)
        turn, at = divmod(place, length)
        if self.code == "random":
            return problem.rng(turn).choice((-1.0, 1.0), n) * (1.0 - 2.0 * at)
        if self.code == "walsh":
            rng, size = problem.rng(turn), length // 2
            rows, column = rng.permutation(size)[:n], rng.permutation(size)[at // 2]
            # Sylvester's: -1 where row and column share an odd number of bits
            signs = 1.0 - 2.0 * (np.bitwise_count(rows & column) % 2)
            return rng.choice((-1.0, 1.0), n) * signs * (1.0 - 2.0 * (at % 2))
        if self.code == "sinusoid":
            return np.sin(2.0 * np.pi * (2.0 * np.arange(n) + 1.0) * at / length)
        return np.asarray(np.arange(n) == at, dtype=np.float64)
