"""The calibration of a photonic mesh, stage by stage, and what is done with it."""

from calibration.mesh.record import MeshCalibration, Shifter
from calibration.mesh.stage import Block, Blocks, Stage

__all__ = ["Block", "Blocks", "MeshCalibration", "Shifter", "Stage"]
