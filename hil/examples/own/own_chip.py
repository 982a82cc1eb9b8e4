"""A chip model of your own: a tunnel junction whose conductance a gate opens."""

from pathlib import Path

import torch
from torch import Tensor

from simulators.bench.config import ChipConfig
from simulators.models.model import ElectrodeModel


class GatedJunction(ElectrodeModel):
    """I = G V (1 + (V/V0)^2) times a Fermi function of the gate: Simmons' junction to third order."""

    def __init__(self, conductance_S: float) -> None:
        low, high = torch.tensor([-1.0, -1.0]), torch.tensor([1.0, 1.0])
        super().__init__(["source", "gate"], low.double(), high.double())
        self.conductance_S = conductance_S

    def current(self, voltages: Tensor) -> Tensor:
        """Current (..., 1) in A for source and gate voltages (..., 2) in V."""
        source, gate = voltages[..., 0], voltages[..., 1]
        junction = self.conductance_S * source * (1.0 + (source / 0.4) ** 2)
        return (junction * torch.sigmoid(gate / 0.1)).unsqueeze(-1)

    def drawn(self, voltages: Tensor) -> Tensor:
        """What the source electrode draws leaves at the readout; the gate draws nothing."""
        return torch.cat([self.current(voltages), torch.zeros_like(voltages[..., :1])], dim=-1)


def build(config: ChipConfig, folder: Path) -> GatedJunction:
    """Make the chip from the bench file's `emulator.chip` section."""
    return GatedJunction(float(config.options.get("conductance_S", 1e-7)))
