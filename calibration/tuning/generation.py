"""A generation of candidates, all read on the same examples."""

from collections.abc import Generator, Iterable

import numpy as np

from calibration.device import Array
from calibration.tuning.method import Answer, Query
from calibration.tuning.task import Rows


def losses_of(candidates: Iterable[Array], rows: Rows) -> Generator[Query, Answer, Array]:
    """Mean loss of each of `candidates` (..., n) on the training examples `rows`, (candidates,).

    What the examples themselves do to the loss is common to all, and cancels in their order and their differences.
    """
    losses = []
    for theta in candidates:
        answer = yield Query(theta, rows)
        losses.append(answer.loss)
    return np.array(losses)
