"""Phase planes as they are made: pixels, errors of the mask, and how each is turned and scaled."""

import torch
from torch import Tensor, nn

from simulators.errors import ModelError
from simulators.models.diffraction.grid import Grid


class PhasePlanes(nn.Module):
    """Some phase planes of one kind; perfect ones until their errors are set.

    The errors are parameters without gradient: whoever fits them turns it on. A plane that is turned or scaled
    is interpolated between its samples (in its complex transmission: light is lost at steep steps, as it is at
    the edges of pixels that lie askew to the samples); beyond its rim it goes on as at the rim.

    Args:
        grid: of every plane; one sample is one pixel of the modulator or of the etched mask.
        count: how many planes there are.
        pixels: rows and columns of settings on each; each setting covers as many samples as fit, a whole number.
        fill_factor: share of the area that the phase reaches; the rest reflects with phase 0.

    Attributes:
        phase_error_rad: what is added to each sample's phase, (planes, rows, columns).
        rotation_rad: each plane's turn about its middle, from the rows' axis towards the columns', (planes,).
        pitch_error: how much wider each plane's pitch is than it should be, a fraction, (planes,).
    """

    def __init__(
        self,
        grid: Grid,
        count: int,
        pixels: tuple[int, int],
        fill_factor: float = 1.0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        for samples, settings in zip(grid.shape, pixels, strict=True):
            if settings < 1 or samples % settings:
                raise ModelError(
                    f"{pixels[0]} x {pixels[1]} settings do not fit a plane of {grid.shape[0]} x {grid.shape[1]} "
                    "samples: each covers a whole number of them; choose divisors"
                )
        if not 0.0 < fill_factor <= 1.0:
            raise ModelError(
                f"fill_factor is {fill_factor}; it is a share of the area, more than 0 and at most 1"
            )
        self.grid, self.count, self.pixels, self.fill_factor = grid, count, pixels, fill_factor

        def fixed(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(shape, dtype=dtype), requires_grad=False)

        self.phase_error_rad = fixed(count, *grid.shape)
        self.rotation_rad, self.pitch_error = fixed(count), fixed(count)

    def forward(self, phases_rad: Tensor, which: slice = slice(None)) -> Tensor:
        """Complex transmissions (..., planes, rows, columns) for settings (..., planes, *pixels) in rad.

        Args:
            which: the planes that are asked for, where it is not all of them.
        """
        rows, columns = (n // k for n, k in zip(self.grid.shape, self.pixels, strict=True))
        phases = phases_rad.repeat_interleave(rows, -2).repeat_interleave(columns, -1)
        phases = phases + self.phase_error_rad[which]
        through = torch.polar(torch.ones_like(phases), phases)
        if self.fill_factor < 1.0:
            through = self.fill_factor * through + (1.0 - self.fill_factor)
        return self._turned(through, which) if self._askew() else through

    def _askew(self) -> bool:
        errors = (self.rotation_rad, self.pitch_error)
        return any(error.requires_grad or bool(error.any()) for error in errors)

    def _turned(self, through: Tensor, which: slice) -> Tensor:
        """The transmissions interpolated where the samples of the straight grid meet the planes."""
        rows, columns = self.grid.shape
        down, across = (axis.to(self.rotation_rad) / self.grid.pitch_m for axis in self.grid.axes_m)
        turn = self.rotation_rad[which, None, None]
        cos, sin = turn.cos(), turn.sin()
        wider = 1.0 + self.pitch_error[which, None, None]
        row = (cos * down[:, None] + sin * across) / wider + (rows - 1) / 2.0
        column = (cos * across - sin * down[:, None]) / wider + (columns - 1) / 2.0
        row, column = row.clamp(0.0, rows - 1.0), column.clamp(0.0, columns - 1.0)
        top = row.detach().floor().clamp(max=rows - 2.0)
        left = column.detach().floor().clamp(max=columns - 2.0)
        low, right = row - top, column - left
        corner = (top * columns + left).long().flatten(1)
        flat = through.flatten(-2)
        turned = torch.zeros_like(flat)
        for step, weight in (
            (0, (1 - low) * (1 - right)),
            (1, (1 - low) * right),
            (columns, low * (1 - right)),
            (columns + 1, low * right),
        ):
            turned = turned + weight.flatten(1) * flat.gather(-1, (corner + step).expand(flat.shape))
        return turned.unflatten(-1, (rows, columns))  # type: ignore[no-untyped-call]
