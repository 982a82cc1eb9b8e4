"""How far a fabricated chip may be from what is known of it so far, as the prior of a twin fit."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from calibration.errors import PlanError
from calibration.mesh.unknowns import Spread
from simulators.models.mesh import HeaterBank, MeshLayout, PhotonicChip, heater_places

_NEGLIGIBLE = 1e-5  # share of a heater's own effect; crosstalk that is expected to be less is not fitted


@dataclass(frozen=True)
class ChipPrior:
    """Standard deviations of what is true around what is known; 0 for what is known.

    Attributes:
        phase_rad: of each shifter's phase offset.
        splitter_rad: of each splitter's angle.
        mzi_loss, mzi_loss_common: of the amplitude that each MZI leaves, and of what all have in common.
        gamma: of each heater's phase per power, relative.
        crosstalk: expected share of a heater's effect on a shifter one pitch away, by how much the coefficient of a
            displacement, which all pairs so far apart share, may be off; it falls to 1/e in `crosstalk_length`
            pitches.
        crosstalk_pair: of each pair beside that, as a share of the coefficient.
        port: of each detector's transmission, relative.
        peak, floor: of each modulator's amplitudes: the open one relative, the shut one as a share of the open.
        modulator_V: of the voltages at which it is shut and open; chirp_rad_per_V: of its chirp. Both are only
            fitted to readings of several lit ports at once, which alone tell.
    """

    phase_rad: float = 0.1
    splitter_rad: float = 0.05
    mzi_loss: float = 0.005
    mzi_loss_common: float = 0.01
    gamma: float = 0.03
    crosstalk: float = 0.01
    crosstalk_length: float = 1.0
    crosstalk_pair: float = 0.3
    port: float = 0.07
    peak: float = 0.04
    floor: float = 0.005
    modulator_V: float = 0.02
    chirp_rad_per_V: float = 0.05

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (np.isfinite(value) and value >= 0.0):
                raise PlanError(f"prior: {field.name} = {value!r} should be a number, not negative")

    def spreads(
        self, chip: PhotonicChip, *, dead: Sequence[int] = (), together: bool = False
    ) -> dict[str, Spread]:
        """The prior of everything that can be fitted to `chip`'s readings.

        Args:
            dead: numbers of shifters whose heaters are not driven: nothing can be told of their heat.
            together: whether some readings have several ports lit at once.
        """
        heaters, modulators = chip.heaters, chip.modulators
        driven = torch.ones_like(heaters.gamma_rad_per_W)
        driven[list(dead)] = 0.0
        found = {
            "mesh.phase_offset": Spread(self.phase_rad),
            "mesh.splitter_in": Spread(self.splitter_rad),
            "mesh.splitter_out": Spread(self.splitter_rad),
            "mesh.transmission": Spread(self.mzi_loss, self.mzi_loss_common),
            "heaters.gamma_rad_per_W": Spread(driven * self.gamma * heaters.gamma_rad_per_W.detach()),
            "heaters.crosstalk_rad_per_W": self._crosstalk(chip.mesh.layout, heaters, driven),
            "port_transmission": Spread(self.port * chip.port_transmission.detach()),
            "modulators.peak": Spread(self.peak * modulators.peak.detach()),
            "modulators.floor": Spread(self.floor),
        }
        if together:
            found |= {
                "modulators.closed_V": Spread(self.modulator_V),
                "modulators.half_wave_V": Spread(self.modulator_V),
                "modulators.chirp_rad_per_V": Spread(self.chirp_rad_per_V),
            }
        return {name: spread for name, spread in found.items() if spread.free}

    def _crosstalk(self, layout: MeshLayout, heaters: HeaterBank, driven: Tensor) -> Spread:
        """Pairs equally far apart, in the same direction, share a coefficient; each has a part of its own."""
        places = heater_places(layout)
        neighbours = heaters.neighbours.numpy()
        apart = places[neighbours] - places[:, None]
        distance = np.linalg.norm(apart, axis=-1)
        gamma = float(heaters.gamma_rad_per_W.detach().mean())
        expected = self.crosstalk * np.exp(-(distance - 1.0) / self.crosstalk_length)
        real = (distance > 0.0) & (expected > _NEGLIGIBLE) & (driven.numpy()[neighbours] > 0.0)
        groups = np.full(neighbours.shape, -1)
        if real.any():
            groups[real] = np.unique(apart[real], axis=0, return_inverse=True)[1].ravel()
        expected = torch.as_tensor(np.where(real, expected, 0.0))
        return Spread(self.crosstalk_pair * gamma * expected, gamma, torch.as_tensor(groups), expected)
