"""The `Model` seam: a chip's physics as a pure, batched, differentiable function."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from simulators.errors import ModelError


class Model(nn.Module, ABC):
    """`forward(inputs, controls) -> outputs`, batched, differentiable in both, no state between calls."""

    n_inputs: int
    n_controls: int
    n_outputs: int

    @abstractmethod
    def forward(self, inputs: Tensor, controls: Tensor) -> Tensor:
        """Answer `inputs` (..., n_inputs) under `controls` (..., n_controls) with (..., n_outputs), in SI."""


class ElectrodeModel(Model):
    """A chip whose inputs and controls are voltages on like electrodes; the output is a current.

    Any electrode can be an input: `with_inputs` parts the same chip anew. Subclasses answer `current`.

    Attributes:
        electrodes: names of the driven electrodes, in the order of `current`'s last axis.
        low, high: allowed voltages, buffers of shape (n_electrodes,).
    """

    low: Tensor
    high: Tensor

    def __init__(self, electrodes: Sequence[str], low: Tensor, high: Tensor, n_outputs: int = 1) -> None:
        super().__init__()
        self.electrodes = tuple(electrodes)
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        self.n_outputs = n_outputs
        self._part(range(len(self.electrodes)))

    @abstractmethod
    def current(self, voltages: Tensor) -> Tensor:
        """Output currents (..., n_outputs) in A for electrode `voltages` (..., n_electrodes) in V."""

    def drawn(self, voltages: Tensor) -> Tensor:
        """Currents (..., n_electrodes) in A into the electrodes; a model of the output alone knows none.

        Raises NotImplementedError where a subclass does not say.
        """
        raise NotImplementedError(f"{type(self).__name__} knows of its output alone")

    def forward(self, inputs: Tensor, controls: Tensor) -> Tensor:
        """See `Model.forward`; `controls` broadcasts against the leading axes of `inputs`."""
        lead = torch.broadcast_shapes(inputs.shape[:-1], controls.shape[:-1])  # type: ignore[no-untyped-call]
        parts = torch.cat((inputs.expand(*lead, -1), controls.expand(*lead, -1)), dim=-1)
        return self.current(parts[..., self._column])

    def with_inputs(self, names: Sequence[str], controls: Sequence[str] | None = None) -> Self:
        """The same chip, sharing its tensors, with the named electrodes as inputs, the others as controls.

        The controls are in the electrodes' order, or in that of `controls`, which then name all of them.
        Raises ModelError for a name that is unknown, missing or there twice.
        """
        if controls is not None and sorted((*names, *controls)) != sorted(self.electrodes):
            raise ModelError(
                f"inputs {', '.join(names)} and controls {', '.join(controls)} are not the electrodes "
                f"{', '.join(self.electrodes)}, each once"
            )
        unknown = [name for name in names if name not in self.electrodes]
        if unknown:
            raise ModelError(f"no electrode {unknown[0]!r}; there are {', '.join(self.electrodes)}")
        view, place = copy.copy(self), self.electrodes.index
        view._part(
            [place(name) for name in names], None if controls is None else [place(c) for c in controls]
        )
        return view

    def _part(self, inputs: Sequence[int], others: Sequence[int] | None = None) -> None:
        rows = list(inputs)
        controls = (
            [k for k in range(len(self.electrodes)) if k not in rows] if others is None else list(others)
        )
        self.input_index, self.control_index = rows, controls
        self.n_inputs, self.n_controls = len(rows), len(controls)
        self._column = [(rows + controls).index(k) for k in range(len(self.electrodes))]
