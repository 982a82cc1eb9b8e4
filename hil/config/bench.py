"""The bench file: the instruments, the chip as the lab knows it and, if any, its emulator."""

from importlib import import_module
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import ConfigDict, Field, field_validator, model_validator

from hil.config.fields import (
    Count,
    Hertz,
    Ohms,
    Ordinal,
    Percent,
    PositiveVolts,
    Seconds,
    Section,
    Siemens,
    Volts,
    VoltsPerAmpere,
    VoltsPerSecond,
    Watts,
)
from hil.config.visa_library import library, replaying
from hil.config.yaml_file import load

FORMAT = "hil-bench/1"


class InstrumentSection(Section):
    """One instrument of a QCoDeS Station; every key that QCoDeS knows passes through."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str
    address: str
    init: dict[str, Any] = {}

    @field_validator("type")
    @classmethod
    def _dotted(cls, value: str) -> str:
        if not all(part.isidentifier() for part in value.split(".")) or "." not in value:
            raise ValueError("must be the full dotted name of a QCoDeS driver class")
        return value


class StationSection(Section):
    """A QCoDeS Station configuration."""

    instruments: Annotated[dict[str, InstrumentSection], Field(min_length=1)]


class ElectrodeSection(Section):
    """One driven electrode: its DAC channel, what it is for and where its voltage must stay."""

    channel: Ordinal
    role: Literal["input", "control"] = "control"
    low: Volts
    high: Volts
    max_slew: VoltsPerSecond

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low, {self.low:g} V, is not below high, {self.high:g} V; exchange them?")
        if not -inf < self.low <= 0 <= self.high < inf:
            raise ValueError(
                f"the range {self.low:g} V to {self.high:g} V does not hold 0 V, the rest voltage; widen it"
            )
        return self


class ReferenceSection(Section):
    """The known source that calibrates the amplifier: a DAC channel behind a resistor."""

    channel: Ordinal
    resistor: Ohms
    tolerance: Percent
    low: Volts
    high: Volts
    max_slew: VoltsPerSecond = 100.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < 0 < self.high:
            raise ValueError("the reference source must reach both signs: low < 0 V < high")
        return self


class ReadoutSection(Section):
    """The electrode that is read, and the amplifier behind it."""

    electrode: str
    gain: VoltsPerAmpere
    saturation: Volts = 4.0
    settling: Seconds
    reference: ReferenceSection


class TriggerSection(Section):
    """The DAC output whose pulse starts the digitizer."""

    output: Count


class DifferenceSection(Section):
    """How far two electrodes may be apart."""

    between: Annotated[list[str], Field(min_length=2, max_length=2)]
    limit: PositiveVolts


class PowerSection(Section):
    """What the electrodes may put in together: the sum of V² times a conductance each."""

    conductance: Siemens
    limit: Watts


class LimitsSection(Section):
    """Limits on several electrodes at once, beside the range and slew of each."""

    spread: PositiveVolts | None = None
    differences: list[DifferenceSection] = []
    power: PowerSection | None = None


class ChipSection(Section):
    """The chip as the lab knows it."""

    type: Literal["dnpu"]
    name: str = Field(pattern=r"^[A-Za-z_]\w*$")
    source: str
    digitizer: str
    expect: dict[str, str] = {}
    sample_rate: Hertz
    aperture: Seconds
    trigger: TriggerSection | None = None
    electrodes: Annotated[dict[str, ElectrodeSection], Field(min_length=1)]
    limits: LimitsSection = LimitsSection()
    readout: ReadoutSection

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        channels: dict[int, str] = {self.readout.reference.channel: "readout.reference"}
        for name, electrode in self.electrodes.items():
            if electrode.channel in channels:
                raise ValueError(
                    f"electrode {name} is on channel {electrode.channel}, "
                    f"and so is {channels[electrode.channel]}; give each its own"
                )
            channels[electrode.channel] = name
        for pair in self.limits.differences:
            for name in pair.between:
                if name not in self.electrodes:
                    raise ValueError(f"limits.differences names {name!r}, which is no driven electrode")
        if self.readout.electrode in self.electrodes:
            raise ValueError(
                f"{self.readout.electrode} is the readout and cannot be driven; remove one of the two"
            )
        if self.aperture + self.readout.settling > 1 / self.sample_rate:
            raise ValueError(
                f"a sample lasts {1e6 / self.sample_rate:g} µs, less than settling "
                f"({self.readout.settling * 1e6:g} µs) and aperture ({self.aperture * 1e6:g} µs) together; "
                "lower sample_rate"
            )
        return self


class RackFile(Section):
    """A bench file, with a chip or without. `emulator` is opaque here: only `simulators.bench` may look into it."""

    format: Literal["hil-bench/1"]
    name: str
    visa: str = ""
    station: StationSection
    chip: ChipSection | None = None
    emulator: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _wired(self) -> Self:
        if self.chip is not None:
            self._check_roles(self.chip)
        backend = self.visa.rpartition("@")[2] if "@" in self.visa else "ivi"
        if backend != "ivi" and find_spec(f"pyvisa_{backend}") is None:
            raise ValueError(
                f"visa is {self.visa!r}, but there is no module pyvisa_{backend}; install it or correct it"
            )
        if self.visa == "@hil" and self.emulator is None and not replaying():
            raise ValueError("visa is '@hil' but there is no emulator section; add one or name the real VISA")
        return self

    def _check_roles(self, chip: ChipSection) -> None:
        for role in ("source", "digitizer"):
            instrument = getattr(chip, role)
            if instrument not in self.station.instruments:
                raise ValueError(
                    f"chip.{role} is {instrument!r}, which station.instruments does not hold "
                    f"({', '.join(self.station.instruments)})"
                )
        for name in chip.expect:
            if name not in self.station.instruments:
                raise ValueError(f"chip.expect names {name!r}, which station.instruments does not hold")


class BenchFile(RackFile):
    """A bench file with a chip on it, as a session needs one."""

    chip: ChipSection

    @classmethod
    def of(cls, rack: RackFile) -> "BenchFile | None":
        """A rack that was read, as a bench with its chip; None where it has none."""
        return None if rack.chip is None else cls.model_construct(**dict(rack))


Rack = TypeVar("Rack", bound=RackFile)


def load_bench(path: Path) -> BenchFile:
    """Read a bench file with a chip; ConfigError names file, line, key, value and remedy.

    The emulator section, where there is one, is checked by the emulator's own reader, except for a replay,
    which has no use for it.
    """
    return _load(path, BenchFile)


def load_rack(path: Path) -> RackFile:
    """Read a bench file that needs no chip; otherwise as `load_bench`."""
    return _load(path, RackFile)


def _load(path: Path, kind: type[Rack]) -> Rack:
    bench = load(path, kind)
    if bench.emulator is not None and not replaying():
        from hil.errors import ConfigError
        from simulators.bench import load as load_emulated
        from simulators.errors import BenchError

        try:
            load_emulated(path)
        except BenchError as error:
            raise ConfigError(str(error)) from None
    return bench


def station_configuration(bench: RackFile, path: Path) -> str:
    """The instruments as YAML that `qcodes.station.Station` loads, with the VISA library filled in."""
    instruments = {}
    for name, section in bench.station.instruments.items():
        settings = section.model_dump(exclude_defaults=True)
        spelled = library(str(section.init.get("visalib", bench.visa)), path)
        if spelled and _speaks_visa(section.type):
            settings["init"] = {**section.init, "visalib": spelled}
        instruments[name] = settings
    return yaml.safe_dump({"instruments": instruments}, sort_keys=False)


def _speaks_visa(dotted: str) -> bool:
    """Whether a driver takes a VISA library; one that cannot be imported is complained of where it is opened."""
    from qcodes.instrument import VisaInstrument

    module, _, kind = dotted.rpartition(".")
    try:
        driver = getattr(import_module(module), kind)
    except (ImportError, AttributeError):
        return True
    return not isinstance(driver, type) or issubclass(driver, VisaInstrument)
