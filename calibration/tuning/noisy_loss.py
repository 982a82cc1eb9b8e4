"""The training loss of a model with noise, as a smooth function of parameters and noise level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from calibration.device import Array
from calibration.tuning.limits import Limits
from calibration.tuning.method import Problem
from calibration.tuning.noise_structure import NoiseStructure
from calibration.tuning.task import Loss, Rows


@dataclass(frozen=True, eq=False)
class NoisyLoss:
    """J(θ, s), the mean loss of fixed examples under fixed unit noise, taken with either sign.

    The same numbers at every level make J smooth in s. With either sign, whatever is odd in the noise cancels: J is
    even in s, so its slope in the variance s² exists at s = 0 too.

    Attributes:
        model: with its noise structure.
        limits: of the parameters.
        loss: of each sample.
        inputs, targets: of the examples, twice over.
        noise: of each source, its second half the negative of the first.
    """

    model: NoiseStructure
    limits: Limits
    loss: Loss
    inputs: Tensor
    targets: Tensor
    noise: Sequence[Tensor]

    @classmethod
    def drawn(cls, problem: Problem, model: NoiseStructure, rows: Rows, generator: torch.Generator) -> Self:
        """With training examples at `rows`; it computes with the precision of the model's noise."""
        noise = [torch.cat((unit, -unit)) for unit in model.draw((len(rows),), generator)]
        examples = problem.task.training.at(rows)
        inputs = torch.as_tensor(examples.inputs).to(noise[0])
        targets = examples.targets
        return cls(
            model,
            problem.limits,
            problem.task.loss,
            torch.cat((inputs, inputs)),
            torch.cat((targets, targets)),
            noise,
        )

    def parameters(self, theta: Array) -> Tensor:
        """A leaf (n,) to differentiate with respect to."""
        return torch.tensor(theta, dtype=torch.float64, requires_grad=True)

    def outputs(self, theta: Tensor, scale: Tensor) -> Tensor:
        """What the model answers, (samples, n_out), at `scale` (sources,) times its levels."""
        controls = self.limits.tensor(theta).to(self.inputs)
        return self.model(self.inputs, controls, self.noise, scale.to(self.inputs))

    def __call__(self, theta: Tensor, scale: Tensor) -> Tensor:
        """J, differentiable in both."""
        return self.loss(self.outputs(theta, scale), self.targets).mean()

    def gradient(self, theta: Array, scale: Tensor) -> Tensor:
        """∇_θ J, (n,)."""
        leaf = self.parameters(theta)
        return torch.autograd.grad(self(leaf, scale), leaf)[0].detach()


class GaussNewton:
    """v ↦ Jᵀ L J v: J the slopes of the outputs in θ, L the loss's curvature in the outputs, mean over the samples.

    It is the Hessian less the outputs' own curvature; where L is not negative, as of cross-entropy, nor is it.
    """

    def __init__(self, loss: NoisyLoss, theta: Array, scale: Tensor) -> None:
        self._theta = loss.parameters(theta)
        self._outputs = loss.outputs(self._theta, scale)
        # the slopes along v by differentiating Jᵀ u in u: reverse mode alone, which every operation has
        self._dual = torch.zeros_like(self._outputs, requires_grad=True)
        (self._pulled,) = torch.autograd.grad(self._outputs, self._theta, self._dual, create_graph=True)
        self._read = self._outputs.detach().requires_grad_()
        mean = loss.loss(self._read, loss.targets).mean()
        (self._slope,) = torch.autograd.grad(mean, self._read, create_graph=True)

    def __call__(self, vector: Tensor) -> Tensor:
        """The product with `vector` (n,)."""
        (along,) = torch.autograd.grad(self._pulled, self._dual, vector, retain_graph=True)
        (bent,) = torch.autograd.grad(self._slope, self._read, along, retain_graph=True)
        return torch.autograd.grad(self._outputs, self._theta, bent, retain_graph=True)[0]


class Hessian:
    """v ↦ ∇² J v, exactly; it may be indefinite."""

    def __init__(self, loss: NoisyLoss, theta: Array, scale: Tensor) -> None:
        self._theta = loss.parameters(theta)
        (self._gradient,) = torch.autograd.grad(loss(self._theta, scale), self._theta, create_graph=True)

    def __call__(self, vector: Tensor) -> Tensor:
        """The product with `vector` (n,)."""
        return torch.autograd.grad(self._gradient, self._theta, vector, retain_graph=True)[0]
