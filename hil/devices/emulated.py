"""The emulated chip in process, without instruments: the quickest `Device` there is."""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

import numpy as np

from calibration.device import Array, ChannelGroup, Cost, Response
from hil.devices.partition import Partition


class Chip(Protocol):
    """An emulated chip that is observed in time, noise and drift included."""

    def observe(self, voltages: Array, times_s: Array) -> Array:
        """Currents (time,) in A for electrode voltages (time, n) at `times_s` (time,)."""


class EmulatedDevice:
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
        self.identity: Mapping[str, str] = {"kind": "dnpu", "name": name}
        self.sample_rate_Hz = sample_rate_Hz
        free = np.full(1, np.inf)
        self.outputs = ChannelGroup((readout,), "A", -free, free, free)
        self.taps: Mapping[str, ChannelGroup] = {}
        self.layers: Sequence[Self] = ()
        self._chip = chip
        self._spent = {"samples": 0}
        self._part(electrodes, electrodes.names, np.zeros(len(electrodes.names)))

    def _part(self, electrodes: ChannelGroup, inputs: Sequence[str], held: Array) -> None:
        self._partition = Partition(electrodes, inputs, self.sample_rate_Hz, held)
        self.inputs, self.controls = self._partition.inputs, self._partition.controls

    @property
    def cost(self) -> Cost:
        """Samples taken, and the time they would have lasted."""
        return Cost(self._spent["samples"], self._spent["samples"] / self.sample_rate_Hz)

    def with_inputs(self, names: Sequence[str]) -> Self:
        """See `calibration.device.Device`."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._part(self._partition.electrodes, names, self._partition.held)
        return view

    def set_controls(self, values: Array) -> None:
        """See `calibration.device.Device`."""
        self._partition.hold(values)

    def run(self, inputs: Array) -> Response:
        """See `calibration.device.Device`."""
        voltages = self._partition.voltages(inputs)
        batch, time, n = voltages.shape
        start = self._spent["samples"]
        instants = (start + 1 + np.arange(batch * time)) / self.sample_rate_Hz
        current = self._chip.observe(voltages.reshape(-1, n), instants)
        self._spent["samples"] += batch * time
        self._partition.remember(voltages.reshape(-1, n)[-1])
        return Response(
            np.asarray(inputs, dtype=np.float64),
            np.asarray(current, dtype=np.float64).reshape(batch, time, 1),
            np.zeros((batch, time), dtype=np.uint8),
        )

    def rest(self) -> None:
        """Every electrode to 0 V."""
        self._partition.remember(np.zeros(len(self._partition.held)))
