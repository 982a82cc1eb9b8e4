"""Several dopant chips in layers: the currents of one layer, as voltages, drive the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from simulators.errors import ModelError
from simulators.models.hopping import default_network
from simulators.models.model import ElectrodeModel
from simulators.models.staged import StagedModel
from simulators.models.threads import one_thread


class CurrentToVoltage(torch.nn.Module):
    """The stage between two layers: V = offset + gain · I for each chip of the layer before, clipped to low … high.

    Where it clips, its derivative is zero.

    Args:
        gain_V_per_A, offset_V: one for each chip, (n,).
        low_V, high_V: what all the electrodes that a chip drives stand, (n,).

    Raises:
        ModelError: lengths that differ, a value that is not finite, a low limit not below its high one.
    """

    gain_V_per_A: Tensor
    offset_V: Tensor
    low_V: Tensor
    high_V: Tensor

    def __init__(self, gain_V_per_A: Tensor, offset_V: Tensor, low_V: Tensor, high_V: Tensor) -> None:
        super().__init__()
        given = {"gain_V_per_A": gain_V_per_A, "offset_V": offset_V, "low_V": low_V, "high_V": high_V}
        for name, values in given.items():
            if (
                values.shape != gain_V_per_A.shape
                or values.ndim != 1
                or not bool(torch.isfinite(values).all())
            ):
                raise ModelError(f"{name} should be {tuple(gain_V_per_A.shape)} finite numbers, not {values}")
            self.register_buffer(name, values.detach().double().clone())
        if not bool((low_V < high_V).all()):
            raise ModelError(f"clipping from {low_V.tolist()} to {high_V.tolist()} V: the lower first")

    def forward(self, currents: Tensor) -> Tensor:
        """Voltages (..., n) of currents (..., n) in A."""
        volts = self.offset_V + self.gain_V_per_A * currents
        return torch.minimum(torch.maximum(volts, self.low_V), self.high_V)

    def with_errors(self, generator: torch.Generator, gain: float, offset_V: float) -> Self:
        """One whose gains and offsets are off, by normal errors of these standard deviations, relative and in V."""
        off = torch.randn(2, len(self.gain_V_per_A), generator=generator, dtype=torch.float64)
        return type(self)(
            self.gain_V_per_A * (1.0 + gain * off[0]),
            self.offset_V + offset_V * off[1],
            self.low_V,
            self.high_V,
        )


class DopantNetwork(StagedModel):
    """Layers of dopant chips, as published multi-chip networks are wired (Ruiz-Euler et al., arXiv 2007.12371).

    Every chip of the first layer has all the network's inputs, each on one electrode; every chip of a later one has
    a voltage for each chip of the layer before. What is seen behind a layer are its chips' currents, in A; the
    currents of the last layer are the outputs. Controls are those of the chips, layer after layer, chip after chip.

    Args:
        layers: chips of one output, parted by `with_inputs`.
        between: the stages between them, one fewer than layers.

    Raises:
        ModelError: chips or stages that do not fit one another.
    """

    def __init__(
        self, layers: Sequence[Sequence[ElectrodeModel]], between: Sequence[CurrentToVoltage]
    ) -> None:
        super().__init__()
        widths = [len(layer) for layer in layers]
        if not widths or min(widths) < 1 or len(between) != len(layers) - 1:
            raise ModelError(
                f"{len(widths)} layers of {widths} chips with {len(between)} stages between; at least a chip a layer, "
                "and a stage between each two"
            )
        lines = [layers[0][0].n_inputs, *widths[:-1]]
        for k, (layer, n) in enumerate(zip(layers, lines, strict=True)):
            for j, chip in enumerate(layer):
                if chip.n_inputs != n or chip.n_outputs != 1:
                    raise ModelError(
                        f"chip {k}.{j} has {chip.n_inputs} inputs and {chip.n_outputs} outputs; its place asks for "
                        f"{n} and 1"
                    )
        for k, stage in enumerate(between):
            if len(stage.gain_V_per_A) != widths[k]:
                raise ModelError(
                    f"the stage behind layer {k} serves {len(stage.gain_V_per_A)} of {widths[k]} chips"
                )
        self.widths = tuple(widths)
        self.chips = torch.nn.ModuleList(torch.nn.ModuleList(layer) for layer in layers)
        self.between = torch.nn.ModuleList(between)
        self._sizes = [[chip.n_controls for chip in layer] for layer in layers]
        self.n_inputs, self.n_outputs = lines[0], widths[-1]
        self.n_controls = sum(map(sum, self._sizes))

    @property
    def layers(self) -> list[list[ElectrodeModel]]:
        """The chips, layer by layer."""
        lists = [layer for layer in self.chips if isinstance(layer, torch.nn.ModuleList)]
        return [[chip for chip in layer if isinstance(chip, ElectrodeModel)] for layer in lists]

    @property
    def stages_between(self) -> list[CurrentToVoltage]:
        """What is between the layers."""
        return [stage for stage in self.between if isinstance(stage, CurrentToVoltage)]

    @property
    def tap_names(self) -> tuple[str, ...]:
        """See `StagedModel`: the currents of the inner layers."""
        return tuple(f"layer{k}" for k in range(len(self.widths) - 1))

    def layer(self, k: int) -> "DopantNetwork":
        """Layer `k` alone, sharing its chips."""
        return DopantNetwork([self.layers[k]], [])

    def with_chips(self, layers: Sequence[Sequence[ElectrodeModel]]) -> "DopantNetwork":
        """The same wiring of other chips, such as fitted surrogates of these."""
        return DopantNetwork(layers, self.stages_between)

    def with_errors(self, generator: torch.Generator, gain: float, offset_V: float) -> "DopantNetwork":
        """The same chips, with errors between the layers: see `CurrentToVoltage.with_errors`."""
        stages = [stage.with_errors(generator, gain, offset_V) for stage in self.stages_between]
        return DopantNetwork(self.layers, stages)

    def forward(self, inputs: Tensor, controls: Tensor) -> Tensor:
        """See `Model.forward`: currents of the last layer for voltages, both inputs and controls in V."""
        return self.chained(inputs, controls)[-1]

    def parts(self, controls: Tensor) -> Sequence[Tensor]:
        """See `StagedModel`."""
        return torch.split(controls, [sum(sizes) for sizes in self._sizes], dim=-1)

    def stage(self, k: int, state: Tensor, part: Tensor) -> Tensor:
        """See `StagedModel`: the currents of layer `k`."""
        each = torch.split(part, self._sizes[k], dim=-1)
        currents = [chip(state, mine) for chip, mine in zip(self.layers[k], each, strict=True)]
        return torch.cat(currents, dim=-1)

    def onward(self, k: int, state: Tensor) -> Tensor:
        """See `StagedModel`: currents become voltages."""
        volts: Tensor = self.between[k](state)
        return volts


@dataclass(frozen=True)
class Wiring:
    """How a network of dopant chips is wired.

    Attributes:
        widths: chips of each layer; 2-2-1 is the published network of five.
        inputs: electrodes of every chip that carry its inputs: as many as there are inputs, and as the widest inner
            layer has chips; a layer of fewer uses the first ones.
        n_inputs: of the network.
        reach: currents of so many standard deviations of a readout reach to the ends of the next electrodes' range.
    """

    widths: tuple[int, ...] = (2, 2, 1)
    inputs: tuple[str, ...] = ("e3", "e4")
    n_inputs: int = 2
    reach: float = 2.0

    def __post_init__(self) -> None:
        if not self.widths or len(self.inputs) < max(self.n_inputs, *self.widths[:-1], 1):
            raise ModelError(
                f"widths {self.widths} with inputs on {self.inputs}: an electrode for each input"
            )

    @property
    def lines(self) -> tuple[int, ...]:
        """Voltages that each layer takes."""
        return (self.n_inputs, *self.widths[:-1])

    def stages(self, layers: Sequence[Sequence[ElectrodeModel]], std_A: float) -> list[CurrentToVoltage]:
        """The stages between `layers`, for readouts of a standard deviation `std_A` around 0 A."""
        stages = []
        for chips in layers[1:]:
            low = torch.stack([chip.low[chip.input_index] for chip in chips]).amax(dim=0)
            high = torch.stack([chip.high[chip.input_index] for chip in chips]).amin(dim=0)
            gain = (high - low) / (2.0 * self.reach * std_A)
            stages.append(CurrentToVoltage(gain, 0.5 * (low + high), low, high))
        return stages


def dopant_network(wiring: Wiring, seed: int) -> DopantNetwork:
    """A network of hopping specimens, each another one, drawn from `seed`."""
    places = [(k, j) for k, width in enumerate(wiring.widths) for j in range(width)]
    with one_thread():
        chips = {place: default_network(1000 * seed + n) for n, place in enumerate(places)}
        std_A = chips[0, 0].readout_std_A()
    layers = [
        [chips[k, j].with_inputs(wiring.inputs[:lines]) for j in range(width)]
        for k, (width, lines) in enumerate(zip(wiring.widths, wiring.lines, strict=True))
    ]
    return DopantNetwork(layers, wiring.stages(layers, std_A))
