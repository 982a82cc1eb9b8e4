"""Dopant chips whose solutions, found on surrogates of too little and stale data, fail on the chips themselves.

Each chip is sampled for some minutes, and a surrogate is fitted to that. The controls that do the task on it are tried
a week later: what the surrogate got wrong, and what drift and jumping charges have moved since, is unknown to whoever
tunes. The meter integrates over a mains period, so a reading is as quiet as the quietest published ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from calibration.device import Array, ChannelGroup, Device
from calibration.sampling.multitone import MultiTone
from calibration.surrogate import SurrogateNetwork, Trainer, TrainingPlan, build_dataset
from calibration.tasks import Search, SearchPlan, Task, best_threshold, best_thresholds
from calibration.tuning import Plateaus, Problem, SoftMargin, dopant_problem
from hil.devices import EmulatedDevice, EmulatedDopantNetwork
from simulators.models.dopant_network import DopantNetwork, Wiring, dopant_network
from simulators.models.hopping import default_network
from simulators.models.imperfections import ImperfectChip, Imperfections
from simulators.models.model import Model

RATE_Hz, WEEK_s, MAX_SLEW = 50.0, 7 * 24 * 3600.0, 60.0
QUIET = Imperfections(noise_relative=0.003, noise_floor_A=0.03e-9)
NOISE_A = 0.3e-9
PLATEAU_s, SETTLING_s = 40e-3, 500e-6


@dataclass(frozen=True, eq=False)
class Failing:
    """A chip at work with controls that do its task on the model, and not on the chip."""

    device: Device
    task: Task
    model: Model
    start: Array

    def problem(self, seed: int) -> Problem:
        return dopant_problem(
            self.device,
            self.task,
            model=self.model,
            noise_A=NOISE_A,
            plateau_s=PLATEAU_s,
            settling_s=SETTLING_s,
            seed=seed,
        )

    def accuracy(self, controls: Array) -> float:
        """Share of eight repeats of every point on its side of the best threshold, as the chip answers now."""
        self.device.set_controls(controls)
        asking = Plateaus.of(self.device, plateau_s=PLATEAU_s, settling_s=SETTLING_s)
        points, labels = np.tile(self.task.points, (8, 1)), np.tile(self.task.labels, 8)
        return best_threshold(asking(self.device, points).outputs[:, 0].numpy(), labels).accuracy


class Later:
    """A chip that is looked at again after a while."""

    def __init__(self, chip: ImperfectChip, since_s: float) -> None:
        self.chip, self.since_s = chip, since_s

    def observe(self, voltages: Array, times_s: Array) -> Array:
        return self.chip.observe(voltages, times_s + self.since_s)


class NetworkLater(EmulatedDopantNetwork):
    """A network that is looked at again after a while."""

    def later(self, since_s: float) -> None:
        self._count["samples"] += round(since_s * self.sample_rate_Hz)


def one_chip(task: Task, seed: int, week: int) -> Failing:
    """A single chip, `week` weeks after it was sampled."""
    model = default_network(seed)
    low, high = model.low.numpy(), model.high.numpy()
    electrodes = ChannelGroup(model.electrodes, "V", low, high, np.full(len(low), MAX_SLEW))

    def chip(since_s: float) -> EmulatedDevice:
        return EmulatedDevice(Later(ImperfectChip(model, QUIET, seed), since_s), electrodes, "e8", RATE_Hz)

    surrogate = fitted(chip(0.0), seed)
    search = Search(
        surrogate.with_inputs(["e3", "e4"]),
        [task],
        SearchPlan(restarts=64, steps=150, noise_A=1e-9, seed=seed),
    )
    for _ in search:
        pass
    device = chip(week * WEEK_s).with_inputs(["e3", "e4"])
    start = search.solutions(task.name, 1)[0].voltages(device.controls.names)
    return Failing(device, task, surrogate, start)


def several_chips(task: Task, wiring: Wiring, seed: int, week: int) -> Failing:
    """A network of chips, each with a surrogate fitted to itself; the stages between are off by a hundredth."""
    nominal = dopant_network(wiring, seed)
    true = nominal.with_errors(torch.Generator().manual_seed(seed), gain=0.01, offset_V=5e-3)
    device = NetworkLater(true, imperfections=QUIET, max_slew=MAX_SLEW, sample_rate_Hz=RATE_Hz, seed=seed)
    layers: list[list[SurrogateNetwork]] = []
    for layer in device.layers:
        layers.append([fitted(chip, seed).with_inputs(chip.inputs.names) for chip in layer.layers])
    surrogate = nominal.with_chips(layers)
    device.later(week * WEEK_s)
    return Failing(device, task, surrogate, trained(surrogate, task, seed))


def fitted(chip: Device, seed: int) -> SurrogateNetwork:
    """A surrogate of 20,000 readings of a chip, a tenth of what such a chip asks for."""
    whole = chip.with_inputs((*sorted((*chip.inputs.names, *chip.controls.names)),))
    plan = MultiTone(whole.inputs, RATE_Hz, seed, 20, 1000)
    read = [whole.run(plan.stimulus(k)[None]) for k in range(plan.batches)]
    dataset = build_dataset(
        np.concatenate([part.inputs for part in read]),
        np.concatenate([part.outputs for part in read]),
        np.concatenate([part.flags for part in read]),
        electrodes=whole.inputs.names,
        low_V=whole.inputs.low,
        high_V=whole.inputs.high,
    )
    network = SurrogateNetwork.for_dataset(dataset, hidden=(64, 64, 64), seed=seed)
    trainer = Trainer(network, dataset, TrainingPlan(epochs=12, seed=seed))
    for _ in trainer:
        pass
    return trainer.best()


def trained(network: DopantNetwork, task: Task, seed: int, restarts: int = 24, steps: int = 120) -> Array:
    """Controls (n,) that do `task` on a model of a network, the best of some starts of gradient descent."""
    chips = [chip for layer in network.layers for chip in layer]
    low = torch.cat([chip.low[chip.control_index] for chip in chips])
    high = torch.cat([chip.high[chip.control_index] for chip in chips])
    points, labels = torch.as_tensor(task.points), torch.as_tensor(task.labels)
    generator, loss = torch.Generator().manual_seed(seed), SoftMargin(1e-9)
    free = torch.randn(
        restarts, network.n_controls, generator=generator, dtype=torch.float64
    ).requires_grad_()
    optimizer = torch.optim.Adam([free], lr=0.1)
    for _ in range(steps):
        controls = low + (high - low) * torch.sigmoid(free)
        outputs = network(points.expand(restarts, *points.shape), controls[:, None])
        (free.grad,) = torch.autograd.grad(sum(loss(one, labels).mean() for one in outputs), [free])  # type: ignore[arg-type]
        optimizer.step()
    found = best_thresholds(outputs[..., 0].detach().numpy(), task.labels)
    best = int(np.lexsort((found.margin, found.accuracy))[-1])
    return controls[best].detach().numpy()


def middle(values: Sequence[float]) -> str:
    """Median and quartiles, for a table."""
    if not len(values):
        return "-"
    low, half, high = np.percentile(values, [25, 50, 75])
    return f"{half:.0f} ({low:.0f} to {high:.0f})"
