"""A dopant network: from its description in the bench file to a driver with a measured amplifier."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from qcodes.station import Station

from drivers.card_digitizer import CardDigitizer
from drivers.card_source import CardSource
from drivers.dnpu import DNPU
from drivers.envelope import DifferenceLimit, PowerLimit
from drivers.errors import EnvelopeError, ShapeError
from drivers.keysight_digitizer import KeysightDigitizer
from drivers.layout import Electrode, JointLimits, Readout, Reference
from drivers.qdac2_source import Qdac2Source
from drivers.roles import Digitizer, VoltageSourceArray
from hil.config.bench import BenchFile
from hil.config.dnpu_chip import DnpuSection
from hil.connection import adapter, connected
from hil.errors import ConfigError
from hil.interrupts import Interrupts
from hil.steps.session import DnpuSession

SOURCES: dict[str, Callable[[Any, DnpuSection], VoltageSourceArray]] = {
    "QDac2": lambda instrument, chip: Qdac2Source(instrument, _trigger_output(chip)),
    "NICards": lambda instrument, chip: CardSource(instrument),
}
DIGITIZERS: dict[str, Callable[[Any, DnpuSection], Digitizer]] = {
    "Keysight34465A": lambda instrument, chip: KeysightDigitizer(instrument),
    "Keysight34470A": lambda instrument, chip: KeysightDigitizer(instrument),
    "NICards": lambda instrument, chip: CardDigitizer(instrument),
}
"""Which adapter serves a driver, by its class name."""


@contextmanager
def connect(session: DnpuSession, *, hold: bool = False) -> Iterator[DNPU]:
    """The session's chip with its amplifier measured; see `hil.connection.connected`. With `hold` it stays on."""

    def opened(station: Station) -> AbstractContextManager[DNPU]:
        return open_chip(session.bench, station, session.interrupts, hold=hold)

    with connected(session, opened, hold=hold) as chip:
        session.progress.say("measuring the amplifier's gain and offset")
        calibration = chip.calibrate_amplifier()
        session.note("amplifier", calibration.to_dict())
        session.store.metric("amplifier", **calibration.to_dict())
        session.store.event("connected", identity=dict(chip.identity))
        yield chip


@contextmanager
def open_chip(
    bench: BenchFile, station: Station, interrupts: Interrupts, *, hold: bool = False
) -> Iterator[DNPU]:
    """The chip's driver on the station's instruments; at rest and closed afterwards, signals held meanwhile.

    With `hold` a block that ends well leaves every control voltage as it is.
    """
    section = bench.chip
    try:
        source, digitizer = roles(bench, station)
        chip = DNPU(
            section.name,
            source,
            digitizer,
            electrodes(section),
            readout(section),
            sample_rate_Hz=section.sample_rate,
            aperture_s=section.aperture,
            joint=joint_limits(section),
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


def roles(bench: BenchFile, station: Station) -> tuple[VoltageSourceArray, Digitizer]:
    """The adapters for the chip's source and digitizer; ConfigError for a driver that has none."""
    chip = bench.chip
    return (
        adapter("source", SOURCES, station.components[chip.source], chip),
        adapter("digitizer", DIGITIZERS, station.components[chip.digitizer], chip),
    )


def electrodes(chip: DnpuSection) -> list[Electrode]:
    """The electrodes as the driver takes them."""
    return [
        Electrode(name, e.channel, e.low, e.high, e.max_slew, e.role) for name, e in chip.electrodes.items()
    ]


def readout(chip: DnpuSection) -> Readout:
    """The readout as the driver takes it."""
    known = chip.readout.reference
    return Readout(
        chip.readout.electrode,
        chip.readout.gain,
        chip.readout.saturation,
        chip.readout.settling,
        Reference(known.channel, known.resistor, known.tolerance, known.low, known.high, known.max_slew),
    )


def joint_limits(chip: DnpuSection) -> JointLimits:
    """The limits on several electrodes at once as the driver takes them."""
    limits = chip.limits
    return JointLimits(
        differences=[
            DifferenceLimit(pair.between[0], pair.between[1], pair.limit) for pair in limits.differences
        ],
        spread_V=limits.spread,
        power=PowerLimit((limits.power.conductance,) * len(chip.electrodes), limits.power.limit)
        if limits.power
        else None,
    )


def _trigger_output(chip: DnpuSection) -> int:
    if chip.trigger is None:
        raise ConfigError(
            f"chip.trigger is missing: {chip.source} starts {chip.digitizer} by a cable; write the output that it "
            "is plugged into, such as trigger: {output: 4}"
        )
    return chip.trigger.output
