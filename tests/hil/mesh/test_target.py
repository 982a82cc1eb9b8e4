"""A matrix for a mesh: read, checked, padded or made part of a unitary; whatever else is in the file is refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from scipy.stats import unitary_group

from hil.errors import ConfigError
from hil.mesh.target import haar, read_target


def stored(tmp_path: Path, matrix: object) -> Path:
    np.save(tmp_path / "U.npy", np.asarray(matrix))
    return tmp_path / "U.npy"


def is_unitary(matrix: np.ndarray) -> bool:
    return bool(np.allclose(matrix.conj().T @ matrix, np.eye(len(matrix)), atol=1e-9))


def test_a_unitary_of_the_meshs_size_stays_as_it_is(tmp_path: Path) -> None:
    matrix = unitary_group.rvs(4, random_state=1)
    target = read_target(stored(tmp_path, matrix), 4)
    np.testing.assert_allclose(target.unitary, matrix)
    assert target.scale == 1.0
    assert not target.notes


def test_a_smaller_one_is_padded_and_that_is_said(tmp_path: Path) -> None:
    matrix = unitary_group.rvs(3, random_state=1)
    target = read_target(stored(tmp_path, matrix), 5)
    np.testing.assert_allclose(target.unitary[:3, :3], matrix)
    np.testing.assert_allclose(target.unitary[3:, 3:], np.eye(2))
    assert "padded from 3 to 5 ports" in target.notes[0]


@settings(max_examples=25, deadline=None)
@given(m=st.integers(1, 4), n=st.integers(1, 4), size=st.floats(0.01, 100.0), seed=st.integers(0, 99))
def test_any_matrix_is_the_corner_of_a_unitary(
    tmp_path_factory: pytest.TempPathFactory, m: int, n: int, size: float, seed: int
) -> None:
    matrix = size * np.random.default_rng(seed).standard_normal((m, n))
    target = read_target(stored(tmp_path_factory.mktemp("any"), matrix), 8)
    assert target.unitary.shape == (8, 8)
    assert is_unitary(target.unitary)
    np.testing.assert_allclose(target.scale * target.unitary[:m, :n], matrix, atol=1e-6 * max(1.0, size))


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.eye(5), ["5 x 5", "larger than the mesh of 4 ports"]),
        (np.ones((3, 3)), ["not unitary", "6 ports", "has 4"]),
        (np.zeros((200, 200)), ["larger than any mesh"]),
        (np.zeros(4), ["shape (4,)", "no matrix"]),
        (np.array([["a", "b"], ["c", "d"]]), ["no matrix of numbers"]),
        (np.full((2, 2), np.nan), ["not finite"]),
        (np.zeros((0, 0)), ["no matrix"]),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, matrix: object, said: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        read_target(stored(tmp_path, matrix), 4)
    for words in said:
        assert words in str(error.value)


class Trap:
    """What a pickle could do."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("trap-sprung"),)


@pytest.mark.parametrize("name", ["U.npy", "U.safetensors", "U.pt"])
def test_nothing_in_a_file_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ConfigError, match=name):
        read_target(tmp_path / name, 4)
    np.save(tmp_path / "O.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    with pytest.raises(ConfigError, match=r"O\.npy"):
        read_target(tmp_path / "O.npy", 4)
    assert not (tmp_path / "trap-sprung").exists()


def test_tensors_are_read_alone_or_as_two_parts(tmp_path: Path) -> None:
    matrix = unitary_group.rvs(3, random_state=2)
    parts = {"real": matrix.real.copy(), "imag": matrix.imag.copy()}
    save_file(parts, tmp_path / "U.safetensors")
    np.testing.assert_allclose(read_target(tmp_path / "U.safetensors", 3).unitary, matrix)
    save_file({"weight": np.eye(2)}, tmp_path / "one.safetensors")
    np.testing.assert_allclose(read_target(tmp_path / "one.safetensors", 2).unitary, np.eye(2))
    save_file({"a": np.eye(2), "b": np.eye(2)}, tmp_path / "two.safetensors")
    with pytest.raises(ConfigError, match="2 tensors"):
        read_target(tmp_path / "two.safetensors", 2)
    with pytest.raises(ConfigError, match="no such file"):
        read_target(tmp_path / "none.npy", 2)


def test_a_random_unitary_is_the_same_for_the_same_seed() -> None:
    np.testing.assert_array_equal(haar(6, 3).unitary, haar(6, 3).unitary)
    assert is_unitary(haar(6, 3).unitary)
    assert not np.allclose(haar(6, 3).unitary, haar(6, 4).unitary)
