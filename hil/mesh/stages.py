"""The stages of a mesh's calibration in their order, with the settings of the experiment."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from calibration.mesh import Blocks, Stage
from calibration.mesh.crosstalk import CrosstalkPlan
from calibration.mesh.drift import DriftStage
from calibration.mesh.drive import HeaterLimits
from calibration.mesh.plan import StagesPlan, sweep_stages
from calibration.mesh.ports import PortsPlan
from calibration.mesh.resistances import HeatersPlan
from calibration.mesh.sweep import SweepPlan
from calibration.mesh.twin import FitPlan
from calibration.mesh.twin_stage import TwinStage
from calibration.mesh.verify import VerifyStage
from hil.config.mesh_chip import MeshSection
from hil.config.mesh_experiment import MeshExperiment

STAGES = ("ports", "heaters", "internal", "external", "crosstalk", "twin", "verify", "drift")
"""Their names, which are those of the run's steps and of its blocks."""


def wanted_stages(experiment: MeshExperiment) -> tuple[str, ...]:
    """Those that the experiment asks for."""
    return STAGES if experiment.drift.settings else STAGES[:-1]


def stages_of(
    experiment: MeshExperiment,
    chip: MeshSection,
    blocks_of: Callable[[str], Blocks],
    fit: FitPlan | None = None,
) -> Iterator[Stage]:
    """New stages, each for one use and made when it is its turn.

    Args:
        blocks_of: what a stage before has read, by its name: the last one reads some of it again.
        fit: of the twin, instead of the experiment's.
    """
    asked, seed, total_W = experiment, experiment.seed, chip.heaters.total_power
    yield from sweep_stages(
        StagesPlan(
            PortsPlan(asked.ports.repeats, asked.ports.points, asked.ports.mixes, seed),
            HeatersPlan(asked.heaters.points),
            SweepPlan(asked.sweeps.points, asked.sweeps.min_visibility),
            CrosstalkPlan(asked.crosstalk.neighbours),
        ),
        chip.mesh,
    )
    plan = fit or FitPlan.for_ports(chip.mesh.ports, seed)
    yield TwinStage(
        asked.twin.settings,
        together=asked.twin.together,
        repeats=asked.twin.repeats,
        total_W=total_W,
        plan=plan if fit or asked.twin.steps is None else replace(plan, steps=asked.twin.steps),
        seed=seed,
    )
    limits = HeaterLimits(total_W, chip.heaters.current)
    yield VerifyStage(asked.verify.unitaries, asked.verify.settings, limits=limits, seed=seed)
    if asked.drift.settings:
        yield DriftStage(blocks_of("twin"), asked.drift.settings, total_W=total_W, seed=seed)
