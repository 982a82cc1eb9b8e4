"""Training in silico finds what a classical method finds, and gives the same from the same seed."""

import math

import pytest
import torch
from torch import Tensor

from calibration.errors import NotEnoughData, PlanError
from calibration.networks import ClassifierPlan, accuracy, power_scores, train_classifier
from simulators.models.optical import NoiseLevels, NoisyNetwork


def blobs() -> tuple[Tensor, Tensor]:
    """Three Gaussian blobs; the nearest centre is the best decision there is."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(600) % 3
    centres = torch.tensor([[1.0, 0.0], [-0.5, 0.9], [-0.5, -0.9]], dtype=torch.float64)
    return centres[labels] + 0.45 * torch.randn(600, 2, generator=generator, dtype=torch.float64), labels


def test_it_reaches_the_best_decision() -> None:
    inputs, labels = blobs()
    centres = torch.stack([inputs[labels == k].mean(0) for k in range(3)])
    best = accuracy(-torch.cdist(inputs, centres), labels)
    network = NoisyNetwork((2, 8, 3), "tanh", NoiseLevels.uniform(2, 0.0))
    start = network.initial(torch.Generator().manual_seed(1))
    controls = train_classifier(network, start, inputs, labels, ClassifierPlan(steps=200))
    assert accuracy(network(inputs, start), labels) < best - 0.1
    assert accuracy(network(inputs, controls), labels) > best - 0.01
    again = train_classifier(network, start, inputs, labels, ClassifierPlan(steps=200))
    assert torch.equal(controls, again)


def test_training_with_the_noise_withstands_it() -> None:
    inputs, labels = blobs()
    network = NoisyNetwork((2, 8, 3), "tanh", NoiseLevels.uniform(2, 1.0))
    generator = torch.Generator().manual_seed(2)

    def noisy(inputs: Tensor, controls: Tensor) -> Tensor:
        return network(inputs, controls, network.draw(inputs.shape[:1], generator))

    start = network.initial(torch.Generator().manual_seed(1))
    plan = ClassifierPlan(steps=200)
    aware, unaware = (train_classifier(scores, start, inputs, labels, plan) for scores in (noisy, network))
    many, names = inputs.repeat(20, 1), labels.repeat(20)
    assert accuracy(noisy(many, aware), names) > accuracy(noisy(many, unaware), names) + 0.05


def test_a_dimmer_laser_changes_no_score() -> None:
    powers = torch.rand(5, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(power_scores(1e-9 * powers), power_scores(powers))


def test_what_cannot_be_trained_is_refused() -> None:
    inputs, labels = blobs()
    network = NoisyNetwork((2, 3), "tanh", NoiseLevels.uniform(1, 0.0))
    start = torch.zeros(network.n_controls, dtype=torch.float64)
    with pytest.raises(NotEnoughData, match="600 samples with 599 labels"):
        train_classifier(network, start, inputs, labels[:-1])
    with pytest.raises(PlanError, match="at step 0"):
        train_classifier(network, start + math.nan, inputs, labels)
    for wrong in ({"steps": 0}, {"batch_size": 0}, {"rate": 0.0}):
        with pytest.raises(PlanError, match=next(iter(wrong))):
            ClassifierPlan(**wrong)  # type: ignore[arg-type]
