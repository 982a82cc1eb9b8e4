"""Networks trained for few levels or for noise lose less to them than networks that know nothing of it."""

import math

import pytest
import torch
from torch import Tensor

from calibration.errors import PlanError
from calibration.networks import (
    ClassifierPlan,
    Quantiser,
    accuracy,
    noisy_controls,
    noisy_layers,
    noisy_outputs,
    power_scores,
    quantised_controls,
    train_classifier,
)
from simulators.models.mesh import Mesh, MeshLayout
from simulators.models.optical import ElectroOptic, MeshNetwork, NoiseLevels, NoisyNetwork
from simulators.models.threads import one_thread
from tests.calibration.networks.digits import digits

TURN = 2.0 * math.pi
NETWORK = MeshNetwork(
    [Mesh(MeshLayout("rectangular", 16), dtype=torch.float32) for _ in range(2)], ElectroOptic(), readout=10
)


def scores(inputs: Tensor, controls: Tensor) -> Tensor:
    return power_scores(NETWORK(inputs, controls))


def images() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    data = digits(4)
    return (data.train[0].float(), data.train[1]), (data.test[0].float(), data.test[1])


@pytest.fixture(scope="module")
def trained() -> Tensor:
    """Phases that know nothing of what awaits them."""
    generator = torch.Generator().manual_seed(0)
    start = TURN * torch.rand(NETWORK.n_controls, generator=generator)
    with one_thread():
        return train_classifier(scores, start, *images()[0], ClassifierPlan(steps=100, rate=0.05))


GENTLE = ClassifierPlan(steps=60, rate=0.02)


def test_phases_of_few_bits_cost_a_network_less_that_was_trained_for_them(trained: Tensor) -> None:
    training, (inputs, labels) = images()
    free = accuracy(scores(inputs, trained), labels)
    lost = {}
    for bits in (3, 4):
        quantiser = Quantiser(0.0, TURN, bits, periodic=True)
        aware = train_classifier(quantised_controls(scores, quantiser), trained, *training, GENTLE)
        lost[bits] = tuple(
            free - accuracy(scores(inputs, quantiser.nearest(one)), labels) for one in (trained, aware)
        )
    for unaware, aware_loss in lost.values():
        assert aware_loss < 0.7 * unaware
    assert lost[4][1] < lost[3][1]


def test_phases_that_stray_cost_a_network_less_that_was_trained_for_them(trained: Tensor) -> None:
    training, (inputs, labels) = images()
    # with as many steps as the other
    unaware = train_classifier(scores, trained, *training, GENTLE)

    def withstood(controls: Tensor, std: float) -> float:
        noisy = noisy_controls(scores, std, torch.Generator().manual_seed(5))
        return sum(accuracy(noisy(inputs, controls), labels) for _ in range(10)) / 10

    aware = train_classifier(
        noisy_controls(scores, 0.12, torch.Generator().manual_seed(1)), trained, *training, GENTLE
    )
    assert withstood(aware, 0.12) > withstood(unaware, 0.12) + 0.03


@pytest.mark.parametrize("level", [0.5, 1.0])
def test_noise_in_the_layers_costs_a_network_less_that_was_trained_with_it(level: float) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(600) % 3
    centres = torch.tensor([[1.0, 0.0], [-0.5, 0.9], [-0.5, -0.9]], dtype=torch.float64)
    inputs = centres[labels] + 0.45 * torch.randn(600, 2, generator=generator, dtype=torch.float64)
    network = NoisyNetwork((2, 8, 3), "tanh", NoiseLevels.uniform(2, level))
    noisy = noisy_layers(network, generator)
    start, plan = network.initial(torch.Generator().manual_seed(1)), ClassifierPlan(steps=150)
    aware, unaware = (train_classifier(scores, start, inputs, labels, plan) for scores in (noisy, network))
    many, names = inputs.repeat(20, 1), labels.repeat(20)
    gain = accuracy(noisy(many, aware), names) - accuracy(noisy(many, unaware), names)
    # the more noise, the more it helps
    assert gain > 0.04 * level


@pytest.mark.parametrize(
    "quantiser",
    [
        Quantiser(-1.0, 3.0, 3),
        Quantiser(0.0, TURN, 3, periodic=True),
        Quantiser(0.0, 4.0, 3, of_root=True),
    ],
)
def test_a_converter_has_its_levels_and_lets_gradients_pass(quantiser: Quantiser) -> None:
    controls = torch.linspace(quantiser.low, quantiser.high, 1001, dtype=torch.float64, requires_grad=True)
    levels = quantiser.nearest(controls.detach())
    found = levels.unique()
    assert len(found) == 8
    assert float(found[0]) == quantiser.low
    spread = found.sqrt() if quantiser.of_root else found
    torch.testing.assert_close(spread.diff(), spread.diff()[:1].expand(7))
    away = (levels - controls).detach().abs()
    if quantiser.periodic:
        away = torch.minimum(away, TURN - away)
    else:
        assert float(found[-1]) == pytest.approx(quantiser.high)
    assert float(away.max()) <= 0.55 * float(found.diff().max())
    through = quantiser(controls)
    torch.testing.assert_close(through.detach(), levels)
    through.sum().backward()
    assert controls.grad is not None
    assert bool((controls.grad == 1.0).all())


def test_readings_carry_the_noise_that_is_asked_for() -> None:
    network = NoisyNetwork((2, 3), "tanh", NoiseLevels.uniform(1, 0.0))
    controls = network.initial(torch.Generator().manual_seed(0))
    inputs = torch.ones(20000, 2, dtype=torch.float64)
    noisy = noisy_outputs(network, lambda x: x, torch.Generator().manual_seed(1), relative=0.1, floor=0.2)
    outputs, clean = noisy(inputs, controls), network(inputs[:1], controls)[0]
    expected = (0.01 * clean.square() + 0.04).sqrt()
    torch.testing.assert_close(outputs.std(dim=0), expected, rtol=0.03, atol=0.0)


def test_what_makes_no_sense_is_refused() -> None:
    for wrong in (
        {"bits": 0},
        {"low": 2.0, "high": 1.0},
        {"low": -1.0, "of_root": True},
        {"periodic": True, "of_root": True},
    ):
        with pytest.raises(PlanError):
            Quantiser(**{"low": 0.0, "high": 1.0, "bits": 4, **wrong})  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="not negative"):
        noisy_controls(scores, -0.1, torch.Generator())
