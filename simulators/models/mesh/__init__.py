"""Meshes of Mach-Zehnder interferometers: optics, heaters, modulators, and the chip they make."""

from simulators.models.mesh.chip import PhotonicChip
from simulators.models.mesh.heaters import HeaterBank
from simulators.models.mesh.layout import Kind, MeshLayout, Place
from simulators.models.mesh.mesh import Mesh
from simulators.models.mesh.modulators import Modulators
from simulators.models.mesh.specimen import Fabrication, PhotonicSpecimen, fabricate, heater_places

__all__ = [
    "Fabrication",
    "HeaterBank",
    "Kind",
    "Mesh",
    "MeshLayout",
    "Modulators",
    "PhotonicChip",
    "PhotonicSpecimen",
    "Place",
    "fabricate",
    "heater_places",
]
