"""What in-situ backpropagation asks of a network of meshes: light both ways, seen in the midst of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from calibration.device import Array, Flags

Fields = npt.NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Passage:
    """Light that went through one mesh, as it was read; fields in √(unit power), powers in the unit power.

    Attributes:
        before: fields where it went in, (samples, N).
        behind: fields where it came out, (samples, N), both by coherent receivers.
        shifters: powers right behind each phase shifter as seen from the inputs, (samples, shifters), in the order of
            the mesh's controls; a tap there couples out light of either direction.
        flags: of each sample, (samples,).
    """

    before: Fields
    behind: Fields
    shifters: Array
    flags: Flags

    def at(self, kept: npt.NDArray[np.bool_]) -> Self:
        """The samples that are `kept`."""
        return type(self)(self.before[kept], self.behind[kept], self.shifters[kept], self.flags[kept])


@dataclass(frozen=True, eq=False)
class Traversal:
    """Light that went through the whole network.

    Attributes:
        outputs: as the device's `run` reads them, (samples, n_out).
        flags: of each sample, those of its passages included, (samples,).
        passages: through each mesh.
    """

    outputs: Array
    flags: Flags
    passages: Sequence[Passage]


@runtime_checkable
class Bidirectional(Protocol):
    """What a network of meshes offers besides `Device` where it has taps at its shifters, and receivers and light at
    both ends of each mesh.

    Coherent receivers read fields: in-phase and quadrature amplitudes against light of the same laser, whose phase is
    the same at both ends of a mesh. Every sample of every call is one reading: all taps and receivers read at once.
    """

    def traverse(self, inputs: Array) -> Traversal:
        """Send `inputs` (samples, n_in) through the network, as `run` does."""

    def send(self, mesh: int, fields: Fields, *, backward: bool = False) -> Passage:
        """Send `fields` (samples, N) through one mesh alone, into its inputs or backward into its outputs.

        Raises an error that is a ValueError, with nothing sent, for fields that are too large.
        """
