"""Meshes one after another, with an activation between them and power meters behind them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from simulators.errors import ModelError
from simulators.models.mesh import Fabrication, Mesh, MeshLayout, fabricate
from simulators.models.optical.activation import Activation
from simulators.models.staged import StagedModel


class MeshNetwork(StagedModel):
    """A coherent network: fields pass mesh, activation, mesh, …, mesh; powers are read at its first ports.

    Inputs are fields as in-phase and quadrature amplitudes, (..., 2 N), all in-phase ones first, in √(unit power);
    controls are the phases in rad that are added to the shifters, (..., Σ 2 M), mesh after mesh, each in the order
    of `MeshLayout.shifters`; outputs are powers (..., readout) in units of the unit power.

    A phase screen behind the last mesh is seen by nobody; one between two meshes, `Mesh.output_offset`, and the one
    before the first, `input_offset`, are felt but by no power meter at their place.

    Args:
        meshes: with as many ports each.
        activation: between the meshes, of complex fields.
        readout: how many ports are read behind the last mesh; all unless said.

    Raises:
        ModelError: no mesh, meshes of different sizes, more ports read than there are.
    """

    def __init__(self, meshes: Sequence[Mesh], activation: Activation, readout: int | None = None) -> None:
        super().__init__()
        if not meshes:
            raise ModelError("a network of no mesh; name one at least")
        for k, (one, other) in enumerate(pairwise(mesh.layout.ports for mesh in meshes)):
            if one != other:
                raise ModelError(f"mesh {k} has {one} ports, mesh {k + 1} has {other}; all need as many")
        self.ports = meshes[0].layout.ports
        self.n_outputs = self.ports if readout is None else readout
        if not 1 <= self.n_outputs <= self.ports:
            raise ModelError(f"{readout} ports are to be read, the meshes have {self.ports}")
        self.meshes = nn.ModuleList(meshes)
        self.activation = activation
        self.sizes = [len(mesh.layout.shifters) for mesh in meshes]
        self.n_inputs, self.n_controls = 2 * self.ports, sum(self.sizes)
        self.input_offset = nn.Parameter(
            torch.zeros(self.ports, dtype=meshes[0].phase_offset.dtype), requires_grad=False
        )

    @property
    def chain(self) -> list[Mesh]:
        """The meshes in the order of the light."""
        return cast(list[Mesh], list(self.meshes))

    def forward(self, inputs: Tensor, controls: Tensor) -> Tensor:
        """See `Model.forward`; `controls` broadcast over the leading axes of `inputs`."""
        return self.powers(inputs, controls)[-1][..., : self.n_outputs]

    def powers(self, inputs: Tensor, controls: Tensor) -> list[Tensor]:
        """Powers (..., N) behind each mesh, before the activation: what taps read."""
        return [state.real.square() + state.imag.square() for state in self.states(inputs, controls)]

    def states(self, inputs: Tensor, controls: Tensor) -> list[Tensor]:
        """Complex fields (..., N) behind each mesh, before the activation.

        Where many inputs share their phases (`controls` without a batch, or with 1 as its last axis) each mesh's
        matrix is built once; other fields are propagated column by column.
        """
        fields = self.enter(inputs)
        states: list[Tensor] = []
        for k, phases in enumerate(self.parts(controls)):
            if k:
                fields = self.onward(k - 1, fields)
            fields = self.stage(k, fields, phases)
            states.append(fields)
        return states

    @property
    def tap_names(self) -> tuple[str, ...]:
        """See `StagedModel`: power meters behind all meshes but the last."""
        return tuple(f"mesh{k}" for k in range(len(self.sizes) - 1))

    def parts(self, controls: Tensor) -> Sequence[Tensor]:
        """See `StagedModel`: the phases of each mesh."""
        if controls.shape[-1] != self.n_controls:
            raise ModelError(f"{controls.shape[-1]} phases, the network has {self.n_controls} shifters")
        return torch.split(controls, self.sizes, dim=-1)

    def enter(self, inputs: Tensor) -> Tensor:
        """See `StagedModel`: complex fields (..., N)."""
        return self.fields(inputs) * torch.polar(torch.ones_like(self.input_offset), self.input_offset)

    def stage(self, k: int, state: Tensor, part: Tensor) -> Tensor:
        """See `StagedModel`: mesh `k`."""
        behind: Tensor = self.chain[k](state, part)
        return behind

    def onward(self, k: int, state: Tensor) -> Tensor:
        """See `StagedModel`: the activation."""
        return self.activation(state)

    def seen(self, k: int, state: Tensor) -> Tensor:
        """See `StagedModel`: powers; behind the last mesh, of the ports that are read."""
        powers = state.real.square() + state.imag.square()
        return powers[..., : self.n_outputs] if k == len(self.sizes) - 1 else powers

    def measured(self, k: int, state: Tensor, reading: Tensor) -> Tensor:
        """See `StagedModel`: amplitudes as measured, phases as modelled; ports that are not read stay as modelled."""
        read = reading.shape[-1]
        seen = torch.polar(reading.clamp(min=0.0).sqrt(), state[..., :read].angle())
        return torch.cat((seen, state[..., read:]), dim=-1)

    def fields(self, inputs: Tensor) -> Tensor:
        """Complex fields (..., N) of in-phase and quadrature amplitudes (..., 2 N)."""
        if inputs.shape[-1] != self.n_inputs:
            raise ModelError(
                f"{inputs.shape[-1]} amplitudes; {self.ports} in-phase and {self.ports} quadrature ones are needed"
            )
        in_phase, quadrature = inputs.tensor_split(2, dim=-1)
        return torch.complex(in_phase, quadrature)

    def layer(self, k: int) -> "MeshNetwork":
        """Mesh `k` alone as a network of one, all its ports read; it shares what it is made of."""
        alone = MeshNetwork([self.chain[k]], self.activation)
        if k == 0:
            alone.input_offset = self.input_offset
        return alone


def fabricate_network(
    layout: MeshLayout,
    fabrication: Fabrication,
    seed: int,
    *,
    meshes: int,
    activation: Activation,
    readout: int | None = None,
    screen_rad: float | None = None,
) -> MeshNetwork:
    """Make the network that `seed` stands for: `meshes` like meshes, each with errors of its own.

    The errors of DAT (Zheng et al., Nat. Mach. Intell. 5, 1119 (2023)), splitters of amplitudes √((1 ± e) / 2) with
    e ~ N(0, BS) and phases off by N(0, PS), are `Fabrication.perfect(splitter_rad=BS / 2, phase_rad=PS)`.

    Args:
        screen_rad: spread of the phases that the guides before, between and behind the meshes add; None leaves
            those of the fabrication behind the meshes, and none before.
    """
    made = [
        fabricate(layout, fabrication, int(part)).mesh
        for part in np.random.SeedSequence(seed).generate_state(meshes)
    ]
    network = MeshNetwork(made, activation, readout)
    if screen_rad is not None:
        rng = np.random.default_rng((seed, 4))
        for screen in (network.input_offset, *(mesh.output_offset for mesh in made)):
            screen.data = torch.as_tensor(screen_rad * rng.standard_normal(layout.ports), dtype=screen.dtype)
    return network
