"""The figures of merit against their definitions, written out."""

import numpy as np
import pytest
import torch
from scipy.stats import unitary_group

from calibration.mesh.fidelity import (
    amplitude_fidelity,
    hilbert_schmidt_fidelity,
    output_shares,
    total_variation,
)


def pair() -> tuple[np.ndarray, np.ndarray]:
    return unitary_group.rvs(5, random_state=1), unitary_group.rvs(5, random_state=2)


def test_equal_matrices_up_to_output_phases_and_loss():
    unitary, _ = pair()
    other = 0.3 * np.exp(1j * np.arange(5))[:, None] * unitary
    one, two = torch.as_tensor(unitary), torch.as_tensor(other)
    assert float(hilbert_schmidt_fidelity(one, two)) == pytest.approx(1.0, abs=1e-14)
    assert float(amplitude_fidelity(output_shares(one), output_shares(two))) == pytest.approx(1.0, abs=1e-14)
    assert float(total_variation(output_shares(one), output_shares(two))) == pytest.approx(0.0, abs=1e-14)


def test_definitions_on_two_random_unitaries():
    u, v = pair()
    one, two = torch.as_tensor(np.abs(u) ** 2), torch.as_tensor(np.abs(v) ** 2)
    amplitude = sum(abs(u[j, i]) * abs(v[j, i]) for i in range(5) for j in range(5)) / 5
    variation = sum(abs(abs(u[j, i]) ** 2 - abs(v[j, i]) ** 2) for i in range(5) for j in range(5)) / 10
    assert float(amplitude_fidelity(one, two)) == pytest.approx(amplitude)
    assert float(total_variation(one, two)) == pytest.approx(variation)
    best = np.angle(np.einsum("ij,ij->i", v.conj(), u))
    trace = np.trace(u.conj().T @ (np.exp(1j * best)[:, None] * v))
    figure = float(hilbert_schmidt_fidelity(torch.as_tensor(u), torch.as_tensor(v)))
    assert figure == pytest.approx(abs(trace) ** 2 / 25)
    rng = np.random.default_rng(0)
    for _ in range(50):  # no other phases do better
        turned = np.exp(1j * rng.uniform(0, 2 * np.pi, 5))[:, None] * v
        assert abs(np.trace(u.conj().T @ turned)) ** 2 / 25 <= figure


def test_inputs_without_light_and_batches():
    powers = torch.tensor([[[1.0, 0.0], [3.0, 0.0]]]).expand(4, 2, 2)
    assert amplitude_fidelity(powers, powers).tolist() == [0.5] * 4
    assert total_variation(powers, powers).tolist() == [0.0] * 4
