"""A photonic mesh: from its description in the bench file to a driver on the open instruments."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import inf
from typing import Any

from qcodes.station import Station

from drivers.errors import EnvelopeError, ShapeError
from drivers.mesh import PhotonicMesh
from drivers.mesh_hardware import MeshInstruments
from drivers.mesh_layout import Heater, MeshLimits, MeshTiming, Modulator, Port
from drivers.open_ends import OpenEnds
from drivers.pm100d_array import Pm100dArray
from drivers.qdac2_source import Qdac2Source
from drivers.roles import HeaterSource, Laser, PowerMeterArray, VoltageSourceArray
from hil.config.bench import MeshBench
from hil.config.mesh_chip import MeshSection
from hil.connection import adapter, connected
from hil.errors import ConfigError
from hil.interrupts import Interrupts
from hil.mesh.session import MeshSession

LASERS: dict[str, Callable[[Any], Laser]] = {"SantecTSL570": lambda laser: laser}
SOURCES: dict[str, Callable[[Any], VoltageSourceArray]] = {"QDac2": lambda source: Qdac2Source(source, None)}
HEATERS: dict[str, Callable[[Any], HeaterSource]] = {"QontrolQ8iv": lambda chain: chain}
METERS = ("PM100D", "Thorlab_PM100D")
"""Which adapter serves a driver, by its class name."""


@contextmanager
def connect(session: MeshSession, *, hold: bool = False) -> Iterator[PhotonicMesh]:
    """The session's mesh; see `hil.connection.connected`. With `hold`, its heaters and light stay on."""

    def opened(station: Station) -> AbstractContextManager[PhotonicMesh]:
        return open_chip(session.bench, station, session.interrupts, hold=hold)

    with connected(session, opened, hold=hold) as chip:
        session.store.event("connected", identity=dict(chip.identity))
        yield chip


@contextmanager
def open_chip(
    bench: MeshBench, station: Station, interrupts: Interrupts, *, hold: bool = False
) -> Iterator[PhotonicMesh]:
    """The mesh's driver on the station's instruments; at rest and closed afterwards, signals held meanwhile.

    With `hold` a block that ends well leaves everything as it is.
    """
    section = bench.chip
    try:
        wired = instruments(bench, station)
        ends = wired.heaters.ends if isinstance(wired.heaters, OpenEnds) else ()
        chip = PhotonicMesh(
            section.name,
            wired,
            modulators(section),
            heaters(section, ends),
            ports(section),
            limits=MeshLimits(section.heaters.total_power, section.laser.limit or section.laser.power),
            timing=timing(section),
            laser_power_W=section.laser.power,
            wavelength_m=section.laser.wavelength,
            mesh=section.layout.kind,
        )
    except (EnvelopeError, ShapeError) as error:  # nothing moves here: it is the description that is wrong
        raise ConfigError(f"{bench.name}: chip: {error}") from error
    try:
        yield chip
        if hold:
            chip.leave()
    finally:
        with interrupts.hold():
            chip.close()


def instruments(bench: MeshBench, station: Station) -> MeshInstruments:
    """The adapters for what is wired to the mesh; ConfigError for a driver that has none."""
    chip = bench.chip
    return MeshInstruments(
        adapter("laser", LASERS, station.components[chip.laser.instrument]),
        adapter("modulators.source", SOURCES, station.components[chip.modulators.source]),
        _supply(chip, station),
        _meters(chip, station),
    )


def _supply(chip: MeshSection, station: Station) -> HeaterSource:
    supply: HeaterSource = adapter("heaters.source", HEATERS, station.components[chip.heaters.source])
    return OpenEnds(supply, len(chip.heaters.unconnected)) if chip.heaters.unconnected else supply


def _meters(chip: MeshSection, station: Station) -> PowerMeterArray:
    consoles = [
        adapter("meters", dict.fromkeys(METERS, lambda meter: meter), station.components[name])
        for name in chip.meters.instruments
    ]
    return Pm100dArray(consoles, wavelength_m=chip.laser.wavelength)


def modulators(chip: MeshSection) -> list[Modulator]:
    """The modulators as the driver takes them: m0, m1, …"""
    wired = chip.modulators
    return [
        Modulator(f"m{port}", channel, wired.low, wired.high, wired.max_slew)
        for port, channel in enumerate(chip.modulator_channels)
    ]


def heaters(chip: MeshSection, ends: Sequence[int] = ()) -> list[Heater]:
    """The heaters as the driver takes them, named after their shifters; `ends` serve those without a wire."""
    asked = chip.heaters
    least = asked.resistance * (1.0 - asked.tolerance)
    channels = chip.heater_channels | dict(zip(asked.unconnected, ends, strict=bool(ends)))
    return [
        Heater(name, channels[name], asked.voltage, asked.current, least, asked.max_slew or inf)
        for name in chip.mesh.shifters
        if name in channels
    ]


def ports(chip: MeshSection) -> list[Port]:
    """The output ports as the driver takes them: out0, out1, …"""
    return [Port(f"out{port}", port, chip.meters.saturation) for port in range(chip.layout.ports)]


def timing(chip: MeshSection) -> MeshTiming:
    """How long a reading averages and what settles before it."""
    return MeshTiming(
        chip.meters.averaging, chip.modulators.settling, chip.heaters.settling, chip.laser.settling
    )
