"""Static points asked of a chip that needs ramps and settling."""

import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import PlanError
from calibration.sampling.holding import Holding
from calibration.tuning.asking import Reading


@dataclass(frozen=True, eq=False)
class Plateaus:
    """Each point is held until it has settled and is then read; the readings of a point are averaged.

    The inputs start and end at rest. The points come in a drawn order, drawn afresh for every repeat, so that drift
    and memory do not side with a point; it is a function of the seed and of the points alone, so that the same points
    asked for under two settings come in the same order, and a resumed run asks as the interrupted one would have.

    Attributes:
        holding: lengths of plateaus, settling and slopes.
        rest: of the inputs, (n_in,), in their unit.
        repeats: how often each point is held in one asking.
        seed: of the order.
    """

    holding: Holding
    rest: Array
    repeats: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise PlanError(f"{self.repeats} repeats of a plateau: at least 1")

    @classmethod
    def of(
        cls,
        device: Device,
        *,
        plateau_s: float,
        settling_s: float | None = None,
        points: Array | None = None,
        repeats: int = 1,
        slew_fraction: float = 0.9,
        seed: int = 0,
    ) -> Self:
        """Plateaus of `plateau_s` whose slopes stay within the slew limits of the device's inputs.

        Args:
            device: parted as it will be asked.
            plateau_s: the settling included.
            settling_s: until a reading is good; what the device's outputs state, unless said.
            points: all that will be asked for, (n, n_in): slopes need not be longer than between these and the rest.
                Without them slopes are as long as the inputs' ranges need.
            repeats, seed: see the class.
            slew_fraction: share of the slew limits that a slope may use.

        Raises:
            PlanError: settling leaves no reading of a plateau.
        """
        inputs = device.inputs
        rest = np.clip(np.zeros(len(inputs.names)), inputs.low, inputs.high)
        ends = np.stack((inputs.low, inputs.high)) if points is None else points
        holding = Holding.within(
            inputs,
            device.sample_rate_Hz,
            plateau=round(plateau_s * device.sample_rate_Hz),
            settling_s=device.outputs.settling_s if settling_s is None else settling_s,
            span=np.ptp(np.concatenate((ends, rest[None])), axis=0),
            slew_fraction=slew_fraction,
        )
        return cls(holding, rest, repeats, seed)

    def cost(self, samples: int) -> int:
        """See `Asking`: slopes and settling are readings too."""
        return self.holding.samples(self.repeats * samples, at_rest=True)

    def __call__(self, device: Device, inputs: Array) -> Reading:
        """See `Asking`; a point is usable where at least one of its readings is."""
        points = np.ascontiguousarray(inputs, dtype=np.float64)
        rng = np.random.default_rng((self.seed, zlib.crc32(points.tobytes())))
        order = np.concatenate([rng.permutation(len(points)) for _ in range(self.repeats)])
        response = device.run(self.holding.waveform(points[order], self.rest)[None])
        place = self.holding.owners(len(order), at_rest=True)
        good = (place >= 0) & (response.flags[0] == 0) & np.isfinite(response.outputs[0]).all(axis=-1)
        owner = order[place[good]]
        count = np.bincount(owner, minlength=len(points))

        def mean(values: Array) -> Tensor:
            total = np.zeros((len(points), values.shape[-1]))
            np.add.at(total, owner, values[good])
            return torch.as_tensor(total / np.maximum(count, 1)[:, None])

        return Reading(
            mean(response.outputs[0]),
            {name: mean(values[0]) for name, values in response.taps.items()},
            torch.as_tensor(count > 0),
        )
