"""Chip models by name, and the specimen on the bench: a model with its imperfections.

Another package registers a model by an entry point of the group `hil.chips`: its name is what
`emulator.chip.model` says, its object a callable `(config, folder)` that gives an `ElectrodeModel`, or a
`PhotonicSpecimen`, which has its imperfections in it.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.bench.analog.currents import ObservedChip
from simulators.bench.config import ChipConfig
from simulators.bench.optics.fabrication import read_mesh
from simulators.bench.unit_fields import read_fields
from simulators.errors import BenchError, ModelError
from simulators.instruments.path import Array

if TYPE_CHECKING:  # torch costs more than a second: only where a chip is made
    from simulators.models.imperfections import Imperfections
    from simulators.models.mesh import PhotonicSpecimen
    from simulators.models.model import ElectrodeModel

Builder = Callable[[ChipConfig, Path], "ElectrodeModel | PhotonicSpecimen"]


def _hopping(config: ChipConfig, folder: Path) -> "ElectrodeModel":
    from simulators.models.hopping import default_network

    _without_options(config)
    if config.file is not None:
        raise BenchError("emulator.chip.file: a hopping network is made from its seed; remove the file")
    if config.seed is None:
        raise BenchError("emulator.chip.seed: missing; a hopping network is made from it, such as 'seed: 7'")
    return default_network(config.seed)


def _network(config: ChipConfig, folder: Path) -> "ElectrodeModel":
    from simulators.models.network import NetworkChip

    _without_options(config)
    if config.file is None:
        raise BenchError("emulator.chip.file: missing; give the folder of the stored network")
    try:
        return NetworkChip.load(folder / config.file)
    except (ModelError, OSError) as error:
        raise BenchError(f"emulator.chip.file: {error}") from error


def _mesh(config: ChipConfig, folder: Path) -> "PhotonicSpecimen":
    return read_mesh(config)


def _without_options(config: ChipConfig) -> None:
    if config.options:
        raise BenchError(f"emulator.chip.options: the model {config.model!r} takes none; remove them")


GROUP = "hil.chips"
CHIPS: dict[str, Builder] = {"hopping": _hopping, "network": _network, "mesh": _mesh}
"""What `emulator.chip.model` can be, besides what other packages register."""


def registered() -> dict[str, EntryPoint]:
    """The models of other packages by name; nothing is imported."""
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in CHIPS}


def builder(model: str) -> Builder:
    """What makes a model; raises BenchError for one that is unknown or cannot be imported."""
    if model in CHIPS:
        return CHIPS[model]
    others = registered()
    if model not in others:
        raise BenchError(f"emulator.chip.model: no model {model!r}; there are {', '.join((*CHIPS, *others))}")
    try:
        found: Builder = others[model].load()
    except (ImportError, AttributeError) as error:
        raise BenchError(f"emulator.chip.model: {model!r} cannot be imported: {error}") from error
    return found


@dataclasses.dataclass(frozen=True)
class Specimen:
    """The chip on the bench, where it has electrodes; a photonic one is a `PhotonicSpecimen`.

    Attributes:
        electrodes: names of its driven electrodes.
        chip: what answers for its readout.
        drawn_A: currents (electrode,) that flow into the electrodes at voltages (electrode,) in V; None
            where the model knows of the readout alone.
    """

    electrodes: tuple[str, ...]
    chip: ObservedChip
    drawn_A: Callable[[Array], Array] | None = None


def make_specimen(config: ChipConfig, folder: Path, seed: int) -> "Specimen | PhotonicSpecimen":
    """Build the chip of a bench; raises BenchError that names the key at fault."""
    build = builder(config.model)
    from simulators.models.imperfections import ImperfectChip
    from simulators.models.mesh import PhotonicSpecimen
    from simulators.models.threads import one_thread

    with one_thread():
        model = build(config, folder)
    if isinstance(model, PhotonicSpecimen):
        return model
    chip = ImperfectChip(model, read_imperfections(config.imperfections), seed)
    return Specimen(model.electrodes, chip, _drawn(model))


def _drawn(model: "ElectrodeModel") -> Callable[[Array], Array] | None:
    from simulators.models.model import ElectrodeModel

    if type(model).drawn is ElectrodeModel.drawn:
        return None

    @lru_cache(maxsize=1024)
    def solved(voltages: tuple[float, ...]) -> Array:
        import torch

        with torch.no_grad():
            into_A = model.drawn(torch.tensor([voltages], dtype=torch.float64))
        return np.asarray(into_A[0], dtype=np.float64)

    # Every source on the chip asks for its own electrode at the same voltages.
    return lambda voltages: solved(tuple(voltages.tolist()))


def read_imperfections(section: Mapping[str, Any] | None) -> "Imperfections":
    """The imperfections of a specimen: none without a section, typical ones where it is silent.

    Keys are the fields' names without their unit, which the values carry: `noise_floor: 0.1 nA`.
    """
    from simulators.models.imperfections import Imperfections

    if section is None:
        return Imperfections.none()
    return read_fields(Imperfections, section, "emulator.chip.imperfections")
