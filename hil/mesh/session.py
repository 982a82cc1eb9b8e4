"""The sessions of a photonic mesh."""

from pathlib import Path
from typing import TypeAlias

from hil.config.bench import MeshBench
from hil.config.mesh_experiment import FORMAT, MeshExperiment
from hil.errors import ConfigError
from hil.mesh.acceptance import missed
from hil.session import Kind, Session

MeshSession: TypeAlias = Session[MeshExperiment, MeshBench]


def check(experiment: MeshExperiment, bench: MeshBench, path: Path) -> None:
    """ConfigError for heaters that could not be swept as the experiment asks."""
    heaters = bench.chip.heaters
    reach_W = min(heaters.voltage**2 / heaters.resistance, heaters.current**2 * heaters.resistance)
    if reach_W < 2.0 * heaters.half_wave_power:
        raise ConfigError(
            f"{bench.name}: chip.heaters: {heaters.voltage:g} V and {heaters.current:g} A into "
            f"{heaters.resistance:g} ohm make {reach_W:g} W, less than the {2.0 * heaters.half_wave_power:g} W of a "
            "whole turn of phase; raise the limits, or correct the design"
        )
    if heaters.total_power < reach_W:
        raise ConfigError(
            f"{bench.name}: chip.heaters: one heater at its limit, {reach_W:g} W, would pass total_power, "
            f"{heaters.total_power:g} W; lower voltage or current, or raise total_power"
        )


MESH = Kind(FORMAT, MeshExperiment, MeshBench, check, missed)
