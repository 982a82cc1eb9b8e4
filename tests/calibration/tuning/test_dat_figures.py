"""Digits on three meshes with the published errors: deployed, and won back on the chip by PAT and DAT.

Set-up of Zheng et al., Nat. Mach. Intell. 5, 1119 (2023), as in their published code: three rectangular meshes of 64
ports, electro-optic activations, the middle 8 × 8 of the spectrum of each image divided by its mean modulus, ten
ports read. What differs is said in `Study`. The chip is seen through its `Device` alone.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from calibration.device import Array
from calibration.networks import (
    ClassifierPlan,
    NetworkPlan,
    ScreenPlan,
    accuracy,
    calibrate_network,
    deploy,
    power_scores,
    train_classifier,
)
from calibration.tuning import (
    Correct,
    CrossEntropy,
    Dat,
    Examples,
    Limits,
    Method,
    Pat,
    Problem,
    Tuner,
    TuningPlan,
    TuningTask,
    Update,
)
from hil.devices import EmulatedMeshNetwork
from simulators.models.mesh import Fabrication, Mesh, MeshLayout
from simulators.models.optical import ElectroOptic, MeshNetwork, fabricate_network
from tests.calibration.tuning.mnist import Part, mnist

TURN = 2.0 * math.pi
PORTS = 64


@dataclass(frozen=True)
class Row:
    """Errors as published, splitter amplitudes √((1 ± e) / 2) with e ~ N(0, splitter), and the published accuracies.

    Of deployment, PAT, DAT without internal states, with (unitary), with (separable), in %; 10,000 test images.
    """

    name: str
    splitter: float
    phase_rad: float
    published: dict[str, float]


ROWS = (
    Row(
        "splitter 0.06, phase 0.06",
        0.06,
        0.06,
        {"deployed": 66.6, "PAT": 84.6, "DAT": 90.3, "DAT unitary": 93.0},
    ),
    Row(
        "phase 0.10",
        0.0,
        0.1,
        {"deployed": 59.7, "PAT": 70.3, "DAT": 83.7, "DAT unitary": 87.0, "DAT separable": 93.5},
    ),
    Row(
        "splitter 0.10",
        0.1,
        0.0,
        {"deployed": 72.8, "PAT": 73.8, "DAT": 91.4, "DAT unitary": 92.3, "DAT separable": 94.3},
    ),
)


@dataclass(frozen=True)
class Study:
    """How much is done.

    Different from the published set-up: it starts from phases that were trained in silico and not from random ones;
    fewer images and fewer passes, so higher rates; readings have 1 % of noise; the logits are the shares of the ten
    ports' powers, times 8, where the published ones are powers over the norm of all 64, which no detector reads here
    (trained for them, and from Haar-random matrices, a network loses less to the errors when it is deployed); the
    checkpoint is chosen on validation images and not on the test set.
    """

    in_silico: ClassifierPlan = field(
        default_factory=lambda: ClassifierPlan(steps=600, batch_size=128, rate=0.03)
    )
    batch: int = 100
    steps: int = 300
    rate: float = 3e-3
    halving_epochs: float = 3.0
    network_rate: float = 5e-3
    warm_up_epochs: float = 1.5
    seeds: int = 2


WITH_ALL_OF_MNIST = Study(
    ClassifierPlan(steps=3000, batch_size=128, rate=0.03), batch=250, steps=1500, halving_epochs=2.5, seeds=1
)
"""7.5 passes over 50,000 images, where the published training takes 50 over 60,000; some 35 minutes a row."""


def light(part: Part) -> Array:
    """In-phase and quadrature amplitudes (samples, 2 N) of the middle of each image's spectrum."""
    spectrum = np.fft.fftshift(np.fft.fft2(part.images.numpy()), axes=(1, 2))[:, 10:18, 10:18]
    fields = spectrum.reshape(len(part), PORTS)
    fields = fields / np.abs(fields).mean(axis=1, keepdims=True)
    return np.concatenate((fields.real, fields.imag), axis=1)


def design(dtype: torch.dtype = torch.float64) -> MeshNetwork:
    meshes = [Mesh(MeshLayout("rectangular", PORTS), dtype=dtype) for _ in range(3)]
    return MeshNetwork(meshes, ElectroOptic(), readout=10)


def chip(row: Row, seed: int) -> EmulatedMeshNetwork:
    made = Fabrication.perfect(splitter_rad=row.splitter / 2.0, phase_rad=row.phase_rad)
    true = fabricate_network(
        MeshLayout("rectangular", PORTS), made, 1000 + seed, meshes=3, activation=ElectroOptic(), readout=10
    )
    return EmulatedMeshNetwork(true, noise_relative=0.01, seed=seed)


@dataclass(frozen=True, eq=False)
class Lab:
    """Data, and phases trained in silico with their accuracy free of errors, in %."""

    task: TuningTask
    phases: Tensor
    error_free: float


@cache
def trained(seed: int, study: Study) -> Lab:
    """A lab with a network that was trained in silico."""
    data = mnist()
    parts = [Examples(light(part), part.labels) for part in (data.train, data.validation, data.test)]
    parts[1] = parts[1].at(np.arange(min(len(parts[1]), 1000)))  # a check reads them twice
    task = TuningTask(parts[0], parts[1], CrossEntropy(power_scores), Correct(power_scores), parts[2])
    perfect = design(torch.float32)
    generator = torch.Generator().manual_seed(seed)
    start = TURN * torch.rand(perfect.n_controls, generator=generator)
    phases = train_classifier(
        lambda fields, phases: power_scores(perfect(fields, phases)),
        start,
        torch.as_tensor(parts[0].inputs).float(),
        parts[0].targets,
        study.in_silico,
    )
    found = accuracy(perfect(torch.as_tensor(parts[2].inputs).float(), phases), parts[2].targets)
    return Lab(task, phases.double().remainder(TURN), 100.0 * found)


def told_right(device: EmulatedMeshNetwork, task: TuningTask, phases: Array) -> float:
    """In %, of the test images."""
    assert task.test is not None
    device.set_controls(phases)
    outputs = torch.as_tensor(device.run(task.test.inputs[None]).outputs[0])
    return 100.0 * accuracy(outputs, task.test.targets)


def tuned(
    device: EmulatedMeshNetwork,
    task: TuningTask,
    model: MeshNetwork,
    method: Method,
    start: Array,
    study: Study,
    seed: int,
) -> float:
    problem = Problem(task, Limits.of(device.controls, turn=TURN), model=model, seed=seed)
    checks = 10
    readings = study.steps * study.batch + (checks + 2) * 2 * len(task.probe)
    tuner = Tuner(device, problem, method, TuningPlan(readings, checks=checks), start)
    for _ in tuner:
        pass
    return told_right(device, task, tuner.best)


def methods(study: Study) -> dict[str, Method]:
    update = Update("adam", study.rate)
    common = {"batch": study.batch, "halving_epochs": study.halving_epochs}
    dat = {
        **common,
        "network_update": Update("adam", study.network_rate),
        "warm_up_epochs": study.warm_up_epochs,
    }
    return {
        "PAT": Pat(update, internal_states="no", **common),  # type: ignore[arg-type]
        "PAT measured": Pat(update, internal_states="yes", **common),  # type: ignore[arg-type]
        "DAT": Dat(update, internal_states="none", **dat),  # type: ignore[arg-type]
        "DAT unitary": Dat(update, internal_states="unitary", **dat),  # type: ignore[arg-type]
        "DAT separable": Dat(update, internal_states="separable", **dat),  # type: ignore[arg-type]
    }


def results(
    row: Row, lab: Lab, seed: int, study: Study, say: Callable[[str], None] = lambda text: None
) -> dict[str, float]:
    """Accuracies on the test images in %, by what was done."""
    device, task, start = chip(row, seed), lab.task, lab.phases.numpy()
    found = {"error-free": lab.error_free, "deployed": told_right(device, task, start)}
    say(f"{row.name} seed {seed}: {found}")
    begun = time.perf_counter()
    plan = NetworkPlan(seed=seed, screens=ScreenPlan(seed=seed, mean_power=2.0))
    twin = calibrate_network(device, design(), plan).twin
    parts = torch.split(lab.phases, twin.sizes)
    wanted = [mesh.matrix(part) for mesh, part in zip(design().chain, parts, strict=True)]
    corrected = deploy(wanted, twin).phases.numpy()
    found["twin: corrected"] = told_right(device, task, corrected)
    single = copy.deepcopy(twin).float()
    gently = Update("adam", study.rate / 3.0)
    on_twin = Pat(gently, batch=study.batch, halving_epochs=study.halving_epochs)
    found["twin: PAT"] = tuned(device, task, single, on_twin, corrected, study, seed)
    say(f"{row.name} seed {seed} twin: {found} in {time.perf_counter() - begun:.0f} s")
    perfect = design(torch.float32)
    for name, method in methods(study).items():
        begun = time.perf_counter()
        found[name] = tuned(device, task, perfect, method, start, study, seed)
        say(f"{row.name} seed {seed} {name}: {found[name]:.1f} in {time.perf_counter() - begun:.0f} s")
    return found


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_digits_on_three_meshes_are_won_back(row: Row) -> None:
    """Prints the row beside the published one."""
    study = Study() if len(mnist().train) < 10_000 else WITH_ALL_OF_MNIST
    seeds = range(study.seeds)
    found = [results(row, trained(seed, study), seed, study) for seed in seeds]
    mean = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    apart = {name: float(np.ptp([one[name] for one in found])) for name in found[0]}
    print(f"\n{row.name}, {mnist().source}, {len(seeds)} seeds: mean (spread), published")
    for name, value in mean.items():
        known = f"{row.published[name]:10.1f}" if name in row.published else ""
        print(f"  {name:18}{value:7.1f} ({apart[name]:3.1f}){known}")
    assert mean["deployed"] < mean["error-free"] - 10.0
    assert mean["deployed"] + 5.0 < mean["PAT"] < mean["PAT measured"]
    assert mean["DAT separable"] > mean["PAT"]
    assert mean["twin: PAT"] > mean["error-free"] - 1.0
