"""Losses and scores of a readout current for tasks of two classes: gates, truth tables, labelled points.

None of them knows a threshold: a dopant network is read out by a threshold that is chosen afterwards, so what counts
is how the currents of the two classes lie to one another. The losses and scores are of single samples, each seen
against all samples of the same asking; where these are of one class, ReadingFailed is raised.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from calibration.device import Array
from calibration.errors import PlanError, ReadingFailed, ShapeError
from calibration.tasks.task import Labels, Task
from calibration.tasks.threshold import best_threshold
from calibration.tuning.task import Examples, Loss, Score, TuningTask


@dataclass(frozen=True)
class Correlation:
    """1 - t z of each sample: the mean is 1 - r, with r the correlation of currents and labels.

    z = (I - mean I) / √(var I + noise²), t the labels, standardised likewise; the noise in the denominator keeps a chip
    that hardly answers from being taken for a good one. 0 where each class has one current, 1 for a chip that does not
    tell them apart, 2 where they are the wrong way round.

    Attributes:
        noise_A: standard deviation of one sample.
        high: the label whose currents are to be the higher ones.
    """

    noise_A: float
    high: int = 1

    def __post_init__(self) -> None:
        _check(self.noise_A, self.high)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `calibration.tuning.task.Loss`."""
        current, above = _sides(outputs, targets, self.high)
        wanted = above.to(current)
        wanted = (wanted - wanted.mean()) / wanted.std(correction=0)
        away = current - current.mean()
        return 1.0 - wanted * away / (away.square().mean() + self.noise_A**2).sqrt()


@dataclass(frozen=True)
class SoftMargin:
    """The mean over all samples j of the other class of log(1 + exp(m - g_ij / s)), g_ij their gap in the right order.

    s = √(noise² + (share · spread)²) with the spread of all currents of the asking: gaps count in units of what is
    there, so that large and small currents are alike, and at least in units of the noise. Pairs in the right order by
    well over m s cost nothing; those in the wrong order cost their gap.

    Attributes:
        noise_A: standard deviation of one sample.
        share: of the spread, in the unit of the gaps; a smaller one looks at the nearest pairs more.
        margin: m, the gap that is asked for, in the unit.
        high: the label whose currents are to be the higher ones.
    """

    noise_A: float
    share: float = 0.25
    margin: float = 1.0
    high: int = 1

    def __post_init__(self) -> None:
        _check(self.noise_A, self.high)
        if not (self.share > 0.0 and self.margin >= 0.0):
            raise PlanError(f"share {self.share}, margin {self.margin}: positive, and not negative")

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `calibration.tuning.task.Loss`."""
        current, above = _sides(outputs, targets, self.high)
        unit = (self.noise_A**2 + self.share**2 * current.var(correction=0)).sqrt()
        gaps = current[:, None] - current[None, :]
        gaps = torch.where(above[:, None], gaps, -gaps) / unit
        others = above[:, None] != above[None, :]
        cost = nn.functional.softplus(self.margin - gaps)
        return (cost * others).sum(dim=1) / others.sum(dim=1)


@dataclass(frozen=True)
class RightSide:
    """1 where a sample lies on its label's side of a threshold, else 0: the mean is the accuracy.

    Attributes:
        threshold_A: currents above it read as the label `high`; without one it is the best one of each asking, as
            when a gate is read out, which flatters what is read by at most what a threshold can.
        high: the label that lies above.
    """

    threshold_A: float | None = None
    high: int = 1

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `calibration.tuning.task.Score`."""
        current, above = _sides(outputs, targets, self.high)
        threshold = _best(current, above) if self.threshold_A is None else self.threshold_A
        return ((current > threshold) == above).double()

    @classmethod
    def fitted(cls, outputs: Tensor, targets: Tensor, high: int = 1) -> Self:
        """With the best threshold of these samples: of the training set, to be used on others."""
        return cls(_best(*_sides(outputs, targets, high)), high)


def tuning_task(
    task: Task,
    *,
    noise_A: float,
    high: int = 1,
    loss: Loss | None = None,
    score: Score | None = None,
    probes: int = 8,
    test: Task | None = None,
) -> TuningTask:
    """A task as what a chip is tuned for, in the device's volts.

    The probe set has every point `probes` times: each time it is read anew. An improvement at a single one of four
    points that is large against the noise is told from none with 8.

    Args:
        task: its points in the order of the device's inputs.
        noise_A: standard deviation of one sample, as read: what the default loss measures gaps by.
        high: the label whose currents are the higher ones, such as a `Solution` says.
        loss: of single samples; `SoftMargin` unless said.
        score: `RightSide` of the best threshold unless said.
        probes: even, so that both halves of the probe set hold every point.
        test: points to be reported on, where there are others than those of the task.
    """
    if probes < 2 or probes % 2:
        raise PlanError(f"{probes} probes of each point; the two halves of a check need an even number")

    def examples(of: Task, times: int) -> Examples:
        return Examples(np.tile(of.points, (times, 1)), torch.as_tensor(np.tile(of.labels, times)))

    return TuningTask(
        examples(task, 1),
        examples(task, probes),
        loss or SoftMargin(noise_A, high=high),
        score or RightSide(high=high),
        None if test is None else examples(test, 1),
    )


def _check(noise_A: float, high: int) -> None:
    if not noise_A > 0.0:
        raise PlanError(f"noise_A {noise_A}: positive; what a reading differs by from one time to the next")
    if high not in (0, 1):
        raise PlanError(f"high {high}: one of the labels, 0 and 1")


def _sides(outputs: Tensor, targets: Tensor, high: int) -> tuple[Tensor, Tensor]:
    """Currents (samples,) and which of them are to be the higher ones."""
    above = targets == high
    if outputs.ndim != 2 or outputs.shape[-1] != 1:
        raise ShapeError(f"outputs {tuple(outputs.shape)}; a task of two classes is read from one current")
    if bool(above.all()) or not bool(above.any()):
        raise ReadingFailed(
            f"all {len(above)} usable samples of an asking are of one class; ask for more at a time, or see why the "
            "others are flagged"
        )
    return outputs[:, 0], above


def _best(current: Tensor, above: Tensor) -> float:
    values: Array = current.detach().cpu().double().numpy()
    labels: Labels = above.cpu().numpy().astype(np.int64)
    return best_threshold(values, labels).threshold
