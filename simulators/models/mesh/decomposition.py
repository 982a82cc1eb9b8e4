"""Any unitary matrix as the phases of a mesh."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from simulators.errors import ModelError
from simulators.models.mesh.layout import MeshLayout

Complex = NDArray[np.complex128]
Step = tuple[int, float, float]
"""An MZI in the order of the light: its upper row, its θ, its φ."""

UNITARY_WITHIN = 1e-8
"""By how much an element of U† U may differ from the identity's."""


@dataclass(frozen=True, eq=False)
class MeshSetting:
    """Phases that give a perfect mesh its matrix, in rad, float64.

    Attributes:
        phases: of the shifters, (2 M,), internal ones first: θ in [0, π], φ in [0, 2 π).
        output: after each output port, (N,), in [0, 2 π): what `Mesh.output_offset` has to be.
    """

    phases: Tensor
    output: Tensor


def decompose(unitary: ArrayLike | Tensor, layout: MeshLayout) -> MeshSetting:
    """The phases with which a perfect mesh of `layout` has the matrix `unitary` (N, N).

    Elements are nulled one after the other by MZIs before or after the matrix: in a rectangle from both sides
    (Clements et al., Optica 3, 1460 (2016)), in a triangle from the inputs' side alone (Reck et al., PRL 73, 58
    (1994)), both for the MZI of `mzi_elements`.

    Raises:
        ModelError: the matrix does not fit the mesh, is not finite or not unitary; says what would do.
    """
    matrix = checked_unitary(unitary, layout.ports)
    steps, output = (_from_both_sides if layout.kind == "rectangular" else _from_inputs)(matrix)
    # As early as the light allows: this is where the layout has its MZIs.
    free = np.zeros(layout.ports, dtype=int)
    number = {(place.column, place.row): k for k, place in enumerate(layout.mzis)}
    phases = np.empty((2, len(layout.mzis)))
    for row, theta, phi in steps:
        column = int(free[row : row + 2].max())
        free[row : row + 2] = column + 1
        phases[:, number[column, row]] = theta, phi % (2.0 * np.pi)
    return MeshSetting(torch.as_tensor(phases.ravel()), torch.as_tensor(np.angle(output) % (2.0 * np.pi)))


def padded(matrix: ArrayLike | Tensor, ports: int) -> Complex:
    """A square matrix on the first of `ports` ports; the light of the others passes them straight.

    Raises ModelError for a matrix that is larger than that.
    """
    small = _square(matrix)
    if len(small) > ports:
        raise ModelError(_too_large(len(small), ports))
    whole = np.eye(ports, dtype=np.complex128)
    whole[: len(small), : len(small)] = small
    return whole


def checked_unitary(matrix: ArrayLike | Tensor, ports: int) -> Complex:
    """The matrix as a new array; raises ModelError unless it is unitary and (ports, ports)."""
    square = _square(matrix)
    if len(square) > ports:
        raise ModelError(_too_large(len(square), ports))
    if len(square) < ports:
        raise ModelError(
            f"a matrix {len(square)} x {len(square)} leaves ports of a mesh of {ports} open: pad it with `padded`"
        )
    off = float(np.abs(square.conj().T @ square - np.eye(ports)).max())
    if off > UNITARY_WITHIN:
        raise ModelError(
            f"the matrix is not unitary: U† U is {off:.3g} off the identity, at most {UNITARY_WITHIN:g} is allowed; "
            "a mesh cannot have it, two meshes with attenuators between them can (`SingularValueForm`)"
        )
    return square


def _square(matrix: ArrayLike | Tensor) -> Complex:
    square = np.array(
        matrix.detach().cpu().numpy() if isinstance(matrix, Tensor) else matrix, dtype=np.complex128
    )
    if square.ndim != 2 or square.shape[0] != square.shape[1]:
        raise ModelError(f"a mesh has a square matrix, not one of shape {square.shape}")
    if not np.isfinite(square).all():
        row, column = np.argwhere(~np.isfinite(square))[0]
        raise ModelError(f"the matrix is not finite: element ({row}, {column}) is {square[row, column]}")
    return square


def _too_large(size: int, ports: int) -> str:
    return (
        f"a matrix {size} x {size} does not fit a mesh of {ports} ports; it can have any unitary up to "
        f"{ports} x {ports} (`padded` makes a smaller one fit)"
    )


def _from_inputs(matrix: Complex) -> tuple[list[Step], Complex]:
    n = len(matrix)
    steps = [_null_before(matrix, low, row) for low in range(n - 1, 0, -1) for row in range(low)]
    return steps, np.diagonal(matrix).copy()


def _from_both_sides(matrix: Complex) -> tuple[list[Step], Complex]:
    n = len(matrix)
    before: list[Step] = []
    after: list[Step] = []
    for diagonal in range(1, n):
        if diagonal % 2:
            for k in range(diagonal):
                before.append(_null_before(matrix, n - 1 - k, diagonal - 1 - k))
        else:
            for k in range(diagonal):
                after.append(_null_after(matrix, n - 1 - diagonal + k, k))
    # U = T₁† … T_k† D (those before): each T† D = D' T', so that the phases D end up behind everything.
    output = np.diagonal(matrix).copy()
    moved: list[Step] = []
    for row, theta, phi in reversed(after):
        upper, lower = output[row], output[row + 1]
        moved.append((row, theta, float(np.angle(upper * lower.conj()))))
        output[row + 1] = -np.exp(-1j * theta) * lower
        output[row] = np.exp(-1j * phi) * output[row + 1]
    return before + moved, output


def _null_before(matrix: Complex, low: int, row: int) -> Step:
    """Make element (low, row) zero by the inverse of an MZI on inputs `row` and `row` + 1."""
    u, v = matrix[low, row], matrix[low, row + 1]
    theta, phi = 2.0 * float(np.arctan2(abs(v), abs(u))), float(np.angle(u) - np.angle(-v))
    matrix[:, row : row + 2] = matrix[:, row : row + 2] @ _mzi(theta, phi).conj().T
    return row, theta, phi


def _null_after(matrix: Complex, row: int, column: int) -> Step:
    """Make element (row + 1, column) zero by an MZI on outputs `row` and `row` + 1."""
    u, v = matrix[row, column], matrix[row + 1, column]
    theta, phi = 2.0 * float(np.arctan2(abs(u), abs(v))), float(np.angle(v) - np.angle(u))
    matrix[row : row + 2] = _mzi(theta, phi) @ matrix[row : row + 2]
    return row, theta, phi


def _mzi(theta: float, phi: float) -> Complex:
    s, c, turn = np.sin(theta / 2.0), np.cos(theta / 2.0), np.exp(1j * phi)
    return 1j * np.exp(0.5j * theta) * np.array([[turn * s, c], [turn * c, -s]])
