"""From a bench file to open instruments and a chip on them, and back to rest whatever happens."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    ExitStack,
    closing,
    contextmanager,
    redirect_stdout,
)
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pyvisa import ResourceManager
from qcodes.instrument import Instrument, VisaInstrument
from qcodes.station import Station

from drivers.errors import IdentityError, InstrumentError, InstrumentTimeout, ShapeError
from drivers.guard import guarded
from hil.config.bench import RackFile, station_configuration
from hil.config.visa_library import library, replaying
from hil.errors import ConfigError
from hil.interrupts import Interrupts
from hil.session import Session
from hil.traffic import TrafficLog
from simulators.daqmx import emulated_daqmx
from simulators.errors import SimulatorError
from simulators.frames import emulated_frames


class Chip(Protocol):
    """What every chip's driver offers to a session."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What the chip is, and the identities of its instruments."""

    def rest(self) -> None:
        """Bring the chip to rest, at its slew limits."""

    def safe_state(self) -> None:
        """Bring everything to rest, whatever fails; raises what did."""


Driver = TypeVar("Driver", bound=Chip)


@contextmanager
def connected(
    session: Session[Any, Any],
    open_chip: Callable[[Station], AbstractContextManager[Driver]],
    *,
    hold: bool = False,
) -> Iterator[Driver]:
    """The session's chip on its open station; at rest afterwards, however the block ends.

    With `hold` a block that ends well leaves the chip as it is, as far as `open_chip` does so too.

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
        chip = stack.enter_context(open_chip(station))
        store.describe(instruments=dict(chip.identity))
        stack.enter_context(guarded(Undisturbed(chip, session.interrupts)))
        yield chip
        if not hold:
            chip.rest()
        traffic.check()


class Undisturbed:
    """A chip whose way to the safe state no signal cuts short."""

    def __init__(self, chip: Chip, interrupts: Interrupts) -> None:
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


def adapter(role: str, known: Mapping[str, Callable[..., Any]], instrument: Any, *more: Any) -> Any:
    """What serves an instrument's driver in a role, of those `known` by the driver's class name.

    Raises ConfigError, naming the key `role` of the bench file, for a driver that has none.
    """
    for kind in type(instrument).__mro__:
        if kind.__name__ in known:
            return known[kind.__name__](instrument, *more)
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
