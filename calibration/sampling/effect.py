"""What each electrode does to the output: one without effect has no wire, no working source, or no life.

A source that does not put out what it reads back, a broken wire or bond, a shorted electrode: the chip then
answers to a voltage that is not the one asked for, every sample of it wrong and none of them flagged. So a
waveform of the plan is played once more for each electrode, with that electrode held at 0 V and the others
as before: the output has to change. It is the plan's own waveform because an electrode that does nothing
while the others rest may do much while they do not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.device import Array, Device

_LEAST = 1e-4
"""Of the output's spread: less is no effect, however quiet the bench; the steps of a meter make as much."""


@dataclass(frozen=True, eq=False)
class Effects:
    """How much of the output each electrode makes; arrays (n,).

    `change` is the RMS change of the output without it, that of noise taken off, in the output's unit.
    `over_noise` says how far that is from chance: the excess of the mean square over that of noise, in
    standard deviations of such excesses.
    """

    names: tuple[str, ...]
    change: Array
    over_noise: Array

    @property
    def weakest(self) -> int:
        """The row of the electrode that does least."""
        return int(np.argmin(self.over_noise))

    def without(self, limit: float) -> tuple[str, ...]:
        """Electrodes whose effect is within `limit` standard deviations of none."""
        return tuple(name for name, far in zip(self.names, self.over_noise, strict=True) if far < limit)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for a record."""
        return {
            "names": list(self.names),
            "change": self.change.tolist(),
            "over_noise": self.over_noise.tolist(),
            "weakest": self.names[self.weakest],
            "least_over_noise": float(self.over_noise[self.weakest]),
        }


def electrode_effects(device: Device, waveform: Array) -> Effects:
    """Measure what each of the device's inputs does to its first output along `waveform`, (time, n_in).

    The waveform is played twice as it is, which gives the noise, and once for each input without it. Samples
    that are flagged in any of them count in none. Raises what `device.run` raises.
    """
    count = waveform.shape[1]
    plays = np.repeat(waveform[None], count + 2, axis=0)
    for row in range(count):
        plays[row + 2, :, row] = 0.0
    response = device.run(plays)
    good = (response.flags == 0).all(axis=0)
    outputs = response.outputs[:, good, 0]
    square = ((outputs[1:] - outputs[0]) ** 2).mean(axis=1) if good.any() else np.zeros(count + 1)
    least = (_LEAST * float(outputs[0].std())) ** 2 if good.any() else 0.0
    noise, excess = max(float(square[0]), least), square[1:] - square[0]
    # a mean square of n normal samples scatters by sqrt(2/n) of itself, and there are two of them
    chance = 2.0 * noise / np.sqrt(max(int(good.sum()), 1))
    far = excess / chance if chance > 0.0 else np.zeros(count)
    return Effects(tuple(device.inputs.names), np.sqrt(np.maximum(excess, 0.0)), far)
