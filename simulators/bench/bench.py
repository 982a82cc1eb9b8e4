"""An emulated bench: instruments on one clock, wired to a chip, behind VISA resource names."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from simulators.bench.analog.amplifier import Amplifier, AmplifierFacts
from simulators.bench.chips import Specimen, make_specimen
from simulators.bench.config import AmplifierConfig, EmulatorConfig, LinkConfig
from simulators.bench.optics.chip import OpticalChip
from simulators.bench.wires import Wire, read_wires
from simulators.bench.wiring import Wiring
from simulators.clock import PacedClock, VirtualClock
from simulators.errors import BenchError, ModelError, SourceError
from simulators.faults.faults import Faults
from simulators.faults.supervisor import Supervisor
from simulators.instrument import VirtualInstrument
from simulators.instruments.catalogue import make_instrument
from simulators.instruments.terminals import Terminals
from simulators.yaml_source import YamlSource

if TYPE_CHECKING:
    from simulators.models.mesh import PhotonicSpecimen

_RESOLUTION = 0.1
"""Of the amplifier's time constant: what it cannot see, the chip is not asked for."""
_DIRECT_RESOLUTION_s = 10e-6
"""For a chip that is read without an amplifier."""

Fault = Callable[[tuple[str | int, ...], str], BenchError]


@dataclass(frozen=True)
class EmulatedBench:
    """A bench that is switched on. Everything but `resources`, `clock` and `link` is for tests only.

    Attributes:
        resources: the instruments that speak, by VISA resource name.
        instruments: all of them by the bench file's names, each a `Personality`.
        addresses: where each of them is, by the same names.
        specimen: the chip, imperfections included; None on a bench without one, as with `amplifier`.
        faults: what is wrong with the instruments; more can be injected.
    """

    clock: VirtualClock
    resources: dict[str, VirtualInstrument]
    link: LinkConfig
    instruments: dict[str, Any]
    specimen: "Specimen | PhotonicSpecimen | None"
    amplifier: Amplifier | None
    wires: tuple[Wire, ...]
    faults: Faults
    addresses: Mapping[str, str]


def load(path: str | Path) -> EmulatedBench:
    """Switch on the bench that a bench file describes.

    Only the sections `emulator` and `station` are read. Raises BenchError that names file, line, key, value
    and remedy.
    """
    try:
        source = YamlSource.read(path)
    except SourceError as error:
        raise BenchError(str(error)) from None
    if "emulator" not in source.values:
        raise BenchError(
            source.place((), "there is no section 'emulator'; add one, or use a real bench (visa: '@py')")
        )
    try:
        config = EmulatorConfig.model_validate(source.values["emulator"])
    except ValidationError as error:
        raise BenchError(source.faults(error, EmulatorConfig, ("emulator",))) from None
    addresses = _addresses(source)

    def fault(where: tuple[str | int, ...], message: str) -> BenchError:
        return BenchError(source.place(where, message))

    return _build(config, addresses, Path(path).resolve().parent, fault)


def build(emulator: EmulatorConfig, addresses: Mapping[str, str], folder: str | Path) -> EmulatedBench:
    """Switch on the bench that `emulator` describes.

    Args:
        addresses: VISA resource names by the instruments' names.
        folder: what file names in the description start from.

    Raises:
        BenchError: names key, value and remedy.
    """

    def fault(where: tuple[str | int, ...], message: str) -> BenchError:
        return BenchError(f"{'.'.join(map(str, where))}: {message}")

    return _build(emulator, addresses, Path(folder), fault)


def generator(seed: int, name: str) -> np.random.Generator:
    """The random generator of one part of a bench: other parts do not change what it draws."""
    return np.random.default_rng((seed, zlib.crc32(name.encode())))


def _build(config: EmulatorConfig, addresses: Mapping[str, str], folder: Path, fault: Fault) -> EmulatedBench:
    clock = PacedClock() if config.clock == "wall" else VirtualClock()
    faults = Faults(clock, config.seed)
    instruments: dict[str, Any] = {}
    resources: dict[str, VirtualInstrument] = {}
    for name, facts in config.instruments.items():
        where = ("emulator", "instruments", name)
        if name in ("chip", "amplifier", "ground"):
            raise fault(where, f"{name!r} is the name of another part of the bench; choose another one")
        if name not in addresses:
            raise fault(where, f"has no address; add station.instruments.{name}.address")
        if addresses[name] in resources:
            raise fault(where, f"shares its address {addresses[name]!r} with another instrument; change one")
        rng = generator(config.seed, f"instrument {name}")
        try:
            made = make_instrument(
                facts.model, clock, facts.serial, rng, facts.clock_error, facts.noise, facts.options
            )
        except BenchError as error:
            key = "options" if str(error).startswith("options") else "model"
            raise fault((*where, key), str(error)) from error
        instruments[name] = made
        faults.reach(name, made.terminals)
        if isinstance(made, VirtualInstrument):
            resources[addresses[name]] = faults.line(name, made)
    if config.supervisor is not None:
        if config.supervisor in resources:
            raise fault(("emulator", "supervisor"), "is the address of an instrument; choose another one")
        resources[config.supervisor] = Supervisor(clock, faults)
    specimen = _specimen(config, folder, fault)
    amplifier = _amplifier(config)
    wires = _connect(config, instruments, specimen, amplifier, fault)
    for k, wrong in enumerate(config.faults):
        try:
            faults.inject(wrong)
        except BenchError as error:
            raise fault(("emulator", "faults", k), str(error)) from None
    if config.diffractive is not None:
        from simulators.bench.diffractive import join

        try:
            join(config.diffractive, instruments, config.seed)
        except (BenchError, ModelError) as error:
            raise fault(("emulator", "diffractive"), str(error)) from error
    return EmulatedBench(
        clock, resources, config.link, instruments, specimen, amplifier, wires, faults, addresses
    )


def _specimen(config: EmulatorConfig, folder: Path, fault: Fault) -> "Specimen | PhotonicSpecimen | None":
    if config.chip is None:
        return None
    try:
        return make_specimen(config.chip, folder, config.seed)
    except BenchError as error:
        key, _, message = str(error).partition(": ")
        raise fault(tuple(key.split(".")), message) from error


def _connect(
    config: EmulatorConfig,
    instruments: Mapping[str, Any],
    specimen: "Specimen | PhotonicSpecimen | None",
    amplifier: Amplifier | None,
    fault: Fault,
) -> tuple[Wire, ...]:
    sockets: dict[str, Terminals] = {name: part.terminals for name, part in instruments.items()}
    electric = specimen if isinstance(specimen, Specimen) else None
    optical = OpticalChip(specimen) if specimen is not None and not isinstance(specimen, Specimen) else None
    if optical is not None:
        sockets["chip"] = optical.terminals
    wiring = Wiring(sockets, electric.electrodes if electric else (), amplifier)
    wires: list[Wire] = []
    for k, text in enumerate(config.wires):
        try:
            for wire in read_wires(text, wiring.group):
                wiring.add(wire)
                wires.append(wire)
        except BenchError as error:
            raise fault(("emulator", "wires", k), str(error)) from None
    try:
        if electric is not None:
            resolution_s = _RESOLUTION * amplifier.facts.time_s if amplifier else _DIRECT_RESOLUTION_s
            wiring.finish(electric, resolution_s, generator(config.seed, "source noise"))
        if optical is not None:
            optical.check()
    except BenchError as error:
        raise fault(("emulator", "wires"), str(error)) from None
    memory_s = max(part.memory_s if part else 0.0 for part in (amplifier, optical))

    def needs_since() -> float:
        return min(terminals.needs_since() for terminals in sockets.values()) - memory_s

    for terminals in sockets.values():
        for keep in terminals.keepers:
            keep(needs_since)
    return tuple(wires)


def _amplifier(config: EmulatorConfig) -> Amplifier | None:
    if config.amplifier is None:
        return None
    return Amplifier(
        _amplifier_facts(config.amplifier, config.seed), generator(config.seed, "amplifier noise")
    )


def _amplifier_facts(config: AmplifierConfig, seed: int) -> AmplifierFacts:
    hum = config.hum
    return AmplifierFacts(
        gain_V_per_A=-config.gain_V_per_A if config.inverting else config.gain_V_per_A,
        offset_V=config.offset_V,
        bandwidth_Hz=config.bandwidth_Hz,
        saturation_V=config.saturation_V,
        hum_V=0.0 if hum is None else hum.amplitude_V,
        hum_Hz=50.0 if hum is None else hum.frequency_Hz,
        hum_phase=float(generator(seed, "hum").uniform(0.0, 2.0 * np.pi)),
        noise_V=config.noise_V,
    )


def _addresses(source: YamlSource) -> dict[str, str]:
    """VISA resource names from station.instruments.*.address."""
    station: Any = source.values.get("station")
    entries: Any = station.get("instruments") if isinstance(station, dict) else None
    if not isinstance(entries, dict):
        raise BenchError(
            source.place(("station",), "there are no instruments; add station.instruments.NAME.address")
        )
    addresses: dict[str, str] = {}
    for name, entry in entries.items():
        address: Any = entry.get("address") if isinstance(entry, dict) else None
        if address is not None and not isinstance(address, str):
            where = ("station", "instruments", name, "address")
            raise BenchError(source.place(where, f"{address!r} is not a VISA resource name"))
        if address is not None:
            addresses[str(name)] = address
    return addresses
