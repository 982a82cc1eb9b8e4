"""Light inside a mesh is that of the mesh, and comes back by reciprocity."""

import pytest
import torch

from simulators.models.mesh import Fabrication, Kind, Mesh, MeshLayout, backwards, fabricate, forwards

LOSSY = Fabrication(splitter_rad=0.1, mzi_loss_dB=0.3)


def made(kind: Kind, ports: int, seed: int = 0) -> tuple[Mesh, torch.Tensor, torch.Tensor]:
    mesh = fabricate(MeshLayout(kind, ports), LOSSY, seed).mesh
    generator = torch.Generator().manual_seed(seed)
    phases = 6.0 * torch.rand(len(mesh.layout.shifters), generator=generator, dtype=torch.float64)
    return mesh, phases, torch.randn(3, ports, generator=generator, dtype=torch.complex128)


@pytest.mark.parametrize(("kind", "ports"), [("rectangular", 2), ("rectangular", 5), ("triangular", 4)])
def test_what_comes_out_is_what_the_mesh_lets_through(kind: Kind, ports: int) -> None:
    mesh, phases, fields = made(kind, ports)
    torch.testing.assert_close(forwards(mesh, fields, phases).behind, mesh.propagate(fields, phases))
    torch.testing.assert_close(backwards(mesh, fields, phases).behind, fields @ mesh.matrix(phases))


@pytest.mark.parametrize(("kind", "ports"), [("rectangular", 5), ("triangular", 4)])
def test_fields_both_ways_are_the_derivative_by_each_phase(kind: Kind, ports: int) -> None:
    """∂ (u · M a) / ∂φ = j b f with the fields at the shifter of a sent forwards and u backwards; loss included."""
    mesh, phases, fields = made(kind, ports)
    a, u = fields[0], fields[1]
    through = forwards(mesh, a, phases).shifters * backwards(mesh, u, phases).shifters
    phases.requires_grad_()
    total = (u * mesh.propagate(a, phases)).sum()
    (real,) = torch.autograd.grad(total.real, phases, retain_graph=True)
    (imaginary,) = torch.autograd.grad(total.imag, phases)
    torch.testing.assert_close(1j * through, torch.complex(real, imaginary))


def test_without_loss_light_sent_back_conjugate_retraces_its_way() -> None:
    mesh = fabricate(MeshLayout("rectangular", 6), Fabrication.perfect(splitter_rad=0.1), 3).mesh
    phases, fields = torch.linspace(0.0, 6.0, 30, dtype=torch.float64), made("rectangular", 6)[2]
    there = forwards(mesh, fields, phases)
    back = backwards(mesh, there.behind.conj(), phases)
    torch.testing.assert_close(back.behind, fields.conj())
    torch.testing.assert_close(back.shifters, there.shifters.conj())
