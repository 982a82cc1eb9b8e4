"""Losses and scores of single samples."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Logits = Callable[[Tensor], Tensor]
"""Logits (samples, classes) of a device's outputs (samples, n_out)."""


@dataclass(frozen=True)
class CrossEntropy:
    """The cross-entropy of classes 0, 1, …, of logits that are made of the outputs."""

    logits: Logits

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `calibration.tuning.task.Loss`."""
        return nn.functional.cross_entropy(self.logits(outputs), targets, reduction="none")


@dataclass(frozen=True)
class Correct:
    """1 where the highest logit is that of the class, else 0: its mean is the accuracy."""

    logits: Logits

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `calibration.tuning.task.Score`."""
        return (self.logits(outputs).argmax(dim=-1) == targets).double()


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean square of the outputs' errors, of each sample."""
    return (outputs - targets).square().mean(dim=-1)


def share_fidelity(outputs: Tensor, targets: Tensor) -> Tensor:
    """Amplitude fidelity Σ √(p q) of the shares p of the powers to the wanted shares q, of each sample."""
    shares = outputs.clamp(min=0.0)
    shares = shares / shares.sum(dim=-1, keepdim=True).clamp(min=1e-30)
    # the root has no derivative in the dark
    return ((shares + 1e-12) * targets).sqrt().sum(dim=-1)


def share_infidelity(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 minus `share_fidelity`."""
    fidelity = share_fidelity(outputs, targets)
    return torch.ones_like(fidelity) - fidelity
