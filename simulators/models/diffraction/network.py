"""A diffractive network: an input pattern, phase planes with free space between them, detectors."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from simulators.errors import ModelError
from simulators.models.diffraction.grid import Grid
from simulators.models.diffraction.look_up import LookUpTable
from simulators.models.diffraction.planes import PhasePlanes
from simulators.models.diffraction.propagation import FreeSpace
from simulators.models.diffraction.regions import Detectors, InputPattern, Region
from simulators.models.staged import StagedModel


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


class DiffractiveNetwork(StagedModel):
    """Amplitudes of the input pattern and settings of the phase planes in, powers on the detectors in W out.

    Controls are phases in rad, or with a look-up table levels, plane by plane, each row by row. As in `Mesh`, what
    makes each specimen is in parameters without gradient; without them the network is its design.

    Its stages are the phase planes: in front of each there is a field, (..., rows, columns) in √W, and a tap is a
    camera there, with a pixel for each sample. The last stage ends with the detectors; its state are their powers.

    Raises ModelError for a design whose parts do not fit.

    Attributes:
        pattern, planes, spaces, detectors: the parts.
        table: levels to phases, None where controls are phases.
        shift_m: where the middle of each phase plane and of the detectors' plane lies, down and across, seen
            from the input's axis, (planes + 1, 2).
        distance_error_m: by how much each distance is longer than the design's, (planes + 1,).
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

        def fixed(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(shape, dtype=real), requires_grad=False)

        self.shift_m, self.distance_error_m = fixed(design.planes + 1, 2), fixed(design.planes + 1)
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
        return _powers(self.fields(amplitudes, masks))

    def fields(self, amplitudes: Tensor, masks: Tensor) -> Tensor:
        """Complex fields (..., rows, columns) in √W on the detectors' plane; see `image`."""
        through, field = self.pattern.illumination, amplitudes
        for k in range(self.design.planes + 1):
            field = self._hop(k, field, through)
            through = masks[..., k, :, :] if k < self.design.planes else through
        return field

    @property
    def tap_names(self) -> tuple[str, ...]:
        """See `StagedModel`: cameras behind the planes, all but the last, where the next one is."""
        return tuple(f"plane{k}" for k in range(self.design.planes - 1))

    def parts(self, controls: Tensor) -> Sequence[Tensor]:
        """See `StagedModel`: the settings of each plane."""
        if controls.shape[-1] != self.n_controls:
            raise ModelError(f"{controls.shape[-1]} settings, the planes have {self.n_controls}")
        return controls.chunk(self.design.planes, dim=-1)

    def enter(self, inputs: Tensor) -> Tensor:
        """See `StagedModel`: the field in front of the first plane."""
        return self._hop(0, self.pattern(inputs), self.pattern.illumination)

    def stage(self, k: int, state: Tensor, part: Tensor) -> Tensor:
        """See `StagedModel`: plane `k` and the way to the next, or to the detectors."""
        phases = part if self.table is None else self.table(part)
        settings = phases.unflatten(-1, (1, *self.design.pixels))
        mask = self.planes(settings, slice(k, k + 1))[..., 0, :, :]
        field = self._hop(k + 1, state, mask)
        behind: Tensor = self.detectors(_powers(field)) if k == self.design.planes - 1 else field
        return behind

    def seen(self, k: int, state: Tensor) -> Tensor:
        """See `StagedModel`: powers, row by row; behind the last plane, of the detectors."""
        return state if k == self.design.planes - 1 else _powers(state).flatten(-2)

    def measured(self, k: int, state: Tensor, reading: Tensor) -> Tensor:
        """See `StagedModel`: amplitudes as measured, phases as modelled."""
        if k == self.design.planes - 1:
            return reading
        phase = state.angle()
        return torch.polar(reading.clamp(min=0.0).sqrt().view_as(phase).to(phase), phase)

    def _hop(self, k: int, field: Tensor, mask: Tensor) -> Tensor:
        """Through a mask and over distance `k`, to where the next plane really is."""
        shift = further = None
        if self.shift_m.requires_grad or bool(self.shift_m.any()):
            shift = self.shift_m[k] - self.shift_m[k - 1] if k else self.shift_m[0]
        if self.distance_error_m.requires_grad or bool(self.distance_error_m.any()):
            further = self.distance_error_m[k]
        behind: Tensor = self.spaces[k](field, mask, shift, further)
        return behind


def _powers(field: Tensor) -> Tensor:
    return field.real.square() + field.imag.square()
