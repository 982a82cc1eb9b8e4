"""Gradient-informed fine-tuning: in silico the direction, on the chip only how far along it."""

import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import PlanError
from calibration.tuning.corrector import corrected
from calibration.tuning.gift_direction import CURVATURES, Curvature, Direction
from calibration.tuning.gift_memory import GiftMemory
from calibration.tuning.line_search import LineSearch, Searched
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.noise_level import fitted_noise_level
from calibration.tuning.noise_structure import AdditiveNoise, NoiseStructure
from calibration.tuning.noisy_loss import NoisyLoss
from calibration.tuning.paired import compared
from calibration.tuning.task import Rows

Apart = Literal["together", "kinds", "each"]


@dataclass(frozen=True)
class Gift(Method):
    """Moves parameters that were trained at a wrong noise level along the way that the right one would have led them.

    J(θ, s) is the training loss of the model at s times its noise levels. At the end of the training in silico
    ∇J(θ, s) is nearly zero, so that on a chip whose noise is Δ higher it is Δ v + O(Δ²) with v = ∂∇J/∂s, and the
    best parameters are θ - Δ d with d = (H + λI)⁻¹ v, H the curvature of J in θ. Both are had in silico, v from
    differences of gradients with common random numbers and d by conjugate gradients; the chip is asked for one
    number, Δ: a line search by readings of the loss, paired by their examples. A round that moved is followed by
    another about the new point and level; one that did not, by one with a shorter step. The chip is never asked for a
    gradient. Where noise has several sources, one direction for each is searched in turn.

    Source: the abstract of Kosmella, Stabile, Sanders, arXiv 2506.22122: parameters trained under misjudged noise
    are adapted in situ by gradient information that is derived from the structure of the noise, without training
    anew; it has formal conditions under which it improves. Their full text was not at hand. The derivation, the
    preconditioning, the line search, the rounds, the corrector and the condition (`Improvement`) are ours.

    Needs a model with a `NoiseStructure`, or the noise of inputs and outputs that is to be added to one without.

    Attributes:
        assumed: factor on the model's noise levels with which it was trained; 0 without noise, and the levels then
            only tell how the sources compare.
        sources: what has a direction of its own: all sources together, each kind (names that differ by a number),
            or each.
        rounds: line searches at most; 1 takes one direction and no second.
        batch: examples of each reading of the loss.
        doublings: of the step in a line search at most.
        stride: first step of a line search, as a share of the noise level; shorter after one that found nothing.
        finest: step at which it ends, likewise.
        significance: probability at most with which a line search moves to where it is no better.
        repeats, repeated: readings of each of so many examples, from whose scatter the chip's noise level is found
            before the first round; no repeats, none: then the line search tries both signs.
        samples: examples for the direction at most, in silico.
        draws: pairs of noise for each of them.
        level_step: h of the differences, as a share of the noise level.
        from_zero: h and the first step where `assumed` is 0, as a share of the model's levels. A network that was
            trained without noise tells nothing of it by a small one: no example is near a border.
        curvature: H; Gauss-Newton's, or the exact one.
        iterations: of the conjugate gradients; 1 is plain v, with the step to the lowest point along it.
        damping: λ, as a share of the curvature along v.
        corrector: steps of training in silico at the level that was reached, after each round that moved; what they
            give is kept if the chip reads no higher a loss.
        corrector_rate: learning rate of it, in the parameters' scale.
        corrector_batch: examples of each of its steps.
        input_noise, output_noise: levels in SI units, for a model without noise structure.
        relative_noise: a share of the output, likewise.
    """

    name: ClassVar[str] = "gift"
    assumed: float = 1.0
    sources: Apart = "together"
    rounds: int = 12
    batch: int = 2048
    doublings: int = 0
    stride: float = 0.3
    finest: float = 0.02
    significance: float = 0.2
    repeats: int = 8
    repeated: int = 64
    samples: int = 4096
    draws: int = 8
    level_step: float = 0.1
    from_zero: float = 0.5
    curvature: Curvature = "gauss-newton"
    iterations: int = 20
    damping: float = 0.01
    corrector: int = 0
    corrector_rate: float = 1e-3
    corrector_batch: int = 256
    input_noise: float = 0.0
    output_noise: float = 0.0
    relative_noise: float = 0.0

    def __post_init__(self) -> None:
        for key in ("rounds", "batch", "repeated", "draws", "iterations", "corrector_batch"):
            if getattr(self, key) < 1:
                raise PlanError(f"{key} {getattr(self, key)}: at least 1")
        for key in ("doublings", "corrector"):
            if getattr(self, key) < 0:
                raise PlanError(f"{key} {getattr(self, key)}: not negative")
        if self.repeats == 1 or self.repeats < 0 or self.samples < 2:
            raise PlanError(
                f"repeats {self.repeats}, samples {self.samples}: 0 or at least 2, and at least 2"
            )
        for key in ("stride", "level_step"):
            if not 0.0 < getattr(self, key) < 1.0:
                raise PlanError(
                    f"{key} {getattr(self, key)}: a share of the noise level, above 0 and below 1"
                )
        for key in ("finest", "corrector_rate", "from_zero"):
            if not 0.0 < getattr(self, key) < math.inf:
                raise PlanError(f"{key} {getattr(self, key)}: a positive number")
        for key in ("assumed", "damping"):
            if not 0.0 <= getattr(self, key) < math.inf:
                raise PlanError(f"{key} {getattr(self, key)}: not negative")
        if not 0.0 < self.significance < 0.5:
            raise PlanError(f"significance {self.significance}: above 0 and below 0.5, such as 0.1")
        if self.sources not in ("together", "kinds", "each"):
            raise PlanError(f"sources {self.sources!r}; there are together, kinds, each")
        if self.curvature not in CURVATURES:
            raise PlanError(f"curvature {self.curvature!r}; there are {', '.join(CURVATURES)}")

    def check(self, problem: Problem, device: Device) -> None:
        """See `Method`: there is a model with a noise structure."""
        self.model(problem)

    def model(self, problem: Problem) -> NoiseStructure:
        """The model with its noise; raises PlanError where there is none."""
        known = problem.known_model
        if isinstance(known, NoiseStructure):
            return known
        if not (self.input_noise or self.output_noise or self.relative_noise):
            raise PlanError(
                f"gift needs to know where noise enters, and {type(known).__name__} does not say; give input_noise, "
                "output_noise or relative_noise"
            )
        return AdditiveNoise(
            known, inputs=self.input_noise, outputs=self.output_noise, relative=self.relative_noise
        )

    def groups(self, model: NoiseStructure) -> Tensor:
        """Which sources are scaled together, (groups, sources) of 1 and 0."""
        names = model.sources
        if self.sources == "together":
            marks = ["" for _ in names]
        elif self.sources == "kinds":
            marks = [name.rstrip("0123456789") for name in names]
        else:
            marks = list(names)
        kinds = list(dict.fromkeys(marks))
        return torch.tensor([[float(mark == kind) for mark in marks] for kind in kinds], dtype=torch.float64)

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        searched = (LineSearch(self.doublings).most + (self.corrector > 0)) * problem.batch_cost(self.batch)
        repeated = self.repeats * min(self.repeated, len(problem.task.training))
        return max(searched, problem.asking.cost(repeated))

    def begin(self, problem: Problem, theta: Array) -> State:
        """See `Method`."""
        count = len(self.groups(self.model(problem)))
        reach = self.stride * self.assumed or self.from_zero
        return State(theta, GiftMemory.started(count, self.assumed, reach, theta).arrays())

    def moved(self, problem: Problem, state: State, theta: Array) -> State:
        """See `Method`: the noise levels are those that belonged to `theta`, the steps are shorter."""
        return State(theta, GiftMemory.of(state.memory).back(theta).arrays())

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`: the noise level, or one line search."""
        memory = GiftMemory.of(state.memory)
        if self.repeats and not memory.asked:
            return (yield from self._estimated(problem, state.theta, memory, number))
        return (yield from self._round(problem, state.theta, memory, number))

    def _estimated(self, problem: Problem, theta: Array, memory: GiftMemory, number: int) -> Steps:
        """The noise level from repeated readings; it tells the sign and the size of the first steps."""
        rows = problem.batch(number, self.repeated)
        answer = yield Query(theta, np.tile(rows, self.repeats))
        model, whole = self.model(problem), answer.reading.usable.reshape(self.repeats, -1).all(dim=0)
        outputs = answer.reading.outputs.reshape(self.repeats, len(rows), -1)[:, whole]
        groups = self.groups(model)
        if not len(outputs[0]):
            return Stepped(State(theta, replace(memory, asked=True).arrays()), answer.loss)
        found = fitted_noise_level(
            outputs,
            model,
            torch.as_tensor(problem.task.training.inputs[rows])[whole],
            torch.as_tensor(problem.limits.controls(theta)),
            groups,
            _generator(problem, number),
        )
        figures = {"noise_level": float(found.scale.mean()), "noise_level_error": float(found.error.max())}
        if len(groups) > 1:
            figures |= {f"noise_level_{k}": float(scale) for k, scale in enumerate(found.scale)}
        told = replace(memory, estimated=found.scale, asked=True)
        return Stepped(State(theta, told.arrays()), answer.loss, figures)

    def _round(self, problem: Problem, theta: Array, memory: GiftMemory, number: int) -> Steps:
        """A direction for one group of sources, and a line search along it."""
        model = self.model(problem)
        k, groups = memory.turn, self.groups(model)
        halves = self._halves(problem, model, number)
        group, scale = groups[k], torch.as_tensor(memory.level) @ groups
        way = Direction.of(
            halves,
            self._bent(problem, model, number),
            theta,
            scale,
            group,
            step=self.level_step if memory.level[k] > 0.0 else self.from_zero,
            curvature=self.curvature,
            iterations=self.iterations,
            damping=self.damping,
        )
        first, signed = memory.first(k, self.finest)
        rows = problem.batch(number, self.batch)
        least = 0.0 if way.slope.variance else -0.9 * float(memory.level[k])
        moves = LineSearch(self.doublings, self.significance).search(first, signed=signed, least=least)
        found, best = yield from _along(problem, theta, way.d, rows, moves)
        figures = {
            "moved": found.place,
            "readings_of_loss": float(found.readings),
            "fall": -found.verdict.difference,
            **way.figures(memory.misjudged(k, found.place)),
        }
        after = memory.after(k, found, way.slope.variance, first, self.stride)
        here = theta
        if found.place and best is not None:
            here = problem.limits.project(theta - found.place * way.d)
            if self.corrector:
                trained = corrected(
                    problem,
                    model,
                    here,
                    torch.as_tensor(after.level) @ groups,
                    steps=self.corrector,
                    rate=self.corrector_rate,
                    batch=self.corrector_batch,
                    generator=_generator(problem, number, 2),
                )
                answer = yield Query(trained, rows)
                figures["readings_of_loss"] += 1.0
                if compared(answer.placed(answer.losses), best, 0.5).difference <= 0.0:
                    here = trained
            after = after.reached(here)
        figures["assumed_level"] = float(after.level[k])
        worth = np.abs(after.step) > self.finest * np.where(after.level > 0.0, after.level, 1.0)
        done = after.rounds >= self.rounds or not worth.any()
        return Stepped(State(here, after.arrays()), found.loss, figures, done=done)

    def _halves(self, problem: Problem, model: NoiseStructure, number: int) -> list[NoisyLoss]:
        """Two losses of the model with examples and noise of their own."""
        generator = _generator(problem, number)
        parts = np.array_split(self._rows(problem, number), 2)
        return [NoisyLoss.drawn(problem, model, np.tile(part, self.draws), generator) for part in parts]

    def _bent(self, problem: Problem, model: NoiseStructure, number: int) -> NoisyLoss:
        """A loss for the curvature, which need not be known as well: half the examples, one pair of noise."""
        rows = self._rows(problem, number)
        return NoisyLoss.drawn(problem, model, rows[: len(rows) // 2], _generator(problem, number, 1))

    def _rows(self, problem: Problem, number: int) -> Rows:
        rows = problem.rng(number, 2).permutation(len(problem.task.training))[: self.samples]
        return np.resize(rows, max(len(rows), 2))


def _along(
    problem: Problem, theta: Array, d: Array, rows: Rows, moves: Generator[float, Tensor, Searched]
) -> Generator[Query, Answer, tuple[Searched, Tensor | None]]:
    """Reads the loss of `rows` at θ - t d for the places t of a line search; its end, and the losses there."""
    read: dict[float, Tensor] = {}
    place = next(moves)
    while True:
        answer = yield Query(problem.limits.project(theta - place * d), rows)
        read[place] = answer.placed(answer.losses)
        try:
            place = moves.send(read[place])
        except StopIteration as end:
            found: Searched = end.value
            return found, read.get(found.place)


def _generator(problem: Problem, number: int, part: int = 0) -> torch.Generator:
    """Unit noise of one step."""
    seed = problem.rng(number, 3 + part).integers(2**62)
    return torch.Generator().manual_seed(int(seed))
