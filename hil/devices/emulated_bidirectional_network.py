"""An emulated network of meshes whose light can go both ways and is seen at every phase shifter."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Flag
from calibration.errors import PlanError, ShapeError
from calibration.tuning.bidirectional import Fields, Passage, Traversal
from hil.devices.emulated_mesh_network import EmulatedMeshNetwork
from simulators.models.mesh import backwards, forwards
from simulators.models.optical import MeshNetwork


class EmulatedBidirectionalNetwork(EmulatedMeshNetwork):
    """A network of meshes with a tap at each shifter, and with light and coherent receivers at both ends of each mesh.

    It satisfies `calibration.tuning.bidirectional.Bidirectional`. The taps have the noise of the other detectors and
    take next to nothing of the light.

    Args:
        network: the true one, errors included.
        field_noise: standard deviation of each quadrature that a coherent receiver reads, in √(unit power).
        settings: of `EmulatedMeshNetwork`.

    Raises:
        PlanError: noise that is negative or not finite.
    """

    def __init__(self, network: MeshNetwork, *, field_noise: float = 1e-3, **settings: Any) -> None:
        if not (np.isfinite(field_noise) and field_noise >= 0.0):
            raise PlanError(f"field_noise {field_noise}: a number, not negative")
        super().__init__(network, **settings)
        self._field_noise = field_noise

    def traverse(self, inputs: Array) -> Traversal:
        """See `Bidirectional`; readings are flagged CLIPPED where a detector or a tap saturates."""
        sent = torch.as_tensor(self._partition.checked(np.asarray(inputs)[None])[0])
        model, passages = self._model, []
        with torch.no_grad():
            before, state = model.fields(sent).numpy(), model.enter(sent)
            clipped = torch.zeros(len(sent), dtype=torch.bool)
            for k, phases in enumerate(self._phases):
                inside = forwards(model.chain[k], state, phases)
                shifters, over = self._detected(inside.shifters)
                passages.append(Passage(before, self._received(inside.behind), shifters))
                clipped |= over
                state = model.onward(k, inside.behind)
                before = self._received(state)
            outputs, over = self._detected(inside.behind[..., : model.n_outputs])
        self._count["samples"] += len(sent)
        flags = np.where((clipped | over).numpy(), np.uint8(Flag.CLIPPED), np.uint8(0))
        return Traversal(outputs, flags, passages)

    def send(self, mesh: int, fields: Fields, *, backward: bool = False) -> Passage:
        """See `Bidirectional`."""
        size = np.maximum(np.abs(fields.real), np.abs(fields.imag)).max(initial=0.0)
        limit = float(self._partition.inputs.high.max())
        if not size <= limit:
            raise ShapeError(f"mesh {mesh}: {size:g} in a quadrature is more than {limit:g}; send less light")
        chosen, phases, sent = self._model.chain[mesh], self._phases[mesh], torch.as_tensor(fields)
        # the guides in front of the first mesh turn the light either way
        turn = (
            torch.polar(torch.ones_like(self._model.input_offset), self._model.input_offset)
            if mesh == 0
            else 1.0
        )
        with torch.no_grad():
            if backward:
                inside = backwards(chosen, sent, phases)
                out = inside.behind * turn
            else:
                inside = forwards(chosen, sent * turn, phases)
                out = inside.behind
            shifters, _ = self._detected(inside.shifters)
        self._count["samples"] += len(sent)
        return Passage(fields, self._received(out), shifters)

    @property
    def _phases(self) -> Sequence[Tensor]:
        """Phases of each mesh as they are held."""
        return self._model.parts(torch.as_tensor(self._partition.present[len(self._native) :]))

    def _detected(self, fields: Tensor) -> tuple[Array, Tensor]:
        """Powers as they are read, and which samples saturate."""
        read = self._noisy(fields.real.square() + fields.imag.square())
        return read.clamp(max=self._full_scale).numpy(), (read >= self._full_scale).any(dim=-1)

    def _received(self, fields: Tensor) -> Fields:
        noise = torch.complex(self._normal(fields.real), self._normal(fields.real))
        return np.asarray((fields + self._field_noise * noise).numpy())
