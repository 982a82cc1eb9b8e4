"""Solving with a curvature that is known by its products alone."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""The symmetric matrix times a vector (n,)."""


@dataclass(frozen=True, eq=False)
class Solved:
    """What came of it.

    Attributes:
        solution: (n,).
        iterations: done.
        residual: norm of what is left, as a share of the right side's.
        negative: whether a direction of negative curvature was met, where it stops.
    """

    solution: Tensor
    iterations: int
    residual: float
    negative: bool


def conjugate_gradients(
    product: Product, right: Tensor, iterations: int, damping: float = 0.0, tolerance: float = 1e-6
) -> Solved:
    """Solve (A + λ I) x = b from x = 0 with a few products: stopped early, stiff directions are done first.

    After one iteration x = b (bᵀb) / (bᵀ(A + λ I) b), the lowest point of the quadratic along b. Where the curvature
    along a search direction is not positive, it ends with what it has (Steihaug, SIAM J. Numer. Anal. 20, 626
    (1983)), and in the first iteration, where that is nothing, with b over the size of its curvature.

    Args:
        product: A.
        right: b, (n,).
        iterations: at most.
        damping: λ, in A's unit.
        tolerance: of the residual, as a share of the norm of b.
    """
    solution, rest = torch.zeros_like(right), right.clone()
    square = start = float(rest @ rest)
    toward, done, negative = rest.clone(), 0, False
    while done < iterations and square > tolerance**2 * start:
        turned = product(toward) + damping * toward
        curvature = float(toward @ turned)
        if curvature <= 0.0:
            negative = True
            if not done and curvature < 0.0:
                solution = square / -curvature * toward
            break
        solution += square / curvature * toward
        rest -= square / curvature * turned
        before, square = square, float(rest @ rest)
        toward = rest + square / before * toward
        done += 1
    return Solved(solution, done, (square / start) ** 0.5 if start > 0.0 else 0.0, negative)
