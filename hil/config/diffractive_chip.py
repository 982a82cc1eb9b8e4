"""A diffractive network in the bench file: two modulators, a camera, and what lies where on their frames."""

from collections.abc import Iterator
from math import inf
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hil.config.chip import ChipBase
from hil.config.fields import Count, Metres, Ordinal, Radians, Seconds, Section, Share, Watts
from simulators.quantity import quantity

Positive = Annotated[float, Field(gt=0, lt=inf)]


class TableSection(Section):
    """What the levels of a modulator make: a curve, or what was measured.

    Attributes:
        stroke: retardance of the last level; level l of L makes stroke · (l / (L - 1))^gamma.
        gamma: see `stroke`.
        file: a text file beside the bench file with the retardance of each level in rad, one a line.
    """

    stroke: Radians | None = None
    gamma: Positive = 1.0
    file: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.stroke is None) == (self.file is None):
            raise ValueError(
                "a table is a stroke or a file, such as {stroke: 6.283 rad}; give one of the two"
            )
        return self


class RegionSection(Section):
    """A rectangle of a frame, by its upper left pixel counted from 0."""

    top: Ordinal = 0
    left: Ordinal = 0
    height: Count
    width: Count


class PatternSection(RegionSection):
    """The input pattern on an amplitude modulator, parted into rows and columns with an amplitude each."""

    instrument: str
    rows: Count
    columns: Count
    table: TableSection


class PlanesSection(Section):
    """The phase planes on one modulator, each parted into rows and columns with a phase each.

    Attributes:
        corners: upper left pixel of each plane, in the order in which light meets them.
        fill_factor: share of the area that the phase reaches.
    """

    instrument: str
    corners: Annotated[list[tuple[Ordinal, Ordinal]], Field(min_length=1)]
    height: Count
    width: Count
    rows: Count
    columns: Count
    table: TableSection
    fill_factor: Share = 1.0


class CameraSection(Section):
    """The camera, and how it reads: `frames` of `exposure` each are averaged for a reading."""

    instrument: str
    exposure: Seconds
    frames: Count = 1
    electrons_per_count: Positive
    quantum_efficiency: Share


class DiffractiveSection(ChipBase):
    """A diffractive network as the lab knows it.

    Attributes:
        distances: from the input to the first plane, from each plane to the next, from the last to the camera.
        pitch: of the pixels of all three devices.
        power: on the whole input pattern where all its amplitudes are 1.
        laser: the instrument that lights it, where the computer may let light out and shut it; its power and
            wavelength are set in the station.
        detectors: regions of the camera, by name.
    """

    type: Literal["diffractive"]
    wavelength: Metres
    pitch: Metres
    distances: Annotated[list[Annotated[float, quantity("m"), Field(ge=0)]], Field(min_length=2)]
    power: Watts
    laser: str | None = None
    input: PatternSection
    planes: PlanesSection
    camera: CameraSection
    detectors: Annotated[dict[str, RegionSection], Field(min_length=1)]

    def instruments(self) -> Iterator[tuple[str, str]]:
        """See `ChipBase.instruments`."""
        yield "input.instrument", self.input.instrument
        yield "planes.instrument", self.planes.instrument
        yield "camera.instrument", self.camera.instrument
        if self.laser is not None:
            yield "laser", self.laser

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        planes, distances = len(self.planes.corners), len(self.distances)
        if distances != planes + 1:
            raise ValueError(
                f"{distances} distances and {planes} planes; there is a distance before each plane and one after "
                "the last"
            )
        for name, part in (("input", self.input), ("planes", self.planes)):
            if part.height % part.rows or part.width % part.columns:
                raise ValueError(
                    f"{name}: {part.rows} x {part.columns} settings do not part {part.height} x {part.width} pixels "
                    "into equal blocks; choose divisors"
                )
        return self
