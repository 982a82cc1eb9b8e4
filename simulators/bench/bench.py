"""An emulated bench: instruments on one clock, wired to a chip, behind VISA resource names."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from simulators.bench.analog.amplifier import Amplifier, AmplifierFacts
from simulators.bench.analog.currents import ObservedChip
from simulators.bench.chips import Specimen, make_specimen
from simulators.bench.config import AmplifierConfig, EmulatorConfig, LinkConfig
from simulators.bench.wires import Wire, read_wire
from simulators.bench.wiring import Wiring
from simulators.clock import VirtualClock
from simulators.errors import BenchError, SourceError
from simulators.instrument import VirtualInstrument
from simulators.instruments.catalogue import PERSONALITIES, make_instrument
from simulators.instruments.keysight_34465a.personality import Keysight34465A
from simulators.instruments.qdac2.personality import QDac2
from simulators.yaml_source import YamlSource

_RESOLUTION = 0.1
"""Of the amplifier's time constant: what it cannot see, the chip is not asked for."""

Fault = Callable[[tuple[str | int, ...], str], BenchError]


@dataclass(frozen=True)
class EmulatedBench:
    """A bench that is switched on. Everything but `resources`, `clock` and `link` is for tests only.

    Attributes:
        resources: the instruments by VISA resource name.
        instruments: the same by the bench file's names.
        chip: what answers for the chip, imperfections included.
    """

    clock: VirtualClock
    resources: dict[str, VirtualInstrument]
    link: LinkConfig
    instruments: dict[str, QDac2 | Keysight34465A]
    electrodes: tuple[str, ...]
    chip: ObservedChip
    amplifier: Amplifier
    wires: tuple[Wire, ...]


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
    clock = VirtualClock()
    instruments: dict[str, QDac2 | Keysight34465A] = {}
    resources: dict[str, VirtualInstrument] = {}
    for name, facts in config.instruments.items():
        where = ("emulator", "instruments", name)
        if facts.model not in PERSONALITIES:
            known = ", ".join(PERSONALITIES)
            raise fault((*where, "model"), f"no instrument {facts.model!r} is emulated; there are {known}")
        if name in ("chip", "amplifier"):
            raise fault(where, f"{name!r} is the name of another part of the bench; choose another one")
        if name not in addresses:
            raise fault(where, f"has no address; add station.instruments.{name}.address")
        if addresses[name] in resources:
            raise fault(where, f"shares its address {addresses[name]!r} with another instrument; change one")
        rng = generator(config.seed, f"instrument {name}")
        instruments[name] = make_instrument(
            facts.model, clock, facts.serial, rng, facts.clock_error, facts.noise
        )
        resources[addresses[name]] = instruments[name]
    specimen = _specimen(config, folder, fault)
    amplifier = Amplifier(
        _amplifier_facts(config.amplifier, config.seed), generator(config.seed, "amplifier noise")
    )
    wires = _connect(config, instruments, specimen, amplifier, fault)
    return EmulatedBench(
        clock, resources, config.link, instruments, specimen.electrodes, specimen.chip, amplifier, wires
    )


def _specimen(config: EmulatorConfig, folder: Path, fault: Fault) -> Specimen:
    try:
        return make_specimen(config.chip, folder, config.seed)
    except BenchError as error:
        key, _, message = str(error).partition(": ")
        raise fault(tuple(key.split(".")), message) from error


def _connect(
    config: EmulatorConfig,
    instruments: Mapping[str, QDac2 | Keysight34465A],
    specimen: Specimen,
    amplifier: Amplifier,
    fault: Fault,
) -> tuple[Wire, ...]:
    sockets = {name: instrument.terminals for name, instrument in instruments.items()}
    wiring = Wiring(sockets, specimen.electrodes, amplifier)
    wires = []
    for k, text in enumerate(config.wires):
        try:
            wires.append(read_wire(text))
            wiring.add(wires[-1])
        except BenchError as error:
            raise fault(("emulator", "wires", k), str(error)) from None
    try:
        rng = generator(config.seed, "source noise")
        wiring.finish(specimen.chip, _RESOLUTION * amplifier.facts.time_s, rng)
    except BenchError as error:
        raise fault(("emulator", "wires"), str(error)) from None
    if specimen.drawn_A is not None:
        wiring.drain(specimen.drawn_A)

    def needs_since() -> float:
        return min(terminals.needs_since() for terminals in sockets.values()) - amplifier.memory_s

    for terminals in sockets.values():
        for keep in terminals.keepers:
            keep(needs_since)
    return tuple(wires)


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
