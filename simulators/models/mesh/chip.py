"""A photonic chip: modulators, a mesh with its heaters, and the way to the detectors."""

from torch import Tensor, nn

from simulators.models.mesh.heaters import HeaterBank
from simulators.models.mesh.mesh import Mesh
from simulators.models.mesh.modulators import Modulators
from simulators.models.model import Model


class PhotonicChip(Model):
    """Modulator voltages and heater voltages in, optical powers at the output ports out.

    Attributes:
        modulators, heaters, mesh: the parts; a twin is the same class with fitted parts.
        port_transmission: share of the power that reaches each detector after the mesh, (N,).
        laser_W: power of the laser.
    """

    def __init__(
        self,
        modulators: Modulators,
        heaters: HeaterBank,
        mesh: Mesh,
        port_transmission: Tensor,
        laser_W: float,
    ) -> None:
        super().__init__()
        self.modulators, self.heaters, self.mesh = modulators, heaters, mesh
        self.port_transmission = nn.Parameter(port_transmission, requires_grad=False)
        self.laser_W = laser_W
        self.n_inputs = self.n_outputs = mesh.layout.ports
        self.n_controls = len(mesh.layout.shifters)

    def forward(self, inputs: Tensor, controls: Tensor) -> Tensor:
        """Powers (..., N) in W at the detectors; see `Model.forward`. Inputs and controls are in V."""
        phases = self.heaters.phases(self.heaters.powers(self.heaters.quantised(controls)))
        return self.laser_W * self.shares(inputs, phases)

    def shares(self, inputs: Tensor, phases: Tensor) -> Tensor:
        """Shares (..., N) of the laser's power at the detectors, for phases (..., 2 M) that the heaters add."""
        fields = self.mesh(self.modulators(inputs), phases)
        return self.port_transmission * (fields.real.square() + fields.imag.square())
