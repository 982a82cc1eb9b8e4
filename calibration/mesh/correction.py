"""A target unitary on a mesh with known errors, corrected MZI by MZI."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from simulators.models.mesh import Mesh, decompose
from simulators.models.mesh.mzi import mzi_elements

_WITHIN = 1e-12  # by how much a splitting ratio outside its range is rounding


@dataclass(frozen=True)
class Clipping:
    """An MZI that cannot split as it should: as its splitters are, from `low` to `high` is what it can.

    Attributes:
        mzi: its place, as in the names of its shifters: "3_2" has t3_2 and p3_2.
        asked: share of the power that its upper input should leave in its upper output.
    """

    mzi: str
    asked: float
    low: float
    high: float

    def __str__(self) -> str:
        reached = min(max(self.asked, self.low), self.high)
        return f"MZI {self.mzi}: {self.asked:.4f} asked, {self.low:.4f} to {self.high:.4f} possible: {reached:.4f}"


@dataclass(frozen=True, eq=False)
class CorrectedSetting:
    """What heaters have to add so that a mesh has a target matrix.

    Attributes:
        phases: for `Mesh.matrix`, (2 M,) in rad, in [0, 2 π).
        output: what phase is left to be added after each output port, (N,) in rad, in [0, 2 π).
        clipped: the MZIs that cannot split as asked; with none of them, and equal losses, the matrix is exact.
    """

    phases: Tensor
    output: Tensor
    clipped: tuple[Clipping, ...] = ()

    def matrix(self, mesh: Mesh) -> Tensor:
        """What `mesh` makes of the phases, with the output phases added, (N, N)."""
        return torch.polar(torch.ones_like(self.output), self.output)[:, None] * mesh.matrix(self.phases)


def reachable(mesh: Mesh) -> tuple[Tensor, Tensor]:
    """The least and the most power (M,) of its upper input that each MZI can leave in its upper output.

    sin²(α + β) and cos²(α - β) for splitter errors α, β; loss is left out.
    """
    both, apart = mesh.splitter_in + mesh.splitter_out, mesh.splitter_in - mesh.splitter_out
    return both.sin().square(), apart.cos().square()


@torch.no_grad()
def uncorrected(target: ArrayLike | Tensor, mesh: Mesh) -> CorrectedSetting:
    """The setting as if all splitters were perfect; phase offsets alone are taken off.

    Raises ModelError for a target that no mesh of this size can have.
    """
    ideal = decompose(target, mesh.layout)
    return _less_offsets(ideal.phases, ideal.output, mesh, ())


@torch.no_grad()
def corrected(target: ArrayLike | Tensor, mesh: Mesh) -> CorrectedSetting:
    """The setting that takes the splitters of `mesh` into account: local error correction.

    Each MZI gets the internal phase that makes it split as the perfect one would, or as near as it can; the phases
    by which it then still differs are made good by external phases of the next column, and at last after the
    outputs (Bandyopadhyay, Hamerly, Englund, Optica 8, 1247 (2021)). Losses are not made up for.

    Raises ModelError for a target that no mesh of this size can have.
    """
    ideal = decompose(target, mesh.layout)
    theta, phi = (half.numpy() for half in ideal.phases.tensor_split(2))
    low, high = (end.double().numpy() for end in reachable(mesh))
    asked = np.sin(theta / 2.0) ** 2
    share = np.clip((asked - low) / (high - low), 0.0, 1.0)
    real_theta = 2.0 * np.arcsin(np.sqrt(share))

    # A real MZI is the perfect one between phases: R = diag(e^{ja}, e^{jb}) T diag(e^{jc}, 1), exactly where it
    # splits as asked; where it cannot, these phases bring the two nearest to one another.
    none = torch.zeros(len(theta), dtype=torch.float64)
    errors = mesh.splitter_in.double(), mesh.splitter_out.double(), torch.ones_like(none)
    real = mzi_elements(torch.as_tensor(real_theta), none, *errors).numpy()
    perfect = mzi_elements(torch.as_tensor(theta), none, none, none, torch.ones_like(none)).numpy()
    ratio = real * perfect.conj()
    before = np.angle((ratio[:, :, 0] * ratio[:, :, 1].conj()).sum(axis=1))
    after = np.angle(ratio[:, :, 0] * np.exp(-1j * before)[:, None] + ratio[:, :, 1])

    left = np.zeros(mesh.layout.ports)  # phases that the light of each row has too much
    real_phi = np.empty_like(phi)
    first = 0
    for rows in mesh.layout.columns:
        upper = np.array(rows)
        these = slice(first, first + len(rows))
        first += len(rows)
        real_phi[these] = phi[these] - before[these] - left[upper] + left[upper + 1]
        left[upper], left[upper + 1] = (
            after[these, 0] + left[upper + 1],
            after[these, 1] + left[upper + 1],
        )
    clipped = tuple(
        Clipping(str(mesh.layout.mzis[k]), float(asked[k]), float(low[k]), float(high[k]))
        for k in np.flatnonzero((asked < low - _WITHIN) | (asked > high + _WITHIN))
    )
    phases = torch.as_tensor(np.concatenate((real_theta, real_phi)))
    return _less_offsets(phases, ideal.output - torch.as_tensor(left), mesh, clipped)


def _less_offsets(
    phases: Tensor, output: Tensor, mesh: Mesh, clipped: tuple[Clipping, ...]
) -> CorrectedSetting:
    turn = 2.0 * torch.pi
    return CorrectedSetting(
        (phases - mesh.phase_offset.double()) % turn, (output - mesh.output_offset.double()) % turn, clipped
    )
