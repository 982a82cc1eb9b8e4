"""In-situ backpropagation: the gradient by every phase, from the powers where light meets its adjoint."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import PlanError, ReadingFailed
from calibration.tuning.asking import Reading
from calibration.tuning.bidirectional import Bidirectional, Fields, Passage
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps, answered
from calibration.tuning.stages import staged_model
from calibration.tuning.updates import Update


@dataclass(frozen=True)
class Backpropagation(Method):
    """Adjoint gradients read on the chip (Hughes et al., Optica 5, 864 (2018); Pai et al., Science 380, 398 (2023)).

    With f the field at a shifter, and b that of the light that goes backwards where the conjugate of the loss's
    gradient by the fields behind the mesh, g*, is sent into its outputs, ∂L/∂φ = -Im(b f), whatever the splitters and
    phases of the mesh are. Three powers at each shifter tell it: |f|² of the light, |b|² of the light backwards, and
    that of the light with the time-reversed adjoint: x* - what came out at the inputs, conjugate - retraces the way of
    the light backwards, so with a - j x* sent into the inputs

        |f - j b*|² = |f|² + |b|² - 2 Im(b f).

    Layer by layer from the last: x* is also the gradient by the fields in front of the mesh; through the activation it
    goes electronically.

    Measured: the outputs; the fields in front of and behind every mesh, by coherent receivers; all powers. Modelled,
    as by `onward` of a model in stages: the activation's derivative, at the measured fields. No phase, splitter or
    screen of the model is used. One step takes 1 + 2 K readings of each example on K meshes.

    Light that is lost inside a mesh does not come back by reversing time: |b|² of the light with x* is then less than
    that of the light backwards, which is a bias. `opposed` reads a + j x* too, and takes a quarter of the difference:
    no bias of that kind, 1 + 3 K readings.

    Attributes:
        update: of the phases.
        batch: examples of each reading.
        opposed: whether the interference is read with both signs.
    """

    name: ClassVar[str] = "backpropagation"
    update: Update = field(default_factory=lambda: Update(rate=0.003))
    batch: int = 64
    opposed: bool = False

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise PlanError(f"batch {self.batch}: at least 1")

    def check(self, problem: Problem, device: Device) -> None:
        """See `Method`."""
        staged_model(problem)
        if not isinstance(device, Bidirectional):
            raise PlanError(
                "backpropagation needs taps at the phase shifters, and light and coherent receivers at both ends of "
                f"every mesh; {device.identity['name']} has none: choose another method"
            )

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        return AdjointQuery(np.empty(0), problem.batch(0, self.batch), self.opposed).cost(problem)

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        answer = yield AdjointQuery(state.theta, problem.batch(number, self.batch), self.opposed)
        if not isinstance(answer, Adjoint):
            raise TypeError(f"an adjoint query was answered by {type(answer).__name__}")
        theta, memory = self.update.apply(state.theta, answer.gradient, state.memory)
        size = float(np.linalg.norm(answer.gradient))
        return Stepped(State(theta, memory), answer.loss, {"gradient": size})


@dataclass(frozen=True, eq=False)
class Adjoint(Answer):
    """An answer with the gradient.

    Attributes:
        gradient: of the mean loss by the parameters, (n,).
    """

    gradient: Array


@dataclass(frozen=True, eq=False)
class AdjointQuery(Query):
    """Examples whose light is sent through the network, back, and through again with its adjoint.

    Attributes:
        opposed: see `Backpropagation`.
    """

    opposed: bool = False

    def cost(self, problem: Problem) -> int:
        """See `Query`."""
        meshes = len(staged_model(problem).tap_names) + 1
        return (1 + (3 if self.opposed else 2) * meshes) * len(self.rows)

    def take(self, problem: Problem, device: Device) -> Adjoint:
        """See `Query`."""
        if not isinstance(device, Bidirectional):
            raise PlanError(f"{device.identity['name']} lets no light back")
        device.set_controls(problem.limits.controls(self.theta))
        examples = self.examples(problem)
        there = device.traverse(examples.inputs)
        usable = torch.as_tensor(there.flags == 0)
        answer = answered(problem, examples, Reading(torch.as_tensor(there.outputs), {}, usable))
        kept = usable.numpy()
        passages = [one.at(kept) for one in there.passages]
        model, last = staged_model(problem), len(passages) - 1
        fields = _leaf(passages[last].behind)
        outputs = model.seen(last, model.fused(last, fields, answer.reading.outputs[usable]))
        loss = problem.task.loss(outputs, examples.targets[usable]).mean()
        (behind,) = torch.autograd.grad(loss, fields)
        slopes = []
        for k in range(last, -1, -1):
            by_phase, before = self._through(device, k, passages[k], behind.numpy())
            slopes.append(by_phase)
            if k:
                fields = _leaf(passages[k - 1].behind)
                (behind,) = torch.autograd.grad(model.onward(k - 1, fields), fields, torch.as_tensor(before))
        gradient = np.concatenate(slopes[::-1]) * problem.limits.scale
        return Adjoint(**vars(answer), gradient=gradient)

    def _through(
        self, device: Bidirectional, mesh: int, light: Passage, behind: Fields
    ) -> tuple[Array, Fields]:
        """Slopes by the phases of a mesh, (shifters,), and the gradient by the fields in front of it (samples, N).

        The light backwards is made as bright as the light was, whatever the size of `behind`, the gradient by the
        fields behind the mesh: so the powers that are to be told apart are of one size.
        """
        size = np.linalg.norm(behind, axis=1, keepdims=True)
        bright = np.linalg.norm(light.before, axis=1, keepdims=True)
        factor = np.divide(bright, size, out=np.ones_like(size), where=(size > 0.0) & (bright > 0.0))
        back = device.send(mesh, factor * behind.conj(), backward=True)
        adjoint = back.behind.conj()
        met = device.send(mesh, light.before - 1j * adjoint)
        flags = back.flags | met.flags
        if self.opposed:
            against = device.send(mesh, light.before + 1j * adjoint)
            flags = flags | against.flags
            slopes = 0.25 * (met.shifters - against.shifters)
        else:
            slopes = 0.5 * (met.shifters - light.shifters - back.shifters)
        usable = flags == 0
        if not usable.any():
            raise ReadingFailed(
                f"all {len(flags)} readings of light and its adjoint in mesh {mesh} are flagged; with less light at "
                "the inputs their interference may be in the range of the taps"
            )
        share = len(usable) / usable.sum()
        return share * (slopes / factor)[usable].sum(axis=0), adjoint / factor


def _leaf(fields: Fields) -> Tensor:
    return torch.tensor(fields, requires_grad=True)
