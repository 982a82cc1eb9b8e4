"""One mesh, whose powers are sinusoids of every phase."""

import math

import numpy as np
import torch

from calibration.tuning import Correct, CrossEntropy, Examples, Limits, Problem, TuningTask
from hil.devices import EmulatedMeshNetwork
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.optical import ElectroOptic, MeshNetwork, fabricate_network
from tests.conformance.method import TURN, Lab


def one_mesh(noise: float = 1e-3, seed: int = 0, **limits: object) -> tuple[Lab, MeshNetwork]:
    """A mesh of four ports that is to tell two clusters apart, and the true model of it, errors included."""
    true = fabricate_network(
        MeshLayout("rectangular", 4),
        Fabrication.perfect(splitter_rad=0.1, phase_rad=0.3),
        seed=seed,
        meshes=1,
        activation=ElectroOptic(),
        readout=3,
    )
    rng = np.random.default_rng(seed)
    labels = np.arange(120) % 3
    fields = rng.normal(size=(3, 8))[labels] + 0.6 * rng.normal(size=(120, 8))
    targets = torch.as_tensor(labels)
    logits = torch.log
    task = TuningTask(
        Examples(fields[:64], targets[:64]),
        Examples(fields[64:], targets[64:]),
        CrossEntropy(lambda powers: logits(powers.clamp(min=1e-9))),
        Correct(lambda powers: powers),
    )
    device = EmulatedMeshNetwork(true, noise_relative=noise, noise_floor=1e-3 * noise, seed=seed)
    problem = Problem(task, Limits.of(device.controls, **{"turn": TURN, **limits}), seed=seed)  # type: ignore[arg-type]
    return Lab(device, problem, rng.uniform(0.0, 2.0 * math.pi, len(device.controls.names))), true
