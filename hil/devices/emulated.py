"""The emulated chip in process, without instruments: the quickest `Device` there is."""

from typing import Protocol

import numpy as np

from calibration.device import Array, ChannelGroup, Response
from hil.devices.partition import PartedDevice


class Chip(Protocol):
    """An emulated chip that is observed in time, noise and drift included."""

    def observe(self, voltages: Array, times_s: Array) -> Array:
        """Currents (time,) in A for electrode voltages (time, n) at `times_s` (time,)."""


class EmulatedDevice(PartedDevice):
    """A chip model with its imperfections as a device: no amplifier, no instruments, no ramps.

    Args:
        chip: observed once per sample, its time running on from run to run.
        electrodes: the driven electrodes with their limits.
        readout: name of the electrode that is read.
        sample_rate_Hz: samples a second.
        name: for the identity.
    """

    def __init__(
        self,
        chip: Chip,
        electrodes: ChannelGroup,
        readout: str,
        sample_rate_Hz: float,
        name: str = "emulated",
    ) -> None:
        free = np.full(1, np.inf)
        outputs = ChannelGroup((readout,), "A", -free, free, free)
        super().__init__({"kind": "dnpu", "name": name}, electrodes, outputs, sample_rate_Hz)
        self._chip = chip

    def run(self, inputs: Array) -> Response:
        """See `calibration.device.Device`."""
        voltages = self._partition.voltages(inputs)
        batch, time, n = voltages.shape
        current = self._chip.observe(voltages.reshape(-1, n), self._instants(batch * time))
        self._count["samples"] += batch * time
        self._partition.remember(voltages.reshape(-1, n)[-1])
        return Response(
            np.asarray(inputs, dtype=np.float64),
            np.asarray(current, dtype=np.float64).reshape(batch, time, 1),
            np.zeros((batch, time), dtype=np.uint8),
        )
