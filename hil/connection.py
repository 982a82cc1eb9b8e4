"""From a bench file to a calibrated chip, and back to rest whatever happens."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import (
    ExitStack,
    closing,
    contextmanager,
    redirect_stdout,
)
from importlib import import_module
from pathlib import Path
from typing import Any

from pyvisa import ResourceManager
from qcodes.instrument import Instrument, VisaInstrument
from qcodes.station import Station

from drivers.card_digitizer import CardDigitizer
from drivers.card_source import CardSource
from drivers.dnpu import DNPU
from drivers.envelope import DifferenceLimit, PowerLimit
from drivers.errors import EnvelopeError, IdentityError, InstrumentError, InstrumentTimeout, ShapeError
from drivers.guard import guarded
from drivers.keysight_digitizer import KeysightDigitizer
from drivers.layout import Electrode, JointLimits, Readout, Reference
from drivers.qdac2_source import Qdac2Source
from drivers.roles import Digitizer, VoltageSourceArray
from hil.config.bench import BenchFile, RackFile, station_configuration
from hil.config.dnpu_chip import DnpuSection
from hil.config.visa_library import library, replaying
from hil.errors import ConfigError
from hil.interrupts import Interrupts
from hil.session import Session
from hil.traffic import TrafficLog
from simulators.daqmx import emulated_daqmx
from simulators.errors import SimulatorError
from simulators.frames import emulated_frames

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
def connect(session: Session) -> Iterator[DNPU]:
    """The session's chip with its amplifier measured; at rest afterwards, however the block ends.

    Identities go into the manifest, every byte sent into the events. Raises ConfigError for a driver that
    cannot be used, InstrumentError or one of its kind for an instrument that is not there or not itself.
    """
    store = session.store
    with ExitStack() as stack:
        station = stack.enter_context(open_station(session.bench, session.bench_path))
        traffic = stack.enter_context(closing(TrafficLog(store.event, session.folder / "events.bin")))
        session.traffic = traffic
        for name in session.bench.station.instruments:
            traffic.follow(name, station.components[name])
        chip = stack.enter_context(open_chip(session.bench, station, session.interrupts))
        store.describe(instruments=dict(chip.identity))
        stack.enter_context(guarded(Undisturbed(chip, session.interrupts)))
        session.progress.say("measuring the amplifier's gain and offset")
        calibration = chip.calibrate_amplifier()
        session.note("amplifier", calibration.to_dict())
        store.metric("amplifier", **calibration.to_dict())
        store.event("connected", identity=dict(chip.identity))
        yield chip
        chip.rest()
        traffic.check()


class Undisturbed:
    """A chip whose way to the safe state no signal cuts short."""

    def __init__(self, chip: DNPU, interrupts: Interrupts) -> None:
        self._chip, self._interrupts = chip, interrupts

    def safe_state(self) -> None:
        """Bring the chip to rest; a signal that comes meanwhile takes effect afterwards."""
        with self._interrupts.hold():
            self._chip.safe_state()


@contextmanager
def open_station(bench: RackFile, path: Path) -> Iterator[Station]:
    """A QCoDeS Station with all the bench's instruments open; they are closed afterwards."""
    expect = bench.chip.expect if bench.chip else {}
    station = Station(default=False)
    with _emulation(bench, path):
        station.load_config(station_configuration(bench, path))
        yield from _opened(bench, path, expect, station)


def _opened(bench: RackFile, path: Path, expect: Mapping[str, str], station: Station) -> Iterator[Station]:
    try:
        for name, section in bench.station.instruments.items():
            _importable(name, section.type, path)
            try:
                with redirect_stdout(io.StringIO()):  # QCoDeS greets on stdout, where JSON goes
                    instrument: Any = station.load_instrument(name)
                _identify(name, instrument, expect.get(name, ""))
            except (InstrumentError, SimulatorError):
                raise
            except ShapeError as error:
                raise ConfigError(f"{path}: station.instruments.{name}: {error}") from error
            except Exception as error:
                stranger = _who(section.address, library(str(section.init.get("visalib", bench.visa)), path))
                if stranger and expect.get(name, "") not in stranger:
                    raise _stranger(name, section.address, stranger, expect[name]) from error
                raise _unreachable(name, section.address, error) from error
        yield station
    finally:
        for name in bench.station.instruments:
            if Instrument.exist(name):
                Instrument.find_instrument(name).close()


@contextmanager
def open_chip(bench: BenchFile, station: Station, interrupts: Interrupts) -> Iterator[DNPU]:
    """The chip's driver on the station's instruments; at rest and closed afterwards, signals held meanwhile."""
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
    finally:
        with interrupts.hold():
            chip.close()


def roles(bench: BenchFile, station: Station) -> tuple[VoltageSourceArray, Digitizer]:
    """The adapters for the chip's source and digitizer; ConfigError for a driver that has none."""
    chip = bench.chip
    return (
        _adapter("source", SOURCES, station.components[chip.source], chip),
        _adapter("digitizer", DIGITIZERS, station.components[chip.digitizer], chip),
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


def _adapter(role: str, known: dict[str, Any], instrument: Any, chip: DnpuSection) -> Any:
    for kind in type(instrument).__mro__:
        if kind.__name__ in known:
            return known[kind.__name__](instrument, chip)
    raise ConfigError(
        f"chip.{role}: {instrument.name} is a {type(instrument).__name__}, which cannot serve as {role} yet; "
        f"there are adapters for {', '.join(known)}"
    )


@contextmanager
def _emulation(bench: RackFile, path: Path) -> Iterator[None]:
    """What lets drivers that go round VISA find the emulated bench; on a real one there is nothing to do."""
    with ExitStack() as stack:
        if bench.visa == "@hil" and not replaying():
            stack.enter_context(emulated_daqmx(path.resolve()))
            stack.enter_context(emulated_frames(path.resolve()))
        yield


def _trigger_output(chip: DnpuSection) -> int:
    if chip.trigger is None:
        raise ConfigError(
            f"chip.trigger is missing: {chip.source} starts {chip.digitizer} by a cable; write the output that it "
            "is plugged into, such as trigger: {output: 4}"
        )
    return chip.trigger.output


def identity_of(instrument: Any) -> str:
    """Who an instrument says it is: its answer to `*IDN?`, or what a driver that asks otherwise makes of it."""
    if type(instrument).get_idn is VisaInstrument.get_idn:
        return str(instrument.ask("*IDN?")).strip()
    return ", ".join(str(value) for value in instrument.get_idn().values() if value)


def _identify(name: str, instrument: Any, expected: str) -> None:
    """Before anything is set: whether the instrument at the address is the one that was meant."""
    answer = identity_of(instrument)
    if expected not in answer:
        raise _stranger(name, instrument.address, answer, expected)


def _stranger(name: str, address: str, answer: str, expected: str) -> IdentityError:
    return IdentityError(
        f"{name} at {address}: found {answer!r} where {expected!r} was expected; "
        "check the address and the cables, nothing was driven"
    )


def _who(address: str, visa: str) -> str:
    """Who answers at an address where a driver could not be opened; empty where nobody does."""
    try:
        line: Any = ResourceManager(visa).open_resource(
            address, read_termination="\n", write_termination="\n"
        )
        with closing(line):
            return str(line.query("*IDN?")).strip()
    except Exception:  # the driver's own failure is the one to tell
        return ""


def _importable(name: str, dotted: str, path: Path) -> None:
    module, _, kind = dotted.rpartition(".")
    try:
        driver = getattr(import_module(module), kind)
        if not (isinstance(driver, type) and issubclass(driver, Instrument)):
            raise ImportError("it is no QCoDeS instrument")
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"{path}: station.instruments.{name}.type: {dotted!r} cannot be imported ({error}); "
            "correct the name or install its package"
        ) from None


def _unreachable(name: str, address: str, error: Exception) -> InstrumentError:
    kind = InstrumentTimeout if "TMO" in str(error) or isinstance(error, TimeoutError) else InstrumentError
    return kind(
        f"{name} at {address} cannot be opened: {error}; check the address, the cable and that it is on, "
        "then run: hil check"
    )
