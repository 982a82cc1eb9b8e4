"""A day on the virtual clock: chips that drift, kept and left alone, and the readings that it takes.

Each starts as after a perfect calibration: its controls are found by gradients on the chip's own model as it is at
time zero. What happens after that nobody is told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor

from calibration.device import Array, ChannelGroup, Device
from calibration.tuning import (
    Correct,
    CrossEntropy,
    Examples,
    Keeper,
    KeepingPlan,
    Limits,
    Problem,
    Rung,
    Spsa,
    TuningPlan,
    TuningTask,
    Update,
)
from hil.devices import EmulatedDevice, EmulatedMesh
from simulators.models.hopping import default_network
from simulators.models.imperfections import ImperfectChip, Imperfections
from simulators.models.mesh import Fabrication, MeshLayout, PhotonicSpecimen, fabricate

HOUR_s, DAY_h, SEEDS = 3600.0, 24, (1, 2, 3)


@dataclass(frozen=True, eq=False)
class Day:
    """What became of one chip: score on the hour, kept and left alone, (25,) each."""

    kept: Array
    alone: Array
    out: int
    rungs: dict[str, int]
    look_readings: int
    retuning_readings: int


def day_of(device: Device, problem: Problem, ladder: Sequence[Rung], plan: KeepingPlan, start: Array) -> Day:
    keeper = Keeper(device, problem, ladder, plan, start)
    list(keeper)
    hours = np.array([round(look.time_s / HOUR_s) for look in keeper.looks])
    assert set(hours) == set(range(DAY_h + 1))
    kept = [
        [look.score for look in keeper.looks if round(look.time_s / HOUR_s) == h][-1]
        for h in range(DAY_h + 1)
    ]
    hourly = [look for look in keeper.looks if look.retuning is None]
    names = [one.rung for one in keeper.retunings]
    retuned = sum(one.readings for one in keeper.retunings)
    return Day(
        np.array(kept),
        np.array([look.start_score for look in hourly], dtype=np.float64),
        sum(look.verdict == "out" for look in hourly),
        {name: names.count(name) for name in dict.fromkeys(names)},
        keeper.readings - retuned,
        retuned,
    )


# A mesh: digits 0 to 3, told apart by the light at four of eight ports ------------------------------------------

PORTS, CLASSES = 8, 4


def shares(powers: Tensor) -> Tensor:
    seen = powers[..., :CLASSES]
    return 12.0 * seen / seen.sum(dim=-1, keepdim=True)


@lru_cache
def digits() -> TuningTask:
    """The eight strongest principal components, as volts at the modulators."""
    found = pytest.importorskip("sklearn.datasets").load_digits()
    few = found.target < CLASSES
    order = np.random.default_rng(0).permutation(int(few.sum()))
    pixels, labels = found.data[few][order], torch.as_tensor(found.target[few][order])
    pixels = pixels - pixels.mean(axis=0)
    features = pixels @ np.linalg.svd(pixels, full_matrices=False)[2][:PORTS].T
    volts = np.clip(1.5 + 0.6 * features / features.std(axis=0), 0.0, 3.0)
    return TuningTask(
        Examples(volts[:360], labels[:360]),
        Examples(volts[360:], labels[360:]),
        CrossEntropy(shares),
        Correct(shares),
    )


def mesh_day(drift_rad: float, seed: int) -> Day:
    task = digits()
    chip = fabricate(MeshLayout("rectangular", PORTS), Fabrication(drift_rad=drift_rad), seed)
    volts = torch.tensor(4.0 + 2.0 * np.random.default_rng(seed).random(chip.n_controls), requires_grad=True)
    descent = torch.optim.Adam([volts], lr=0.05)
    inputs = torch.as_tensor(task.training.inputs)
    for _ in range(300):
        descent.zero_grad()
        task.loss(chip(inputs, volts), task.training.targets).mean().backward()
        descent.step()
        with torch.no_grad():
            volts.clamp_(0.0, float(chip.heaters.high_V.min()))
    device = EmulatedMesh(PhotonicSpecimen(chip, drift_rad, seed), seed=seed)
    ladder = [
        Rung(Spsa(Update("adam", 0.004), perturbation=0.01, batch=64), TuningPlan(4_000, checks=2)),
        Rung(Spsa(Update("adam", 0.004), perturbation=0.01, batch=128), TuningPlan(20_000, checks=5)),
    ]
    plan = KeepingPlan(HOUR_s, DAY_h * HOUR_s, 0.02, readout=True)
    problem = Problem(task, Limits.of(device.controls), seed=seed)
    return day_of(device, problem, ladder, plan, volts.detach().numpy())


# A dopant network: XOR by a threshold ----------------------------------------------------------------------------

POINTS_V = np.array([(-0.6, -0.6), (-0.6, 0.2), (0.2, -0.6), (0.2, 0.2)])
XOR = np.array([0, 1, 1, 0])
CONTROLS, INPUTS = [0, 1, 4, 5, 6], [2, 3]


@dataclass(frozen=True)
class AboveThreshold:
    """Logits of a current: 0, and how far it lies above a threshold."""

    threshold_A: float
    unit_A: float

    def __call__(self, outputs: Tensor) -> Tensor:
        above = (outputs[..., 0] - self.threshold_A) / self.unit_A
        return torch.stack((torch.zeros_like(above), above), dim=-1)


@lru_cache
def solved(seed: int) -> tuple[Array, float, float]:
    """Controls with the widest gap between the classes over the noise, the threshold in its middle, and the gap."""
    model, high = default_network(seed), torch.as_tensor(XOR == 1)
    low_V, high_V = model.low[CONTROLS], model.high[CONTROLS]
    share = torch.as_tensor(np.random.default_rng(seed).random((32, len(CONTROLS))))
    controls = (low_V + (high_V - low_V) * share).requires_grad_()
    descent = torch.optim.Adam([controls], lr=0.03)
    best, found = -np.inf, (np.zeros(len(CONTROLS)), 0.0, 1.0)
    for _ in range(40):
        volts = torch.zeros(len(share), len(XOR), 7, dtype=torch.float64)
        volts[..., INPUTS] = torch.as_tensor(POINTS_V)
        volts[..., CONTROLS] = controls[:, None]
        current = model.current(volts)[..., 0]
        least, most = current[:, high].amin(dim=1), current[:, ~high].amax(dim=1)
        margin = (least - most) / (0.012 * current.abs().amax(dim=1) + 0.1e-9)
        k = int(margin.argmax())
        if float(margin[k]) > best:
            best, middle = float(margin[k]), float(least[k] + most[k]) / 2.0
            found = controls[k].detach().numpy().copy(), middle, float(least[k] - most[k])
        descent.zero_grad()
        (-margin.clamp(max=30.0).sum()).backward()
        descent.step()
        with torch.no_grad():
            controls.clamp_(low_V, high_V)
    return found


def dopant_day(restless: float, seed: int) -> Day:
    usual, model = Imperfections(), default_network(seed)
    chip = ImperfectChip(
        model,
        Imperfections(
            gain_drift=restless * usual.gain_drift,
            offset_drift_A=restless * usual.offset_drift_A,
            potential_drift_V=restless * usual.potential_drift_V,
            jump_V=restless * usual.jump_V,
        ),
        seed,
    )
    free = np.full(7, np.inf)
    electrodes = ChannelGroup(tuple(model.electrodes), "V", model.low.numpy(), model.high.numpy(), free)
    device = EmulatedDevice(chip, electrodes, "e8", 1000.0).with_inputs(["e3", "e4"])
    start, threshold_A, gap_A = solved(seed)
    logits = AboveThreshold(threshold_A, gap_A / 4.0)

    def examples(times: int) -> Examples:
        return Examples(np.tile(POINTS_V, (times, 1)), torch.as_tensor(np.tile(XOR, times)))

    task = TuningTask(examples(4), examples(16), CrossEntropy(logits), Correct(logits))
    ladder = [Rung(Spsa(Update("adam", 0.005), perturbation=0.01, batch=16), TuningPlan(1_500, checks=3))]
    plan = KeepingPlan(HOUR_s, DAY_h * HOUR_s, 0.05, watch="loss", readout=True)
    return day_of(device, Problem(task, Limits.of(device.controls), seed=seed), ladder, plan, start)


CHIPS: dict[str, tuple[Callable[[int], Day], float]] = {
    "mesh, drift 0.01 rad in the first hour": (lambda seed: mesh_day(0.01, seed), 0.0),
    "mesh, drift 0.02 rad in the first hour": (lambda seed: mesh_day(0.02, seed), 0.05),
    "dopant network, usual": (lambda seed: dopant_day(1.0, seed), 0.0),
    "dopant network, five times as restless": (lambda seed: dopant_day(5.0, seed), 0.05),
}
"""The day of each, and how much better a kept one should do on the mean of the day."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", CHIPS)
def test_a_day(name: str) -> None:
    torch.set_num_threads(1)
    one, gained = CHIPS[name]
    days = [one(seed) for seed in SEEDS]
    kept, alone = np.stack([day.kept for day in days]), np.stack([day.alone for day in days])
    print(f"\n{name}; accuracy, mean over {len(SEEDS)} seeds ± standard deviation")
    print("   hour        kept          left alone")
    for hour in range(0, DAY_h + 1, 3):
        print(
            f"   {hour:4d}   {kept[:, hour].mean():.3f} ± {kept[:, hour].std(ddof=1):.3f}"
            f"   {alone[:, hour].mean():.3f} ± {alone[:, hour].std(ddof=1):.3f}"
        )
    of_day = [values[:, 1:].mean(axis=1) for values in (kept, alone)]
    print(
        f"   mean   {of_day[0].mean():.3f} ± {of_day[0].std(ddof=1):.3f}"
        f"   {of_day[1].mean():.3f} ± {of_day[1].std(ddof=1):.3f}"
    )
    for seed, day in zip(SEEDS, days, strict=True):
        tried = ", ".join(f"{count} {rung}" for rung, count in day.rungs.items()) or "nothing"
        print(
            f"   seed {seed}: out at {day.out} of {DAY_h} looks; tried {tried}; readings: looks "
            f"{day.look_readings:,}, re-tuning {day.retuning_readings:,}"
        )
    assert of_day[0].mean() >= of_day[1].mean() + gained
    assert kept[:, -1].mean() >= kept[:, 0].mean() - 0.06
