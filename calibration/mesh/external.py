"""Fourth stage: the external phases, by interferometers made of two inputs and one MZI each."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from calibration.device import Device
from calibration.mesh.idle import judged_by_stand_in, stand_in
from calibration.mesh.ports import live_ports
from calibration.mesh.probing import Probe, own_copy
from calibration.mesh.record import MeshCalibration
from calibration.mesh.routing import Router
from calibration.mesh.stage import Block, Blocks, StageBase, kept, readings_in
from calibration.mesh.sweep import SweepPlan, arranged, by_difference, seen, settable, swept
from simulators.models.mesh import MeshLayout


class ExternalStage(StageBase):
    """Offset and γ of each external shifter, column by column.

    Two inputs are lit whose light comes by a single way each to the two sides of one MZI, set to 50:50, and on to a
    detector: with all others in bar, those are the inputs of its own rows. Its fringe against φ has a phase that the
    twin predicts from the columns before but for the offset that is looked for: the difference is the offset.

    A shifter whose heater is dead has its phase told by the fringe of another one before it in the same loop, where
    there is one: in the first column there is none.

    What no detector can tell is left to gauge: phases in front of the mesh are put into the external offsets of the
    first MZI on each row, which thus hold differences of neighbouring rows; phases behind the last column stay as
    they are in the twin (`Mesh.output_offset`).
    """

    name = "external"

    def __init__(self, plan: SweepPlan | None = None, layout: MeshLayout | None = None) -> None:
        self.plan = plan or SweepPlan()
        if layout is not None:
            self.blocks = len(layout.mzis)

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        """See `Stage.run`."""
        twin, data, plan = own_copy(start.twin), dict(known), self.plan
        probe, shifters, curves = Probe(device, twin), list(start.shifters), dict[str, Any]()
        half = self.blocks = len(twin.mesh.layout.mzis)
        router = Router(twin.mesh.layout, *live_ports(start))
        can = settable(probe, shifters)
        for mzi in range(half):
            k = half + mzi
            shifter, arrangement = shifters[k], arranged(router, mzi, True, can)
            if not shifter.ok:
                before = [half + j for j in reversed(range(mzi)) if shifters[half + j].ok]
                other = None
                if arrangement is not None:
                    other = stand_in(probe, start, k, arrangement, before, plan)
                if arrangement is not None and other is not None:
                    name = f"{shifter.name} by {shifters[other].name}"
                    yield from kept(data, name, swept, probe, other, arrangement, plan.points, plan.turns)
                    shifters[k] = judged_by_stand_in(probe, start, shifter, k, arrangement, data[name], plan)
                continue
            if arrangement is None:
                shifters[k] = shifter.failed(
                    f"{shifter.name}: no two inputs can be made to meet at its MZI alone"
                    if mzi in can
                    else f"{shifter.name}: the internal phase of its MZI is not known"
                )
                continue
            yield from kept(data, shifter.name, swept, probe, k, arrangement, plan.points, plan.turns)
            found = seen(probe, start, data[shifter.name], arrangement.detector)
            shifters[k] = by_difference(probe, start, data[shifter.name], found, shifter, plan)
            curves[shifter.name] = found.curve()
        figures = {
            "curves": curves,
            "failed": {one.name: one.reason for one in shifters[half:] if not one.ok},
            "readings": readings_in(data),
        }
        self._result = replace(start, twin=twin, shifters=tuple(shifters)).noted(self.name, figures)
