"""The matrix that is to be put on a mesh: read from a file, checked, and brought to the mesh's size."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import svd
from scipy.stats import unitary_group

from hil.errors import ConfigError
from simulators.models.mesh import padded

Matrix = npt.NDArray[np.complex128]
_UNITARY = 1e-4
"""By how much U† U may be off the identity: single precision and training leave that much."""
_MOST = 128
"""Ports of the largest mesh."""


@dataclass(frozen=True, eq=False)
class Target:
    """A unitary of the mesh's size, and how it came to be.

    Attributes:
        unitary: (N, N).
        source: where the matrix is from, in words.
        wanted: shape of the matrix that was given; it is the upper left part, over `scale`.
        scale: by which the matrix was divided so that light can do it; 1 for a unitary.
        notes: what was done to it, in sentences.
    """

    unitary: Matrix
    source: str
    wanted: tuple[int, int]
    scale: float = 1.0
    notes: tuple[str, ...] = ()


def haar(ports: int, seed: int) -> Target:
    """A random unitary, evenly distributed."""
    rng = np.random.default_rng(seed)
    unitary = unitary_group.rvs(ports, random_state=rng) if ports > 1 else np.eye(1)
    return Target(np.asarray(unitary, dtype=np.complex128), f"Haar-random, seed {seed}", (ports, ports))


def read_target(path: Path, ports: int) -> Target:
    """The matrix in a .npy or .safetensors file, for a mesh of so many ports; see `as_target`.

    Raises ConfigError for a file that is no matrix, or one that does not fit.
    """
    return as_target(_read(path), str(path), ports)


def as_target(given: npt.ArrayLike, source: str, ports: int) -> Target:
    """A real or complex matrix for a mesh of so many ports; `source` says where it is from.

    A smaller unitary is padded with ones. Any other matrix (m, n) is divided by its largest singular value if that
    is above 1, and made the upper left part of a unitary (Halmos, Summa Brasil. Math. 2, 125 (1950)), which takes
    m + n ports. Raises ConfigError for what is no matrix, or does not fit.
    """
    matrix = _checked(given, source)
    m, n = matrix.shape
    if max(m, n) > ports:
        raise ConfigError(
            f"{source}: a matrix of {m} x {n} is larger than the mesh of {ports} ports; split it into blocks of "
            f"{ports} x {ports}, or smaller ones"
        )
    notes = []
    if m == n and np.abs(matrix.conj().T @ matrix - np.eye(m)).max() < _UNITARY:
        unitary, scale = _nearest_unitary(matrix), 1.0
    else:
        if m + n > ports:
            raise ConfigError(
                f"{source}: the matrix of {m} x {n} is not unitary; a mesh can do it as a part of a unitary of "
                f"{m + n} ports, and this one has {ports}: use the unitary factors of its singular value "
                "decomposition, one after the other"
            )
        scale = max(1.0, float(np.linalg.norm(matrix, 2)))
        unitary = _dilated(matrix / scale)
        notes.append(
            f"the matrix is not unitary: it is made a part of a unitary of {m + n} ports"
            + (f", divided by {scale:.6g}" if scale > 1.0 else "")
        )
    if len(unitary) < ports:
        notes.append(f"padded from {len(unitary)} to {ports} ports: the others pass straight through")
        unitary = padded(unitary, ports)
    return Target(unitary, f"{source}, {m} x {n}", (m, n), scale, tuple(notes))


def _dilated(contraction: Matrix) -> Matrix:
    """The unitary of which a contraction (m, n) is the upper left part."""
    m, n = contraction.shape
    left, right = (
        np.eye(m) - contraction @ contraction.conj().T,
        np.eye(n) - contraction.conj().T @ contraction,
    )
    whole = np.block([[contraction, _root(left)], [_root(right), -contraction.conj().T]])
    return _nearest_unitary(whole)  # rounding near singular values of 1 leaves it a little off


def _nearest_unitary(matrix: Matrix) -> Matrix:
    u, _, vh = svd(matrix)
    return np.asarray(u @ vh, dtype=np.complex128)


def _root(positive: Matrix) -> Any:
    values, vectors = np.linalg.eigh(positive)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.conj().T


def _read(path: Path) -> npt.ArrayLike:
    try:
        if path.suffix == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        if path.suffix == ".safetensors":
            return _tensor(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except ConfigError:
        raise
    except Exception as error:  # whatever a foreign file makes its reader say
        raise ConfigError(f"{path} holds no matrix that can be read: {error}") from None
    raise ConfigError(f"{path}: a matrix is read from .npy or .safetensors; save it as one of them")


def _checked(given: npt.ArrayLike, source: str) -> Matrix:
    values = np.asanyarray(given)
    if values.ndim != 2 or values.dtype.kind not in "fiuc" or not values.size:
        raise ConfigError(
            f"{source}: shape {values.shape} of {values.dtype} is no matrix of numbers; give a real or complex one"
        )
    if max(values.shape) > _MOST:
        raise ConfigError(
            f"{source}: a matrix of {values.shape} is larger than any mesh, which has {_MOST} ports at most"
        )
    matrix = np.array(values, dtype=np.complex128)
    if not np.isfinite(matrix).all():
        raise ConfigError(f"{source}: the matrix holds numbers that are not finite")
    return matrix


def _tensor(path: Path) -> npt.ArrayLike:
    """The one tensor of a file, or its `real` and `imag` together."""
    from safetensors.numpy import load_file

    tensors = load_file(path)
    if set(tensors) == {"real", "imag"}:
        return tensors["real"] + 1j * tensors["imag"]
    if len(tensors) != 1:
        raise ConfigError(
            f"{path} holds {len(tensors)} tensors ({', '.join(sorted(tensors))}); keep one, or real and imag"
        )
    return next(iter(tensors.values()))
