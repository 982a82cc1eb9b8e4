"""Rectangles on a plane: where the input pattern lies, and where the detectors are."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from simulators.errors import ModelError
from simulators.models.diffraction.grid import Grid


@dataclass(frozen=True)
class Region:
    """A rectangle of samples: its upper left one, counted from 0, and how many rows and columns it has."""

    top: int
    left: int
    height: int
    width: int

    def check(self, shape: tuple[int, int], name: str) -> None:
        """Raise ModelError, with the region's `name`, where it does not lie on a plane of that shape."""
        inside = self.top >= 0 and self.left >= 0 and self.height >= 1 and self.width >= 1
        if not (inside and self.top + self.height <= shape[0] and self.left + self.width <= shape[1]):
            raise ModelError(
                f"{name}: rows {self.top} to {self.top + self.height - 1} and columns {self.left} to "
                f"{self.left + self.width - 1} do not lie on the plane of {shape[0]} x {shape[1]} samples; move it"
            )

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and the columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


class Detectors(nn.Module):
    """Regions of the last plane, each of which adds up the power that falls on it.

    Raises ModelError for none, and for one that does not lie on the plane.
    """

    areas: Tensor

    def __init__(self, grid: Grid, regions: Mapping[str, Region], dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        if not regions:
            raise ModelError("a network without a detector has no output; name at least one region")
        areas = torch.zeros((len(regions), *grid.shape), dtype=dtype)
        for area, (name, region) in zip(areas, regions.items(), strict=True):
            region.check(grid.shape, f"detector {name}")
            area[region.slices] = 1.0
        self.names = tuple(regions)
        self.register_buffer("areas", areas.flatten(1))

    def forward(self, powers: Tensor) -> Tensor:
        """Powers (..., detectors) of the regions for the power of each sample, (..., rows, columns)."""
        return powers.flatten(-2) @ self.areas.T


class InputPattern(nn.Module):
    """A rectangle of the first plane, parted into equal blocks with one amplitude each; dark around it.

    Raises ModelError for a region that does not lie on the plane or cannot be parted so.
    """

    illumination: Tensor

    def __init__(
        self, grid: Grid, region: Region, pixels: tuple[int, int], power_W: float, dtype: torch.dtype
    ) -> None:
        super().__init__()
        region.check(grid.shape, "input")
        if min(pixels) < 1 or region.height % pixels[0] or region.width % pixels[1]:
            raise ModelError(
                f"input: {pixels[0]} x {pixels[1]} amplitudes do not fit {region.height} x {region.width} samples: "
                "each covers a whole number of them; choose divisors"
            )
        self.region, self.pixels = region, pixels
        self._around = (
            region.left,
            grid.shape[1] - region.left - region.width,
            region.top,
            grid.shape[0] - region.top - region.height,
        )
        even = (power_W / (region.height * region.width)) ** 0.5
        self.register_buffer("illumination", torch.full(grid.shape, even, dtype=dtype))

    def forward(self, amplitudes: Tensor) -> Tensor:
        """Amplitudes (..., rows, columns) on the plane for those of the blocks, (..., pixels), row by row."""
        rows, columns = self.pixels
        blocks = amplitudes.unflatten(-1, (rows, columns))  # type: ignore[no-untyped-call]
        pattern = blocks.repeat_interleave(self.region.height // rows, -2)
        pattern = pattern.repeat_interleave(self.region.width // columns, -1)
        return torch.nn.functional.pad(pattern, self._around)
