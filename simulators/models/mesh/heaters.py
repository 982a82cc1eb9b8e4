"""Heaters: voltages make powers, powers make phases, of their own shifter and of the neighbours'."""

from typing import Self

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn


class HeaterBank(nn.Module):
    """Heaters on a chip. As in `Mesh`, what makes each specimen is in parameters without gradient.

    P = V² / R with R = R₀ (1 + ρ P), which has a closed form; phases = K P, where K has a heater's effect γ on its
    own shifter on its diagonal and thermal crosstalk beside it, for as many neighbours as are named.

    Attributes:
        resistance_ohm: R₀ of each heater when cold, (H,); inf for an open one.
        rise_per_W: ρ in 1/W, (H,).
        gamma_rad_per_W: γ, (H,).
        neighbours: which heaters each shifter feels besides its own, (H, k); a shifter's own number fills a row up.
        crosstalk_rad_per_W: how much it feels them, (H, k).
        high_V: voltage limit of each heater, (H,).
        bits: resolution of the supply's converter; None for one whose steps are too small to count.
        converter_V: its full scale; None where that is `high_V`.
    """

    high_V: Tensor
    neighbours: Tensor

    def __init__(
        self,
        resistance_ohm: Tensor,
        rise_per_W: Tensor,
        gamma_rad_per_W: Tensor,
        neighbours: Tensor,
        crosstalk_rad_per_W: Tensor,
        high_V: Tensor,
        bits: int | None = None,
    ) -> None:
        super().__init__()
        self.resistance_ohm = nn.Parameter(resistance_ohm, requires_grad=False)
        self.rise_per_W = nn.Parameter(rise_per_W, requires_grad=False)
        self.gamma_rad_per_W = nn.Parameter(gamma_rad_per_W, requires_grad=False)
        self.crosstalk_rad_per_W = nn.Parameter(crosstalk_rad_per_W, requires_grad=False)
        self.register_buffer("neighbours", neighbours)
        self.register_buffer("high_V", high_V)
        self.bits = bits
        self.converter_V: float | None = None

    @classmethod
    def of_matrix(
        cls,
        resistance_ohm: Tensor,
        rise_per_W: Tensor,
        phase_rad_per_W: Tensor,
        high_V: Tensor,
        bits: int | None = None,
    ) -> Self:
        """A bank in which every heater may be felt by every shifter: `phase_rad_per_W` is K, (H, H)."""
        h = len(phase_rad_per_W)
        others = torch.tensor([[j for j in range(h) if j != k] for k in range(h)], dtype=torch.long)
        felt = phase_rad_per_W.gather(1, others)
        return cls(resistance_ohm, rise_per_W, phase_rad_per_W.diagonal().clone(), others, felt, high_V, bits)

    def matrix(self) -> Tensor:
        """K in rad/W, (H, H): rows shifters, columns heaters."""
        return torch.diag(self.gamma_rad_per_W).scatter_add(1, self.neighbours, self.crosstalk_rad_per_W)

    def sparse_matrix(self) -> csr_array:
        """K in rad/W as it is now, (H, H), for numpy."""
        own = self.gamma_rad_per_W.detach().cpu().double().numpy()
        felt = self.crosstalk_rad_per_W.detach().cpu().double().numpy()
        near, every = self.neighbours.cpu().numpy(), np.arange(len(own))
        rows = np.concatenate((every, np.repeat(every, near.shape[1])))
        columns = np.concatenate((every, near.ravel()))
        return csr_array((np.concatenate((own, felt.ravel())), (rows, columns)), shape=(len(own), len(own)))

    def quantised(self, volts: Tensor) -> Tensor:
        """The voltages (..., H) that the converter makes of `volts`; the gradient goes straight through."""
        if self.bits is None:
            return volts
        full_V = self.high_V if self.converter_V is None else self.converter_V
        step = full_V / (2**self.bits - 1)
        return volts + ((volts / step).round() * step - volts).detach()

    def powers(self, volts: Tensor) -> Tensor:
        """Electrical powers (..., H) in W at `volts` (..., H), once the heaters are warm."""
        cold = volts.square() / self.resistance_ohm
        # R₀ (1 + ρ P) P = V², solved for P so that ρ = 0 needs no case of its own
        return 2.0 * cold / (1.0 + (1.0 + 4.0 * self.rise_per_W * cold).sqrt())

    def volts(self, powers: Tensor) -> Tensor:
        """Voltages (..., H) that make `powers` (..., H) in W."""
        return (powers * self.resistance_ohm * (1.0 + self.rise_per_W * powers)).sqrt()

    def currents(self, volts: Tensor) -> Tensor:
        """Currents (..., H) in A at `volts` (..., H)."""
        return volts / (self.resistance_ohm * (1.0 + self.rise_per_W * self.powers(volts)))

    def phases(self, powers: Tensor) -> Tensor:
        """Phases (..., H) in rad that `powers` (..., H) in W make."""
        felt = (powers[..., self.neighbours] * self.crosstalk_rad_per_W).sum(-1)
        return self.gamma_rad_per_W * powers + felt
