"""The amplitude modulators in front of a mesh, one at each port, all lit by one laser."""

import torch
from torch import Tensor, nn


class Modulators(nn.Module):
    """Push-pull Mach-Zehnder modulators: amplitude = peak (floor + sin(π (V - V₀) / (2 Vπ))).

    Attributes (parameters without gradient, each (N,)):
        peak: amplitude of an open modulator in √(W / W): the share of the laser's field that reaches the port.
        closed_V, half_wave_V: where the modulator is shut, and how far from there it is open.
        floor: amplitude, as a share of the peak's, that an imperfect shut modulator lets through.
        chirp_rad_per_V: phase that the drive adds.
    """

    def __init__(
        self, peak: Tensor, closed_V: Tensor, half_wave_V: Tensor, floor: Tensor, chirp_rad_per_V: Tensor
    ) -> None:
        super().__init__()
        self.peak = nn.Parameter(peak, requires_grad=False)
        self.closed_V = nn.Parameter(closed_V, requires_grad=False)
        self.half_wave_V = nn.Parameter(half_wave_V, requires_grad=False)
        self.floor = nn.Parameter(floor, requires_grad=False)
        self.chirp_rad_per_V = nn.Parameter(chirp_rad_per_V, requires_grad=False)

    def forward(self, volts: Tensor) -> Tensor:
        """Complex amplitudes (..., N) in √(W / W) of laser light at `volts` (..., N)."""
        lean = volts - self.closed_V
        size = self.peak * (self.floor + (torch.pi / 2 * lean / self.half_wave_V).sin())
        turn = self.chirp_rad_per_V * lean
        return torch.complex(size * turn.cos(), size * turn.sin())
