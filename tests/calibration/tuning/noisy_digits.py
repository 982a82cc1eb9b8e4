"""A small noisy optical network that tells digits apart, trained in silico at a noise level that is not the chip's."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from calibration.networks.training import ClassifierPlan, train_classifier
from calibration.tuning import Correct, CrossEntropy, Examples, Limits, Problem, TuningTask
from hil.devices import EmulatedNoisyNetwork
from simulators.models.optical import NoiseLevels, NoisyNetwork
from tests.conformance.method import Lab

WIDTHS = (64, 24, 24, 10)


def network(level: float) -> NoisyNetwork:
    """A network whose every weighted sum and inner activation has noise of standard deviation `level`."""
    return NoisyNetwork(WIDTHS, "tanh", NoiseLevels.uniform(len(WIDTHS) - 1, level))


def digits() -> tuple[Tensor, Tensor]:
    """Images (samples, 64) from 0 to 1 and their labels, shuffled."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    return torch.as_tensor(pixels[order] / 16.0), torch.as_tensor(labels[order].astype(np.int64))


@cache
def trained(level: float) -> Tensor:
    """Controls trained in silico at a noise level."""
    made, generator = network(level), torch.Generator().manual_seed(1)
    images, labels = digits()

    def scores(inputs: Tensor, controls: Tensor) -> Tensor:
        return made(inputs, controls, made.draw((len(inputs),), generator))

    plan = ClassifierPlan(steps=250, batch_size=128, rate=0.015)
    return train_classifier(scores, made.initial(generator), images[:1000], labels[:1000], plan)


def noisy_lab(assumed: float, true: float, seed: int = 0, *, structure: float | None = None) -> Lab:
    """A chip at noise level `true`, and a model whose training assumed another.

    Args:
        structure: level of the model that is handed out; by default the assumed one.
    """
    images, labels = digits()

    def outputs(read: Tensor) -> Tensor:
        return read

    task = TuningTask(
        Examples(images[:1000].numpy(), labels[:1000]),
        Examples(images[1000:1400].numpy(), labels[1000:1400]),
        CrossEntropy(outputs),
        Correct(outputs),
    )
    device = EmulatedNoisyNetwork(network(true), taps=False, seed=seed)
    model = network(assumed if structure is None else structure)
    problem = Problem(task, Limits.of(device.controls, scale=1.0), model=model, seed=seed)
    return Lab(device, problem, trained(assumed).numpy())
