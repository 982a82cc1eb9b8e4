"""An emulated network of dopant chips in process, without instruments."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, ChannelGroup, Flags
from hil.devices.emulated import EmulatedDevice
from hil.devices.emulated_network import EmulatedNetwork
from simulators.models.dopant_network import DopantNetwork
from simulators.models.imperfections import ImperfectChip, Imperfections

READOUT = "e8"


class _Layers(EmulatedNetwork[DopantNetwork]):
    """Consecutive layers of one network, from layer `first` on, of `chips` that others may hold too."""

    def __init__(
        self,
        network: DopantNetwork,
        chips: Sequence[Sequence[ImperfectChip]],
        first: int,
        max_slew: float,
        settling_s: float,
        sample_rate_Hz: float,
        name: str,
    ) -> None:
        models = network.layers
        entry = [(one.low[one.input_index], one.high[one.input_index]) for one in models[0]]
        low, high = (
            torch.stack([a for a, _ in entry]).amax(dim=0),
            torch.stack([b for _, b in entry]).amin(dim=0),
        )
        names, lowest, highest = [], [], []
        for k, layer in enumerate(models, first):
            for j, chip in enumerate(layer):
                names += [f"{k}.{j}.{chip.electrodes[e]}" for e in chip.control_index]
                lowest.append(chip.low[chip.control_index])
                highest.append(chip.high[chip.control_index])
        super().__init__(
            network,
            _volts(tuple(f"x{k}" for k in range(network.n_inputs)), low, high, max_slew),
            _volts(tuple(names), torch.cat(lowest), torch.cat(highest), max_slew),
            _currents(tuple(f"i{k}" for k in range(network.n_outputs)), settling_s),
            {"kind": "dopant network", "name": name, "chips": "-".join(map(str, network.widths))},
            sample_rate_Hz,
            seed=0,  # the chips have noise of their own
        )
        self._chips, self._max_slew = chips, max_slew

    def _answer(self, inputs: Tensor, controls: Tensor) -> tuple[Array, Flags, dict[str, Array]]:
        times_s = self._instants(len(inputs))
        shared = controls.expand(len(inputs), -1)
        state, seen, column = inputs, [], 0
        for k, layer in enumerate(self._model.layers):
            currents = []
            for chip, model in zip(self._chips[k], layer, strict=True):
                volts = torch.empty(len(inputs), len(model.electrodes), dtype=torch.float64)
                volts[:, model.input_index] = state
                volts[:, model.control_index] = shared[:, column : column + model.n_controls]
                column += model.n_controls
                currents.append(torch.as_tensor(chip.observe(volts.numpy(), times_s)))
            seen.append(torch.stack(currents, dim=-1))
            if k + 1 < len(self._model.widths):
                state = self._model.onward(k, seen[-1])
        *inner, outputs = [values.numpy() for values in seen]
        taps = {f"layer{k}": values for k, values in enumerate(inner)} if self.taps else {}
        return outputs, np.zeros(len(inputs), dtype=np.uint8), taps

    def _show_chips(self) -> None:
        """Make each chip of a single layer a device, on the layer's own lines."""
        own, (layer,), (chips,) = self._partition, self._model.layers, self._chips
        devices, first = [], len(self._native)
        for j, (model, chip) in enumerate(zip(layer, chips, strict=True)):
            rows = np.empty(len(model.electrodes), dtype=np.intp)
            rows[model.input_index] = own.rows[: model.n_inputs]
            rows[model.control_index] = own.rows[first : first + model.n_controls]
            first += model.n_controls
            name = f"{self.identity['name']}, chip {j}"
            electrodes = _volts(model.electrodes, model.low, model.high, self._max_slew)
            device = EmulatedDevice(chip, electrodes, READOUT, self.sample_rate_Hz, name)
            device._part(electrodes, [model.electrodes[e] for e in model.input_index], own.held, rows)
            device._count, device._idle = self._count, self._idle
            devices.append(device)
        self.layers = tuple(devices)


class EmulatedDopantNetwork(_Layers):
    """A network of dopant chips as a device: each with noise, drift and jumps of its own, in one time.

    Inputs are x0, … in V, each on one electrode of every chip of the first layer; controls are the chips' other
    electrodes by layer, chip and name, 0.1.e5, …; outputs are the currents of the last layer, i0, … in A. Each layer is
    a device with inputs of its own, and so is each of its chips, whose channels are its electrodes. The chips of a
    layer share their inputs: what drives one of them drives the layer.

    Args:
        network: the true one, errors between the layers included.
        imperfections: of every chip; `Imperfections()` unless said.
        taps: whether the currents of the inner layers are read too, as taps layer0, layer1, …
        max_slew: of every electrode, V/s.
        settling_s: until a reading is good, as stated to who asks; the emulated chips settle at once.
        sample_rate_Hz, name: as in `Device`.
        seed: of the noise, the drift and the jumps; every chip has its own.
    """

    def __init__(
        self,
        network: DopantNetwork,
        *,
        imperfections: Imperfections | None = None,
        taps: bool = True,
        max_slew: float = 60.0,
        settling_s: float = 0.0,
        sample_rate_Hz: float = 1e3,
        seed: int = 0,
        name: str = "emulated",
    ) -> None:
        known, models = imperfections or Imperfections(), network.layers
        chips = [
            [ImperfectChip(model, known, _seed(seed, k, j)) for j, model in enumerate(layer)]
            for k, layer in enumerate(models)
        ]
        super().__init__(network, chips, 0, max_slew, settling_s, sample_rate_Hz, name)
        if len(models) == 1:
            self._show_chips()
            return
        if taps:
            self.taps = {
                f"layer{k}": _currents(tuple(f"i{j}" for j in range(width)), settling_s)
                for k, width in enumerate(network.widths[:-1])
            }
        layers = [
            _Layers(
                network.layer(k),
                chips[k : k + 1],
                k,
                max_slew,
                settling_s,
                sample_rate_Hz,
                f"{name}, layer {k}",
            )
            for k in range(len(models))
        ]
        self._adopt(layers)
        for layer in layers:
            layer._show_chips()


def _volts(names: Sequence[str], low: Tensor, high: Tensor, max_slew: float) -> ChannelGroup:
    return ChannelGroup(tuple(names), "V", low.numpy(), high.numpy(), np.full(len(names), max_slew))


def _currents(names: tuple[str, ...], settling_s: float) -> ChannelGroup:
    free = np.full(len(names), np.inf)
    return ChannelGroup(names, "A", -free, free, free, settling_s)


def _seed(seed: int, layer: int, chip: int) -> int:
    return int(np.random.SeedSequence((seed, layer, chip)).generate_state(1)[0])
