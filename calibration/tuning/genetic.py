"""A genetic algorithm: the best go on, the others are bred of parents that were drawn by their rank."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from calibration.device import Array
from calibration.errors import PlanError
from calibration.tuning.generation import losses_of
from calibration.tuning.method import Method, Problem, State, Stepped, Steps
from calibration.tuning.task import Rows


@dataclass(frozen=True)
class Genetic(Method):
    """Real-coded genetic algorithm as laboratories use it on dopant networks.

    One step is one generation, all read on the same examples, the elite anew with the rest. Parents are drawn by
    linear ranking (the best `pressure` times as often as the mean) with stochastic universal sampling (Baker, Proc.
    2nd ICGA, 14 (1987)); a child's gene is uniform between its parents' and beyond, by `toward` of their distance
    past the better one and by `away` past the other (BLX-α-β, Eshelman, Schaffer, FOGA 2, 187 (1993)); genes mutate
    with the probability 0.625 / (2 + 5 e / (E - 1)) in generation e of E, by a triangular distribution of half width
    `spread`. One gene of every child mutates at least, so that none is read twice. Genes stop at their limits, those
    of angles turn.

    Attributes:
        population: of a generation.
        elite: how many go on as they are.
        spread: of the first generation round the start, uniform to either side, and of mutations; in the
            parameters' scale, where 1 is the whole range of a control with two limits: small to tune what works
            almost, 1 to look everywhere.
        batch: examples that each is read on.
        generations: E, after which the rate of mutation falls no further.
        pressure: above 1, at most 2.
        toward, away: α and β of the crossover, not negative.
    """

    name: ClassVar[str] = "genetic"
    population: int = 26
    elite: int = 4
    spread: float = 0.03
    batch: int = 64
    generations: int = 100
    pressure: float = 1.5
    toward: float = 0.6
    away: float = 0.4

    def __post_init__(self) -> None:
        if not 1 <= self.elite < self.population or self.population < 3:
            raise PlanError(
                f"population {self.population}, elite {self.elite}: at least 3 of which 1 goes on, and not all"
            )
        if self.batch < 1 or self.generations < 2:
            raise PlanError(f"batch {self.batch}, generations {self.generations}: at least 1 and 2")
        if not (0.0 < self.spread < math.inf and 1.0 < self.pressure <= 2.0):
            raise PlanError(f"spread {self.spread}: positive; pressure {self.pressure}: above 1, at most 2")
        if not (0.0 <= self.toward < math.inf and 0.0 <= self.away < math.inf):
            raise PlanError(f"toward {self.toward}, away {self.away}: not negative")

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        return self.population * problem.batch_cost(self.batch)

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        rng = problem.rng(number)
        known = state.memory.get("population")
        present = self._first(problem, state.theta, rng) if known is None else known
        losses = yield from losses_of(present, problem.batch(number, self.batch))
        order = np.argsort(losses, kind="stable")
        ranked = present[order]
        after = np.concatenate((ranked[: self.elite], self._children(problem, ranked, number, rng)))
        return Stepped(
            State(ranked[0], {"population": after}),
            float(losses.mean()),
            {"lowest": float(losses.min()), "apart": float(present.std(axis=0).mean())},
        )

    def moved(self, problem: Problem, state: State, theta: Array) -> State:
        """See `Method`; the parameters that were put back take the first place, the others live on."""
        known = state.memory.get("population")
        if known is None:
            return State(theta)
        first = problem.limits.beside(theta, known[0])[None]
        return State(theta, {"population": np.concatenate((first, known[:-1]))})

    def _first(self, problem: Problem, theta: Array, rng: np.random.Generator) -> Array:
        others = theta + self.spread * rng.uniform(-1.0, 1.0, (self.population - 1, len(theta)))
        return np.concatenate((theta[None], np.clip(others, *problem.limits.bounds)))

    def _children(self, problem: Problem, ranked: Array, number: int, rng: np.random.Generator) -> Array:
        """The next generation but for the elite, of the `ranked` present one, best first."""
        count = self.population - self.elite
        better, worse = self._parents(count, rng)
        x, y = ranked[better], ranked[worse]
        children = x + (y - x) * rng.uniform(-self.toward, 1.0 + self.away, x.shape)
        done = min(number / (self.generations - 1), 1.0)
        mutate = rng.random(x.shape) < 0.625 / (2.0 + 5.0 * done)
        mutate[np.arange(count), rng.integers(x.shape[1], size=count)] = True
        children += mutate * rng.triangular(-self.spread, 0.0, self.spread, x.shape)
        return np.clip(children, *problem.limits.bounds)

    def _parents(self, count: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
        """Ranks of the parents of `count` children: the better ones and the others."""
        rank = np.arange(self.population)
        share = self.pressure - (2.0 * self.pressure - 2.0) * rank / (self.population - 1)
        ends = np.cumsum(share) / share.sum()
        # one spin of a wheel with evenly spaced pointers: as many of each as its share, to within one
        pointers = (np.arange(2 * count) + rng.random()) / (2 * count)
        drawn = rng.permutation(np.searchsorted(ends, pointers, side="right").clip(max=self.population - 1))
        pairs = np.sort(drawn.reshape(count, 2), axis=1)
        return pairs[:, 0], pairs[:, 1]
