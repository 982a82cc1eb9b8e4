"""The best threshold on a readout, exactly: by sorting, for one set of readings or a whole population."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from calibration.device import Array
from calibration.errors import ShapeError
from calibration.tasks.task import Labels

Polarity = Literal["high", "low", "either"]


class Thresholds(NamedTuple):
    """The best cut of each row: see `best_thresholds`. All have the leading shape of the outputs."""

    threshold: Array
    accuracy: Array
    margin: Array
    sign: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Threshold:
    """The best cut of one set of readings.

    Attributes:
        threshold: outputs above it read as the class `high`; in the unit of the outputs, as the margin.
        accuracy: share of readings on their label's side.
        margin: gap between the nearest members of the two classes; negative where they overlap.
        high: the label that lies above the threshold.
    """

    threshold: float
    accuracy: float
    margin: float
    high: int


def best_threshold(outputs: Array, labels: Labels, polarity: Polarity = "high") -> Threshold:
    """The best cut of `outputs` (n,) for `labels` (n,): see `best_thresholds`."""
    found = best_thresholds(outputs, labels, polarity)
    return Threshold(float(found.threshold), float(found.accuracy), float(found.margin), int(found.sign > 0))


def best_thresholds(outputs: Array, labels: Labels, polarity: Polarity = "high") -> Thresholds:
    """The threshold of highest accuracy for every row of `outputs` (..., n) under `labels` (n,) of 0 and 1.

    With `polarity` "high" a 1 must lie above the threshold, with "low" below, with "either" on whichever
    side is better (`sign` is 1 for above, -1 for below). Of equally accurate cuts it is the middle of the
    widest gap; a cut with nothing on one side lies at the outermost output. Equal outputs are never parted.
    `margin` is the gap between the classes' nearest members, whatever the cut. Raises ShapeError unless
    both classes are present.
    """
    if labels.ndim != 1 or outputs.shape[-1:] != labels.shape:
        raise ShapeError(f"outputs {outputs.shape} and labels {labels.shape} do not fit")
    ones = labels == 1
    if not ones.any() or ones.all():
        raise ShapeError("a threshold needs readings of both labels")
    if polarity == "high":
        return _above(outputs, ones, 1)
    if polarity == "low":
        return _above(outputs, ~ones, -1)
    up, down = _above(outputs, ones, 1), _above(outputs, ~ones, -1)
    better = (up.accuracy > down.accuracy) | ((up.accuracy == down.accuracy) & (up.margin >= down.margin))
    return Thresholds(*(np.where(better, a, b) for a, b in zip(up, down, strict=True)))


def _above(outputs: Array, above: npt.NDArray[np.bool_], sign: int) -> Thresholds:
    """The best cuts with the readings `above` on the upper side."""
    n = above.size
    order = np.argsort(outputs, axis=-1, kind="stable")
    ranked = np.take_along_axis(outputs, order, axis=-1)
    upper = above[order]
    # Cut k has k outputs at or below it; right are the lower ones among those and the upper ones beyond.
    right = np.zeros((*outputs.shape[:-1], n + 1))
    right[..., 1:] = np.cumsum(np.where(upper, -1.0, 1.0), axis=-1)
    right += above.sum()
    gap = np.zeros_like(right)
    gap[..., 1:-1] = np.diff(ranked, axis=-1)
    right[..., 1:-1][gap[..., 1:-1] == 0.0] = -1.0
    best = right.max(axis=-1)
    cut = np.where(right == best[..., None], gap, -1.0).argmax(axis=-1)[..., None]
    below = np.take_along_axis(ranked, np.maximum(cut - 1, 0), axis=-1)[..., 0]
    beyond = np.take_along_axis(ranked, np.minimum(cut, n - 1), axis=-1)[..., 0]
    threshold = below + 0.5 * (beyond - below)
    # Between neighbouring floats the middle rounds to one of them; it must be the lower.
    threshold = np.where(threshold >= beyond, below, threshold)
    threshold = np.where(cut[..., 0] == 0, np.nextafter(beyond, -np.inf), threshold)
    margin = outputs[..., above].min(axis=-1) - outputs[..., ~above].max(axis=-1)
    return Thresholds(threshold, best / n, margin, np.full(best.shape, sign, dtype=np.int64))
