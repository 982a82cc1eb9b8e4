"""Physical local learning: every layer learns from a contrast that is seen right behind it."""

import math
import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from calibration.device import Array, Device
from calibration.errors import PlanError
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.task import Examples
from calibration.tuning.updates import Update, falling

Contrast = Literal["classes", "labels"]


@dataclass(frozen=True)
class Phyll(Method):
    """Local learning without a model, after PhyLL (Momeni et al., Science 382, 1297 (2023)).

    All parameters are perturbed at once, θ ± c Δ with Δ = ±1. Each layer k has a loss L_k of its own, of what its tap
    reads, and takes the slope of that one alone: g_k = [L_k(+) - L_k(-)] / (2 c) Δ_k. So one pair of passes serves all
    layers, what a layer is told does not depend on those behind it, and the last layer has the task's loss.

    With the contrast "classes" L_k is the cross-entropy of `sharpness` times the cosines between what the tap reads of
    a sample and its mean over the other samples of each class, all less the mean over the batch. It fits any task of
    classes and any inputs. With "labels" the last `label_inputs` inputs are kept for a label: `label_amplitude` at the
    place of a class, 0 at the others. The right label makes positive data, another one negative data, and
    L_k = log(1 + exp(sharpness · cosine of the two)) drives them apart; the last layer reads the examples as they are.

    It differs from the paper: there, the parameters are digital matrices in front of fixed physical layers, whose
    local gradient is computed, data are embedded with their labels, and a class is found by trying all labels. Here
    the parameters are the chip's own, their gradient is that of a simultaneous perturbation, the outputs are read as
    the task reads them, and a contrast of classes is the default, since chips that were trained have no input for a
    label.

    Which layer a control belongs to is in its name: what stands before the first dot or underscore,
    as in 0.t0_0 or p0_3_7.

    Attributes:
        update: of the parameters.
        perturbation: c, in the parameters' scale.
        batch: examples of each reading.
        directions: how many Δ are averaged in a step.
        stability: A, in steps; the rate falls as 1 / (k + 1 + A)^0.602 as that of SPSA, for nothing but their own
            contrast calls back the inner layers from where chance has led them.
        contrast: classes or labels.
        sharpness: of the cosines.
        label_inputs: how many inputs are kept for the label; as many as classes at least.
        label_amplitude: in the inputs' unit.
    """

    name: ClassVar[str] = "phyll"
    update: Update = field(default_factory=Update)
    perturbation: float = 0.02
    batch: int = 64
    directions: int = 1
    stability: float = 50.0
    contrast: Contrast = "classes"
    sharpness: float = 8.0
    label_inputs: int = 0
    label_amplitude: float = 1.0

    def __post_init__(self) -> None:
        if self.batch < 4 or self.directions < 1:
            raise PlanError(f"batch {self.batch}, directions {self.directions}: at least 4 and 1")
        if not (0.0 < self.perturbation < math.inf and 0.0 < self.sharpness < math.inf):
            raise PlanError(f"perturbation {self.perturbation}, sharpness {self.sharpness}: positive numbers")
        if not 0.0 <= self.stability < math.inf:
            raise PlanError(f"stability {self.stability}: steps, not negative")
        if self.contrast not in ("classes", "labels"):
            raise PlanError(f"contrast {self.contrast!r}; there are classes, labels")
        if self.contrast == "labels" and self.label_inputs < 2:
            raise PlanError(
                f"label_inputs {self.label_inputs}: a contrast of labels needs one for each class"
            )

    def check(self, problem: Problem, device: Device) -> None:
        """See `Method`."""
        layers = len(set(_layer_of(problem.limits.names)))
        if layers < 2 or layers != len(device.taps) + 1:
            raise PlanError(
                f"the controls' names are those of {layers} layers, and the device has {len(device.taps)} taps; phyll "
                "needs two layers at least, and a tap behind each but the last"
            )
        targets = problem.task.training.targets
        if targets.ndim != 1 or targets.is_floating_point():
            raise PlanError("phyll needs classes as targets, 0, 1, …; choose another method for other tasks")
        if self.contrast == "labels":
            self._check_labels(problem, device, int(targets.max()) + 1)

    def _check_labels(self, problem: Problem, device: Device, classes: int) -> None:
        n = len(device.inputs.names)
        if not classes <= self.label_inputs < n:
            raise PlanError(
                f"label_inputs {self.label_inputs}: {classes} classes need as many, and some of the {n} inputs are "
                "for the data"
            )
        low, high = device.inputs.low[-self.label_inputs :], device.inputs.high[-self.label_inputs :]
        if not ((low <= min(self.label_amplitude, 0.0)) & (max(self.label_amplitude, 0.0) <= high)).all():
            raise PlanError(
                f"label_amplitude {self.label_amplitude:g}: labels need 0 and this on {device.inputs.names[-1]} and "
                f"its neighbours, which go from {low.max():g} to {high.min():g}"
            )

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        each = 3 if self.contrast == "labels" else 1
        return 2 * self.directions * each * problem.batch_cost(self.batch)

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        rng, layer = problem.rng(number), _layer_of(problem.limits.names)
        gradient, losses = np.zeros_like(state.theta), []
        for _ in range(self.directions):
            signs = rng.choice((-1.0, 1.0), state.theta.shape)
            above = yield from self._losses(problem, state.theta + self.perturbation * signs, number)
            below = yield from self._losses(problem, state.theta - self.perturbation * signs, number)
            slopes = (above - below) / (2.0 * self.perturbation * self.directions)
            gradient += slopes[layer] * signs
            losses += [above, below]
        fall = falling(number, 1.0 + self.stability)
        theta, memory = self.update.apply(state.theta, gradient, state.memory, fall)
        means = np.mean(losses, axis=0)
        figures = {f"local{k}": float(loss) for k, loss in enumerate(means[:-1])}
        return Stepped(State(theta, memory), float(means[-1]), figures)

    def _losses(self, problem: Problem, theta: Array, number: int) -> Generator[Query, Answer, Array]:
        """The loss of each layer, (layers,)."""
        rows = problem.batch(number, self.batch)
        answer = yield Query(theta, rows)
        if self.contrast == "classes":
            usable = answer.reading.usable
            targets = answer.targets[usable]
            taps = [values[usable] for values in answer.reading.taps.values()]
            local = [class_contrast(values, targets, self.sharpness) for values in taps]
        else:
            classes = int(problem.task.training.targets.max()) + 1
            right = problem.task.training.targets[torch.as_tensor(rows)].numpy()
            wrong = (right + problem.rng(number, 2).integers(1, classes, len(rows))) % classes
            label = self.label_inputs, self.label_amplitude
            positive = yield LabelledQuery(theta, rows, right, *label)
            negative = yield LabelledQuery(theta, rows, wrong, *label)
            usable = positive.reading.usable & negative.reading.usable
            local = [
                label_contrast(values[usable], negative.reading.taps[name][usable], self.sharpness)
                for name, values in positive.reading.taps.items()
            ]
        return np.array([*local, answer.loss])


@dataclass(frozen=True, eq=False)
class LabelledQuery(Query):
    """Examples whose last inputs hold a label.

    Attributes:
        labels: of each example, (rows,).
        label_inputs, label_amplitude: see `Phyll`.
    """

    labels: np.ndarray[tuple[int], np.dtype[np.int64]]
    label_inputs: int
    label_amplitude: float

    def examples(self, problem: Problem) -> Examples:
        """See `Query`."""
        plain = super().examples(problem)
        inputs = plain.inputs.copy()
        inputs[:, -self.label_inputs :] = self.label_amplitude * np.eye(self.label_inputs)[self.labels]
        return Examples(inputs, plain.targets)


def class_contrast(values: Tensor, targets: Tensor, sharpness: float) -> float:
    """Cross-entropy of the classes `targets` (samples,) by the cosines of `values` (samples, n) with the classes'
    means, a sample left out of its own; samples that are alone in their class do not count.

    Smaller is better parted; nan where no sample has company.
    """
    centred = values - values.mean(dim=0)
    known, place = torch.unique(targets, return_inverse=True)
    member = nn.functional.one_hot(place, len(known)).to(values.dtype)
    sums, counts = member.T @ centred, member.sum(dim=0)
    # (samples, classes, n): a mean's direction is that of its sum
    others = sums[None] - member[:, :, None] * centred[:, None]
    cosines = nn.functional.cosine_similarity(centred[:, None], others, dim=-1, eps=1e-30)
    losses = nn.functional.cross_entropy(sharpness * cosines, place, reduction="none")
    return float(losses[counts[place] > 1.0].mean())


def label_contrast(positive: Tensor, negative: Tensor, sharpness: float) -> float:
    """Mean of log(1 + exp(sharpness · cosine)) of pairs (samples, n) with the right and with a wrong label."""
    cosines = nn.functional.cosine_similarity(positive, negative, dim=-1, eps=1e-30)
    return float(nn.functional.softplus(sharpness * cosines).mean())


def _layer_of(names: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Number of each control's layer, (n,): layers in the order in which they first appear."""
    layers = [re.split("[._]", name)[0] for name in names]
    number = {layer: k for k, layer in enumerate(dict.fromkeys(layers))}
    return np.array([number[layer] for layer in layers])
