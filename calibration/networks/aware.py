"""Training in silico for the chip that is to come: with its noise, its stray phases, its converter's steps.

train_classifier(noisy_controls(scores, 0.05, generator), …)            phases that stray by 0.05 rad
train_classifier(quantised_controls(scores, Quantiser(0.0, τ, 4)), …)   phases of 4 bits
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from calibration.errors import PlanError
from calibration.networks.training import Scores
from simulators.models.model import Model
from simulators.models.optical import NoisyNetwork


@dataclass(frozen=True)
class Quantiser:
    """A converter of 2^bits levels, evenly spread from `low` to `high`, both of them levels.

    Attributes:
        low, high: ends of its range, in the controls' unit.
        bits: of its resolution.
        periodic: for phases: `high` is `low` again, so that there are 2^bits different levels in a turn.
        of_root: for phases that heaters make from voltages, φ ∝ V²: the levels are evenly spread in V; `low` is
            then not negative.
    """

    low: float
    high: float
    bits: int
    periodic: bool = False
    of_root: bool = False

    def __post_init__(self) -> None:
        if self.bits < 1:
            raise PlanError(f"bits {self.bits}: at least 1")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise PlanError(f"range {self.low} to {self.high}: finite, the lower end first")
        if self.of_root and (self.periodic or self.low < 0.0):
            raise PlanError("levels of a root: neither periodic, nor of a range that begins below zero")

    def nearest(self, controls: Tensor) -> Tensor:
        """The nearest levels; of controls outside the range, its ends, or of periodic ones, inside again."""
        low, high = (math.sqrt(end) if self.of_root else end for end in (self.low, self.high))
        if self.periodic:
            step = (high - low) / 2**self.bits
            return low + step * ((controls - low) / step).round().remainder(2**self.bits)
        inside = controls.clamp(self.low, self.high)
        step = (high - low) / (2**self.bits - 1)
        levels = low + step * (((inside.sqrt() if self.of_root else inside) - low) / step).round()
        return levels.square() if self.of_root else levels

    def __call__(self, controls: Tensor) -> Tensor:
        """`nearest`, with the gradient of the controls as they are: the straight-through estimate.

        (Bengio, Léonard, Courville, arXiv 1308.3432.)
        """
        return controls + (self.nearest(controls) - controls).detach()


def quantised_controls(scores: Scores, quantiser: Quantiser) -> Scores:
    """Scores under controls of few levels: what quantisation-aware training trains."""

    def aware(inputs: Tensor, controls: Tensor) -> Tensor:
        return scores(inputs, quantiser(controls))

    return aware


def noisy_controls(scores: Scores, std: float | Tensor, generator: torch.Generator) -> Scores:
    """Scores under controls that stray by `std`, in their unit, drawn anew each time.

    Training with them finds controls that a chip's small errors, its drift or its supply's noise harm less.
    """
    _check(std, "controls")

    def aware(inputs: Tensor, controls: Tensor) -> Tensor:
        return scores(inputs, controls + std * _drawn(controls, generator))

    return aware


def noisy_outputs(
    model: Model,
    logits: Callable[[Tensor], Tensor],
    generator: torch.Generator,
    *,
    relative: float,
    floor: float = 0.0,
) -> Scores:
    """Scores of readings that carry noise: a share of each reading, and a floor in the outputs' unit.

    Args:
        logits: of the model's outputs.
    """
    _check(relative, "relative")
    _check(floor, "floor")

    def aware(inputs: Tensor, controls: Tensor) -> Tensor:
        outputs: Tensor = model(inputs, controls)
        size = torch.hypot(relative * outputs.detach(), torch.as_tensor(floor).to(outputs))
        return logits(outputs + size * _drawn(outputs, generator))

    return aware


def noisy_layers(network: NoisyNetwork, generator: torch.Generator, scale: float = 1.0) -> Scores:
    """Outputs of a network whose sums and activations carry its own noise, drawn anew each time.

    Args:
        scale: factor on its levels, for training with more or less noise than it is thought to have.
    """
    _check(scale, "scale")

    def aware(inputs: Tensor, controls: Tensor) -> Tensor:
        drawn = network.draw(inputs.shape[:1], generator)
        return network(inputs, controls, drawn, torch.as_tensor(scale).to(inputs))

    return aware


def _drawn(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype)


def _check(size: float | Tensor, what: str) -> None:
    value = torch.as_tensor(size)
    if not bool((torch.isfinite(value) & (value >= 0.0)).all()):
        raise PlanError(f"noise of {what}, {size}: finite, not negative")
