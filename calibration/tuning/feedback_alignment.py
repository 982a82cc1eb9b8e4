"""Direct feedback alignment: the error at the outputs reaches every stage by a fixed matrix of its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import PlanError
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.stages import staged_model
from calibration.tuning.task import Rows
from calibration.tuning.updates import Update
from simulators.models.staged import StagedModel

Feedback = Literal["start", "random"]


@dataclass(frozen=True)
class Dfa(Method):
    """δ_k = B_k e in place of the error that is propagated backwards (Nøkland, NeurIPS 29, 1037 (2016); in photonics
    Filipovich et al., Optica 9, 1323 (2022)): no stage waits for another, and no matrix is the transpose of one.

    e is the gradient of the loss by the state behind the last stage, as measured; B_k e is taken for that by the state
    in front of stage k + 1. Through what lies between (the activation) and stage k it goes by the model's derivative
    at the measured states, to the stage's controls; the last stage has its true gradient, by the model.

    The state of a mesh is a complex field: amplitudes are measured, phases are the model's, and e is the gradient by
    the field, 2 E ∂L/∂|E|², not by the powers; the sign of a field's error depends on its phase, which a matrix on
    powers cannot know. Real and imaginary parts count as components of their own.

    B is the mean Jacobian of the model from stage k + 1 on at the parameters where the run starts ("start"), or drawn
    at random, normal with variance one over the number of errors ("random"), the method as it was published: a
    network learns to live with any B, but one that is trained already has first to unlearn.

    Attributes:
        update: of the parameters.
        batch: examples of each reading.
        feedback: start or random.
        error_noise: standard deviation of Gaussian noise on B_k e, as a share of its root mean square: the analogue
            accelerator that computes it.
    """

    name: ClassVar[str] = "dfa"
    update: Update = field(default_factory=lambda: Update(rate=0.003))
    batch: int = 64
    feedback: Feedback = "start"
    error_noise: float = 0.0

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise PlanError(f"batch {self.batch}: at least 1")
        if self.feedback not in ("start", "random"):
            raise PlanError(f"feedback {self.feedback!r}; there are start, random")
        if not 0.0 <= self.error_noise < math.inf:
            raise PlanError(f"error_noise {self.error_noise}: not negative")

    def check(self, problem: Problem, device: Device) -> None:
        """See `Method`."""
        model = staged_model(problem)
        missing = [name for name in model.tap_names if name not in device.taps]
        if missing:
            raise PlanError(
                f"{self.name} needs what is behind every stage, and the device has no tap {missing[0]!r}; read it, or "
                "choose a method that needs outputs alone"
            )

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        return problem.batch_cost(self.batch)

    def begin(self, problem: Problem, theta: Array) -> State:
        """See `Method`."""
        inputs = torch.as_tensor(problem.task.training.inputs[problem.batch(0, self.batch)])
        controls = torch.as_tensor(problem.limits.controls(theta))
        matrices = [one.numpy() for one in mean_jacobians(staged_model(problem), inputs, controls)]
        if self.feedback == "random":
            rng = problem.rng(0, 2)
            matrices = [rng.standard_normal(one.shape) / math.sqrt(len(one)) for one in matrices]
        return State(theta, {_named(k): matrix for k, matrix in enumerate(matrices)})

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        model = staged_model(problem)
        rows = problem.batch(number, self.batch)
        answer = yield Query(state.theta, rows)
        kept = {_named(k): state.memory[_named(k)] for k in range(len(model.tap_names))}
        matrices, rng = list(kept.values()), problem.rng(number)
        gradient = self.gradient(problem, state.theta, rows, answer, matrices, rng)
        theta, memory = self.update.apply(state.theta, gradient, state.memory)
        size = float(np.linalg.norm(gradient))
        return Stepped(State(theta, memory | kept), answer.loss, {"gradient": size})

    def gradient(
        self,
        problem: Problem,
        theta: Array,
        rows: Rows,
        answer: Answer,
        matrices: Sequence[Array],
        rng: np.random.Generator,
    ) -> Array:
        """What takes the place of the mean loss's gradient by the parameters, (n,).

        Args:
            answer: to the training examples `rows` under `theta`, with taps.
            matrices: of the feedback to each stage but the last, (errors, components of the state).
            rng: of the noise of the feedback.
        """
        model, usable = staged_model(problem), answer.reading.usable
        parameters = torch.tensor(theta, requires_grad=True)
        parts = model.parts(problem.limits.tensor(parameters))
        before = model.enter(torch.as_tensor(problem.task.training.inputs[rows])[usable])
        handed_on = []
        for k, name in enumerate(model.tap_names):
            behind = model.stage(k, before, parts[k])
            handed_on.append(model.onward(k, model.fused(k, behind, answer.reading.taps[name][usable])))
            before = handed_on[-1].detach()
        k = len(parts) - 1
        behind = model.fused(k, model.stage(k, before, parts[k]), answer.reading.outputs[usable])
        loss = problem.task.loss(model.seen(k, behind), answer.targets[usable]).mean()
        (error,) = torch.autograd.grad(loss, behind, retain_graph=True)
        total = loss
        for state, matrix in zip(handed_on, matrices, strict=True):
            told = components(error) @ torch.as_tensor(matrix)
            if self.error_noise:
                size = self.error_noise * float(told.square().mean().sqrt())
                told = told + size * torch.as_tensor(rng.standard_normal(told.shape))
            total = total + (components(state) * told).sum()
        (found,) = torch.autograd.grad(total, parameters)
        return found.numpy()


def components(state: Tensor) -> Tensor:
    """A state (..., n) as real numbers: itself, or (..., 2 n) of a complex one."""
    return torch.view_as_real(state).flatten(-2) if state.is_complex() else state


def mean_jacobians(model: StagedModel, inputs: Tensor, controls: Tensor) -> list[Tensor]:
    """How the state behind the last stage follows those in front of stages 1, 2, …, on the mean over `inputs`.

    Each is (components behind the last, components in front of the stage).
    """
    fronts: list[Tensor] = []
    state = model.enter(inputs)
    for k, part in enumerate(model.parts(controls)):
        if k:
            state = model.onward(k - 1, state)
            if not fronts:
                state = state.detach().requires_grad_()
            fronts.append(state)
        state = model.stage(k, state, part)
    last = components(state)
    rows = [
        torch.autograd.grad(last[:, j].mean(), fronts, retain_graph=True) if fronts else ()
        for j in range(last.shape[1])
    ]
    # the mean's gradient by a sample's state is that sample's Jacobian over the number of samples
    return [torch.stack([components(row[k]).sum(dim=0) for row in rows]) for k in range(len(fronts))]


def _named(k: int) -> str:
    return f"feedback{k}"
