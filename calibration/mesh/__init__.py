"""The calibration of a photonic mesh, stage by stage, and what is done with it."""

from calibration.mesh.bare import mesh_fit
from calibration.mesh.drift import DriftStage
from calibration.mesh.prior import ChipPrior
from calibration.mesh.readings import PowerNoise, PowerReadings
from calibration.mesh.record import MeshCalibration, Shifter
from calibration.mesh.stage import Block, Blocks, Stage
from calibration.mesh.twin import FitPlan, TwinFit
from calibration.mesh.twin_stage import TwinStage
from calibration.mesh.verify import VerifyStage

__all__ = [
    "Block",
    "Blocks",
    "ChipPrior",
    "DriftStage",
    "FitPlan",
    "MeshCalibration",
    "PowerNoise",
    "PowerReadings",
    "Shifter",
    "Stage",
    "TwinFit",
    "TwinStage",
    "VerifyStage",
    "mesh_fit",
]
