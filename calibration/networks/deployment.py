"""Putting the matrices of a trained network on a chip whose meshes have errors and whose screens are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from calibration.errors import ShapeError
from calibration.mesh.correction import Clipping, CorrectedSetting, corrected
from simulators.models.mesh import Mesh
from simulators.models.optical import MeshNetwork


@dataclass(frozen=True, eq=False)
class Deployment:
    """A network's matrices as phases.

    Attributes:
        phases: controls of the network, from 0 to 2 π rad, (n_controls,).
        clipped: of each mesh, the MZIs that cannot split as asked.
    """

    phases: Tensor
    clipped: tuple[tuple[Clipping, ...], ...]


@torch.no_grad()
def deploy(
    matrices: Sequence[Tensor],
    twin: MeshNetwork,
    setting: Callable[[Tensor, Mesh], CorrectedSetting] = corrected,
) -> Deployment:
    """Find the phases with which `twin` does `matrices` one after another.

    A mesh does its matrix up to phases at its outputs. They pass an activation that sees the power alone, so they are
    handed on, with the screen behind the mesh: the next mesh is asked for its matrix without them. Behind the last
    one no detector sees them.

    Args:
        matrices: unitary (N, N) of each mesh.
        twin: with everything that is known of the chip.
        setting: `corrected`, or `uncorrected` for a comparison.

    Raises:
        ShapeError: not one matrix of the right size for each mesh.
        ModelError: a matrix that is not unitary.
    """
    shape = (twin.ports, twin.ports)
    if len(matrices) != len(twin.sizes) or any(matrix.shape != shape for matrix in matrices):
        found = ", ".join(str(tuple(matrix.shape)) for matrix in matrices)
        raise ShapeError(
            f"matrices {found} for {len(twin.sizes)} meshes of {twin.ports} ports; one {shape} for each"
        )
    # by how much the fields in front of a mesh are turned, as against those that its matrix is meant for
    turn: Tensor = twin.input_offset
    settings = []
    for mesh, matrix in zip(twin.chain, matrices, strict=True):
        asked = matrix * torch.polar(torch.ones_like(turn), -turn)
        settings.append(setting(asked, mesh))
        turn = (mesh.matrix(settings[-1].phases) * asked.conj()).sum(dim=-1).angle()
    return Deployment(torch.cat([one.phases for one in settings]), tuple(one.clipped for one in settings))
