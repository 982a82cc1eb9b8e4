"""Chip models by name, and the specimen on the bench: a model with its imperfections."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.bench.analog.currents import ObservedChip
from simulators.bench.config import ChipConfig
from simulators.errors import BenchError, ModelError
from simulators.instruments.path import Array
from simulators.quantity import parse

if TYPE_CHECKING:  # torch costs more than a second: only where a chip is made
    from simulators.models.imperfections import Imperfections
    from simulators.models.model import ElectrodeModel

Builder = Callable[[ChipConfig, Path], "ElectrodeModel"]

_UNITS = {"_V_per_s": "V/s", "_A_per_s": "A/s", "_per_s": "1/s", "_per_h": "1/hour"} | {
    f"_{unit}": unit for unit in ("V", "A", "s", "Hz", "K")
}


def _hopping(config: ChipConfig, folder: Path) -> "ElectrodeModel":
    from simulators.models.hopping import default_network

    if config.file is not None:
        raise BenchError("emulator.chip.file: a hopping network is made from its seed; remove the file")
    if config.seed is None:
        raise BenchError("emulator.chip.seed: missing; a hopping network is made from it, such as 'seed: 7'")
    return default_network(config.seed)


def _network(config: ChipConfig, folder: Path) -> "ElectrodeModel":
    from simulators.models.network import NetworkChip

    if config.file is None:
        raise BenchError("emulator.chip.file: missing; give the folder of the stored network")
    try:
        return NetworkChip.load(folder / config.file)
    except (ModelError, OSError) as error:
        raise BenchError(f"emulator.chip.file: {error}") from error


CHIPS: dict[str, Builder] = {"hopping": _hopping, "network": _network}
"""What `emulator.chip.model` can be."""


@dataclasses.dataclass(frozen=True)
class Specimen:
    """The chip on the bench: the names of its driven electrodes, and what answers for it."""

    electrodes: tuple[str, ...]
    chip: ObservedChip


@dataclasses.dataclass(frozen=True)
class IdealChip:
    """A model as it is, without imperfections."""

    model: "ElectrodeModel"

    def observe(self, voltages: Array, times_s: Array) -> Array:
        """See `ObservedChip.observe`."""
        import torch

        along = getattr(self.model, "trace", None)  # a solver can use neighbours as good starts
        with torch.no_grad():
            points = torch.as_tensor(voltages)
            currents = self.model.current(points)[..., 0] if along is None else along(points)
        return np.asarray(currents, dtype=np.float64)


def make_specimen(config: ChipConfig, folder: Path, seed: int) -> Specimen:
    """Build the chip of a bench; raises BenchError that names the key at fault."""
    if config.model not in CHIPS:
        raise BenchError(f"emulator.chip.model: no model {config.model!r}; there are {', '.join(CHIPS)}")
    model = CHIPS[config.model](config, folder)
    if not config.imperfections:
        return Specimen(model.electrodes, IdealChip(model))
    from simulators.models.imperfections import ImperfectChip

    return Specimen(model.electrodes, ImperfectChip(model, read_imperfections(config.imperfections), seed))


def read_imperfections(section: Mapping[str, Any]) -> "Imperfections":
    """The imperfections of a specimen; keys are the fields' names without unit, values carry the unit."""
    from simulators.models.imperfections import Imperfections

    names = {field.name: _unit(field.name) for field in dataclasses.fields(Imperfections)}
    keys = {name.removesuffix(suffix): (name, unit) for name, (suffix, unit) in names.items()}
    values: dict[str, Any] = {}
    for key, given in section.items():
        if key not in keys:
            raise BenchError(
                f"emulator.chip.imperfections.{key}: unknown key; there are {', '.join(sorted(keys))}"
            )
        name, unit = keys[key]
        try:
            plain = not unit and isinstance(given, int | float) and not isinstance(given, bool)
            values[name] = given if plain else parse(given, unit)
        except ValueError as error:
            raise BenchError(f"emulator.chip.imperfections.{key}: {error}") from None
    try:
        return Imperfections(**values)
    except ValueError as error:
        raise BenchError(f"emulator.chip.imperfections: {error}") from error


def _unit(name: str) -> tuple[str, str]:
    return next(((suffix, unit) for suffix, unit in _UNITS.items() if name.endswith(suffix)), ("", ""))
