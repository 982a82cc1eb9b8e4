"""Dual adaptive training: the model learns what it leaves out of the chip while the chip learns its task."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import PlanError
from calibration.tuning.asking import Reading
from calibration.tuning.fusion import Batch, check_taps, in_stages, passed
from calibration.tuning.method import Method, Problem, Query, State, Stepped, Steps, under
from calibration.tuning.sepn import ErrorNetworks, state_shapes
from calibration.tuning.updates import Update, halved

InternalStates = Literal["auto", "none", "unitary", "separable"]
_TASK, _NETWORK = "task.", "network."


@dataclass(frozen=True)
class Dat(Method):
    """Each step reads a mini-batch on the chip and takes two gradients in turn (Zheng et al., Nat. Mach. Intell. 5,
    1119 (2023)).

    Similarity: behind each stage f_k of the model stands a residual network, y_k = f_k(x; θ) + s_k(f_k(x; θ); λ), and
    λ goes down L_s = Σ_k mean (I_k - I*_k)² / mean I*_k² between modelled readings I and measured ones I*. Task: θ
    goes down the gradient of the task's loss, taken at measured states by the slopes of the model with its networks
    (state fusion: measured amplitudes, modelled phases), as in physics-aware training.

    Parts of this scheme are claimed by the published patent application US 20240232617; see to it before
    commercial use.

    Attributes:
        update: of the parameters; its rate in their scale.
        network_update: of the networks' weights λ.
        batch: examples of each step.
        internal_states: none: the outputs alone are compared and fused; unitary: measured inner states too, and the
            networks are trained together; separable: the same, each network by itself, on the measured states
            in front of its stage; auto: separable where all inner states are read, none otherwise. The published
            separable mode knows these states with their phases; here they are fused like all others.
        warm_up_epochs: passes over the training examples in which the networks learn and are not yet in the task's
            gradient.
        halving_epochs: passes after which both rates are halved, each time; 0 for never.
        similarity_steps: of the networks for each mini-batch; they cost the chip nothing.
        maps: feature maps of the networks for fields, at three scales; (4, 6, 8) is the smaller published choice.
        hidden: units of the networks for real states.
    """

    name: ClassVar[str] = "dat"
    update: Update = field(default_factory=Update)
    network_update: Update = field(default_factory=lambda: Update("adam", 5e-3))
    batch: int = 100
    internal_states: InternalStates = "auto"
    warm_up_epochs: float = 1.0
    halving_epochs: float = 10.0
    similarity_steps: int = 1
    maps: tuple[int, int, int] = (4, 8, 16)
    hidden: int = 32

    def __post_init__(self) -> None:
        for key in ("batch", "similarity_steps", "hidden"):
            if getattr(self, key) < 1:
                raise PlanError(f"{key} {getattr(self, key)}: at least 1")
        for key in ("warm_up_epochs", "halving_epochs"):
            if not getattr(self, key) >= 0.0:
                raise PlanError(f"{key} {getattr(self, key)}: a number, not negative")
        if self.internal_states not in get_args(InternalStates):
            raise PlanError(
                f"internal_states {self.internal_states!r}; there are {', '.join(get_args(InternalStates))}"
            )
        if len(self.maps) != 3 or min(self.maps) < 1:
            raise PlanError(f"maps {self.maps}: three numbers, at least 1 each, such as 4, 8, 16")

    def check(self, problem: Problem, device: Device) -> None:
        """See `Method`."""
        problem.known_model  # noqa: B018  its error is the check
        if self.internal_states in ("unitary", "separable"):
            check_taps(problem, device)

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        return problem.batch_cost(self.batch)

    def networks(self, shapes: Array) -> ErrorNetworks:
        """The networks for states of these shapes, without their weights."""
        fine, middle, coarse = self.maps
        return ErrorNetworks.of(shapes, (fine, middle, coarse), self.hidden)

    def begin(self, problem: Problem, theta: Array) -> State:
        """See `Method`."""
        shapes, seed = state_shapes(problem), int(problem.rng(0, 2).integers(2**31))
        memory = {"shapes": shapes, "weights": self.networks(shapes).initial(seed), "age": np.zeros(())}
        return State(theta, memory)

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        rows = problem.batch(number, self.batch)
        answer = yield Query(state.theta, rows)
        mode = self._mode(problem, answer.reading)
        batch = Batch.of(problem, rows, answer, inner=mode != "none")
        age = int(state.memory["age"])
        networks, weights = self.networks(state.memory["shapes"]), state.memory["weights"]
        network_memory = under(_NETWORK, state.memory)
        epoch = len(rows) / len(problem.task.training)
        factor = halved(number * epoch, self.halving_epochs)
        controls = problem.limits.tensor(torch.as_tensor(state.theta)).to(batch.inputs.dtype)
        apart = []
        for _ in range(self.similarity_steps):
            leaf = torch.tensor(weights, requires_grad=True)
            loss = _dissimilarity(batch, controls, networks, leaf, apart=mode == "separable")
            (gradient,) = torch.autograd.grad(loss, leaf)
            apart.append(loss.item())
            weights, network_memory = self.network_update.apply(
                weights, gradient.numpy(), network_memory, factor
            )
        warm = age * epoch >= self.warm_up_epochs
        known = torch.as_tensor(weights).to(batch.inputs.dtype)
        correction = networks.correction(known) if warm else None
        slope = batch.task_gradient(problem, state.theta, correction)
        theta, task_memory = self.update.apply(state.theta, slope, under(_TASK, state.memory), factor)
        memory = {
            "shapes": state.memory["shapes"],
            "weights": weights,
            "age": np.array(age + 1.0),
            **{_NETWORK + name: values for name, values in network_memory.items()},
            **{_TASK + name: values for name, values in task_memory.items()},
        }
        figures = {"dissimilarity": apart[0], "gradient": float(np.linalg.norm(slope))}
        return Stepped(State(theta, memory), answer.loss, figures)

    def _mode(self, problem: Problem, reading: Reading) -> InternalStates:
        if self.internal_states != "auto":
            return self.internal_states
        names = in_stages(problem.known_model).tap_names
        return "separable" if names and all(name in reading.taps for name in names) else "none"


def _dissimilarity(
    batch: Batch, controls: Tensor, networks: ErrorNetworks, weights: Tensor, *, apart: bool
) -> Tensor:
    correction = networks.correction(weights.to(batch.inputs.dtype))
    measured = batch.measured if apart else {}
    found = passed(batch.model, batch.inputs, controls, measured, correction, apart=apart)
    terms = [
        (found[k].modelled - reading).square().mean() / reading.square().mean().clamp(min=1e-30)
        for k, reading in batch.measured.items()
    ]
    return torch.stack(terms).sum()
