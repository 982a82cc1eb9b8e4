"""Training in silico: the controls of a differentiable model, for telling classes apart."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from calibration.errors import NotEnoughData, PlanError

Scores = Callable[[Tensor, Tensor], Tensor]
"""Logits (..., classes) of inputs (..., n_inputs) under controls (n_controls,), differentiable."""


@dataclass(frozen=True)
class ClassifierPlan:
    """How to train.

    Attributes:
        steps: of Adam, its rate falling from `rate` to nothing on a cosine.
        batch_size: samples a step, drawn anew each time.
        rate: highest learning rate, in the controls' unit.
        seed: of the batches.
    """

    steps: int = 300
    batch_size: int = 128
    rate: float = 0.03
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1:
            raise PlanError(f"steps {self.steps}, batch_size {self.batch_size}: at least 1 each")
        if not 0.0 < self.rate < math.inf:
            raise PlanError(f"rate {self.rate}: should be positive")


def train_classifier(
    scores: Scores, start: Tensor, inputs: Tensor, labels: Tensor, plan: ClassifierPlan | None = None
) -> Tensor:
    """Controls (n_controls,) whose scores have the least cross-entropy with the labels.

    Args:
        scores: what is trained; one that draws noise makes the training noise-aware.
        start: controls to start from; stays as it is.
        inputs: (samples, n_inputs).
        labels: number of each sample's class, (samples,).

    Raises:
        NotEnoughData: no sample, or not one label for each.
        PlanError: the loss is not finite any more; a lower rate may help.
    """
    plan = plan or ClassifierPlan()
    if not len(inputs) or len(inputs) != len(labels):
        raise NotEnoughData(f"{len(inputs)} samples with {len(labels)} labels; each sample needs one")
    generator = torch.Generator().manual_seed(plan.seed)
    controls = start.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([controls], lr=plan.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.steps)
    for step in range(plan.steps):
        drawn = torch.randint(len(inputs), (min(plan.batch_size, len(inputs)),), generator=generator)
        loss = nn.functional.cross_entropy(scores(inputs[drawn], controls), labels[drawn])
        if not torch.isfinite(loss):
            raise PlanError(f"the loss is {loss.item():g} at step {step}; lower the rate of {plan.rate:g}")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return controls.detach()


def power_scores(powers: Tensor, sharpness: float = 8.0) -> Tensor:
    """Logits of powers (..., classes): their share of the root of their summed squares, times `sharpness`.

    So a dimmer laser changes no decision; the bound keeps the training from driving the light into few ports.
    """
    return sharpness * nn.functional.normalize(powers, dim=-1, eps=1e-30)


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Share of samples whose highest score, of (samples, classes), is that of their class, (samples,)."""
    return float((scores.argmax(dim=-1) == labels).to(torch.float64).mean())
