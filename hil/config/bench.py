"""The bench file: the instruments, the chip as the lab knows it and, if any, its emulator."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import ConfigDict, Field, field_validator, model_validator

from hil.config.diffractive_chip import DiffractiveSection
from hil.config.dnpu_chip import DnpuSection
from hil.config.fields import Section
from hil.config.mesh_chip import MeshSection
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


ChipSection = Annotated[DnpuSection | MeshSection | DiffractiveSection, Field(discriminator="type")]
"""Any chip that a bench may hold, told apart by its `type`; another kind is one more section here."""


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
        for role, instrument in chip.instruments():
            if instrument not in self.station.instruments:
                raise ValueError(
                    f"chip.{role} is {instrument!r}, which station.instruments does not hold "
                    f"({', '.join(self.station.instruments)})"
                )
        for name in chip.expect:
            if name not in self.station.instruments:
                raise ValueError(f"chip.expect names {name!r}, which station.instruments does not hold")


class BenchFile(RackFile):
    """A bench file with a dopant network on it, as its session needs one."""

    chip: DnpuSection

    @classmethod
    def of(cls, rack: RackFile) -> "BenchFile | None":
        """A rack that was read, as the bench of its dopant network; None where it has none."""
        return cls.model_construct(**dict(rack)) if isinstance(rack.chip, DnpuSection) else None


class MeshBench(RackFile):
    """A bench file with a photonic mesh on it, as its session needs one."""

    chip: MeshSection

    @classmethod
    def of(cls, rack: RackFile) -> "MeshBench | None":
        """A rack that was read, as the bench of its mesh; None where it has none."""
        return cls.model_construct(**dict(rack)) if isinstance(rack.chip, MeshSection) else None


Rack = TypeVar("Rack", bound=RackFile)


def load_chip_bench(path: Path, kind: type[Rack]) -> Rack:
    """Read a bench file with a kind of chip; ConfigError names file, line, key, value and remedy.

    The emulator section, where there is one, is checked by the emulator's own reader, except for a replay,
    which has no use for it.
    """
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


def load_bench(path: Path) -> BenchFile:
    """Read the bench file of a dopant network; otherwise as `load_chip_bench`."""
    return load_chip_bench(path, BenchFile)


def load_rack(path: Path) -> RackFile:
    """Read a bench file with any chip or none; otherwise as `load_chip_bench`."""
    return load_chip_bench(path, RackFile)


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
