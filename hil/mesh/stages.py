"""The stages of a mesh's calibration in their order, with the settings of the experiment."""

from calibration.mesh import Stage
from hil.config.mesh_chip import MeshSection
from hil.config.mesh_experiment import MeshExperiment


def stages_of(experiment: MeshExperiment, chip: MeshSection) -> list[Stage]:
    """New stages, each for one use."""
    return []
