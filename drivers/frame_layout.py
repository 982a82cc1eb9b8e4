"""Where things lie on frames: the blocks that make one setting each, the detectors, and what levels stand for."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from drivers.errors import ShapeError
from drivers.frames import Frame
from drivers.response import Array

_TURN = 2.0 * np.pi


@dataclass(frozen=True)
class FrameRegion:
    """A rectangle of a frame: its upper left pixel, counted from 0, and how many rows and columns it has."""

    top: int
    left: int
    height: int
    width: int

    def check(self, shape: tuple[int, int], name: str) -> None:
        """Raise ShapeError, with the region's `name`, where it does not lie on a frame of that shape."""
        inside = self.top >= 0 and self.left >= 0 and self.height >= 1 and self.width >= 1
        if not (inside and self.top + self.height <= shape[0] and self.left + self.width <= shape[1]):
            raise ShapeError(
                f"{name}: rows {self.top} to {self.top + self.height - 1} and columns {self.left} to "
                f"{self.left + self.width - 1} do not lie on a frame of {shape[0]} x {shape[1]}; move it"
            )

    def overlaps(self, other: "FrameRegion") -> bool:
        """Whether the two share a pixel."""
        return (
            self.top < other.top + other.height
            and other.top < self.top + self.height
            and self.left < other.left + other.width
            and other.left < self.left + self.width
        )

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and the columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


@dataclass(frozen=True)
class Blocks:
    """A region parted into `rows` x `columns` equal blocks of pixels, with one setting each.

    Raises ShapeError where they do not fit.
    """

    region: FrameRegion
    rows: int
    columns: int

    def __post_init__(self) -> None:
        height, width = self.region.height, self.region.width
        if min(self.rows, self.columns) < 1 or height % self.rows or width % self.columns:
            raise ShapeError(
                f"{self.rows} x {self.columns} settings do not fit {height} x {width} pixels: each covers a whole "
                "number of them; choose divisors"
            )

    @property
    def count(self) -> int:
        """How many settings there are."""
        return self.rows * self.columns

    def names(self, prefix: str) -> list[str]:
        """A name for each setting, row by row: `prefix`, row, underscore, column."""
        return [f"{prefix}{row}_{column}" for row in range(self.rows) for column in range(self.columns)]

    def paint(self, frame: Frame, levels: Array) -> None:
        """Put `levels` (count,), row by row, on the region's pixels of a frame."""
        block = self.region.height // self.rows, self.region.width // self.columns
        frame[self.region.slices] = np.kron(levels.reshape(self.rows, self.columns), np.ones(block))


@dataclass(frozen=True, eq=False)
class LevelTable:
    """What each level of a modulator makes, (levels,), rising: a phase in rad, or an amplitude from 0 to 1.

    Raises ShapeError for values that do not rise.
    """

    values: Array
    is_phase: bool

    def __post_init__(self) -> None:
        if self.values.ndim != 1 or len(self.values) < 2 or not (np.diff(self.values) > 0.0).all():
            raise ShapeError("a look-up table has one value for each level, and they rise; smooth or sort it")

    @property
    def low(self) -> float:
        """What level 0 makes."""
        return float(self.values[0])

    @property
    def high(self) -> float:
        """What can be asked for at most: a whole turn, or what the last level makes."""
        return self.low + _TURN if self.is_phase else float(self.values[-1])

    def levels(self, wanted: Array) -> Array:
        """The levels that come nearest to what is wanted; of phases only the part of a turn counts."""
        if self.is_phase:
            wanted = self.low + np.mod(wanted - self.low, _TURN)
        table = self.values[self.values < self.high] if self.is_phase else self.values
        ends = np.append(table, self.high) if self.is_phase else table
        above = np.clip(np.searchsorted(ends, wanted), 1, len(ends) - 1)
        nearest = np.where(ends[above] - wanted < wanted - ends[above - 1], above, above - 1)
        return np.asarray(nearest % len(table), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class DiffractiveLayout:
    """What lies where on the frames of a diffractive bench.

    Several planes on one modulator are regions side by side: light bounces to and fro between it and a mirror.

    Attributes:
        pattern: the input pattern on its modulator.
        planes: the phase planes on theirs, in the order in which light meets them.
        detectors: regions of the camera, by name.
    """

    pattern: Blocks
    planes: tuple[Blocks, ...]
    detectors: Mapping[str, FrameRegion]

    def check(self, pattern: tuple[int, int], planes: tuple[int, int], camera: tuple[int, int]) -> None:
        """Raise ShapeError where something does not lie on the frame of its device, or planes overlap."""
        if not self.planes or not self.detectors:
            raise ShapeError("a diffractive bench has at least one phase plane and one detector; add one")
        self.pattern.region.check(pattern, "input")
        for k, blocks in enumerate(self.planes):
            blocks.region.check(planes, f"plane {k}")
            for j, other in enumerate(self.planes[:k]):
                if blocks.region.overlaps(other.region):
                    raise ShapeError(f"planes {j} and {k} lie on one another; move one")
        for name, region in self.detectors.items():
            region.check(camera, f"detector {name}")
