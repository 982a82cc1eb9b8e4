"""The optics of a mesh: phases in, a matrix or fields out."""

from typing import Self

import torch
from torch import Tensor, nn

from simulators.models.mesh.layout import MeshLayout
from simulators.models.mesh.mzi import mzi_elements
from simulators.models.mesh.paths import Paths

_TREE_PORTS = 96  # on more ports than these, dense products cost more than the columns one by one


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

    def forward(self, fields: Tensor, phases: Tensor) -> Tensor:
        """Fields (..., N) after the mesh for `fields` (..., N) before it, by the path that is cheaper.

        That is `matrix` where at least N inputs share each setting of the phases, `propagate` otherwise.
        """
        n, lead = self.layout.ports, phases.shape[:-1]
        if fields.ndim > 1 and fields.shape[-2] >= n and (not lead or lead[-1] == 1):
            matrix = self.matrix(phases if not lead else phases[..., 0, :])
            return fields.to(matrix.dtype) @ matrix.mT
        return self.propagate(fields, phases)

    def propagate(self, fields: Tensor, phases: Tensor) -> Tensor:
        """Fields (..., N) after the mesh for `fields` (..., N) before it, column by column.

        For inputs that have phases of their own; `matrix` is cheaper where many inputs share theirs.
        """
        elements = self.elements(phases)
        fields = Paths.for_layout(self.layout, elements.device).propagate(elements, fields.to(elements.dtype))
        return fields * self._output

    def matrix(self, phases: Tensor) -> Tensor:
        """The mesh's matrix (..., N, N): fields out = matrix @ fields in, by the path that is cheaper."""
        n = self.layout.ports
        if n > _TREE_PORTS:
            one = torch.eye(n, dtype=phases.dtype, device=phases.device)
            return self.propagate(one, phases[..., None, :]).mT
        elements = self.elements(phases)
        return self._output[:, None] * Paths.for_layout(self.layout, elements.device).matrix(elements)

    @property
    def _output(self) -> Tensor:
        return torch.complex(self.output_offset.cos(), self.output_offset.sin())

    @classmethod
    def perfect(cls, layout: MeshLayout, dtype: torch.dtype = torch.float64) -> Self:
        """A mesh as designed."""
        return cls(layout, dtype)
