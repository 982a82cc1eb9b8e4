"""Both ways of evaluating a mesh, beside the product of all its splitters and phases."""

import numpy as np
import pytest
import torch

from simulators.models.mesh import Mesh, MeshLayout
from simulators.models.mesh.paths import Paths

LAYOUTS = [MeshLayout(kind, n) for kind in ("rectangular", "triangular") for n in (2, 3, 4, 7, 8, 13)]
COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}


def imperfect(layout: MeshLayout, seed: int = 0, dtype: torch.dtype = torch.float64) -> Mesh:
    rng = torch.Generator().manual_seed(seed)
    mesh = Mesh(layout, dtype)
    for parameter in mesh.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=rng, dtype=dtype)
    return mesh


def settings(layout: MeshLayout, *lead: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    rng = torch.Generator().manual_seed(7)
    return 2 * torch.pi * torch.rand(*lead, len(layout.shifters), generator=rng, dtype=dtype)


def textbook(mesh: Mesh, phases: np.ndarray) -> np.ndarray:
    """The matrix from its definition: one N x N factor for each splitter and each phase, in the light's order."""
    n, m = mesh.layout.ports, len(mesh.layout.mzis)
    values = {name: tensor.detach().numpy() for name, tensor in mesh.named_parameters()}
    phases = phases + values["phase_offset"]
    whole = np.eye(n, dtype=complex)
    for k, place in enumerate(mesh.layout.mzis):
        arms = slice(place.row, place.row + 2)
        for splitter, phase in (("splitter_in", phases[m + k]), ("splitter_out", phases[k])):
            angle = np.pi / 4 + values[splitter][k]
            factor = np.eye(n, dtype=complex)
            factor[arms, arms] = [[np.cos(angle), 1j * np.sin(angle)], [1j * np.sin(angle), np.cos(angle)]]
            factor[:, place.row] *= np.exp(1j * phase)
            whole = factor @ whole
        whole[arms] *= values["transmission"][k]
    return np.exp(1j * values["output_offset"])[:, None] * whole


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_both_paths_give_the_product_of_splitters_and_phases(layout, dtype):
    mesh, phases = imperfect(layout, dtype=dtype), settings(layout, 2, 3, dtype=dtype)
    one = torch.eye(layout.ports, dtype=COMPLEX[dtype])
    by_tree, by_columns = mesh.matrix(phases), mesh.propagate(one, phases[..., None, :]).mT
    assert by_tree.dtype == by_columns.dtype == COMPLEX[dtype]
    close = 2e-5 if dtype == torch.float32 else 1e-13
    for index in np.ndindex(2, 3):
        truth = textbook(mesh, phases[index].numpy())
        np.testing.assert_allclose(by_tree[index].numpy(), truth, atol=close)
        np.testing.assert_allclose(by_columns[index].numpy(), truth, atol=close)


def test_settings_that_fill_many_blocks_of_the_tree():
    mesh, phases = imperfect(MeshLayout("rectangular", 8)), settings(MeshLayout("rectangular", 8), 1030)
    matrix = mesh.matrix(phases)
    for k in (0, 511, 512, 1029):
        np.testing.assert_allclose(matrix[k].numpy(), mesh.matrix(phases[k]).numpy(), atol=1e-14)


@pytest.mark.parametrize("ports", [96, 97])
def test_both_paths_of_a_large_mesh(ports):
    layout = MeshLayout("rectangular", ports)
    mesh, phases = imperfect(layout), settings(layout)
    elements = mesh.elements(phases)
    tree = Paths.for_layout(layout, elements.device).matrix(elements)
    output = torch.polar(torch.ones(ports, dtype=torch.float64), mesh.output_offset.detach())
    torch.testing.assert_close(mesh.matrix(phases), output[:, None] * tree, atol=1e-12, rtol=0)


BROADCASTS = [
    ((), (8,)),
    ((), (20, 8)),
    ((5,), (5, 8)),
    ((3, 1), (8,)),
    ((3, 1), (2, 8)),
    ((3, 1), (1, 20, 8)),
    ((3, 4), (3, 4, 8)),
]


@pytest.mark.parametrize(("lead", "inputs"), BROADCASTS, ids=str)
def test_forward_takes_whichever_path_and_broadcasts_like_propagate(lead, inputs):
    layout = MeshLayout("triangular", 8)
    mesh, phases = imperfect(layout), settings(layout, *lead)
    fields = torch.randn(*inputs, dtype=torch.complex128, generator=torch.Generator().manual_seed(3))
    answer = mesh(fields, phases)
    np.testing.assert_allclose(answer.numpy(), mesh.propagate(fields, phases).numpy(), atol=1e-13)
    alone = mesh.matrix(phases) @ fields[..., None]
    np.testing.assert_allclose(answer.numpy(), alone[..., 0].numpy(), atol=1e-13)


@pytest.mark.parametrize("kind", ["rectangular", "triangular"])
@pytest.mark.parametrize("path", ["matrix", "propagate"])
def test_gradients_in_phases_and_errors_against_finite_differences(kind, path):
    layout = MeshLayout(kind, 4)
    mesh = imperfect(layout)
    names, values = zip(*mesh.named_parameters(), strict=True)
    fields = torch.randn(3, 4, dtype=torch.complex128, generator=torch.Generator().manual_seed(3))

    def answer(phases: torch.Tensor, *errors: torch.Tensor) -> torch.Tensor:
        arguments = (phases,) if path == "matrix" else (fields, phases)
        return torch.func.functional_call(
            _Named(mesh, path),
            {f"mesh.{name}": error for name, error in zip(names, errors, strict=True)},
            arguments,
        )

    inputs = [settings(layout), *(value.detach().clone() for value in values)]
    assert torch.autograd.gradcheck(answer, [one.requires_grad_() for one in inputs])


class _Named(torch.nn.Module):
    """Makes a method the module's forward, which is what a functional call runs."""

    def __init__(self, mesh: Mesh, method: str) -> None:
        super().__init__()
        self.mesh, self.method = mesh, method

    def forward(self, *arguments: torch.Tensor) -> torch.Tensor:
        return getattr(self.mesh, self.method)(*arguments)


@pytest.mark.parametrize("layout", [MeshLayout("rectangular", 64), MeshLayout("triangular", 32)], ids=str)
def test_energy_is_kept_to_rounding_whatever_the_splitters(layout):
    mesh = imperfect(layout)
    mesh.transmission.data.fill_(1.0)
    matrix = mesh.matrix(settings(layout)).numpy()
    np.testing.assert_allclose(matrix.conj().T @ matrix, np.eye(layout.ports), atol=1e-13)
