"""What populations, feedback, local losses and light sent backwards win back with 200,000 readings; printed.

Digits on three meshes of 16 ports, trained in silico on perfect meshes and put on a chip whose errors no method is
told, and on a network 64-32-32-10 that is noisier than it was trained for.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from calibration.device import Array, Device
from calibration.networks import ClassifierPlan, accuracy, power_scores, train_classifier
from calibration.tuning import (
    Backpropagation,
    CmaEs,
    Correct,
    CrossEntropy,
    Dfa,
    Examples,
    Genetic,
    Limits,
    Method,
    Pepg,
    Phyll,
    Problem,
    Spsa,
    Tuner,
    TuningPlan,
    TuningTask,
)
from hil.devices import EmulatedBidirectionalNetwork, EmulatedNoisyNetwork
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.model import Model
from simulators.models.optical import ElectroOptic, NoiseLevels, NoisyNetwork, fabricate_network
from tests.calibration.networks.digits import TEST, digits
from tests.calibration.networks.test_digits import perfect, trained

READINGS = 200_000
PROBES = 200


@dataclass(frozen=True, eq=False)
class Bench:
    """A chip to be won back.

    Attributes:
        logits: of its outputs.
        inputs, labels: the last `TEST` are to be told, those before are to be learnt.
    """

    device: Device
    model: Model
    start: Array
    limits: Limits
    logits: Callable[[Tensor], Tensor]
    inputs: Tensor
    labels: Tensor

    def told_right(self, controls: Array) -> float:
        """On the test digits, each read four times."""
        self.device.set_controls(controls)
        read = self.device.run(np.tile(self.inputs[-TEST:].numpy(), (1, 4, 1)))
        return accuracy(self.logits(torch.as_tensor(read.outputs[0])), self.labels[-TEST:].repeat(4))

    def tuned(self, method: Method, seed: int) -> float:
        """Accuracy after a run."""
        first, last = len(self.labels) - TEST - PROBES, len(self.labels) - TEST
        inputs = self.inputs.numpy()
        task = TuningTask(
            Examples(inputs[:first], self.labels[:first]),
            Examples(inputs[first:last], self.labels[first:last]),
            CrossEntropy(self.logits),
            Correct(self.logits),
        )
        problem = Problem(task, self.limits, model=self.model, seed=seed)
        tuner = Tuner(self.device, problem, method, TuningPlan(READINGS), self.start)
        for _ in tuner:
            pass
        return self.told_right(tuner.best)


@cache
def phases(seed: int) -> Array:
    plan = ClassifierPlan(rate=0.05, seed=seed)
    start: Array = trained(digits(4), 16, plan).remainder(2.0 * math.pi).numpy()
    return start


def meshes(seed: int) -> Bench:
    data, start = digits(4), phases(seed)
    true = fabricate_network(
        MeshLayout("rectangular", 16),
        Fabrication.perfect(splitter_rad=0.05, phase_rad=0.1),
        1000 + seed,
        meshes=3,
        activation=ElectroOptic(),
        readout=10,
    )
    device = EmulatedBidirectionalNetwork(true, noise_relative=0.01, seed=seed)
    limits = Limits.of(device.controls, turn=2.0 * math.pi)
    return Bench(device, perfect(16), start, limits, power_scores, data.inputs, data.labels)


def noisy(seed: int) -> Bench:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    inputs = torch.as_tensor(data.images[order].reshape(-1, 64) / 16.0)
    labels = torch.as_tensor(data.target[order])
    design = NoisyNetwork((64, 32, 32, 10), "tanh", NoiseLevels.uniform(3, 0.0))
    start = design.initial(torch.Generator().manual_seed(seed))
    plan = ClassifierPlan(steps=400, rate=0.01, seed=seed)
    start = train_classifier(design, start, inputs[:-TEST], labels[:-TEST], plan)
    true = NoisyNetwork((64, 32, 32, 10), "tanh", NoiseLevels.uniform(3, 0.5))
    device = EmulatedNoisyNetwork(true, seed=seed)
    limits = Limits.of(device.controls, scale=1.0)
    return Bench(device, design, start.numpy(), limits, lambda outputs: outputs, inputs, labels)


def table(made: Callable[[int], Bench], methods: list[Method], seeds: range) -> dict[str, Array]:
    """Prints and returns accuracies in per cent: mean and spread over the seeds."""
    rows: dict[str, list[float]] = {"untuned": []}
    for seed in seeds:
        bench = made(seed)
        rows["untuned"].append(bench.told_right(bench.start))
        for method in methods:
            rows.setdefault(method.name, []).append(made(seed).tuned(method, seed))
    found = {}
    for name, values in rows.items():
        found[name] = 100.0 * np.array([np.mean(values), np.std(values)])
        print(f"{name:18}{found[name][0]:6.1f} ± {found[name][1]:3.1f}")
    return found


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_three_meshes_are_won_back() -> None:
    print()
    methods = [Spsa(), CmaEs(), Pepg(), Genetic(), Dfa(), Phyll(), Backpropagation()]
    found = table(meshes, methods, range(3))
    untuned = found["untuned"][0]
    assert untuned < 60.0
    for name in ("cma-es", "pepg", "genetic", "dfa", "backpropagation"):
        assert found[name][0] > untuned + 10.0
    assert found["backpropagation"][0] > 90.0
    assert found["dfa"][0] > 85.0
    # whose light goes both ways, needs no luck
    assert found["backpropagation"][0] > max(found[name][0] for name in ("cma-es", "pepg", "genetic"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_network_that_is_noisier_than_it_was_trained_for() -> None:
    print()
    found = table(noisy, [Spsa(), Dfa(), Phyll()], range(3))
    assert found["dfa"][0] > found["untuned"][0] + 5.0
