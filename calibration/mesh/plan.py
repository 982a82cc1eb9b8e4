"""The stages of a calibration in their order, before the fit of the whole twin."""

from dataclasses import dataclass, field

from calibration.mesh.crosstalk import CrosstalkPlan, CrosstalkStage
from calibration.mesh.external import ExternalStage
from calibration.mesh.internal import InternalStage
from calibration.mesh.ports import PortsPlan, PortsStage
from calibration.mesh.resistances import HeatersPlan, HeatersStage
from calibration.mesh.stage import Stage
from calibration.mesh.sweep import SweepPlan
from simulators.models.mesh import MeshLayout


@dataclass(frozen=True)
class StagesPlan:
    """Settings of each stage."""

    ports: PortsPlan = field(default_factory=PortsPlan)
    heaters: HeatersPlan = field(default_factory=HeatersPlan)
    sweeps: SweepPlan = field(default_factory=SweepPlan)
    crosstalk: CrosstalkPlan = field(default_factory=CrosstalkPlan)


def sweep_stages(plan: StagesPlan | None = None, layout: MeshLayout | None = None) -> list[Stage]:
    """Ports, heaters, internal phases, external phases, crosstalk: each starts from the one before.

    Args:
        layout: of the mesh, for stages that can say how many blocks they will have.
    """
    asked = plan or StagesPlan()
    return [
        PortsStage(asked.ports, layout),
        HeatersStage(asked.heaters, layout),
        InternalStage(asked.sweeps, layout),
        ExternalStage(asked.sweeps, layout),
        CrosstalkStage(asked.crosstalk, asked.sweeps, layout),
    ]
