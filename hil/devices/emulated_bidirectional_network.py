"""An emulated network of meshes whose light can go both ways and is seen at every phase shifter."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Flag, Flags
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
            for k, phases in enumerate(self._phases):
                inside = forwards(model.chain[k], state, phases)
                passages.append(self._passage(before, inside.behind, inside.shifters))
                state = model.onward(k, inside.behind)
                before = self._received(state)
            outputs, flags = self._detected(inside.behind[..., : model.n_outputs])
        self._count["samples"] += len(sent)
        for passage in passages:
            flags = flags | passage.flags
        return Traversal(outputs, flags, passages)

    def send(self, mesh: int, fields: Fields, *, backward: bool = False) -> Passage:
        """See `Bidirectional`; readings are flagged as by `traverse`."""
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
        self._count["samples"] += len(sent)
        return self._passage(fields, out, inside.shifters)

    @property
    def _phases(self) -> Sequence[Tensor]:
        """Phases of each mesh as they are held."""
        return self._model.parts(torch.as_tensor(self._partition.present[len(self._native) :]))

    def _passage(self, before: Fields, behind: Tensor, shifters: Tensor) -> Passage:
        powers, flags = self._detected(shifters)
        return Passage(before, self._received(behind), powers, flags)

    def _detected(self, fields: Tensor) -> tuple[Array, Flags]:
        """Powers as they are read, and a flag where one of a sample saturates."""
        read = self._noisy(fields.real.square() + fields.imag.square())
        clipped = (read >= self._full_scale).any(dim=-1).numpy()
        flags = np.where(clipped, np.uint8(Flag.CLIPPED), np.uint8(0))
        return read.clamp(max=self._full_scale).numpy(), flags

    def _received(self, fields: Tensor) -> Fields:
        noise = torch.complex(self._normal(fields.real), self._normal(fields.real))
        return np.asarray((fields + self._field_noise * noise).numpy())
