"""A small noisy network as a lab for methods that need what is between the layers."""

import numpy as np
import torch

from calibration.tuning import Correct, CrossEntropy, Examples, Limits, Problem, TuningTask
from hil.devices import EmulatedNoisyNetwork
from simulators.models.optical import NoiseLevels, NoisyNetwork
from tests.conformance.method import Lab


def noisy_lab(seed: int = 0, level: float = 0.05) -> Lab:
    """Three layers that tell three clusters apart."""
    widths = (6, 10, 8, 3)
    model = NoisyNetwork(widths, "tanh", NoiseLevels.uniform(3, 0.0))
    true = NoisyNetwork(widths, "tanh", NoiseLevels.uniform(3, level))
    rng = np.random.default_rng(seed)
    labels = np.arange(150) % 3
    points = rng.normal(size=(3, 6))[labels] + 0.4 * rng.normal(size=(150, 6))
    targets = torch.as_tensor(labels)

    def logits(outputs: torch.Tensor) -> torch.Tensor:
        return outputs

    task = TuningTask(
        Examples(points[:90], targets[:90]),
        Examples(points[90:], targets[90:]),
        CrossEntropy(logits),
        Correct(logits),
    )
    device = EmulatedNoisyNetwork(true, seed=seed)
    problem = Problem(task, Limits.of(device.controls, scale=1.0), model=model, seed=seed)
    return Lab(device, problem, model.initial(torch.Generator().manual_seed(seed)).numpy())
