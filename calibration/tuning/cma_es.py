"""Covariance matrix adaptation: candidates from a normal distribution that learns its shape from their order."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from calibration.device import Array
from calibration.errors import PlanError
from calibration.tuning.generation import losses_of
from calibration.tuning.method import Method, Problem, State, Stepped, Steps


@dataclass(frozen=True)
class CmaEs(Method):
    """CMA-ES: θ_i ~ m + σ N(0, C), of which the better half moves m and, along its path, changes σ and C (Hansen,
    Ostermeier, Evol. Comput. 9, 159 (2001); Hansen, arXiv 1604.00772), by the package `cma`.

    One step is one generation, read on the same examples. C is full up to `full` parameters and diagonal beyond (Ros,
    Hansen, PPSN X, 296 (2008)): what a full one learns takes in the order of n² readings. Parameters that stop at
    their limits are kept inside by the package's own transformation, angles turn. What is remembered is the losses
    of all generations: with their seeds they are the strategy, which is told them again where a run goes on.
    Parameters that were put back begin anew with half the spread.

    Attributes:
        spread: σ at the start, in the parameters' scale.
        population: candidates of a generation; 0 for 4 + ⌊3 ln n⌋.
        batch: examples that each is read on.
        full: largest number of parameters with a full covariance.
    """

    name: ClassVar[str] = "cma-es"
    spread: float = 0.05
    population: int = 0
    batch: int = 64
    full: int = 200

    def __post_init__(self) -> None:
        if not 0.0 < self.spread < math.inf:
            raise PlanError(f"spread {self.spread}: a positive number, in the parameters' scale")
        if self.population != 0 and self.population < 3:
            raise PlanError(f"population {self.population}: at least 3, or 0 for the default")
        if self.batch < 1 or self.full < 0:
            raise PlanError(f"batch {self.batch}, full {self.full}: at least 1, and not negative")

    def size(self, problem: Problem) -> int:
        """Candidates of a generation."""
        return self.population or 4 + int(3.0 * math.log(len(problem.limits.names)))

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        return self.size(problem) * problem.batch_cost(self.batch)

    def begin(self, problem: Problem, theta: Array) -> State:
        """See `Method`."""
        return self._begun(problem, theta, self.spread)

    def moved(self, problem: Problem, state: State, theta: Array) -> State:
        """See `Method`."""
        return self._begun(problem, theta, 0.5 * float(state.memory["spread"]))

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        strategy = self._strategy(problem, state)
        candidates = strategy.ask(problem.rng(number))
        losses = yield from losses_of(candidates, problem.batch(number, self.batch))
        strategy.tell(candidates, losses)
        told = _Told(
            {
                **state.memory,
                "numbers": np.append(state.memory["numbers"], float(number)),
                "losses": np.concatenate((state.memory["losses"], losses[None])),
            }
        )
        told.strategy = strategy
        figures = {"spread": strategy.spread, "lowest": float(losses.min())}
        return Stepped(State(strategy.mean, told), float(losses.mean()), figures)

    def _begun(self, problem: Problem, theta: Array, spread: float) -> State:
        memory = {
            "start": theta,
            "spread": np.array(spread),
            "numbers": np.empty(0),
            "losses": np.empty((0, self.size(problem))),
        }
        return State(theta, memory)

    def _strategy(self, problem: Problem, state: State) -> "_Strategy":
        """The strategy after the generations so far: the one at hand, or one that is told them again."""
        memory = state.memory
        if isinstance(memory, _Told) and memory.strategy is not None:
            known, memory.strategy = (
                memory.strategy,
                None,
            )  # it goes on from here, and is this memory's no more
            return known
        start = memory["start"]
        strategy = _Strategy(
            problem.limits.bounds, start, float(memory["spread"]), self.size(problem), len(start) <= self.full
        )
        for number, losses in zip(memory["numbers"], memory["losses"], strict=True):
            strategy.tell(strategy.ask(problem.rng(int(number))), losses)
        return strategy


class _Told(dict[str, Array]):
    """A memory together with the strategy that it stands for."""

    strategy: "_Strategy | None" = None


class _Strategy:
    """The package's strategy, whose random numbers are handed in for each generation."""

    def __init__(
        self, bounds: tuple[Array, Array], start: Array, spread: float, population: int, full: bool
    ) -> None:
        import cma  # takes a while, and few runs need it

        self._rng = np.random.default_rng(0)
        low, high = bounds
        pinned = low == high  # the package wants room; whatever it asks for is projected
        low, high = np.where(pinned, -np.inf, low), np.where(pinned, np.inf, high)
        settings: dict[str, Any] = {
            "verbose": -9,
            "seed": np.nan,  # numpy's own random numbers stay as they are
            "randn": lambda *shape: self._rng.standard_normal(shape),
            "popsize": population,
            "CMA_diagonal": not full,
        }
        if np.isfinite(low).any() or np.isfinite(high).any():
            settings["bounds"] = [low, high]
        # no use in more, and the package refuses it of a single parameter
        most = 0.3 * float((high - low).max())
        self._known: Any = cma.CMAEvolutionStrategy(start, min(spread, most), settings)

    @property
    def mean(self) -> Array:
        """What it holds to be best, (n,)."""
        return np.array(self._known.result.xfavorite)

    @property
    def spread(self) -> float:
        """σ."""
        return float(self._known.sigma)

    def ask(self, rng: np.random.Generator) -> Array:
        """A generation, (population, n)."""
        self._rng = rng
        return np.array(self._known.ask())

    def tell(self, candidates: Array, losses: Array) -> None:
        """Go on to the next generation."""
        self._known.tell(list(candidates), list(losses))
