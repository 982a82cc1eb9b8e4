"""Which parameters a step looks at, where it does not look at all of them."""

import math

import numpy as np

from calibration.tuning.method import Problem
from calibration.tuning.task import Rows


def block(problem: Problem, number: int, size: int, among: Rows | None = None) -> Rows:
    """Parameters of step `number`: a part of an order that is drawn anew each round, so each one has its turn.

    Args:
        size: how many; 0 for all.
        among: the parameters to choose from; all of them unless said.
    """
    every = np.arange(len(problem.limits.names)) if among is None else among
    size = block_size(len(every), size)
    parts = math.ceil(len(every) / size)
    turn, part = divmod(number, parts)
    order = problem.rng(turn, 2).permutation(every)
    return order[part * size : (part + 1) * size]


def block_size(parameters: int, size: int) -> int:
    """How many of so many parameters a block has at most."""
    return min(size, parameters) if size else parameters
