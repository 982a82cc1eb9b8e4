"""How near one mesh's matrix is to another's; all of it batched, all 1 (or 0) for equal matrices.

Matrices are (..., N, N) with fields out = matrix @ fields in. Loss is left out: powers are shared out among the
outputs of each input, and matrices count by their shape alone.
"""

import torch
from torch import Tensor


def output_shares(matrix: Tensor) -> Tensor:
    """Share (..., N, N) of the light of each input (column) that leaves at each output (row)."""
    return shares(matrix.real.square() + matrix.imag.square())


def shares(powers: Tensor) -> Tensor:
    """Powers (..., N, N), outputs by inputs, as shares of each input's light; an input without light has none."""
    whole = powers.sum(dim=-2, keepdim=True)
    return powers / torch.where(whole > 0.0, whole, 1.0)


def amplitude_fidelity(powers: Tensor, others: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean over the inputs i of Σ_j √(P_ij P'_ij), for powers (..., N, N), outputs by inputs; blind to phases.

    For matrices it is Σ_ij |U_ij| |V_ij| / N with the columns of both normalised. With `weights` (..., N) the mean is
    a weighted one: an input of which little can be read says little.
    """
    each = (shares(powers) * shares(others)).sqrt().sum(dim=-2)
    return each.mean(dim=-1) if weights is None else (weights * each).sum(dim=-1) / weights.sum(dim=-1)


def total_variation(powers: Tensor, others: Tensor) -> Tensor:
    """Mean over the inputs i of ½ Σ_j |P_ij - P'_ij|, the total variation distance of the output powers."""
    return 0.5 * (shares(powers) - shares(others)).abs().sum(dim=-2).mean(dim=-1)


def hilbert_schmidt_fidelity(target: Tensor, matrix: Tensor) -> Tensor:
    """|tr(U† D V)|² / (tr(U† U) tr(V† V)) with the best phases D after the outputs: no power meter sees those.

    For unitary matrices the denominator is N².
    """
    overlap = output_overlaps(target, matrix).abs().sum(dim=-1)
    return (overlap / (torch.linalg.matrix_norm(target) * torch.linalg.matrix_norm(matrix))).square()


def output_overlaps(target: Tensor, matrix: Tensor) -> Tensor:
    """Overlaps (..., N) of the rows, V_i* · U_i: their angles are the best phases after the outputs of V."""
    return (matrix.conj() * target).sum(dim=-1)
