"""Chips whose in-silico solutions fail on them, each made anew from a seed: for methods to be compared on."""

import copy
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from calibration.device import Array
from calibration.networks import (
    ClassifierPlan,
    NetworkPlan,
    calibrate_network,
    deploy,
    power_scores,
    train_classifier,
)
from calibration.tuning import Correct, CrossEntropy, Examples, Limits, Problem, Trial, TuningTask
from hil.devices import EmulatedBidirectionalNetwork, EmulatedNoisyNetwork
from simulators.models.optical import NoiseLevels, NoisyNetwork
from tests.calibration.networks.digits import Digits, digits
from tests.calibration.networks.test_digits import Errors, perfect, trained

TURN = 2.0 * math.pi
PROBE, TEST = 200, 500
PORTS = 16
WIDTHS, ASSUMED, TRUE = (64, 32, 32, 10), 0.3, 0.9


def _task(inputs: Array, labels: Tensor, logits: object, probe: int = PROBE) -> TuningTask:
    """The last examples are reported on, those before them decide what is accepted, the rest is learnt."""
    parts = [slice(0, -probe - TEST), slice(-probe - TEST, -TEST), slice(-TEST, None)]
    learnt, probed, told = (Examples(inputs[part], labels[part]) for part in parts)
    return TuningTask(learnt, probed, CrossEntropy(logits), Correct(logits), told)  # type: ignore[arg-type]


@cache
def _fields() -> Digits:
    return digits(math.isqrt(PORTS))


@cache
def _phases() -> Array:
    plan = ClassifierPlan(steps=400, batch_size=128, rate=0.03)
    return np.mod(trained(_fields(), PORTS, plan).numpy(), TURN)


def mesh_trial(seed: int) -> Trial:
    """Three meshes of 16 ports whose splitters and phases are off, known by their design."""
    device = EmulatedBidirectionalNetwork(
        Errors(0.1, 0.1).network(perfect(PORTS), seed), noise_relative=0.01, seed=seed
    )
    data = _fields()
    task = _task(data.inputs.numpy(), data.labels, power_scores)
    problem = Problem(task, Limits.of(device.controls, turn=TURN), model=perfect(PORTS), seed=seed)
    return Trial(device, problem, _phases())


def twin_fitted(at: Trial) -> Trial:
    """The same with the twin fitted first, to powers alone: it is the model, and what is started from is corrected."""
    design = perfect(PORTS)
    calibration = calibrate_network(at.device, design, NetworkPlan(settings=40))
    phases = torch.as_tensor(at.start)
    matrices = [
        mesh.matrix(part) for mesh, part in zip(design.chain, torch.split(phases, design.sizes), strict=True)
    ]
    start = deploy(matrices, calibration.twin).phases.numpy()
    return replace(at, problem=replace(at.problem, model=calibration.twin), start=start)


def _noisy(level: float) -> NoisyNetwork:
    return NoisyNetwork(WIDTHS, "tanh", NoiseLevels.uniform(len(WIDTHS) - 1, level))


def _as_they_are(outputs: Tensor) -> Tensor:
    return outputs


@cache
def _images() -> tuple[Array, Tensor]:
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return data.data[order] / 16.0, torch.as_tensor(data.target[order])


@cache
def _weights(level: float) -> Array:
    """Trained in silico at a level of noise."""
    model, generator = _noisy(level), torch.Generator().manual_seed(0)
    images, labels = _images()
    start = 0.2 * torch.randn(model.n_controls, generator=generator, dtype=torch.float64)

    def scores(inputs: Tensor, controls: Tensor) -> Tensor:
        return model(inputs, controls, model.draw(inputs.shape[:1], generator))

    known = slice(0, -2 * PROBE - TEST)
    plan = ClassifierPlan(steps=600, batch_size=128, rate=0.01)
    found = train_classifier(scores, start, torch.as_tensor(images[known]), labels[known], plan)
    return found.clamp(-10.0, 10.0).numpy()


def noisy_trial(seed: int) -> Trial:
    """An optical network that is noisier than it was trained for."""
    device = EmulatedNoisyNetwork(_noisy(TRUE), seed=seed)
    limits = Limits.of(device.controls, scale=1.0)
    problem = Problem(_task(*_images(), _as_they_are, 2 * PROBE), limits, model=_noisy(ASSUMED), seed=seed)
    return Trial(device, problem, _weights(ASSUMED))


@cache
def _failing(chip: int) -> object:
    lab = pytest.importorskip("tests.calibration.tuning.dopant_lab")
    figures = pytest.importorskip("tests.calibration.tuning.test_dopant_figures")
    return lab.one_chip(figures.XOR, chip, 1)


def dopant_trial(seed: int) -> Trial:
    """A dopant chip that does XOR on its surrogate, and a week later no more; the seed is the chip's."""
    failing = copy.deepcopy(_failing(seed + 1))
    problem = failing.problem(seed)  # type: ignore[attr-defined]
    task = replace(problem.task, test=problem.task.probe)
    return Trial(failing.device, replace(problem, task=task), failing.start)  # type: ignore[attr-defined]
