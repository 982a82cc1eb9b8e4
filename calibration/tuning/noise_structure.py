"""What a model knows of its chip's noise: where it enters, and how the answer depends on its level."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from calibration.errors import PlanError
from simulators.models.model import Model


@runtime_checkable
class NoiseStructure(Protocol):
    """A differentiable model whose noise is handed in as numbers of unit variance, times levels of its own.

    With the same numbers at two levels, the difference of the answers is that of the levels alone.
    """

    n_inputs: int
    n_controls: int
    n_outputs: int

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the places where noise enters, in the order of `draw` and of a `scale`."""

    def draw(self, lead: Sequence[int], generator: torch.Generator) -> list[Tensor]:
        """Unit noise of every source for a batch of the shape `lead`, each (*lead, width)."""

    def __call__(
        self,
        inputs: Tensor,
        controls: Tensor,
        noise: Sequence[Tensor] | None = None,
        scale: Tensor | None = None,
    ) -> Tensor:
        """Outputs (..., n_outputs); `scale` is a factor on the levels, one for each source; differentiable."""


class AdditiveNoise(Model):
    """Any model, with Gaussian noise at its inputs and its outputs, independent over channels and readings.

    y = f(x + a ξ_1, c) + b ξ_2 + r f(x + a ξ_1, c) ξ_3, as sources and detectors have it.

    Args:
        model: f.
        inputs: a, in the inputs' unit.
        outputs: b, in the outputs' unit.
        relative: r, a share of the output.

    Raises:
        PlanError: no noise at all, or a level that is negative or not finite.
    """

    def __init__(
        self, model: Model, *, inputs: float = 0.0, outputs: float = 0.0, relative: float = 0.0
    ) -> None:
        super().__init__()
        levels = {"inputs": inputs, "outputs": outputs, "relative": relative}
        for name, level in levels.items():
            if not 0.0 <= level < float("inf"):
                raise PlanError(f"noise, {name}: {level} should be finite, not negative")
        self.levels = {name: level for name, level in levels.items() if level > 0.0}
        if not self.levels:
            raise PlanError("no noise at the inputs or at the outputs; give one of them a level")
        self.model = model
        self.n_inputs, self.n_controls, self.n_outputs = model.n_inputs, model.n_controls, model.n_outputs

    @property
    def sources(self) -> tuple[str, ...]:
        """See `NoiseStructure`: those of inputs, outputs, relative that have a level."""
        return tuple(self.levels)

    def draw(self, lead: Sequence[int], generator: torch.Generator) -> list[Tensor]:
        """See `NoiseStructure`."""
        widths = [self.n_inputs if name == "inputs" else self.n_outputs for name in self.levels]
        return [torch.randn((*lead, width), generator=generator, dtype=torch.float64) for width in widths]

    def forward(
        self,
        inputs: Tensor,
        controls: Tensor,
        noise: Sequence[Tensor] | None = None,
        scale: Tensor | None = None,
    ) -> Tensor:
        """See `NoiseStructure`; without `noise`, the model's own answer."""
        if noise is None:
            answer: Tensor = self.model(inputs, controls)
            return answer
        if len(noise) != len(self.levels):
            raise PlanError(f"noise of {len(noise)} sources; the model has {', '.join(self.levels)}")
        factors = (torch.ones(()) if scale is None else scale).expand(len(noise)).unbind()
        added = {
            name: level * factor * unit
            for (name, level), factor, unit in zip(self.levels.items(), factors, noise, strict=True)
        }
        outputs: Tensor = self.model(inputs + added.get("inputs", 0.0), controls)
        return outputs * (1.0 + added.get("relative", 0.0)) + added.get("outputs", 0.0)
