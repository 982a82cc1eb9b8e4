"""Fifth stage: how much each shifter feels the heaters next to it, and all phases anew with that known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from calibration.device import Array, Device
from calibration.mesh.crosstalk_law import CrosstalkLaw, fit_law
from calibration.mesh.idle import judged_by_stand_in, judged_idle, read_idle, stand_in
from calibration.mesh.ports import live_ports
from calibration.mesh.probing import Probe, Readings, own_copy
from calibration.mesh.record import MeshCalibration
from calibration.mesh.routing import Router, State
from calibration.mesh.stage import Block, Blocks, StageBase, kept, readings_in
from calibration.mesh.sweep import (
    Arrangement,
    Seen,
    SweepPlan,
    arranged,
    by_difference,
    seen,
    settable,
    swept,
)
from calibration.mesh.whole_turns import WholeTurns, put_crosstalk, read_whole_turns, slots_of, steps_of
from simulators.models.mesh import HeaterBank, MeshLayout, heater_places

_PASSES = 3  # over all readings: what is found of one shifter is in what is expected of the others


@dataclass(frozen=True)
class CrosstalkPlan:
    """What is read of each shifter.

    Attributes:
        neighbours: of how many of its nearest heaters crosstalk is measured; the others follow the law of distance.
        points: of the sweep with crosstalk known.
    """

    neighbours: int = 6
    points: int = 16


@dataclass(frozen=True)
class Pair:
    """What a heater does to another's shifter, in rad/W: as it was measured, and as it is taken."""

    shifter: str
    heater: str
    distance: float
    measured_rad_per_W: float
    error_rad_per_W: float
    rad_per_W: float


@dataclass(frozen=True, eq=False)
class _Sweep:
    """A sweep that tells a shifter's phase: its own, or one of another shifter."""

    shifter: int
    own: bool
    arrangement: Arrangement
    readings: Readings
    found: Seen


class CrosstalkStage(StageBase):
    """Rows of K, and with them all offsets and γ once more.

    Every shifter's fringe is read with each of its nearest heaters stepped by the power of one whole turn (see
    `put_crosstalk`), then swept once more with all others where they should be, crosstalk included. All of these
    readings are then gone over until they agree: a fringe that differs from the twin's in phase moves its shifter's
    offset, one that differs in period its γ, one that moves otherwise than the twin's K.

    What a single pair tells is weighed against a law of distance that all tell together (`CrosstalkLaw`); the pairs
    that were not measured get the law's value. The splitters of each MZI show in how dark its two sides get: by
    |α + β| where it should cross all light, by |α - β| where it should keep all. Their signs do not show, so that
    these are figures of the shifter and not in the twin.
    """

    name = "crosstalk"

    def __init__(
        self,
        plan: CrosstalkPlan | None = None,
        sweeps: SweepPlan | None = None,
        layout: MeshLayout | None = None,
    ) -> None:
        self.plan, self._judges = plan or CrosstalkPlan(), sweeps or SweepPlan()
        if layout is not None:
            self.blocks = 2 * len(layout.shifters)

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        """See `Stage.run`."""
        twin = own_copy(start.twin)
        self._known, self._probe, self._data = start, Probe(device, twin), dict(known)
        self._shifters = list(start.shifters)
        self._router = Router(twin.mesh.layout, *live_ports(start))
        places = heater_places(twin.mesh.layout)
        self.blocks = sum(shifter.ok for shifter in self._shifters) + len(self._shifters)

        turns: list[WholeTurns] = []
        yield from self._read_turns(turns, places)
        pairs, law = _crosstalk(self._probe, start, turns, places)
        sweeps: list[_Sweep] = []
        yield from self._read_sweeps(sweeps)
        for _ in range(_PASSES):
            pairs, law = _crosstalk(self._probe, start, turns, places)
            for sweep in sweeps:
                self._compare(sweep)
        for sweep in sweeps:
            if sweep.own and sweep.shifter < len(self._shifters) // 2:
                self._splitters(sweep)
        moved = np.angle(np.exp(1j * (twin.mesh.phase_offset - start.twin.mesh.phase_offset).numpy()))
        figures = {
            "pairs": [vars(pair) for pair in pairs],
            "law": None if law is None else vars(law),
            "curves": {
                self._shifters[sweep.shifter].name: sweep.found.curve() for sweep in sweeps if sweep.own
            },
            "failed": {one.name: one.reason for one in self._shifters if not one.ok},
            "median_change_rad": float(np.median(np.abs(moved))),
            "largest_change_rad": float(np.max(np.abs(moved))),
            "readings": readings_in(self._data),
        }
        self._result = replace(start, twin=twin, shifters=tuple(self._shifters)).noted(self.name, figures)

    def _read_turns(self, turns: list[WholeTurns], places: Array) -> Iterator[Block]:
        """Fringes of each shifter that can be trusted, with whole turns of its neighbours that can be."""
        probe, good = self._probe, [k for k, shifter in enumerate(self._shifters) if shifter.ok]
        for k in good:
            arrangement = self._arranged(k)
            if arrangement is None:
                continue
            near = _nearest(probe.twin.heaters, k, good, places, self.plan.neighbours)
            steps = steps_of(probe, arrangement, near)
            if steps:
                name = f"turns {self._shifters[k].name}"
                yield from kept(self._data, name, read_whole_turns, probe, k, arrangement, steps)
                by_W = np.array(list(steps.values()))
                turns.append(WholeTurns(k, arrangement.detector, list(steps), by_W, self._data[name]))

    def _read_sweeps(self, sweeps: list[_Sweep]) -> Iterator[Block]:
        """Every shifter's sweep with crosstalk known, or what stands in for it where its heater is dead."""
        probe, data, half = self._probe, self._data, len(self._shifters) // 2
        for k, shifter in enumerate(self._shifters):
            arrangement = self._arranged(k)
            if arrangement is None:
                continue
            if k < half and not probe.live(k):
                name = f"idle {shifter.name}"
                yield from kept(data, name, read_idle, probe, arrangement)
                self._shifters[k] = judged_idle(probe, self._known, shifter, k, arrangement, data[name])
                continue
            before = [j for j in reversed(range(half, k)) if self._shifters[j].ok]
            swung = k if probe.live(k) else stand_in(probe, self._known, k, arrangement, before, self._judges)
            if swung is not None:
                name = f"sweep {shifter.name}"
                plan = self.plan.points, self._judges.turns
                yield from kept(data, name, swept, probe, swung, arrangement, *plan)
                found = seen(probe, self._known, data[name], arrangement.detector)
                sweeps.append(_Sweep(k, swung == k, arrangement, data[name], found))
                self._compare(sweeps[-1])

    def _compare(self, sweep: _Sweep) -> None:
        """Take over what a sweep says; a shifter that could not be trusted before gets another chance."""
        probe, known, k, judges = self._probe, self._known, sweep.shifter, self._judges
        shifter, readings = self._shifters[k], sweep.readings
        if sweep.own:
            fresh = replace(shifter, ok=True, reason="")
            self._shifters[k] = by_difference(probe, known, readings, sweep.found, fresh, judges)
        else:
            self._shifters[k] = judged_by_stand_in(
                probe, known, shifter, k, sweep.arrangement, readings, judges
            )

    def _splitters(self, sweep: _Sweep) -> None:
        """Add what the darkest points of an MZI's two sides say of its splitters to its internal shifter."""
        on, shifter = sweep.arrangement, self._shifters[sweep.shifter]
        figures = dict(shifter.figures)
        crossing = on.passes is State.BAR  # the detector is dark where light should cross
        for detector, sums in ((on.detector, crossing), (on.other, not crossing)):
            if detector is None:
                continue
            fringe = seen(self._probe, self._known, sweep.readings, detector).fringe
            if fringe is not None:
                least = max((1.0 - fringe.visibility) / (1.0 + fringe.visibility), 0.0)
                what = "splitter_sum_rad" if sums else "splitter_difference_rad"
                figures[what] = float(np.arctan(np.sqrt(least)))
        self._shifters[sweep.shifter] = replace(shifter, figures=figures)

    def _arranged(self, k: int) -> Arrangement | None:
        half, can = len(self._shifters) // 2, settable(self._probe, self._shifters)
        return arranged(self._router, k % half, k >= half, can)


def _nearest(heaters: HeaterBank, k: int, good: Sequence[int], places: Array, count: int) -> list[int]:
    listed = (set(heaters.neighbours[k].tolist()) & set(good)) - {k}
    apart = {j: float(np.linalg.norm(places[j] - places[k])) for j in listed}
    return sorted(apart, key=lambda j: (apart[j], j))[:count]


def _crosstalk(
    probe: Probe, known: MeshCalibration, turns: Sequence[WholeTurns], places: Array
) -> tuple[list[Pair], CrosstalkLaw | None]:
    """Put what whole turns say into the twin, and the law of distance where they say nothing."""
    twin, names = probe.twin, probe.shifters
    gamma = twin.heaters.gamma_rad_per_W.numpy()
    told: dict[tuple[int, int], tuple[float, float, float]] = {}  # distance, share and its error
    for one in turns:
        k, values = one.shifter, put_crosstalk(probe, known, one)
        for j, value, error in zip(one.near, *values, strict=True):
            if np.isfinite(value) and np.isfinite(error):
                apart = float(np.linalg.norm(places[j] - places[k]))
                told[k, j] = apart, float(value / gamma[j]), float(error / gamma[j])
    law = fit_law(*(np.array(column) for column in zip(*told.values(), strict=True))) if told else None
    neighbours = twin.heaters.neighbours.numpy()
    distance = np.linalg.norm(places[neighbours] - places[:, None], axis=2)
    shares = np.zeros(neighbours.shape) if law is None else np.where(distance > 0.0, law.share(distance), 0.0)
    pairs = []
    for (k, j), (apart, share, error) in told.items():
        taken = share if law is None else law.weighed(apart, share, error)
        shares[k, slots_of(twin.heaters, k, [j])] = taken
        in_W = (value * float(gamma[j]) for value in (share, error, taken))
        pairs.append(Pair(names[k], names[j], apart, *in_W))
    with torch.no_grad():
        twin.heaters.crosstalk_rad_per_W.copy_(torch.as_tensor(shares * gamma[neighbours]))
    return pairs, law
