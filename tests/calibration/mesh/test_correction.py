"""Local error correction, beside the error theory of uncorrected and corrected meshes."""

import numpy as np
import pytest
import torch
from scipy.stats import unitary_group

from calibration.mesh.correction import corrected, reachable, uncorrected
from simulators.errors import ModelError
from simulators.models.mesh import Mesh, MeshLayout, decompose


def faulty(layout: MeshLayout, seed: int, splitter_rad: float = 0.0, phase_rad: float = 0.0) -> Mesh:
    rng = torch.Generator().manual_seed(seed)
    mesh = Mesh(layout)
    for parameter, spread in (
        (mesh.splitter_in, splitter_rad),
        (mesh.splitter_out, splitter_rad),
        (mesh.phase_offset, phase_rad),
    ):
        parameter.data += spread * torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
    return mesh


def distance(one: np.ndarray | torch.Tensor, other: np.ndarray | torch.Tensor) -> float:
    """||U - V||_F / √N."""
    one, other = np.asarray(one), np.asarray(other)
    return float(np.linalg.norm(one - other) / np.sqrt(len(one)))


@pytest.mark.parametrize(
    ("kind_of_error", "theory"),
    [({"splitter_rad": 0.01}, np.sqrt(2 * 64) * 0.01), ({"phase_rad": 0.01}, np.sqrt(64) * 0.01)],
    ids=["splitters", "phases"],
)
def test_uncorrected_error_of_64_ports(kind_of_error, theory):
    # √(2 N) σ and √N σ; errors that are not known, so they are not taken off.
    layout = MeshLayout("rectangular", 64)
    errors = []
    for seed in range(3):
        unitary = unitary_group.rvs(64, random_state=seed)
        mesh, ideal = faulty(layout, seed, **kind_of_error), decompose(unitary, layout)
        mesh.output_offset.data = ideal.output
        errors.append(distance(mesh.matrix(ideal.phases).detach(), unitary))
    assert np.mean(errors) == pytest.approx(theory, rel=0.04)


def test_reachable_splitting_is_what_a_sweep_of_the_internal_phase_finds():
    mesh = faulty(MeshLayout("rectangular", 6), seed=1, splitter_rad=0.1)
    sweep = torch.linspace(0, 2 * torch.pi, 2001, dtype=torch.float64)[:, None]
    phases = torch.cat((sweep.expand(-1, 15), torch.zeros(2001, 15, dtype=torch.float64)), dim=1)
    shares = mesh.elements(phases)[..., 0, 0].abs().square()
    low, high = reachable(mesh)
    np.testing.assert_allclose(shares.amin(0).numpy(), low.numpy(), atol=1e-5)
    np.testing.assert_allclose(shares.amax(0).numpy(), high.numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", ["rectangular", "triangular"])
@pytest.mark.parametrize("ports", [2, 5, 16])
def test_exact_where_every_mzi_can_split_as_asked(kind, ports):
    layout = MeshLayout(kind, ports)
    rng = torch.Generator().manual_seed(ports)
    m = len(layout.mzis)
    asked = torch.rand(2 * m, generator=rng, dtype=torch.float64)
    asked[:m] = 0.6 + 1.9 * asked[:m]  # far from cross and bar
    asked[m:] *= 2 * torch.pi
    target = Mesh.perfect(layout).matrix(asked).detach()
    mesh = faulty(layout, 3, splitter_rad=0.08, phase_rad=1.0)
    mesh.output_offset.data += 0.7
    setting = corrected(target, mesh)
    assert not setting.clipped
    assert distance(setting.matrix(mesh).detach(), target) < 1e-12
    assert distance(uncorrected(target, mesh).matrix(mesh).detach(), target) > 0.05
    assert setting.phases.min() >= 0
    assert setting.phases.max() <= 2 * torch.pi


def test_perfect_splitters_need_no_correction():
    layout = MeshLayout("rectangular", 8)
    unitary = unitary_group.rvs(8, random_state=0)
    mesh = faulty(layout, 1, phase_rad=2.0)
    for setting in (corrected(unitary, mesh), uncorrected(unitary, mesh)):
        assert distance(setting.matrix(mesh).detach(), unitary) < 1e-13
        assert not setting.clipped


@pytest.mark.parametrize("special", [np.eye(6), np.eye(6)[::-1], np.roll(np.eye(6), 1, axis=0)], ids=str)
def test_cross_and_bar_are_clipped_to_what_is_nearest(special):
    mesh = faulty(MeshLayout("rectangular", 6), 2, splitter_rad=0.05)
    setting = corrected(special, mesh)
    assert setting.clipped
    # Each clipped MZI is off by α ± β, and nothing else may add to that.
    off = np.sqrt(2 * 15 * 2 * 0.05**2 / 6)
    assert distance(setting.matrix(mesh).detach(), special) < 1.5 * off
    first = setting.clipped[0]
    low, high = reachable(mesh)
    number = [str(place) for place in mesh.layout.mzis].index(first.mzi)
    assert (first.low, first.high) == (float(low[number]), float(high[number]))
    assert first.asked < first.low or first.asked > first.high
    assert f"MZI {first.mzi}" in str(first)


def test_what_is_left_after_correction_is_quadratic():
    # For Haar unitaries, whose MZIs are mostly near cross, about √(2/3) N σ² is known to be left.
    layout = MeshLayout("rectangular", 32)
    left = {}
    for sigma in (0.02, 0.04):
        errors = []
        for seed in range(4):
            unitary, mesh = unitary_group.rvs(32, random_state=seed), faulty(layout, seed, splitter_rad=sigma)
            errors.append(distance(corrected(unitary, mesh).matrix(mesh).detach(), unitary))
        left[sigma] = float(np.sqrt(np.mean(np.square(errors))))
        assert left[sigma] == pytest.approx(np.sqrt(2 / 3) * 32 * sigma**2, rel=0.25)
    assert left[0.04] / left[0.02] == pytest.approx(4.0, rel=0.35)


def test_a_target_that_does_not_fit_is_named():
    mesh = Mesh.perfect(MeshLayout("rectangular", 4))
    with pytest.raises(ModelError, match="5 x 5 does not fit a mesh of 4 ports"):
        corrected(np.eye(5), mesh)
    with pytest.raises(ModelError, match="not unitary"):
        uncorrected(np.ones((4, 4)), mesh)
