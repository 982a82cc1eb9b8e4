"""Fifth stage: how much each shifter feels the heaters next to it, and all phases anew with that known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from calibration.device import Array, Device
from calibration.mesh.crosstalk_law import CrosstalkLaw, fit_law
from calibration.mesh.idle import judged_idle, read_idle
from calibration.mesh.ports import live_ports
from calibration.mesh.probing import Probe, Readings, own_copy
from calibration.mesh.record import MeshCalibration, Shifter
from calibration.mesh.routing import Router
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
        twin, data = own_copy(start.twin), dict(known)
        probe, shifters = Probe(device, twin), list(start.shifters)
        layout = twin.mesh.layout
        router, places = Router(layout, *live_ports(start)), heater_places(layout)
        live = [k for k in range(len(shifters)) if probe.live(k)]
        self.blocks = sum(shifter.ok for shifter in shifters) + len(live)

        turns = []
        good = [k for k in live if shifters[k].ok]
        for k in good:
            arrangement = _arranged(probe, router, shifters, k)
            if arrangement is None:
                continue
            near = _nearest(twin.heaters, k, good, places, self.plan.neighbours)
            steps = steps_of(probe, arrangement, near)
            if not steps:
                continue
            name = f"turns {shifters[k].name}"
            yield from kept(data, name, read_whole_turns, probe, k, arrangement, steps)
            turns.append(
                WholeTurns(k, arrangement.detector, list(steps), np.array(list(steps.values())), data[name])
            )
        pairs, law = _crosstalk(probe, start, turns, places)

        for k in range(len(layout.mzis)):
            arrangement = None if probe.live(k) else _arranged(probe, router, shifters, k)
            if arrangement is not None:
                name = f"idle {shifters[k].name}"
                yield from kept(data, name, read_idle, probe, arrangement)
                shifters[k] = judged_idle(probe, start, shifters[k], k, arrangement, data[name])
        sweeps: dict[int, _Sweep] = {}
        for k in live:
            arrangement = _arranged(probe, router, shifters, k)
            if arrangement is None:
                continue
            name = f"sweep {shifters[k].name}"
            yield from kept(data, name, swept, probe, k, arrangement, self.plan.points, self._judges.turns)
            found = seen(probe, start, data[name], arrangement.detector)
            sweeps[k] = _Sweep(arrangement, data[name], found)
            shifters[k] = self._compared(probe, start, shifters[k], sweeps[k])

        for _ in range(_PASSES):
            pairs, law = _crosstalk(probe, start, turns, places)
            for k, sweep in sweeps.items():
                shifters[k] = self._compared(probe, start, shifters[k], sweep)
        for k, sweep in sweeps.items():
            if k < len(layout.mzis):
                shifters[k] = _with_splitters(probe, start, shifters[k], sweep)
        moved = np.angle(np.exp(1j * (twin.mesh.phase_offset - start.twin.mesh.phase_offset).numpy()))
        figures = {
            "pairs": [vars(pair) for pair in pairs],
            "law": None if law is None else vars(law),
            "curves": {shifters[k].name: sweep.found.curve() for k, sweep in sweeps.items()},
            "failed": {one.name: one.reason for one in shifters if not one.ok},
            "median_change_rad": float(np.median(np.abs(moved))),
            "largest_change_rad": float(np.max(np.abs(moved))),
            "readings": readings_in(data),
        }
        self._result = replace(start, twin=twin, shifters=tuple(shifters)).noted(self.name, figures)

    def _compared(self, probe: Probe, known: MeshCalibration, shifter: Shifter, sweep: _Sweep) -> Shifter:
        """Take over what a sweep says; a shifter that could not be trusted before gets another chance."""
        fresh = replace(shifter, ok=True, reason="")
        return by_difference(probe, known, sweep.readings, sweep.found, fresh, self._judges)


def _arranged(probe: Probe, router: Router, shifters: Sequence[Shifter], k: int) -> Arrangement | None:
    half, can = len(shifters) // 2, settable(probe, shifters)
    external, mzi = k >= half, k % half
    return None if external and mzi not in can else arranged(router, mzi, external, can)


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


def _with_splitters(probe: Probe, known: MeshCalibration, shifter: Shifter, sweep: _Sweep) -> Shifter:
    """An internal shifter with what the darkest points of its MZI's two sides say of the splitters."""
    on, figures = sweep.arrangement, dict(shifter.figures)
    crossing = on.at_least == 0.0  # the detector is on the bar side: dark where light should cross
    for detector, sums in ((on.detector, crossing), (on.other, not crossing)):
        fringe = None if detector is None else seen(probe, known, sweep.readings, detector).fringe
        if fringe is not None:
            least = max((1.0 - fringe.visibility) / (1.0 + fringe.visibility), 0.0)
            figures["splitter_sum_rad" if sums else "splitter_difference_rad"] = float(
                np.arctan(np.sqrt(least))
            )
    return replace(shifter, figures=figures)
