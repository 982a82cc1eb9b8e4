"""A model made of stages one behind the other, between which the chip can be looked at."""

from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor

from simulators.models.model import Model


class StagedModel(Model):
    """Stages with controls of their own; a tap may read what is behind each, and the outputs are read of the last.

    Methods that put measured states in place of modelled ones (physics-aware, dual adaptive, layer-wise training)
    walk through the stages themselves. `fused` keeps what a reading does not tell, such as the phase of a field.
    Composed, the stages are the model: `forward` and `chained` agree. Unless a model says otherwise, its states are
    what is read of them, the first one the inputs, and nothing is between the stages.
    """

    @property
    @abstractmethod
    def tap_names(self) -> tuple[str, ...]:
        """Names of the device's taps behind the stages, all but the last."""

    @abstractmethod
    def parts(self, controls: Tensor) -> Sequence[Tensor]:
        """The controls (..., n_controls) of the whole, parted into those of each stage."""

    def enter(self, inputs: Tensor) -> Tensor:
        """The state in front of the first stage, of `inputs` (..., n_inputs)."""
        return inputs

    @abstractmethod
    def stage(self, k: int, state: Tensor, part: Tensor) -> Tensor:
        """The state behind stage `k`, of the one in front of it and the stage's controls."""

    def onward(self, k: int, state: Tensor) -> Tensor:
        """The state in front of stage `k` + 1, of the one behind stage `k`: what no control acts on."""
        return state

    def seen(self, k: int, state: Tensor) -> Tensor:
        """What is read of a state behind stage `k`, (..., n); behind the last, the outputs."""
        return state

    def measured(self, k: int, state: Tensor, reading: Tensor) -> Tensor:
        """The state behind stage `k` of which `reading` is seen, and which is like `state` otherwise."""
        return reading

    def fused(self, k: int, state: Tensor, reading: Tensor) -> Tensor:
        """`measured`, for which gradients are those of `state`."""
        return state + (self.measured(k, state.detach(), reading) - state).detach()

    def chained(self, inputs: Tensor, controls: Tensor) -> list[Tensor]:
        """What is seen behind every stage, each (..., n); the last are the outputs."""
        state, seen = self.enter(inputs), []
        for k, part in enumerate(self.parts(controls)):
            if k:
                state = self.onward(k - 1, state)
            state = self.stage(k, state, part)
            seen.append(self.seen(k, state))
        return seen
