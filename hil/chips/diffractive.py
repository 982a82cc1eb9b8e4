"""From the section of a diffractive network to its driver, and to its design as a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from qcodes.station import Station

from drivers.diffractive import Diffractive
from drivers.diffractive_hardware import Exposure
from drivers.errors import EnvelopeError, ShapeError
from drivers.frame_instruments import SLM, FrameCamera
from drivers.frame_layout import Blocks, DiffractiveLayout, FrameRegion, LevelTable
from drivers.roles import Laser
from hil.config.diffractive_chip import DiffractiveSection, RegionSection, TableSection
from hil.errors import ConfigError
from hil.interrupts import Interrupts

if TYPE_CHECKING:
    from simulators.models.diffraction import DiffractiveDesign

_JOULE_METRE = 6.62607015e-34 * 299792458.0


@contextmanager
def open_diffractive(
    chip: DiffractiveSection,
    path: Path,
    station: Station,
    interrupts: Interrupts | None = None,
    *,
    hold: bool = False,
) -> Iterator[Diffractive]:
    """The chip's driver on the station's instruments; at rest and closed afterwards, signals held meanwhile.

    With `hold` a block that ends well leaves the planes, and the light, as they are. The dark is still to be measured.
    Raises ConfigError for what does not fit the devices.
    """
    held = interrupts or Interrupts()
    with described(path):
        driver = Diffractive(chip.name, *parts(chip, path, station), light=laser(chip, station))
    try:
        yield driver
        if hold:
            driver.leave()
    finally:
        with held.hold():
            driver.close()


@contextmanager
def described(path: Path) -> Iterator[None]:
    """Where nothing is shown yet, what the driver refuses is an error in the description: ConfigError."""
    try:
        yield
    except (EnvelopeError, ShapeError) as error:
        raise ConfigError(f"{path}: chip: {error}") from error


def parts(
    chip: DiffractiveSection, path: Path, station: Station
) -> tuple[SLM, SLM, FrameCamera, DiffractiveLayout, LevelTable, LevelTable, Exposure]:
    """What the driver is made of, in its order; raises as `instruments`, `retardances` and the parts themselves."""
    pattern, planes, camera = instruments(chip, station)
    amplitude = np.sin(retardances(chip.input.table, pattern.levels, path) / 2.0)
    amplitude /= amplitude.max()  # 1 is as open as it gets
    phase = retardances(chip.planes.table, planes.levels, path)
    return (
        pattern,
        planes,
        camera,
        layout(chip),
        LevelTable(amplitude, is_phase=False),
        LevelTable(phase, is_phase=True),
        exposure(chip),
    )


def instruments(chip: DiffractiveSection, station: Station) -> tuple[SLM, SLM, FrameCamera]:
    """The two modulators and the camera; ConfigError for an instrument that is something else."""
    found: list[Any] = []
    for (key, name), kind in zip(chip.instruments(), (SLM, SLM, FrameCamera), strict=False):
        instrument = station.components[name]
        if not isinstance(instrument, kind):
            raise ConfigError(
                f"chip.{key}: {name} is a {type(instrument).__name__} where a {kind.__name__} is needed; give it "
                f"the type drivers.frame_instruments.{kind.__name__}"
            )
        found.append(instrument)
    return found[0], found[1], found[2]


def laser(chip: DiffractiveSection, station: Station) -> Laser | None:
    """The laser, if the computer switches it; ConfigError for an instrument that is none."""
    if chip.laser is None:
        return None
    instrument: Any = station.components[chip.laser]
    if not (
        callable(getattr(instrument, "shine", None)) and callable(getattr(instrument, "safe_state", None))
    ):
        raise ConfigError(
            f"chip.laser: {chip.laser} is a {type(instrument).__name__}, which is no laser that can be shut; give it a "
            "driver in that role, such as drivers.santec_tsl570.SantecTSL570, or remove the key"
        )
    return cast(Laser, instrument)


def layout(chip: DiffractiveSection) -> DiffractiveLayout:
    """What lies where, as the driver takes it."""
    pattern, planes = chip.input, chip.planes
    return DiffractiveLayout(
        Blocks(_region(pattern), pattern.rows, pattern.columns),
        tuple(
            Blocks(FrameRegion(top, left, planes.height, planes.width), planes.rows, planes.columns)
            for top, left in planes.corners
        ),
        {name: _region(region) for name, region in chip.detectors.items()},
    )


def exposure(chip: DiffractiveSection) -> Exposure:
    """How the camera reads, as the driver takes it."""
    camera = chip.camera
    electron_J = _JOULE_METRE / chip.wavelength / camera.quantum_efficiency
    return Exposure(camera.exposure, camera.frames, electron_J * camera.electrons_per_count, electron_J)


def retardances(table: TableSection, levels: int, path: Path) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The retardance of every level in rad, (levels,); ConfigError for a file that does not have them."""
    if table.stroke is not None:
        return np.asarray(table.stroke * np.linspace(0.0, 1.0, levels) ** table.gamma)
    place = path.parent / str(table.file)
    try:
        values = np.loadtxt(place, dtype=np.float64, ndmin=1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: chip: the look-up table {place} cannot be read: {error}") from error
    if values.shape != (levels,):
        raise ConfigError(
            f"{path}: chip: the look-up table {place} has {values.shape} values where one for each of {levels} levels "
            "is needed; measure it again"
        )
    return values


def design(chip: DiffractiveSection, camera: tuple[int, int]) -> "DiffractiveDesign":
    """The network as designed, as a model: for training before there is a bench.

    The last plane is the middle of a camera of that shape. Raises ModelError for planes, pitches and distances that do
    not fit, ConfigError for a detector that lies beside the last plane.
    """
    from simulators.models.diffraction import DiffractiveDesign, Grid, Region

    shape = chip.planes.height, chip.planes.width
    top, left = ((whole - part) // 2 for whole, part in zip(camera, shape, strict=True))
    pattern = chip.input
    input_top, input_left = (shape[0] - pattern.height) // 2, (shape[1] - pattern.width) // 2
    return DiffractiveDesign(
        grid=Grid(shape, chip.pitch),
        wavelength_m=chip.wavelength,
        distances_m=tuple(chip.distances),
        pixels=(chip.planes.rows, chip.planes.columns),
        input_region=Region(input_top, input_left, pattern.height, pattern.width),
        input_pixels=(pattern.rows, pattern.columns),
        detectors={
            name: Region(region.top - top, region.left - left, region.height, region.width)
            for name, region in chip.detectors.items()
        },
        power_W=chip.power,
        fill_factor=chip.planes.fill_factor,
    )


def _region(section: RegionSection) -> FrameRegion:
    return FrameRegion(section.top, section.left, section.height, section.width)
