"""What a slow change did to a readout, and how to take it off what is read without moving the chip."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch

from calibration.device import Array, Device
from calibration.sampling.repeatability import MIN_SAMPLES, drift
from calibration.tuning.asking import Asking, Reading


@dataclass(frozen=True, eq=False)
class ReadoutChange:
    """How the same points read later: later = gain · earlier + offset + residual, for each output.

    Attributes:
        gain: (n_out,).
        offset: in the outputs' unit, (n_out,).
        residual: what gain and offset leave, as the standard deviation of one reading that would make it, (n_out,): the
            noise, and more where the chip's characteristic itself has changed.
    """

    gain: Array
    offset: Array
    residual: Array

    @classmethod
    def between(cls, earlier: Array, later: Array) -> Self | None:
        """From outputs (samples, n_out) of the same points, nan where not usable; None for too few of them."""
        good = np.isfinite(earlier).all(axis=1) & np.isfinite(later).all(axis=1)
        if good.sum() < MIN_SAMPLES:
            return None
        both = drift(np.stack((earlier[good], later[good])), np.arange(2.0))
        gain = both.gain[1] / both.gain[0]
        return cls(gain, both.offset[1] - gain * both.offset[0], both.residual[1])

    def as_tuples(self) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
        """Gain, offset and residual as plain numbers."""
        return tuple(self.gain.tolist()), tuple(self.offset.tolist()), tuple(self.residual.tolist())


@dataclass(frozen=True, eq=False)
class CorrectedReadout:
    """Points asked as `asking` does, with a gain and an offset taken off the outputs: (output - offset) / gain.

    Attributes:
        asking: what asks the device.
        gain, offset: (n_out,).
    """

    asking: Asking
    gain: Array
    offset: Array

    @property
    def corrects(self) -> bool:
        """Whether there is anything to take off."""
        return bool((self.gain != 1.0).any() or (self.offset != 0.0).any())

    def cost(self, samples: int) -> int:
        """See `Asking`."""
        return self.asking.cost(samples)

    def __call__(self, device: Device, inputs: Array) -> Reading:
        """See `Asking`."""
        reading = self.asking(device, inputs)
        gain, offset = torch.as_tensor(self.gain), torch.as_tensor(self.offset)
        return replace(reading, outputs=(reading.outputs - offset) / gain)

    def after(self, change: ReadoutChange) -> Self:
        """With a change of what is corrected already taken off too."""
        return replace(self, gain=self.gain * change.gain, offset=self.offset + self.gain * change.offset)
