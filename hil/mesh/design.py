"""What a lab knows of a mesh before it is measured, as a model: the design that a calibration starts from."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from calibration.mesh import MeshCalibration
from hil.config.mesh_chip import MeshSection
from simulators.models.mesh import Fabrication, PhotonicChip, fabricate


def design(section: MeshSection) -> PhotonicChip:
    """The chip as designed; a heater without a wire is one of infinite resistance."""
    heaters, shifters = section.heaters, section.mesh.shifters
    chip = fabricate(
        section.mesh,
        Fabrication.perfect(
            resistance_ohm=heaters.resistance,
            half_wave_W=heaters.half_wave_power,
            high_V=heaters.voltage,
            bits=heaters.bits,
            modulator_half_wave_V=section.modulators.half_wave,
        ),
        seed=0,
        laser_W=section.laser.power,
    )
    chip.heaters.converter_V = heaters.converter
    for name in heaters.unconnected:
        chip.heaters.resistance_ohm.data[shifters.index(name)] = inf
    return chip


def blank_record(identity: Mapping[str, str], section: MeshSection) -> MeshCalibration:
    """Nothing is known yet but the design, and which shifters have no wire."""
    record = MeshCalibration.blank(identity, design(section))
    shifters = tuple(
        one.failed(f"heater {one.name} has no wire, by heaters.unconnected; its phase stays what it is")
        if one.name in section.heaters.unconnected
        else one
        for one in record.shifters
    )
    return replace(record, shifters=shifters)
