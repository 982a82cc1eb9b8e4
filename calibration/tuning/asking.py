"""How a device is asked for static points, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.tuning.task import Rows


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read at static points.

    Attributes:
        outputs: (samples, n_out).
        taps: by name, each (samples, n_tap).
        usable: which samples carry no flag, (samples,).
    """

    outputs: Tensor
    taps: Mapping[str, Tensor]
    usable: Tensor

    def at(self, rows: Rows) -> "Reading":
        """The samples at the places `rows`."""
        index = torch.as_tensor(rows)
        taps = {name: values[index] for name, values in self.taps.items()}
        return Reading(self.outputs[index], taps, self.usable[index])


class Asking(Protocol):
    """How points become a waveform, and its samples answers."""

    def cost(self, samples: int) -> int:
        """Readings of the device for so many points."""

    def __call__(self, device: Device, inputs: Array) -> Reading:
        """Read `inputs` (samples, n_in)."""


class TimeSteps:
    """Each point is one sample of a waveform: for devices that settle before each reading."""

    def cost(self, samples: int) -> int:
        """See `Asking`."""
        return samples

    def __call__(self, device: Device, inputs: Array) -> Reading:
        """See `Asking`."""
        response = device.run(np.asarray(inputs, dtype=np.float64)[None])
        return Reading(
            torch.as_tensor(response.outputs[0]),
            {name: torch.as_tensor(values[0]) for name, values in response.taps.items()},
            torch.as_tensor(response.flags[0] == 0),
        )
