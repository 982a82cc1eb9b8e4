"""Meshes of Mach-Zehnder interferometers: optics, heaters, modulators, and the chip they make."""

from simulators.models.mesh.chip import PhotonicChip
from simulators.models.mesh.decomposition import MeshSetting, decompose, padded
from simulators.models.mesh.heaters import HeaterBank
from simulators.models.mesh.inside import Inside, backwards, forwards
from simulators.models.mesh.layout import Kind, MeshLayout, Place
from simulators.models.mesh.mesh import Mesh
from simulators.models.mesh.modulators import Modulators
from simulators.models.mesh.singular import SingularValueForm
from simulators.models.mesh.specimen import Fabrication, PhotonicSpecimen, fabricate, heater_places

__all__ = [
    "Fabrication",
    "HeaterBank",
    "Inside",
    "Kind",
    "Mesh",
    "MeshLayout",
    "MeshSetting",
    "Modulators",
    "PhotonicChip",
    "PhotonicSpecimen",
    "Place",
    "SingularValueForm",
    "backwards",
    "decompose",
    "fabricate",
    "forwards",
    "heater_places",
    "padded",
]
