"""The optics of a mesh: phases in, a matrix or fields out."""

from typing import Self

import torch
from torch import Tensor, nn

from simulators.models.mesh.layout import MeshLayout
from simulators.models.mesh.mzi import mzi_elements


class Mesh(nn.Module):
    """A mesh of interferometers with errors of its own; a perfect one until they are set.

    The errors are parameters without gradient: whoever fits them turns it on. Phases broadcast over leading
    axes; everything is differentiable.

    Attributes:
        layout: which MZIs there are.
        splitter_in, splitter_out: angle errors of each MZI's splitters in rad, (M,).
        transmission: amplitude that each MZI's loss leaves, (M,).
        phase_offset: phase of each shifter without a heater's help, in rad, (2 M,), internal ones first.
        output_offset: phase after each output port in rad, (N,): no power meter sees it.
    """

    def __init__(self, layout: MeshLayout, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.layout = layout
        n = len(layout.mzis)

        def fixed(value: float, count: int) -> nn.Parameter:
            return nn.Parameter(torch.full((count,), value, dtype=dtype), requires_grad=False)

        self.splitter_in, self.splitter_out = fixed(0.0, n), fixed(0.0, n)
        self.transmission = fixed(1.0, n)
        self.phase_offset = fixed(0.0, 2 * n)
        self.output_offset = fixed(0.0, layout.ports)

    def elements(self, phases: Tensor) -> Tensor:
        """Transfer matrices (..., M, 2, 2) of the MZIs for `phases` (..., 2 M) that the heaters add, in rad."""
        theta, phi = (self.phase_offset + phases).tensor_split(2, dim=-1)
        return mzi_elements(theta, phi, self.splitter_in, self.splitter_out, self.transmission)

    def propagate(self, fields: Tensor, phases: Tensor) -> Tensor:
        """Fields (..., N) after the mesh for `fields` (..., N) before it, column by column.

        For inputs that have phases of their own; `matrix` is cheaper where many inputs share theirs.
        """
        each = self.elements(phases)
        fields = fields.to(each.dtype)
        first = 0
        for rows in self.layout.columns:
            mzis = each[..., first : first + len(rows), :, :]
            first += len(rows)
            through = fields[..., rows[0] : rows[0] + 2 * len(rows)]
            pairs = through.reshape(*through.shape[:-1], len(rows), 2)
            mixed = (mzis @ pairs[..., None])[..., 0].flatten(-2)
            above, below = fields[..., : rows[0]], fields[..., rows[0] + 2 * len(rows) :]
            lead = mixed.shape[:-1]
            fields = torch.cat((above.expand(*lead, -1), mixed, below.expand(*lead, -1)), dim=-1)
        return fields * torch.polar(torch.ones_like(self.output_offset), self.output_offset)

    def matrix(self, phases: Tensor) -> Tensor:
        """The mesh's matrix (..., N, N): fields out = matrix @ fields in."""
        one = torch.eye(self.layout.ports, dtype=phases.dtype, device=phases.device)
        return self.propagate(one, phases[..., None, :]).mT

    @classmethod
    def perfect(cls, layout: MeshLayout, dtype: torch.dtype = torch.float64) -> Self:
        """A mesh as designed."""
        return cls(layout, dtype)
