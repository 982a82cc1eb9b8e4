"""Diffractive networks: phase planes with free space between them, and how one that was built differs."""

from simulators.models.diffraction.assembly import Assembly, assemble
from simulators.models.diffraction.grid import Grid
from simulators.models.diffraction.look_up import LookUpTable
from simulators.models.diffraction.network import DiffractiveDesign, DiffractiveNetwork
from simulators.models.diffraction.planes import PhasePlanes
from simulators.models.diffraction.propagation import FreeSpace, longest_distance_m
from simulators.models.diffraction.regions import Detectors, InputPattern, Region

__all__ = [
    "Assembly",
    "Detectors",
    "DiffractiveDesign",
    "DiffractiveNetwork",
    "FreeSpace",
    "Grid",
    "InputPattern",
    "LookUpTable",
    "PhasePlanes",
    "Region",
    "assemble",
    "longest_distance_m",
]
