"""A photonic chip that no longer changes, in numpy: of one reading of a small chip, torch would be most of the time."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from simulators.models.mesh.chip import PhotonicChip

Array = NDArray[np.float64]
_AT_ONCE = 1 << 17
"""Interferometers times points that are held in memory together."""


class FrozenChip:
    """The powers that `PhotonicChip` gives, without gradients, for the chip as it is now.

    A point of a chip with eight ports costs about 0.1 ms, a seventh of what the model costs.
    """

    def __init__(self, chip: PhotonicChip) -> None:
        mesh, heaters, modulators = chip.mesh, chip.heaters, chip.modulators
        self._resistance_ohm = _array(heaters.resistance_ohm)
        self._rise_per_W = _array(heaters.rise_per_W)
        self._rad_per_W = heaters.sparse_matrix()
        self._peak, self._floor = _array(modulators.peak), _array(modulators.floor)
        self._closed_V, self._half_wave_V = _array(modulators.closed_V), _array(modulators.half_wave_V)
        self._chirp_rad_per_V = _array(modulators.chirp_rad_per_V)
        self._port_transmission = _array(chip.port_transmission)
        self._phase_offset = _array(mesh.phase_offset)
        # `mzi_elements` is, but for the external phase, linear in e^{jθ}: slope e^{jθ} + rest, (2, 2, M, 1)
        ci, si = (f(np.pi / 4 + _array(mesh.splitter_in)) for f in (np.cos, np.sin))
        co, so = (f(np.pi / 4 + _array(mesh.splitter_out)) for f in (np.cos, np.sin))
        left = _array(mesh.transmission)
        self._slope = (left * np.array([[co * ci, 1j * co * si], [1j * so * ci, -so * si]]))[..., None]
        self._rest = (left * np.array([[-so * si, 1j * so * ci], [1j * co * si, co * ci]]))[..., None]
        firsts = np.cumsum([0, *(len(column) for column in mesh.layout.columns)]).tolist()
        self._columns = [
            (column[0], len(column), first)
            for column, first in zip(mesh.layout.columns, firsts[:-1], strict=True)
        ]

    def powers(self, volts: Array) -> Array:
        """See `HeaterBank.powers`."""
        cold = volts * volts / self._resistance_ohm
        warm: Array = 2.0 * cold / (1.0 + np.sqrt(1.0 + 4.0 * self._rise_per_W * cold))
        return warm

    def phases(self, heater_W: Array) -> Array:
        """See `HeaterBank.phases`; of powers (point, H)."""
        felt: Array = (self._rad_per_W @ heater_W.T).T
        return felt

    def shares(self, inputs_V: Array, phases: Array) -> Array:
        """See `PhotonicChip.shares`; of modulator voltages (point, N) and phases (point, H)."""
        most = max(_AT_ONCE // self._slope.shape[2], 1)
        if len(phases) <= most:
            return self._shares(inputs_V, phases)
        parts = [slice(first, first + most) for first in range(0, len(phases), most)]
        return np.concatenate([self._shares(inputs_V[part], phases[part]) for part in parts])

    def _shares(self, inputs_V: Array, phases: Array) -> Array:
        lean = inputs_V - self._closed_V
        size = self._peak * (self._floor + np.sin(0.5 * np.pi * lean / self._half_wave_V))
        fields = (size * np.exp(1j * self._chirp_rad_per_V * lean)).T.copy()
        turns = np.exp(1j * (self._phase_offset + phases)).T
        inner, outer = turns[: len(turns) // 2], turns[len(turns) // 2 :]
        each = inner * self._slope + self._rest
        each[:, 0] *= outer
        for row, count, first in self._columns:
            pairs = fields[row : row + 2 * count].reshape(count, 2, -1).swapaxes(0, 1)
            mzis = each[:, :, first : first + count]
            pairs[...] = mzis[:, 0] * pairs[0] + mzis[:, 1] * pairs[1]
        left: Array = self._port_transmission * (fields.real**2 + fields.imag**2).T
        return left


def _array(tensor: Tensor) -> Array:
    return tensor.detach().to("cpu").double().numpy()
