"""A diffractive network: an input pattern, phase planes with free space between them, detectors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from simulators.errors import ModelError
from simulators.models.diffraction.grid import Grid
from simulators.models.diffraction.look_up import LookUpTable
from simulators.models.diffraction.planes import PhasePlanes
from simulators.models.diffraction.propagation import FreeSpace
from simulators.models.diffraction.regions import Detectors, InputPattern, Region
from simulators.models.model import Model


@dataclass(frozen=True)
class DiffractiveDesign:
    """What a lab decides on; all planes share one grid.

    Attributes:
        grid: samples of every plane.
        wavelength_m: in the medium.
        distances_m: from the input to the first phase plane, from each to the next, from the last to the detectors.
        pixels: rows and columns of settings on each phase plane.
        input_region, input_pixels: where the input pattern lies on its plane, and its rows and columns.
        detectors: regions on the last plane, by name.
        power_W: on the whole input pattern where all its amplitudes are 1.
        fill_factor: see `PhasePlanes`.
        padding, band_limit: see `FreeSpace`.
    """

    grid: Grid
    wavelength_m: float
    distances_m: tuple[float, ...]
    pixels: tuple[int, int]
    input_region: Region
    input_pixels: tuple[int, int]
    detectors: Mapping[str, Region] = field(hash=False)
    power_W: float = 1e-3
    fill_factor: float = 1.0
    padding: int = 2
    band_limit: bool = True

    def __post_init__(self) -> None:
        if len(self.distances_m) < 2:
            raise ModelError(
                f"{len(self.distances_m)} distances; there is one before each phase plane and one after the last"
            )
        if not 0.0 < self.power_W < math.inf:
            raise ModelError(f"a power of {self.power_W} W; it is positive and finite")

    @property
    def planes(self) -> int:
        """How many phase planes there are."""
        return len(self.distances_m) - 1


class DiffractiveNetwork(Model):
    """Amplitudes of the input pattern and settings of the phase planes in, powers on the detectors in W out.

    Controls are phases in rad, or with a look-up table levels, plane by plane, each row by row. As in `Mesh`, what
    makes each specimen is in parameters without gradient; without them the network is its design.

    Raises ModelError for a design whose parts do not fit.

    Attributes:
        pattern, planes, spaces, detectors: the parts.
        table: levels to phases, None where controls are phases.
        shift_m: where the middle of each phase plane and of the detectors' plane lies, down and across, seen
            from the input's axis, (planes + 1, 2).
    """

    def __init__(
        self,
        design: DiffractiveDesign,
        table: LookUpTable | None = None,
        dtype: torch.dtype = torch.complex128,
    ) -> None:
        super().__init__()
        real = torch.empty((), dtype=dtype).real.dtype
        self.design, self.table = design, table
        grid = design.grid
        self.pattern = InputPattern(grid, design.input_region, design.input_pixels, design.power_W, dtype)
        self.planes = PhasePlanes(grid, design.planes, design.pixels, design.fill_factor, real)
        self.spaces = nn.ModuleList(
            FreeSpace(
                grid,
                distance,
                design.wavelength_m,
                padding=design.padding,
                band_limit=design.band_limit,
                dtype=dtype,
            )
            for distance in design.distances_m
        )
        self.detectors = Detectors(grid, design.detectors, real)
        self.shift_m = nn.Parameter(
            torch.zeros((design.planes + 1, 2), dtype=torch.float64), requires_grad=False
        )
        self.n_inputs = design.input_pixels[0] * design.input_pixels[1]
        self.n_controls = design.planes * design.pixels[0] * design.pixels[1]
        self.n_outputs = len(design.detectors)

    def forward(self, inputs: Tensor, controls: Tensor) -> Tensor:
        """Powers (..., detectors) in W; see `Model.forward`. `controls` broadcasts against `inputs`.

        Raises ModelError for a level that is not in the look-up table.
        """
        phases = controls if self.table is None else self.table(controls)
        settings = phases.unflatten(-1, (self.design.planes, *self.design.pixels))
        powers: Tensor = self.detectors(self.image(self.pattern(inputs), self.planes(settings)))
        return powers

    def image(self, amplitudes: Tensor, masks: Tensor) -> Tensor:
        """Power in W of each sample (..., rows, columns) of the detectors' plane.

        Args:
            amplitudes: on the input plane, (..., rows, columns), those of the illumination being 1.
            masks: complex transmissions of the phase planes, (..., planes, rows, columns).
        """
        fields = self.fields(amplitudes, masks)
        return fields.real.square() + fields.imag.square()

    def fields(self, amplitudes: Tensor, masks: Tensor) -> Tensor:
        """Complex fields (..., rows, columns) in √W on the detectors' plane; see `image`."""
        steps = self.shift_m.diff(dim=0, prepend=torch.zeros_like(self.shift_m[:1]))
        moved = self.shift_m.requires_grad or bool(self.shift_m.any())
        through, fields = self.pattern.illumination, amplitudes
        for k, space in enumerate(self.spaces):
            fields = space(fields, through, steps[k] if moved else None)
            through = masks[..., k, :, :] if k < self.design.planes else through
        return fields
