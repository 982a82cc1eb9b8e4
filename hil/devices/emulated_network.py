"""What emulated networks in process share: their layers are devices too."""

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, ChannelGroup, Flags, Response
from hil.devices.partition import PartedDevice
from simulators.models.model import Model

NetworkModel = TypeVar("NetworkModel", bound=Model)


class EmulatedNetwork(PartedDevice, Generic[NetworkModel]):
    """What the emulated networks share: inputs before controls, and layers that are parts of the same chip.

    Fields and powers are relative to the unit power and phases are in rad, so the channels' unit is mostly 1. With
    `with_inputs` any channel can be fast. A layer takes inputs of its own and holds its share of the network's
    controls: setting them there sets them here. All readings are counted on the network.

    Args:
        model: the true one.
        inputs, controls, outputs: the channels.
        identity, sample_rate_Hz: as in `Device`.
        seed: of the noise.
    """

    def __init__(
        self,
        model: NetworkModel,
        inputs: ChannelGroup,
        controls: ChannelGroup,
        outputs: ChannelGroup,
        identity: Mapping[str, str],
        sample_rate_Hz: float,
        seed: int,
    ) -> None:
        channels = joined(inputs, controls)
        super().__init__(identity, channels, outputs, sample_rate_Hz)
        self._part(channels, inputs.names, np.zeros(len(channels.names)))
        self._model, self._native = model, inputs.names
        self._generator = torch.Generator().manual_seed(seed)

    def _adopt(self, layers: Sequence["EmulatedNetwork[NetworkModel]"]) -> None:
        """Make `layers` parts of this chip: of its controls, its noise and its count of readings."""
        own = self._partition
        first, n = len(self._native), len(own.rows)
        inner = sum(len(layer.inputs.names) for layer in layers)
        held = np.zeros(n + inner)
        self._part(own.electrodes, self._native, held)
        for layer in layers:
            fast, slow = len(layer.inputs.names), len(layer.controls.names)
            rows = np.concatenate((n + np.arange(fast), first + np.arange(slow)))
            n, first = n + fast, first + slow
            layer._part(layer._partition.electrodes, layer._native, held, rows)
            layer._count, layer._idle, layer._generator = self._count, self._idle, self._generator
        self.layers = tuple(layers)

    def run(self, inputs: Array) -> Response:
        """See `calibration.device.Device`."""
        checked = self._partition.checked(inputs)
        n = len(self._native)
        if self.inputs.names == self._native:  # all samples share the controls, and what is built from them
            flat, held = checked.reshape(-1, n), self._partition.present
            applied, controls = torch.as_tensor(flat), torch.as_tensor(held[n:])
            last = np.concatenate((flat[-1:], held[None, n:]), axis=1)[0] if len(flat) else held
        else:
            every = self._partition.voltages(inputs).reshape(-1, len(self._partition.rows))
            applied, controls = torch.as_tensor(every[:, :n]), torch.as_tensor(every[:, n:])
            last = every[-1] if len(every) else self._partition.present
        with torch.no_grad():
            outputs, flags, taps = self._answer(applied, controls)
        self._count["samples"] += len(applied)
        self._partition.remember(last)
        lead = checked.shape[:2]
        return Response(
            checked.copy(),
            outputs.reshape(*lead, outputs.shape[-1]),
            flags.reshape(lead),
            {name: values.reshape(*lead, values.shape[-1]) for name, values in taps.items()},
        )

    def _answer(self, inputs: Tensor, controls: Tensor) -> tuple[Array, Flags, dict[str, Array]]:
        """Outputs, flags and taps of samples (samples, n_in); controls are shared or one row for each."""
        raise NotImplementedError

    def _normal(self, values: Tensor) -> Tensor:
        return torch.randn(values.shape, generator=self._generator, dtype=values.dtype)


def group(names: tuple[str, ...], low: float, high: float, noise: float | None = None) -> ChannelGroup:
    """Like channels of unit 1 that nothing slows down."""
    n = len(names)
    return ChannelGroup(names, "1", np.full(n, low), np.full(n, high), np.full(n, np.inf), noise=noise)


def joined(first: ChannelGroup, second: ChannelGroup) -> ChannelGroup:
    """The channels of both."""
    return ChannelGroup(
        (*first.names, *second.names),
        first.unit,
        np.concatenate((first.low, second.low)),
        np.concatenate((first.high, second.high)),
        np.concatenate((first.max_slew, second.max_slew)),
    )
