"""How a diffractive network that was put together differs from its design; all of it from a seed."""

import math
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from simulators.errors import ModelError
from simulators.models.diffraction.look_up import LookUpTable
from simulators.models.diffraction.network import DiffractiveDesign, DiffractiveNetwork


@dataclass(frozen=True)
class Assembly:
    """Standard deviations of what is off; zero switches a part off. Defaults are judged, not published.

    Attributes:
        shift_m: of each plane's middle, the detectors' plane included, down and across.
        rotation_rad: of each phase plane about its middle.
        pitch_error: of each phase plane's pitch, relative.
        distance_m: of each distance.
        mask_rad: of each sample's phase.
        table_error: of the look-up table's stroke and exponent, relative.
    """

    shift_m: float = 4e-6
    rotation_rad: float = 2e-3
    pitch_error: float = 1e-4
    distance_m: float = 20e-6
    mask_rad: float = 0.1
    table_error: float = 0.03

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not 0.0 <= value < math.inf:
                raise ModelError(f"assembly: {item.name} = {value!r} should be a number, not negative")

    @classmethod
    def perfect(cls, **changed: float) -> "Assembly":
        """Everything in place, but for what is `changed`."""
        return cls(**{**{item.name: 0.0 for item in fields(cls)}, **changed})


def assemble(
    design: DiffractiveDesign,
    assembly: Assembly,
    seed: int,
    table: LookUpTable | None = None,
    dtype: torch.dtype = torch.complex128,
) -> DiffractiveNetwork:
    """Put together the network that `seed` stands for; raises ModelError for a design that does not fit.

    Each kind of error has its own random numbers: switching one off does not change the others.
    """

    def normal(part: int, *shape: int) -> torch.Tensor:
        return torch.as_tensor(np.random.default_rng((seed, part)).standard_normal(shape))

    nearer = assembly.distance_m * normal(0, design.planes + 1)
    distances = tuple(max(z + float(dz), 0.0) for z, dz in zip(design.distances_m, nearer, strict=True))
    network = DiffractiveNetwork(
        replace(design, distances_m=distances), table and _worn(table, assembly, normal(1, 2)), dtype
    )
    planes = network.planes

    def put(parameter: torch.nn.Parameter, size: float, values: torch.Tensor) -> None:
        parameter.data = (size * values).to(parameter.dtype)

    put(network.shift_m, assembly.shift_m, normal(2, design.planes + 1, 2))
    put(planes.rotation_rad, assembly.rotation_rad, normal(3, design.planes))
    put(planes.pitch_error, assembly.pitch_error, normal(4, design.planes))
    put(planes.phase_error_rad, assembly.mask_rad, normal(5, design.planes, *design.grid.shape))
    return network


def _worn(table: LookUpTable, assembly: Assembly, off: torch.Tensor) -> LookUpTable:
    """The table of one device: its stroke and its curve a little other than the maker's."""
    first = table.phases_rad[0]
    stroke = table.phases_rad[-1] - first
    share = (table.phases_rad - first) / stroke
    stretch, bend = (1.0 + assembly.table_error * off).clamp(min=0.1).to(share.dtype)
    return LookUpTable(first + stretch * stroke * share**bend)
