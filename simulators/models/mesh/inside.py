"""Light inside a mesh: the fields at its phase shifters, forwards and backwards."""

from dataclasses import dataclass

import torch
from torch import Tensor

from simulators.models.mesh.mesh import Mesh


@dataclass(frozen=True, eq=False)
class Inside:
    """What light does in a mesh.

    Attributes:
        behind: fields where the light comes out, (..., N).
        shifters: fields right behind each shifter as seen from the inputs, (..., 2 M) in the order of
            `MeshLayout.shifters`: light that goes forwards has passed it there, light that goes backwards has not.
    """

    behind: Tensor
    shifters: Tensor


def forwards(mesh: Mesh, fields: Tensor, phases: Tensor) -> Inside:
    """Send `fields` (..., N) into the mesh's inputs under `phases` (2 M,); behind are those of `Mesh.propagate`."""
    internal, external, screen = _turns(mesh, phases)
    light, inner, outer = fields.to(internal.dtype), [], []
    for upper, mzis in _columns(mesh):
        a, b = light[..., upper] * external[mzis], light[..., upper + 1]
        outer.append(a)
        a, b = _split(a, b, mesh.splitter_in[mzis])
        a = a * internal[mzis]
        inner.append(a)
        a, b = _split(a, b, mesh.splitter_out[mzis])
        light = _put(light, upper, a, b, mesh.transmission[mzis])
    return Inside(light * screen, torch.cat((*inner, *outer), dim=-1))


def backwards(mesh: Mesh, fields: Tensor, phases: Tensor) -> Inside:
    """Send `fields` (..., N) into the mesh's outputs under `phases` (2 M,).

    The mesh is reciprocal: what comes out at its inputs is the transpose of its matrix times `fields`.
    """
    internal, external, screen = _turns(mesh, phases)
    light, inner, outer = fields.to(internal.dtype) * screen, [], []
    for upper, mzis in reversed(_columns(mesh)):
        left = mesh.transmission[mzis]
        a, b = _split(left * light[..., upper], left * light[..., upper + 1], mesh.splitter_out[mzis])
        inner.append(a)
        a, b = _split(a * internal[mzis], b, mesh.splitter_in[mzis])
        outer.append(a)
        light = _put(light, upper, a * external[mzis], b, torch.ones_like(left))
    return Inside(light, torch.cat((*inner[::-1], *outer[::-1]), dim=-1))


def _turns(mesh: Mesh, phases: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Factors of the internal and the external shifters and of the screen behind the mesh."""
    theta, phi = (mesh.phase_offset + phases).tensor_split(2, dim=-1)
    return _turn(theta), _turn(phi), _turn(mesh.output_offset)


def _turn(phase: Tensor) -> Tensor:
    return torch.complex(phase.cos(), phase.sin())


def _columns(mesh: Mesh) -> list[tuple[Tensor, slice]]:
    """Upper rows and places among `mzis` of each column's MZIs."""
    found, first = [], 0
    for column in mesh.layout.columns:
        rows = torch.tensor(column, device=mesh.phase_offset.device)
        found.append((rows, slice(first, first + len(column))))
        first += len(column)
    return found


def _split(a: Tensor, b: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
    """S(η) of `mzi_elements`; it is symmetric, so the same from either side."""
    angle = error + torch.pi / 4
    c, s = angle.cos(), 1j * angle.sin()
    return c * a + s * b, s * a + c * b


def _put(light: Tensor, upper: Tensor, a: Tensor, b: Tensor, left: Tensor) -> Tensor:
    """`light` with a and b, of which a share is left, in the rows `upper` and below."""
    return light.index_copy(-1, upper, left * a).index_copy(-1, upper + 1, left * b)
