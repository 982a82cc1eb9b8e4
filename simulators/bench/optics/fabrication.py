"""The photonic mesh that a bench file describes: its design, what fabrication did to it, and what is broken."""

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulators.bench.config import ChipConfig
from simulators.bench.unit_fields import read_fields
from simulators.errors import BenchError
from simulators.quantity import quantity

if TYPE_CHECKING:  # torch costs more than a second: only where a chip is made
    from simulators.models.mesh import Fabrication, MeshLayout, PhotonicChip, PhotonicSpecimen

_SUPPLY = ("high_V", "bits")
"""What on a bench is the instruments' and not the chip's."""
_SHORT_OHM = 2.0
"""Of a shorted heater: what the metal that leads to it has."""


class MeshOptions(BaseModel):
    """`emulator.chip.options` of a mesh: as it was designed, and what has broken since.

    Attributes:
        thermal_time_s: time constant with which a heater warms up and cools down: tens of microseconds in silicon,
            milliseconds in silicon nitride or where heat is kept in by undercuts; 0.1 s at most, for sources remember
            what they did for some seconds.
        resistance_ohm, half_wave_W, modulator_half_wave_V: see `Fabrication`.
        open, shorted: shifters whose heater is broken: no current, or next to no resistance.
        dead: output ports from which no light comes any more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["rectangular", "triangular"] = "rectangular"
    ports: Annotated[int, Field(ge=2, le=128)]
    thermal_time_s: Annotated[float, quantity("s"), Field(gt=0, le=0.1)] = Field(
        default=1e-3, alias="thermal_time"
    )
    resistance_ohm: Annotated[float, quantity("ohm"), Field(gt=0)] = Field(default=1e3, alias="resistance")
    half_wave_W: Annotated[float, quantity("W"), Field(gt=0)] = Field(default=0.02, alias="half_wave_power")
    modulator_half_wave_V: Annotated[float, quantity("V"), Field(gt=0)] = Field(
        default=3.0, alias="modulator_half_wave"
    )
    open: list[str] = []
    shorted: list[str] = []
    dead: list[str] = []


def read_mesh(config: ChipConfig) -> "PhotonicSpecimen":
    """The specimen on the bench; raises BenchError that names the key at fault."""
    from simulators.models.mesh import MeshLayout, PhotonicSpecimen, fabricate

    if config.file is not None:
        raise BenchError("emulator.chip.file: a mesh is made from its seed; remove the file")
    if config.seed is None:
        raise BenchError("emulator.chip.seed: missing; a mesh is made from it, such as 'seed: 7'")
    options = _options(config)
    fabrication = _fabrication(config, options)
    layout = MeshLayout(options.kind, options.ports)
    chip = fabricate(layout, fabrication, config.seed)
    _break(chip, layout, options)
    return PhotonicSpecimen(chip, fabrication.drift_rad, config.seed, options.thermal_time_s)


def _options(config: ChipConfig) -> MeshOptions:
    try:
        return MeshOptions.model_validate(config.options)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, ("emulator.chip.options", *fault["loc"])))
        if fault["type"] == "extra_forbidden":
            known = [field.alias or name for name, field in MeshOptions.model_fields.items()]
            raise BenchError(f"{key}: unknown key; there are {', '.join(sorted(known))}") from None
        if fault["type"] == "missing":
            raise BenchError(f"{key}: missing; add it") from None
        raise BenchError(f"{key}: {fault['msg'].removeprefix('Value error, ')}") from None


def _fabrication(config: ChipConfig, options: MeshOptions) -> "Fabrication":
    from simulators.models.mesh import Fabrication

    designed = {field.name for field in fields(Fabrication)} & set(MeshOptions.model_fields)
    design = {name: getattr(options, name) for name in designed}
    if config.imperfections is None:
        return Fabrication.perfect(**design)
    where = "emulator.chip.imperfections"
    return read_fields(Fabrication, config.imperfections, where, (*designed, *_SUPPLY), **design)


def _break(chip: "PhotonicChip", layout: "MeshLayout", options: MeshOptions) -> None:
    heaters, shifters = chip.heaters, layout.shifters
    outputs = [f"out{port}" for port in range(layout.ports)]
    for key, names, known in (
        ("open", options.open, shifters),
        ("shorted", options.shorted, shifters),
        ("dead", options.dead, outputs),
    ):
        for name in names:
            if name not in known:
                raise BenchError(
                    f"emulator.chip.options.{key}: there is no {name!r}; there are {known[0]} to {known[-1]}"
                )
    for name in options.open:
        heaters.resistance_ohm.data[shifters.index(name)] = float("inf")
    for name in options.shorted:
        k = shifters.index(name)
        heaters.resistance_ohm.data[k], heaters.rise_per_W.data[k] = _SHORT_OHM, 0.0
    for name in options.dead:
        chip.port_transmission.data[outputs.index(name)] = 0.0
