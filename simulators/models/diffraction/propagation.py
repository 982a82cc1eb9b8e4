"""Free space between two parallel planes: the angular spectrum of plane waves.

A field is a sum of plane waves, each of which gains e^{j 2π z √(1/λ² - fx² - fy²)} over a distance z (Goodman,
Introduction to Fourier Optics). Those with fx² + fy² > 1/λ² are evanescent and decay. Time runs as
e^{-jωt}, so that a positive phase is a delay. No paraxial approximation is made, and polarisation is left out.
"""

import math

import torch
from torch import Tensor, nn

from simulators.errors import ModelError
from simulators.models.diffraction.grid import Grid
from simulators.models.diffraction.hop import hop

_LEAST_BAND = 1.0 / 8.0
"""Of the frequencies that a plane can hold along an axis: what must be left of them by the band limit."""


def longest_distance_m(
    grid: Grid, wavelength_m: float, padding: int = 1, *, band_limit: bool = False
) -> float:
    """How far light can go between planes of this grid without aliases, in m.

    The sampled propagator turns by less than π from one frequency to the next only up to a distance: without a
    band limit at the highest frequency of the grid, with one at an eighth of it.

    Source: Matsushima and Shimobaba, Opt. Express 17, 19662 (2009): their limit of the band, solved for the
    distance.
    """
    share = _LEAST_BAND if band_limit else 1.0
    distances = []
    for count in grid.shape:
        sine = min(share * wavelength_m / (2.0 * grid.pitch_m), 1.0)
        distances.append(padding * count * grid.pitch_m / 2.0 * math.sqrt(1.0 - sine**2) / sine)
    return min(distances)


class FreeSpace(nn.Module):
    """Propagation over one distance, differentiable in the field, in a sideways shift and in more distance.

    Args:
        grid: of both planes.
        distance_m: from one plane to the next; 0 leaves the field as it is.
        wavelength_m: in the medium.
        padding: how many times wider than the plane the calculation is, a whole number. With 1 light that leaves
            on one side comes back on the other; 2 keeps that out of the plane.
        band_limit: leave out the plane waves for which the propagator would be sampled too coarsely: they would
            come back as aliases, and most leave the window. Evanescent ones do not turn, and stay.
            Source: Matsushima and Shimobaba, Opt. Express 17, 19662 (2009).
        dtype: of the fields.

    Raises:
        ModelError: a distance that this sampling cannot propagate over, and which it can; a wavelength, distance
            or padding that is none.
    """

    transfer: Tensor
    along: Tensor
    down: Tensor
    across: Tensor

    def __init__(
        self,
        grid: Grid,
        distance_m: float,
        wavelength_m: float,
        *,
        padding: int = 2,
        band_limit: bool = True,
        dtype: torch.dtype = torch.complex128,
    ) -> None:
        super().__init__()
        if not 0.0 < wavelength_m < math.inf:
            raise ModelError(f"a wavelength of {wavelength_m} m; it is a positive length")
        if not 0.0 <= distance_m < math.inf:
            raise ModelError(
                f"a distance of {distance_m} m between planes; light goes forward, by a finite way"
            )
        if padding != int(padding) or padding < 1:
            raise ModelError(f"padding is {padding}; it is a whole number from 1 on")
        furthest_m = longest_distance_m(grid, wavelength_m, padding, band_limit=band_limit)
        if distance_m > furthest_m:
            more = "" if band_limit else ", with band_limit further"
            raise ModelError(
                f"{distance_m:g} m is too far for {grid.shape[0]} x {grid.shape[1]} samples of {grid.pitch_m:g} m "
                f"and padding {padding}: beyond {furthest_m:.4g} m the propagator is sampled too coarsely; bring "
                f"the planes nearer, or take more samples, a coarser pitch or more padding{more}"
            )
        self.grid, self.distance_m, self.padding = grid, distance_m, int(padding)
        self.window = (self.padding * grid.shape[0], self.padding * grid.shape[1])
        down, across = (torch.fft.fftfreq(count, grid.pitch_m, dtype=torch.float64) for count in self.window)
        squared = wavelength_m**-2 - down[:, None].square() - across[None, :].square()
        along = torch.sqrt(squared.to(torch.complex128))  # imaginary, and positive, where evanescent
        transfer = torch.exp(2j * torch.pi * distance_m * along)
        if band_limit:
            for frequency, count, axis in zip((down, across), self.window, (1, 0), strict=True):
                step = 1.0 / (count * grid.pitch_m)
                limit = 1.0 / (wavelength_m * math.hypot(2.0 * step * distance_m, 1.0))
                transfer = transfer * ((frequency.abs() <= limit).unsqueeze(axis) | (squared < 0.0))
        real = torch.empty((), dtype=dtype).real.dtype
        self.register_buffer("down", down[:, None].to(real))
        self.register_buffer("across", across[None, :].to(real))
        self.register_buffer("along", along.to(dtype))
        self.register_buffer("transfer", transfer.to(dtype))

    def shifted(self, shift_m: Tensor) -> Tensor:
        """The transfer function to a plane whose middle is `shift_m` (2,) in m, down and across, off the axis."""
        down, across = (
            torch.polar(torch.ones_like(turns), turns)
            for turns in (2.0 * torch.pi * self.down * shift_m[0], 2.0 * torch.pi * self.across * shift_m[1])
        )
        return self.transfer * down.to(self.transfer.dtype) * across.to(self.transfer.dtype)

    def forward(
        self,
        fields: Tensor,
        mask: Tensor | None = None,
        shift_m: Tensor | None = None,
        further_m: Tensor | None = None,
    ) -> Tensor:
        """Fields (..., rows, columns) after a mask and the distance, as a plane moved by `shift_m` sees them.

        Args:
            fields: real or complex.
            mask: complex transmission (..., rows, columns) of the plane that the fields leave; broadcasts.
            shift_m: (2,) in m, down and across.
            further_m: () in m, by how much the distance is longer; small against it, for the band limit stays.
        """
        transfer = self.transfer if shift_m is None else self.shifted(shift_m)
        if further_m is not None:
            transfer = transfer * torch.exp(2j * torch.pi * further_m * self.along)
        through = torch.ones((1, 1), dtype=transfer.dtype, device=transfer.device) if mask is None else mask
        return hop(fields, through, transfer)
