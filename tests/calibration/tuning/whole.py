"""A model that does not say what is inside it."""

from torch import Tensor

from simulators.models.model import Model


class Whole(Model):
    """Answers as another model does, and is no `StagedModel`."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.inner = model
        self.n_inputs, self.n_controls, self.n_outputs = model.n_inputs, model.n_controls, model.n_outputs

    def forward(self, inputs: Tensor, controls: Tensor) -> Tensor:
        """See `Model.forward`."""
        outputs: Tensor = self.inner(inputs, controls)
        return outputs
