"""The surrogate itself: a fully connected network from electrode voltages to a current."""

import itertools
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from calibration.errors import PlanError
from calibration.surrogate.dataset import Dataset
from simulators.models.model import ElectrodeModel

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}

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
        answer = self.body(self._scaled(voltages))[..., :1]
        return answer.to(voltages.dtype) * self.scale_A + self.offset_A

    def noise(self, voltages: Tensor) -> Tensor:
        """Predicted standard deviation (..., 1) in A of one reading at `voltages` (..., n_in) in V.

        Raises PlanError for a network trained without `likelihood`.
        """
        if not self.likelihood:
            raise PlanError("this surrogate was trained without likelihood, so it knows no noise")
        spread = torch.exp(0.5 * log_variance(self.body(self._scaled(voltages))))
        return spread.to(voltages.dtype) * self.scale_A

    def folded(self) -> list[tuple[Tensor, Tensor]]:
        """The layers' (weight, bias) in float64, for volts in and amperes out, without the noise."""
        linear = [layer for layer in self.body if isinstance(layer, nn.Linear)]
        layers = [(layer.weight.detach().double(), layer.bias.detach().double()) for layer in linear]
        weight, bias = layers[0]
        gain = 2.0 / (self.high - self.low)
        shift = -(self.high + self.low) / (self.high - self.low)
        layers[0] = (weight * gain, bias + weight @ shift)
        weight, bias = layers[-1]
        layers[-1] = (weight[:1] * self.scale_A, bias[:1] * self.scale_A + self.offset_A)
        return layers

    def _scaled(self, voltages: Tensor) -> Tensor:
        scaled = (2.0 * voltages - (self.low + self.high)) / (self.high - self.low)
        return scaled.to(self.body[0].weight.dtype)  # type: ignore[arg-type]

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        # He et al. 2015, arXiv 1502.01852: the variance that ReLU layers keep; the last layer starts small.
        linear = [layer for layer in self.body if isinstance(layer, nn.Linear)]
        for layer in linear:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
        linear[-1].weight.mul_(0.1)


def log_variance(answer: Tensor) -> Tensor:
    """The bounded log-variance (..., 1), in units of the spread squared, of a body's `answer` (..., 2)."""
    return answer[..., 1:].clamp(*_LOG_VARIANCE)
