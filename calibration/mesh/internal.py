"""Third stage: the internal phase of every interferometer, swept one by one along single ways through the mesh."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from calibration.device import Array, Device
from calibration.mesh.fringe import Fringe, fit_fringe
from calibration.mesh.idle import judged_idle, read_idle
from calibration.mesh.ports import live_ports, reading_noise
from calibration.mesh.probing import Probe, Readings, own_copy
from calibration.mesh.record import MeshCalibration, Shifter
from calibration.mesh.routing import Route, Router, State
from calibration.mesh.stage import Block, Blocks, StageBase, kept, readings_in
from calibration.mesh.sweep import (
    PHASES,
    Arrangement,
    SweepPlan,
    arranged,
    judged,
    put_phase,
    seen,
    settable,
    swept,
    with_figures,
)
from simulators.models.mesh import MeshLayout

_TELLS = 3.0  # standard errors by which a rough fringe stands out enough to go by it


class InternalStage(StageBase):
    """Offset and γ of each internal shifter, from the fringe behind a way on which the other MZIs only pass light on.

    On such a way (see `Router`) the power is a product, so that the fringe against one heater has the phase of that
    MZI alone: the least light where it crosses for a way that needs it in bar, and the other way round. Before the
    MZIs of a way are measured, each is brought in turn to where it passes the most light. As long as none gets
    through at all, they steer it towards the output: the light at each port, weighted by how near that is, is as
    much a sinusoid of each phase. What is known of a way's MZIs then opens the next ways; those that could not be
    trusted are tried again at last, and of those whose heater is dead it is told how they stand.

    Crosstalk is still in all these phases, and light that leaks through MZIs that are set (their splitters are not
    known): about 0.02 rad for a typical chip. `CrosstalkStage` goes over them again.
    """

    name = "internal"

    def __init__(self, plan: SweepPlan | None = None, layout: MeshLayout | None = None) -> None:
        self.plan = plan or SweepPlan()
        if layout is not None:
            self.blocks = len(layout.mzis)  # those that open ways come on top

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        """See `Stage.run`."""
        twin = own_copy(start.twin)
        self._known, self._probe, self._data = start, Probe(device, twin), dict(known)
        self._shifters, self._curves = list(start.shifters), dict[str, Any]()
        count = self.blocks = len(twin.mesh.layout.mzis)
        ins, outs = live_ports(start)
        router = Router(twin.mesh.layout, ins, outs)
        self._heated = {k for k in range(count) if start.shifters[k].ok}
        wanted, number = set(self._heated), 0
        while ways := router.routes(wanted, settable(self._probe, self._shifters)):
            for way in ways:
                yield from self._walk(f"way {number}", way, wanted)
                wanted -= way.unknown.keys()
                number += 1
        for k in sorted(wanted):
            self._shifters[k] = self._shifters[k].failed(
                f"{self._shifters[k].name}: no single way through the mesh leads past it: around it too much is "
                "unknown"
            )
        for k in sorted(self._heated):
            if not self._shifters[k].ok:
                yield from self._again(router, k)
        for k in range(count):
            if k not in self._heated:
                yield from self._idle(router, k)
        figures = {
            "curves": self._curves,
            "failed": {one.name: one.reason for one in self._shifters[:count] if not one.ok},
            "readings": readings_in(self._data),
        }
        self._result = replace(start, twin=twin, shifters=tuple(self._shifters)).noted(self.name, figures)

    def _walk(self, label: str, way: Route, wanted: set[int]) -> Iterator[Block]:
        """Open a way, then measure the MZIs on it that are wanted."""
        # those that have come to be known since the way was found have to be set for it too
        known = {k: state for k, state in way.unknown.items() if k not in wanted and self._shifters[k].ok}
        phases = {k: PHASES[state] for k, state in {**way.states, **known}.items()}
        movable = [k for k in way.unknown if k in self._heated and k not in known]
        if len(movable) > 1:
            for number in range(self.plan.rounds):
                dark = False
                for k in movable:
                    name = f"{label} round {number} {self._shifters[k].name}"
                    yield from self._read(name, k, way, phases, self.plan.opening, 1.0)
                    dark |= not self._opened(name, k, way, phases)
                if not dark:
                    break
        for k in movable:
            if k in wanted:
                yield from self._measure(self._shifters[k].name, k, way, phases)

    def _again(self, router: Router, k: int) -> Iterator[Block]:
        """Measure an MZI once more now that the others are known."""
        can = settable(self._probe, self._shifters)
        ways = router.routes({k}, can)
        if ways:
            self._shifters[k] = self._known.shifters[k]
            phases = {j: PHASES[state] for j, state in ways[0].states.items()}
            yield from self._measure(f"{self._shifters[k].name} again", k, ways[0], phases)

    def _idle(self, router: Router, k: int) -> Iterator[Block]:
        """Find out how an MZI stands whose heater is dead."""
        on = arranged(router, k, False, settable(self._probe, self._shifters))
        if on is not None:
            shifter = self._shifters[k]
            name = f"{shifter.name} idle"
            yield from kept(self._data, name, read_idle, self._probe, on)
            self._shifters[k] = judged_idle(self._probe, self._known, shifter, k, on, self._data[name])

    def _read(
        self, name: str, k: int, way: Route, phases: Mapping[int, float], points: int, turns: float
    ) -> Iterator[Block]:
        arrangement = Arrangement([way.start], phases, way.stop, way.unknown[k])
        yield from kept(self._data, name, swept, self._probe, k, arrangement, points, turns)

    def _opened(self, name: str, k: int, way: Route, phases: dict[int, float]) -> bool:
        """Leave an MZI where the most light passes, by a rough sweep; whether that could be told at the output."""
        readings, state = self._data[name], way.unknown[k]
        fringe = seen(self._probe, self._known, readings, way.stop).fringe
        at_output = fringe is not None and fringe.significance > _TELLS
        if not at_output:
            fringe = self._steering(readings, way)
        if fringe is not None and fringe.significance > _TELLS:
            offset = fringe.phase_rad + PHASES[state]
            put_phase(self._probe, k, offset, float(self._probe.twin.heaters.gamma_rad_per_W[k]))
            phases[k] = PHASES[state]
        return at_output

    def _steering(self, readings: Readings, way: Route) -> Fringe | None:
        """The fringe of the light by how near it comes to the output of a way that is still dark there."""
        probe = self._probe
        light = probe.light(readings, self._known.dark_W)
        n = light.shape[1]
        near: Array = (1.0 - np.abs(np.arange(n) - way.stop) / n) ** 2
        blind = np.isnan(light).any(axis=0)
        near[blind] = 0.0
        noise = np.sqrt(((near * reading_noise(self._known, light)) ** 2).sum(axis=1))
        gamma = float(probe.twin.heaters.gamma_rad_per_W[int(readings["swept"][0])])
        return fit_fringe(probe.swept_W(readings)[:, 0], np.nan_to_num(light) @ near, noise, gamma)

    def _measure(self, name: str, k: int, way: Route, phases: dict[int, float]) -> Iterator[Block]:
        """Sweep one MZI of a way by the product rule, and leave it where it passes the most light."""
        state, plan = way.unknown[k], self.plan
        yield from self._read(name, k, way, phases, plan.points, plan.turns)
        found = seen(self._probe, self._known, self._data[name], way.stop)
        shifter: Shifter = judged(self._shifters[k], found, plan)
        if found.fringe is not None:
            # 1 + V cos(γ P + phase) is least where γ P + phase = π, and there θ is that of the least light
            least = State.CROSS if state is State.BAR else State.BAR
            offset = found.fringe.phase_rad + np.pi + PHASES[least]
            self._curves[shifter.name] = found.curve()
            shifter = with_figures(shifter, found.fringe, offset, found.fringe.gamma_rad_per_W)
            if shifter.ok:
                put_phase(self._probe, k, offset, found.fringe.gamma_rad_per_W)
                phases[k] = PHASES[state]
        self._shifters[k] = shifter
