"""Physics-aware training: the chip answers, a model of it says which way is down."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np

from calibration.device import Device
from calibration.errors import PlanError
from calibration.tuning.fusion import Batch, check_taps
from calibration.tuning.method import Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.updates import Update, halved

InternalStates = Literal["auto", "yes", "no"]


@dataclass(frozen=True)
class Pat(Method):
    """Each step reads a mini-batch on the chip and goes down the gradient g = (∂f/∂θ)ᵀ ∂L/∂y: the loss L is taken at
    the measured outputs y, the slopes are those of a model f of the chip at the measured states
    (Wright et al., Nature 601, 549 (2022)).

    Where the states between the model's stages are measured, each stage is linearised about its measured states, so
    that errors of the model do not add up from stage to stage; of a field, amplitudes are measured and phases
    modelled. The gradient is as good as the model: hand in a fitted twin or surrogate; with the ideal model of a chip
    that is far from it the method stops early (Zheng et al., Nat. Mach. Intell. 5, 1119 (2023)).
    A model whose tensors are all in single precision is used in single precision.

    Attributes:
        update: of the parameters; its rate in their scale.
        batch: examples of each step.
        internal_states: whether measured states between the stages are used: yes, no, or auto: those that there are.
        halving_epochs: passes over the training examples after which the rate is halved, each time; 0 for never.
    """

    name: ClassVar[str] = "pat"
    update: Update = field(default_factory=Update)
    batch: int = 100
    internal_states: InternalStates = "auto"
    halving_epochs: float = 10.0

    def __post_init__(self) -> None:
        if self.batch < 1 or not self.halving_epochs >= 0.0:
            raise PlanError(
                f"batch {self.batch}, halving_epochs {self.halving_epochs}: at least 1, and not negative"
            )
        if self.internal_states not in get_args(InternalStates):
            raise PlanError(
                f"internal_states {self.internal_states!r}; there are {', '.join(get_args(InternalStates))}"
            )

    def check(self, problem: Problem, device: Device) -> None:
        """See `Method`."""
        problem.known_model  # noqa: B018  its error is the check
        if self.internal_states == "yes":
            check_taps(problem, device)

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        return problem.batch_cost(self.batch)

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        rows = problem.batch(number, self.batch)
        answer = yield Query(state.theta, rows)
        batch = Batch.of(problem, rows, answer, inner=self.internal_states != "no")
        gradient = batch.task_gradient(problem, state.theta)
        epochs = number * len(rows) / len(problem.task.training)
        factor = halved(epochs, self.halving_epochs)
        theta, memory = self.update.apply(state.theta, gradient, state.memory, factor)
        return Stepped(State(theta, memory), answer.loss, {"gradient": float(np.linalg.norm(gradient))})
