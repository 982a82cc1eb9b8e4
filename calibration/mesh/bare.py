"""The twin of a mesh alone, from ideal phases and powers: for meshes in a network, and for studies."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from calibration.device import Array
from calibration.mesh.readings import PowerNoise, PowerReadings
from calibration.mesh.twin import FitPlan, FitState, TwinFit
from calibration.mesh.unknowns import Spread
from simulators.models.mesh import Mesh


class BareMesh(nn.Module):
    """A mesh without modulators and heaters: fields and phases in, powers out; for fits to ideal controls.

    Attributes:
        mesh: what is fitted; its parameters are named `mesh.splitter_in` and so on.
        port_transmission: share of the power that reaches each detector, (N,).
    """

    def __init__(self, mesh: Mesh) -> None:
        super().__init__()
        self.mesh = mesh
        self.port_transmission = nn.Parameter(
            mesh.output_offset.new_ones(mesh.layout.ports), requires_grad=False
        )

    def forward(self, fields: Tensor, phases: Tensor) -> Tensor:
        """Powers (..., N) behind the mesh for `fields` (..., N) before it, at phases (..., 2 M) in rad."""
        after = self.mesh(fields, phases)
        return self.port_transmission * (after.real.square() + after.imag.square())


def mesh_fit(
    mesh: Mesh,
    phases: Array,
    powers: Array,
    noise: PowerNoise,
    *,
    fields: NDArray[np.complex128] | None = None,
    splitter_rad: float = 0.05,
    phase_rad: float = 0.1,
    loss: float = 0.0,
    plan: FitPlan | None = None,
    state: FitState | None = None,
) -> TwinFit[BareMesh]:
    """A fit of a mesh's splitters and phase offsets, ready to run; `fit.run().mesh` is the mesh that was found.

    Args:
        mesh: the start, as designed or as known so far.
        phases: at S settings, (S, 2 M) in rad.
        powers: read behind each port, (S, T, N), as shares of the power of a field of 1.
        noise: of these powers.
        fields: what was put in, (T, N) or (S, T, N); without them each port alone in turn, T = N.
        splitter_rad, phase_rad, loss: how far the splitters' angles, the phases and the amplitude that an MZI
            leaves may be from the start's, standard deviations.
        state: of an earlier fit that is to go on.

    Raises what `TwinFit` raises.
    """
    given = np.eye(mesh.layout.ports, dtype=np.complex128) if fields is None else fields
    inputs = np.broadcast_to(given, (len(phases), *given.shape[-2:]))
    spreads = {
        "mesh.splitter_in": Spread(splitter_rad),
        "mesh.splitter_out": Spread(splitter_rad),
        "mesh.phase_offset": Spread(phase_rad),
    }
    if loss:
        spreads["mesh.transmission"] = Spread(loss, common=3.0 * loss)
    return TwinFit(BareMesh(mesh), spreads, PowerReadings(inputs, phases, powers), noise, plan, state=state)
