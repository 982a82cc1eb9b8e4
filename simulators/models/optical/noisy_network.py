"""A feed-forward optical network whose weighted sums and activations are noisy."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from simulators.errors import ModelError
from simulators.models.optical.activation import Activation, activation
from simulators.models.staged import StagedModel


@dataclass(frozen=True, eq=False)
class NoiseLevels:
    """Standard deviations of the noise of each layer: of its weighted sums, and of its activations.

    Attributes:
        weighted, activated: one for each layer, in the units of the values they are added to.
    """

    weighted: Tensor
    activated: Tensor

    def __post_init__(self) -> None:
        for name in ("weighted", "activated"):
            for layer, value in enumerate(getattr(self, name).tolist()):
                if not (value >= 0.0 and value < float("inf")):
                    raise ModelError(
                        f"noise of layer {layer}, {name}: {value} should be finite, not negative"
                    )

    @classmethod
    def uniform(cls, layers: int, level: float) -> "NoiseLevels":
        """One level for every weighted sum and for every activation but the last layer's, which has none."""
        activated = torch.full((layers,), level, dtype=torch.float64)
        activated[-1] = 0.0
        return cls(torch.full((layers,), level, dtype=torch.float64), activated)


class NoisyNetwork(StagedModel):
    """a_l = φ(W_l a_{l-1} + b_l + N_w,l) + N_a,l with Gaussian noise, independent over layers and readings.

    The model of noise is that of Kosmella, Stabile, Sanders (arXiv 2308.06182). The last layer has no activation.
    Controls are the weights and biases, layer after layer: W row by row, then b. Without `noise` the network is
    free of noise. Every reading's noise is `scale` times the layer's level times a number of unit variance that
    `draw` makes or the caller hands in: the same numbers at two levels make their difference a smooth function.

    Args:
        widths: number of inputs, of each hidden layer's units, of outputs.
        hidden: name of the activation of all layers but the last.
        levels: of the noise, one for each layer.

    Raises:
        ModelError: fewer than two widths, a width below 1, an unknown activation, levels of another number of layers.
    """

    weighted_std: Tensor
    activated_std: Tensor

    def __init__(self, widths: Sequence[int], hidden: str, levels: NoiseLevels) -> None:
        super().__init__()
        if len(widths) < 2 or min(widths) < 1:
            raise ModelError(f"widths {tuple(widths)}: inputs and outputs are needed, each 1 at least")
        self.widths, self.hidden = tuple(widths), hidden
        count = len(widths) - 1
        for name in ("weighted", "activated"):
            if getattr(levels, name).shape != (count,):
                found = tuple(getattr(levels, name).shape)
                raise ModelError(f"noise levels, {name}: shape {found} for {count} layers")
        last: Activation = activation("identity")
        self.activations = [activation(hidden)] * (count - 1) + [last]
        self.register_buffer("weighted_std", levels.weighted)
        self.register_buffer("activated_std", levels.activated)
        self.shapes = [(outputs, inputs) for inputs, outputs in pairwise(widths)]
        self.sizes = [outputs * inputs + outputs for outputs, inputs in self.shapes]
        self.n_inputs, self.n_outputs, self.n_controls = widths[0], widths[-1], sum(self.sizes)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources of noise in the order of `draw` and of a `scale`: w0, a0, w1, a1, …"""
        return tuple(f"{kind}{layer}" for layer in range(len(self.shapes)) for kind in "wa")

    def draw(self, lead: Sequence[int], generator: torch.Generator) -> list[Tensor]:
        """Unit noise of every source, each (*lead, width), for a batch of the shape `lead`."""
        widths = [width for width in self.widths[1:] for _ in "wa"]
        kind = self.weighted_std.dtype
        return [torch.randn((*lead, width), generator=generator, dtype=kind) for width in widths]

    def forward(
        self,
        inputs: Tensor,
        controls: Tensor,
        noise: Sequence[Tensor] | None = None,
        scale: Tensor | None = None,
    ) -> Tensor:
        """See `Model.forward`.

        Args:
            noise: unit noise as `draw` makes it, broadcast against the batch.
            scale: factor on the levels: one, or one for each of `sources`; differentiable.
        """
        return self.states(inputs, controls, noise, scale)[-1]

    def states(
        self,
        inputs: Tensor,
        controls: Tensor,
        noise: Sequence[Tensor] | None = None,
        scale: Tensor | None = None,
    ) -> list[Tensor]:
        """What each layer hands on, a_l (..., width), noise included; as `forward` otherwise."""
        if inputs.shape[-1] != self.n_inputs:
            raise ModelError(f"{inputs.shape[-1]} inputs; the network has {self.n_inputs}")
        if noise is not None and len(noise) != len(self.sources):
            raise ModelError(f"noise of {len(noise)} sources; the network has {', '.join(self.sources)}")
        levels = torch.stack((self.weighted_std, self.activated_std), dim=1).flatten()
        if scale is not None:
            levels = levels * scale
        states: list[Tensor] = []
        for layer, (weights, biases) in enumerate(self.layers_of(controls)):
            values = _weighted(states[-1] if states else inputs, weights) + biases
            if noise is not None:
                values = values + levels[2 * layer] * noise[2 * layer]
            values = self.activations[layer](values)
            if noise is not None:
                values = values + levels[2 * layer + 1] * noise[2 * layer + 1]
            states.append(values)
        return states

    @property
    def tap_names(self) -> tuple[str, ...]:
        """See `StagedModel`: what the inner layers hand on."""
        return tuple(f"layer{k}" for k in range(len(self.sizes) - 1))

    def parts(self, controls: Tensor) -> Sequence[Tensor]:
        """See `StagedModel`: weights and biases of each layer."""
        if controls.shape[-1] != self.n_controls:
            raise ModelError(f"{controls.shape[-1]} controls; the network has {self.n_controls}")
        return torch.split(controls, self.sizes, dim=-1)

    def stage(self, k: int, state: Tensor, part: Tensor) -> Tensor:
        """See `StagedModel`: layer `k` with its activation, free of noise."""
        weights, biases = self._weights(k, part)
        return self.activations[k](_weighted(state, weights) + biases)

    def layers_of(self, controls: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Weights (..., out, in) and biases (..., out) of each layer from controls (..., n_controls)."""
        return [self._weights(k, part) for k, part in enumerate(self.parts(controls))]

    def _weights(self, k: int, part: Tensor) -> tuple[Tensor, Tensor]:
        outputs, inputs = self.shapes[k]
        weights, biases = torch.split(part, [outputs * inputs, outputs], dim=-1)
        return weights.reshape(*part.shape[:-1], outputs, inputs), biases

    def initial(self, generator: torch.Generator) -> Tensor:
        """Controls (n_controls,) to start training from: Glorot's weights, no biases."""
        parts = []
        for outputs, inputs in self.shapes:
            reach = (6.0 / (inputs + outputs)) ** 0.5
            weights = torch.rand(outputs * inputs, generator=generator, dtype=self.weighted_std.dtype)
            parts += [reach * (2.0 * weights - 1.0), torch.zeros(outputs, dtype=weights.dtype)]
        return torch.cat(parts)

    def layer(self, k: int) -> "NoisyNetwork":
        """Layer `k` alone, with its noise and its activation."""
        levels = NoiseLevels(self.weighted_std[k : k + 1], self.activated_std[k : k + 1])
        alone = NoisyNetwork((self.shapes[k][1], self.shapes[k][0]), self.hidden, levels)
        alone.activations = [self.activations[k]]
        return alone


def _weighted(values: Tensor, weights: Tensor) -> Tensor:
    """Weights (..., out, in) times values (..., in); one product where the batch shares its weights."""
    if weights.ndim == 2:
        return values @ weights.mT
    return (weights @ values[..., None])[..., 0]
