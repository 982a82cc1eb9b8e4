"""The surrogate itself: a fully connected network from electrode voltages to a current."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from calibration.errors import ModelFileError, PlanError
from calibration.surrogate.dataset import Dataset
from simulators.models.model import ElectrodeModel
from simulators.models.network import NetworkChip

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}

_NOISE = "log_variance_layer"

# Bounds of the logarithm of the variance in units of the targets' spread: 0.0025 to 20 of them.
_LOG_VARIANCE = (-12.0, 6.0)


class SurrogateNetwork(ElectrodeModel):
    """A chip as a fully connected network, by default five hidden layers of 90 ReLU.

    Voltages enter scaled to ±1 by electrode range and the current leaves in units of its spread, so that
    one learning rate suits every chip; `current` does both. With `likelihood` a second output is the
    logarithm of the variance of a reading, and `noise` its square root in A.

    Attributes:
        body: the layers, from scaled inputs (..., n_in) to scaled outputs (..., 1 or 2).
        hidden, activation, likelihood: as given.
        offset_A, scale_A: buffers, of the current.
    """

    offset_A: Tensor
    scale_A: Tensor

    def __init__(
        self,
        electrodes: Sequence[str],
        low_V: Sequence[float],
        high_V: Sequence[float],
        *,
        offset_A: float = 0.0,
        scale_A: float = 1.0,
        hidden: Sequence[int] = (90, 90, 90, 90, 90),
        activation: str = "relu",
        likelihood: bool = False,
        seed: int = 0,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise PlanError(f"activation {activation!r}: choose one of {', '.join(ACTIVATIONS)}")
        if not hidden or min(hidden) < 1:
            raise PlanError(f"hidden {tuple(hidden)}: give at least one layer, of at least one unit")
        low, high = (torch.tensor(limit, dtype=torch.float64) for limit in (low_V, high_V))
        super().__init__(electrodes, low, high)
        self.hidden, self.activation, self.likelihood = tuple(hidden), activation, likelihood
        self.register_buffer("offset_A", torch.tensor(offset_A, dtype=torch.float64))
        self.register_buffer("scale_A", torch.tensor(scale_A, dtype=torch.float64))
        widths = (len(self.electrodes), *hidden)
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise(widths):
            layers += [nn.Linear(fan_in, fan_out), ACTIVATIONS[activation]()]
        layers.append(nn.Linear(widths[-1], 2 if likelihood else 1))
        self.body = nn.Sequential(*layers)
        self._initialise(torch.Generator().manual_seed(seed))

    @classmethod
    def for_dataset(cls, dataset: Dataset, **options: Any) -> Self:
        """A fresh network with the electrodes, ranges and scaling of `dataset`, and the class's `options`."""
        scaling = dataset.scaling
        return cls(
            dataset.electrodes,
            scaling.low_V,
            scaling.high_V,
            offset_A=scaling.offset_A,
            scale_A=scaling.scale_A,
            **options,
        )

    def current(self, voltages: Tensor) -> Tensor:
        """Predicted current (..., 1) in A for `voltages` (..., n_in) in V, in the voltages' precision."""
        return self._mean(self.body(self._scaled(voltages)), voltages)

    def noise(self, voltages: Tensor) -> Tensor:
        """Predicted standard deviation (..., 1) in A of one reading at `voltages` (..., n_in) in V.

        Raises PlanError for a network trained without `likelihood`.
        """
        return self.current_and_noise(voltages)[1]

    def current_and_noise(self, voltages: Tensor) -> tuple[Tensor, Tensor]:
        """`current` and `noise` of one pass."""
        if not self.likelihood:
            raise PlanError("this surrogate was trained without likelihood, so it knows no noise")
        answer = self.body(self._scaled(voltages))
        spread = torch.exp(0.5 * log_variance(answer)).to(voltages.dtype)
        return self._mean(answer, voltages), spread * self.scale_A.to(voltages.dtype)

    def to_network(self, origin: str = "", facts: Mapping[str, Any] | None = None) -> NetworkChip:
        """This surrogate as a chip that can be stored, with the same weights; `facts` go on its card.

        A stored chip has one output, so the layer that predicts the noise goes among the facts.
        """
        layers = [(layer.weight.detach(), layer.bias.detach()) for layer in self._linear()]
        facts = dict(facts or {})
        if self.likelihood:
            weight, bias = layers[-1]
            facts[_NOISE] = {"weight": weight[1].tolist(), "bias": bias[1].item()}
            layers[-1] = (weight[:1], bias[:1])
        return NetworkChip(
            layers,
            self.activation,
            self.electrodes,
            self.low,
            self.high,
            input_offset_V=0.5 * (self.low + self.high),
            input_scale_V=0.5 * (self.high - self.low),
            output_offset_A=self.offset_A,
            output_scale_A=self.scale_A,
            origin=origin,
            facts=facts,
        )

    @classmethod
    @torch.no_grad()
    def from_network(cls, chip: NetworkChip) -> Self:
        """The surrogate that `chip` stores, or, of another's network, one that answers as it does.

        Raises ModelFileError for a network with several outputs, no hidden layer or another activation.
        """
        if chip.activation not in ACTIVATIONS or chip.n_outputs != 1 or len(chip.layers) < 2:
            raise ModelFileError(
                f"a network of {len(chip.layers)} layers, {chip.n_outputs} outputs and {chip.activation} "
                f"is no surrogate: that has hidden layers, one output and one of {', '.join(ACTIVATIONS)}"
            )
        noise = chip.facts.get(_NOISE)
        surrogate = cls(
            chip.electrodes,
            chip.low.tolist(),
            chip.high.tolist(),
            offset_A=chip.output_offset_A.item(),
            scale_A=chip.output_scale_A.item(),
            hidden=chip.sizes[1:-1],
            activation=chip.activation,
            likelihood=noise is not None,
        )
        linear = surrogate._linear()
        for layer, (weight, bias) in zip(linear, _weights(chip), strict=True):
            layer.weight[: len(weight)], layer.bias[: len(bias)] = weight, bias
        if noise is not None:
            linear[-1].weight[1], linear[-1].bias[1] = torch.tensor(noise["weight"]), noise["bias"]
        return surrogate

    def _mean(self, answer: Tensor, voltages: Tensor) -> Tensor:
        mean = answer[..., :1].to(self.offset_A.dtype)
        return (self.offset_A + self.scale_A * mean).to(voltages.dtype)

    def _scaled(self, voltages: Tensor) -> Tensor:
        scaled = (2.0 * voltages - (self.low + self.high)) / (self.high - self.low)
        return scaled.to(self.body[0].weight.dtype)  # type: ignore[arg-type]

    def _linear(self) -> list[nn.Linear]:
        return [layer for layer in self.body if isinstance(layer, nn.Linear)]

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        # He et al. 2015, arXiv 1502.01852: the variance that ReLU layers keep; the last layer starts small.
        linear = self._linear()
        for layer in linear:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
        linear[-1].weight.mul_(0.1)


def log_variance(answer: Tensor) -> Tensor:
    """The bounded log-variance (..., 1), in units of the spread squared, of a body's `answer` (..., 2)."""
    return answer[..., 1:].clamp(*_LOG_VARIANCE)


def _weights(chip: NetworkChip) -> list[tuple[Tensor, Tensor]]:
    """The layers of `chip` for inputs scaled to ±1 by range, whatever scaling it has of its own."""
    layers = [(layer.weight, layer.bias) for layer in chip.layers if isinstance(layer, nn.Linear)]
    weight, bias = layers[0]
    gain = (0.5 * (chip.high - chip.low) / chip.input_scale_V).to(weight.dtype)
    shift = ((0.5 * (chip.low + chip.high) - chip.input_offset_V) / chip.input_scale_V).to(weight.dtype)
    return [(weight * gain, bias + weight @ shift), *layers[1:]]
