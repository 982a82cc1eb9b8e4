"""One way through a model on which what was measured takes the place of what was modelled.

Physics-aware and dual adaptive training share it: values are the device's wherever it was read, slopes are the
model's, taken at those values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import NotFinite, PlanError
from calibration.tuning.asking import Reading
from calibration.tuning.method import Answer, Problem
from calibration.tuning.task import Rows
from simulators.models.model import Model
from simulators.models.staged import StagedModel

Correction = Callable[[int, Tensor, Tensor], Tensor]
"""The state behind a stage as the chip has it, of the stage's number and the states in front of and behind it."""


class OneStage(StagedModel):
    """A model that does not say what is inside it: its outputs are the state behind its only stage."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.n_inputs, self.n_controls, self.n_outputs = model.n_inputs, model.n_controls, model.n_outputs

    def forward(self, inputs: Tensor, controls: Tensor) -> Tensor:
        """See `Model.forward`."""
        outputs: Tensor = self.model(inputs, controls)
        return outputs

    @property
    def tap_names(self) -> tuple[str, ...]:
        """See `StagedModel`: none."""
        return ()

    def parts(self, controls: Tensor) -> Sequence[Tensor]:
        """See `StagedModel`: all of them."""
        return (controls,)

    def stage(self, k: int, state: Tensor, part: Tensor) -> Tensor:
        """See `StagedModel`: the whole model."""
        return self.forward(state, part)


def in_stages(model: Model) -> StagedModel:
    """The model itself where it has stages, otherwise as one stage."""
    return model if isinstance(model, StagedModel) else OneStage(model)


def precision(model: Model) -> torch.dtype:
    """The real type that the model calculates in: single precision if nothing in it is of another."""
    tensors = (*model.parameters(), *model.buffers())
    kinds = {tensor.dtype for tensor in tensors if tensor.is_floating_point() or tensor.is_complex()}
    single = bool(kinds) and kinds <= {torch.float32, torch.complex64}
    return torch.float32 if single else torch.float64


@dataclass(frozen=True, eq=False)
class Passed:
    """What is seen behind one stage, (samples, n).

    Attributes:
        modelled: of the model, corrected where there is a correction.
        fused: the measured values with the model's slopes where there is a reading, otherwise as modelled.
    """

    modelled: Tensor
    fused: Tensor


def passed(
    model: StagedModel,
    inputs: Tensor,
    controls: Tensor,
    measured: Mapping[int, Tensor],
    correction: Correction | None = None,
    *,
    apart: bool = False,
) -> list[Passed]:
    """Go through `model` stage by stage; behind the stages in `measured`, go on from the measured state.

    The state keeps of the model what a reading does not tell, such as the phase of a field.

    Args:
        inputs: (samples, n_inputs).
        controls: (n_controls,).
        measured: what was read behind stages, by their number, (samples, n); the last are the outputs.
        apart: no slope passes from one stage to the next, so that each is judged on its own.
    """
    state, found = model.enter(inputs), []
    for k, part in enumerate(model.parts(controls)):
        before = model.onward(k - 1, state) if k else state
        if apart:
            before = before.detach()
        state = model.stage(k, before, part)
        if correction is not None:
            state = correction(k, before, state)
        modelled = fused = model.seen(k, state)
        if k in measured:
            state = model.fused(k, state, measured[k])
            slope = model.seen(k, state)
            # a reading may be what no state shows, such as a power below zero by noise
            fused = slope + (measured[k] - slope).detach()
        found.append(Passed(modelled, fused))
    return found


@dataclass(frozen=True, eq=False)
class Batch:
    """A mini-batch that was read, ready for a pass: the usable samples, in the model's precision.

    Attributes:
        model: in stages.
        inputs: (samples, n_inputs).
        targets: (samples, ...).
        measured: by stage, (samples, n).
    """

    model: StagedModel
    inputs: Tensor
    targets: Tensor
    measured: Mapping[int, Tensor]

    @classmethod
    def of(cls, problem: Problem, rows: Rows, answer: Answer, *, inner: bool) -> "Batch":
        """What came back for training examples `rows`; with `inner`, the taps behind the inner stages too."""
        model = in_stages(problem.known_model)
        kind, usable = precision(problem.known_model), answer.reading.usable
        inputs = torch.as_tensor(problem.task.training.inputs[rows])[usable].to(kind)
        measured = {k: values[usable].to(kind) for k, values in _read(model, answer.reading, inner).items()}
        return cls(model, inputs, answer.targets[usable], measured)

    def task_gradient(self, problem: Problem, theta: Array, correction: Correction | None = None) -> Array:
        """The gradient (n,) by θ of the task's mean loss at the measured outputs, by the model's slopes.

        Raises NotFinite where a slope is not.
        """
        leaf = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
        controls = problem.limits.tensor(leaf).to(self.inputs.dtype)
        outputs = passed(self.model, self.inputs, controls, self.measured, correction)[-1].fused
        loss = problem.task.loss(outputs, self.targets).mean()
        (gradient,) = torch.autograd.grad(loss, leaf)
        slope: Array = gradient.numpy()
        if not np.isfinite(slope).all():
            wrong = int(np.argmin(np.isfinite(slope)))
            raise NotFinite(
                f"the model's slope by {problem.limits.names[wrong]} is not finite; look at the model at these "
                "settings, and lower the rates"
            )
        return slope


def _read(model: StagedModel, reading: Reading, inner: bool) -> dict[int, Tensor]:
    names = model.tap_names
    taps = {k: reading.taps[name] for k, name in enumerate(names) if inner and name in reading.taps}
    return {**taps, len(names): reading.outputs}


def check_taps(problem: Problem, device: Device) -> None:
    """Raise PlanError unless the device reads the states behind all inner stages of the model."""
    names = in_stages(problem.known_model).tap_names
    missing = [name for name in names if name not in device.taps]
    if not names:
        raise PlanError("the model has no inner states that could be measured; tune without internal states")
    if missing:
        raise PlanError(
            f"the device does not read {', '.join(missing)}; switch these taps on, or tune without internal states"
        )
