"""From an estimate of the gradient to new parameters: the optimisers of torch, with their memory as arrays."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from calibration.device import Array
from calibration.errors import PlanError

Rule = Literal["plain", "momentum", "adam"]
_MEMORY = {"plain": (), "momentum": ("momentum_buffer",), "adam": ("exp_avg", "exp_avg_sq", "step")}


@dataclass(frozen=True)
class Update:
    """How a gradient moves the parameters.

    Attributes:
        rule: plain descent, with momentum, or Adam (Kingma, Ba, arXiv 1412.6980).
        rate: learning rate, in the parameters' scale.
        momentum: share of the last move that is kept; of Adam, its first coefficient.
        fall: steps after which the rate has begun to fall, see `factor`; 0 for a steady rate.
    """

    rule: Rule = "adam"
    rate: float = 0.01
    momentum: float = 0.9
    fall: float = 0.0

    def __post_init__(self) -> None:
        if self.rule not in _MEMORY:
            raise PlanError(f"update rule {self.rule!r}; there are {', '.join(_MEMORY)}")
        if not 0.0 < self.rate < math.inf or not 0.0 <= self.momentum < 1.0:
            raise PlanError(f"rate {self.rate}, momentum {self.momentum}: positive, and from 0 to below 1")
        if not 0.0 <= self.fall < math.inf:
            raise PlanError(f"fall {self.fall}: a number of steps, 0 for a steady rate")

    def factor(self, number: int) -> float:
        """Of the rate in step `number`; see `falling`."""
        return falling(number, self.fall) if self.fall else 1.0

    def apply(
        self, theta: Array, gradient: Array, memory: Mapping[str, Array], factor: float = 1.0
    ) -> tuple[Array, dict[str, Array]]:
        """New parameters, and what to remember for the next time; an empty `memory` is that of the first.

        Args:
            factor: of the rate, for schedules.
        """
        parameter = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
        parameter.grad = torch.as_tensor(gradient, dtype=torch.float64)
        rate = self.rate * factor
        optimizer: torch.optim.Optimizer
        if self.rule == "adam":
            optimizer = torch.optim.Adam([parameter], lr=rate, betas=(self.momentum, 0.999))
        else:
            kept = self.momentum if self.rule == "momentum" else 0.0
            optimizer = torch.optim.SGD([parameter], lr=rate, momentum=kept)
        known = {name: torch.as_tensor(memory[name]).clone() for name in _MEMORY[self.rule] if name in memory}
        if known:
            if "step" in known:
                known["step"] = known["step"].to(torch.float32)
            optimizer.state[parameter].update(known)
        optimizer.step()
        state = optimizer.state[parameter]
        after = {name: state[name].numpy().copy() for name in _MEMORY[self.rule]}
        return parameter.detach().numpy().copy(), after


def falling(number: int, after: float) -> float:
    """Spall's gain for noisy gradients in step `number`: (1 + number / after)^-0.602."""
    return (1.0 + number / after) ** -0.602


def halved(passed: float, every: float) -> float:
    """The factor of a rate that is halved after each stretch `every` of what has `passed`; 0 for never."""
    return 1.0 if every == 0.0 else float(0.5 ** (passed // every))
