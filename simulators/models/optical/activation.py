"""What stands between the layers of an optical network."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from simulators.errors import ModelError

Activation = Callable[[Tensor], Tensor]
"""Elementwise, of any shape, differentiable."""


@dataclass(frozen=True)
class ElectroOptic:
    """The electro-optic activation: a tap's photocurrent drives the interferometer that the rest passes.

    f(E) = √(1-α) e^{-jψ} cos(ψ) E with ψ = g |E|² / 2 + φ_b / 2 (Williamson et al., IEEE JSTQE 26, 7700412 (2020)).
    It sees the power alone, so a phase in front of it comes out behind it: f(e^{jδ} E) = e^{jδ} f(E).

    Attributes:
        tapped: α, the share of the power that goes to the detector.
        gain_rad: g, the phase that unit power turns.
        bias_rad: φ_b; at π little light passes in the dark.
    """

    tapped: float = 0.1
    gain_rad: float = 0.05 * math.pi
    bias_rad: float = math.pi

    def __post_init__(self) -> None:
        if not 0.0 <= self.tapped < 1.0:
            raise ModelError(f"activation: tapped = {self.tapped!r} should be a share from 0 to below 1")
        for name in ("gain_rad", "bias_rad"):
            if not math.isfinite(getattr(self, name)):
                raise ModelError(f"activation: {name} = {getattr(self, name)!r} should be finite")

    def __call__(self, fields: Tensor) -> Tensor:
        """Complex fields behind it, for complex `fields` in front of it, both in √(unit power)."""
        lean = 0.5 * (self.gain_rad * (fields.real.square() + fields.imag.square()) + self.bias_rad)
        passed, turn = math.sqrt(1.0 - self.tapped) * lean.cos(), -lean
        return torch.complex(passed * turn.cos(), passed * turn.sin()) * fields


_NAMED: dict[str, Activation] = {
    "identity": lambda values: values,
    "electro-optic": ElectroOptic(),
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


def activation(name: str) -> Activation:
    """The activation that `name` stands for; raises ModelError for one that is not known."""
    try:
        return _NAMED[name]
    except KeyError:
        raise ModelError(f"no activation is called {name!r}; there are {', '.join(_NAMED)}") from None
