"""A calibration carried out on the design alone: how many readings it takes, and how long they last."""

from collections.abc import Mapping

from calibration.device import Array
from calibration.mesh import FitPlan
from hil.chips.mesh import timing
from hil.config.mesh_chip import MeshSection
from hil.config.mesh_experiment import MeshExperiment
from hil.devices.emulated_mesh import EmulatedMesh
from hil.mesh.design import blank_record, design
from hil.mesh.stages import stages_of
from simulators.models.mesh import PhotonicSpecimen


def dry_run(experiment: MeshExperiment, chip: MeshSection) -> str:
    """Every stage on the chip as designed, in words; the fit of the twin is cut short.

    A reading that moves a heater is counted with its settling, every other without.
    """
    quick, device = FitPlan(steps=1, refinements=0), as_designed(chip)
    known = blank_record(device.identity, chip)
    told, read = [], dict[str, dict[str, Mapping[str, Array]]]()
    for stage in stages_of(experiment, chip, read.__getitem__, quick):
        before = device.cost.readings
        read[stage.name] = {block.name: block.arrays for block in stage.run(device, known, {})}
        known = stage.result()
        told.append(f"{stage.name} {device.cost.readings - before}")
    total = device.cost
    return (
        f"{total.readings} readings ({', '.join(told)}), at most {total.chip_time_s / 60:.1f} min on the chip"
    )


def as_designed(chip: MeshSection) -> EmulatedMesh:
    """The chip without errors, in process, where a reading takes as long as on the bench at most."""
    waits = timing(chip)
    return EmulatedMesh(
        PhotonicSpecimen(design(chip), 0.0, 0),
        sample_rate_Hz=1.0 / (waits.averaging_s + max(waits.thermal_s, waits.electrical_s)),
        low_V=chip.modulators.low,
        high_V=chip.modulators.high,
        # it is the readings that count here
        full_scale_W=max(chip.meters.saturation, 10.0 * chip.laser.power),
        name=chip.name,
    )
