"""The `Method` seam: one way to tune a chip in situ, by asking and being told."""

import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import NotFinite, PlanError, ReadingFailed, ShapeError
from calibration.tuning.asking import Asking, Reading, TimeSteps
from calibration.tuning.limits import Limits
from calibration.tuning.task import Examples, Rows, TuningTask
from simulators.models.model import Model


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything a method knows, but the chip itself.

    Attributes:
        task: what the chip is tuned for.
        limits: of the parameters.
        asking: how the device is asked for points.
        model: of the device, differentiable, in the device's units: a fitted twin or surrogate, or the ideal.
        seed: of everything random; step k draws the same whether or not there was an interruption before it.
    """

    task: TuningTask
    limits: Limits
    asking: Asking = field(default_factory=TimeSteps)
    model: Model | None = None
    seed: int = 0

    def rng(self, step: int, part: int = 0) -> np.random.Generator:
        """Random numbers of one step; `part` tells apart what else the step draws."""
        return np.random.default_rng((self.seed, step, part))

    def batch(self, step: int, size: int) -> Rows:
        """Rows of the training examples for one step, without a repeat, (min(size, samples),)."""
        n = len(self.task.training)
        return self.rng(step, 1).choice(n, min(size, n), replace=False)

    def batch_cost(self, size: int) -> int:
        """Readings that a batch of `size`, as `batch` draws it, takes."""
        return self.asking.cost(min(size, len(self.task.training)))

    def outputs(self, rows: Rows, theta: Tensor) -> Tensor:
        """What the model answers to training examples under `theta` (n,), differentiable."""
        inputs = torch.as_tensor(self.task.training.inputs[rows])
        answer: Tensor = self.known_model(inputs, self.limits.tensor(theta))
        return answer

    @property
    def known_model(self) -> Model:
        """The model; raises PlanError where there is none."""
        if self.model is None:
            raise PlanError(
                "this method needs a differentiable model of the chip; fit one, or choose another"
            )
        return self.model

    def check(self, device: Device) -> None:
        """Raise ShapeError where task, limits or model do not fit the device; nothing is read."""
        n_in, n_controls = len(device.inputs.names), len(device.controls.names)
        for what, examples in (("training", self.task.training), ("probe", self.task.probe)):
            if examples.inputs.shape[1] != n_in:
                raise ShapeError(
                    f"the task's {what} examples have {examples.inputs.shape[1]} inputs, the device {n_in}"
                )
        if self.limits.names != tuple(device.controls.names):
            raise ShapeError(f"limits of {len(self.limits.names)} controls, the device has {n_controls}")
        if self.model is not None:
            shape = self.model.n_inputs, self.model.n_controls, self.model.n_outputs
            if shape != (n_in, n_controls, len(device.outputs.names)):
                raise ShapeError(
                    f"the model has {shape[0]} inputs, {shape[1]} controls, {shape[2]} outputs; the device "
                    f"{n_in}, {n_controls}, {len(device.outputs.names)}: fit or name the model of this device"
                )


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of a query.

    Attributes:
        reading: what was read.
        losses, scores: of each usable sample.
        targets: of each sample.
    """

    reading: Reading
    losses: Tensor
    scores: Tensor
    targets: Tensor

    @property
    def loss(self) -> float:
        """Mean loss."""
        return float(self.losses.mean())

    def placed(self, values: Tensor) -> Tensor:
        """Values of the usable samples at their places among all, (samples,), nan elsewhere: for pairs."""
        whole = torch.full((len(self.reading.usable),), math.nan, dtype=torch.float64)
        whole[self.reading.usable] = values
        return whole

    def minus(self, other: "Answer") -> float:
        """Mean loss less that of `other` for the same examples, of the samples that are usable in both.

        Raises ReadingFailed where no sample is.
        """
        differences = self.placed(self.losses) - other.placed(other.losses)
        differences = differences[torch.isfinite(differences)]
        if not len(differences):
            raise ReadingFailed("no sample of two readings is usable in both; look at ranges and limits")
        return float(differences.mean())


@dataclass(frozen=True, eq=False)
class Query:
    """Examples to be read under some parameters; subclasses ask the device in other ways."""

    theta: Array
    rows: Rows

    def examples(self, problem: Problem) -> Examples:
        """What is read."""
        return problem.task.training.at(self.rows)

    def cost(self, problem: Problem) -> int:
        """Readings that it takes."""
        return problem.asking.cost(len(self.rows))

    def take(self, problem: Problem, device: Device) -> Answer:
        """Set the parameters and read.

        Raises ReadingFailed where no sample is usable, NotFinite where a loss is not.
        """
        device.set_controls(problem.limits.controls(self.theta))
        examples = self.examples(problem)
        return answered(problem, examples, problem.asking(device, examples.inputs))


@dataclass(frozen=True, eq=False)
class ProbeQuery(Query):
    """Rows of the probe set instead of the training set; methods do not see its answers."""

    def examples(self, problem: Problem) -> Examples:
        """See `Query`."""
        return problem.task.probe.at(self.rows)


def answered(problem: Problem, examples: Examples, reading: Reading) -> Answer:
    """The losses of what was read; raises ReadingFailed and NotFinite as `Query.take`."""
    usable = reading.usable
    if not bool(usable.any()):
        raise ReadingFailed(
            f"all {len(usable)} readings are flagged (clipped, in compliance or late); look at ranges and limits"
        )
    outputs, targets = reading.outputs[usable], examples.targets[usable]
    with torch.no_grad():
        losses = problem.task.loss(outputs, targets).double()
        scores = problem.task.score(outputs, targets).double()
    if not bool(torch.isfinite(losses).all()):
        wrong = int((~torch.isfinite(losses)).sum())
        raise NotFinite(
            f"the loss of {wrong} of {len(losses)} readings is not finite; outputs were "
            f"{float(outputs.min()):.3g} to {float(outputs.max()):.3g}: look at the readings, and at the loss"
        )
    return Answer(reading, losses, scores, examples.targets)


@dataclass(frozen=True, eq=False)
class State:
    """Where a method is between two steps: all that a resumed run needs.

    Attributes:
        theta: present parameters, (n,).
        memory: whatever else the method remembers, by name.
    """

    theta: Array
    memory: Mapping[str, Array] = field(default_factory=dict)


def under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Those of `arrays` whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


@dataclass(frozen=True, eq=False)
class Stepped:
    """A finished step.

    Attributes:
        state: where the method is now.
        loss: what it read, on its own samples.
        figures: anything else worth a line in the log.
        check: whether the new parameters should be tried against the best ones now.
        done: whether the method has nothing more to do.
    """

    state: State
    loss: float
    figures: Mapping[str, float] = field(default_factory=dict)
    check: bool = False
    done: bool = False


Steps = Generator[Query, Answer, Stepped]
"""What a step is: it yields queries, is sent the answers, and returns what came of it."""


class Method(ABC):
    """One way to tune a chip.

    Between steps everything is in `State`; a step is a function of it, of the step's number and of the answers. So a
    run that was killed goes on with the last finished step.
    """

    name: ClassVar[str]

    def check(self, problem: Problem, device: Device) -> None:  # noqa: B027
        """Raise PlanError or ShapeError where the method cannot tune this device; nothing is read."""

    @abstractmethod
    def cost(self, problem: Problem) -> int:
        """Readings that one step takes at most."""

    def begin(self, problem: Problem, theta: Array) -> State:
        """The state before the first step."""
        return State(theta)

    @abstractmethod
    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """One step, the `number`-th from 0."""

    def moved(self, problem: Problem, state: State, theta: Array) -> State:
        """The state after parameters were put back to `theta`: memory is kept unless a method says otherwise."""
        return replace(state, theta=theta)
