"""Unitary matrices as phases: the mesh that is given them has the matrix."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group, unitary_group

from simulators.errors import ModelError
from simulators.models.mesh import Mesh, MeshLayout
from simulators.models.mesh.decomposition import decompose, padded

KINDS = ["rectangular", "triangular"]


def rebuilt(layout: MeshLayout, unitary: np.ndarray) -> np.ndarray:
    setting = decompose(unitary, layout)
    mesh = Mesh.perfect(layout)
    mesh.output_offset.data = setting.output
    theta, phi = setting.phases.tensor_split(2)
    assert theta.min() >= 0
    assert theta.max() <= np.pi
    assert phi.min() >= 0
    assert phi.max() <= 2 * np.pi
    return mesh.matrix(setting.phases).detach().numpy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ports", [2, 3, 4, 5, 8, 31, 64, 128])
def test_haar_unitaries(kind, ports):
    unitary = unitary_group.rvs(ports, random_state=ports)
    np.testing.assert_allclose(rebuilt(MeshLayout(kind, ports), unitary), unitary, atol=1e-10)


def fourier(n: int) -> np.ndarray:
    return np.fft.fft(np.eye(n)) / np.sqrt(n)


SPECIAL = {
    "identity": np.eye,
    "minus identity": lambda n: -np.eye(n),
    "reversal": lambda n: np.eye(n)[::-1],
    "shift": lambda n: np.roll(np.eye(n), 1, axis=0),
    "phases": lambda n: np.diag(np.exp(1j * np.arange(n))),
    "orthogonal": lambda n: ortho_group.rvs(n, random_state=n),
    "Fourier": fourier,
    "nearly diagonal": lambda n: _nearby(np.eye(n), 1e-9),
    "nearly a shift": lambda n: _nearby(np.roll(np.eye(n), 1, axis=0), 1e-15),
    "two blocks": lambda n: np.block(
        [
            [unitary_group.rvs(n // 2, random_state=1), np.zeros((n // 2, n - n // 2))],
            [np.zeros((n - n // 2, n // 2)), unitary_group.rvs(n - n // 2, random_state=2)],
        ]
    ),
}


def _nearby(unitary: np.ndarray, distance: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(unitary.shape) + 1j * rng.standard_normal(unitary.shape)
    left, _, right = np.linalg.svd(unitary + distance * noise)
    return left @ right


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ports", [4, 7])
@pytest.mark.parametrize("name", SPECIAL)
def test_matrices_full_of_zeros_and_ones(kind, ports, name):
    unitary = SPECIAL[name](ports)
    np.testing.assert_allclose(rebuilt(MeshLayout(kind, ports), unitary), unitary, atol=1e-10)


@given(
    kind=st.sampled_from(KINDS),
    ports=st.integers(2, 9),
    order=st.randoms(use_true_random=False),
    turns=st.lists(st.floats(-1e3, 1e3), min_size=9, max_size=9),
    mixed=st.integers(0, 2),
)
@settings(max_examples=60, deadline=None)
def test_permutations_with_phases_and_a_few_mixed_rows(kind, ports, order, turns, mixed):
    rows = list(range(ports))
    order.shuffle(rows)
    unitary = np.eye(ports, dtype=complex)[rows] * np.exp(1j * np.array(turns[:ports]))
    for k in range(mixed):
        pair = order.sample(range(ports), 2)
        unitary[pair] = unitary_group.rvs(2, random_state=k) @ unitary[pair]
    np.testing.assert_allclose(rebuilt(MeshLayout(kind, ports), unitary), unitary, atol=1e-10)


def test_a_smaller_unitary_is_padded():
    unitary = unitary_group.rvs(3, random_state=0)
    matrix = rebuilt(MeshLayout("rectangular", 6), padded(unitary, 6))
    np.testing.assert_allclose(matrix[:3, :3], unitary, atol=1e-12)
    np.testing.assert_allclose(matrix[3:, 3:], np.eye(3), atol=1e-12)


def test_tensors_are_taken_and_stay_as_they_are():
    unitary = torch.as_tensor(unitary_group.rvs(4, random_state=0))
    before = unitary.clone()
    np.testing.assert_allclose(rebuilt(MeshLayout("triangular", 4), unitary), before.numpy(), atol=1e-12)
    assert torch.equal(unitary, before)


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (np.eye(9), "9 x 9 does not fit a mesh of 8 ports"),
        (np.eye(7), "pad it with `padded`"),
        (2 * np.eye(8), "not unitary: U† U is 3 off.*SingularValueForm"),
        (np.ones((8, 7)), r"square matrix, not one of shape \(8, 7\)"),
        (np.where(np.eye(8) > 0, np.nan, 0), r"not finite: element \(0, 0\)"),
    ],
)
def test_what_no_mesh_can_have_is_named(matrix, says):
    with pytest.raises(ModelError, match=says):
        decompose(matrix, MeshLayout("rectangular", 8))


def test_padding_makes_nothing_smaller():
    with pytest.raises(ModelError, match="9 x 9 does not fit a mesh of 8"):
        padded(np.eye(9), 8)
