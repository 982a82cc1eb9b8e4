"""The noisy feed-forward network: its answers, its noise, its derivatives with respect to the noise."""

import math

import pytest
import torch
from torch import Tensor

from simulators.errors import ModelError
from simulators.models.optical import NoiseLevels, NoisyNetwork


def network(level: float = 0.2) -> tuple[NoisyNetwork, Tensor, torch.Generator]:
    made = NoisyNetwork((3, 5, 4, 2), "tanh", NoiseLevels.uniform(3, level))
    generator = torch.Generator().manual_seed(3)
    return made, made.initial(generator), generator


def test_without_noise_it_is_a_plain_network() -> None:
    made, controls, generator = network()
    inputs = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    plain = torch.nn.Sequential(
        torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)
    ).double()
    torch.nn.utils.vector_to_parameters(controls, plain.parameters())
    torch.testing.assert_close(made(inputs, controls), plain(inputs))


def test_controls_and_inputs_are_batched_alike() -> None:
    made, controls, generator = network()
    inputs = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    several = torch.stack([controls * factor for factor in (0.5, 1.0, 1.5)])
    table = made(inputs, several[:, None, :])
    assert table.shape == (3, 6, 2)
    for row, one in zip(table, several, strict=True):
        torch.testing.assert_close(row, made(inputs, one))
    torch.testing.assert_close(made(inputs[:3], several), table[range(3), range(3)])


def test_the_noise_has_the_stated_size_at_its_place() -> None:
    """A linear network of one layer, where the spread of the output can be said beforehand."""
    generator = torch.Generator().manual_seed(0)
    levels = NoiseLevels(torch.tensor([0.3, 0.1]).double(), torch.tensor([0.4, 0.0]).double())
    made = NoisyNetwork((1, 1, 1), "identity", levels)
    controls = torch.tensor([1.5, 0.0, 2.0, 0.0], dtype=torch.float64)  # y = 2 (1.5 x + n_w0 + n_a0) + n_w1
    noise = made.draw((200_000,), generator)
    answers = made(torch.zeros(200_000, 1, dtype=torch.float64), controls, noise)
    assert answers.std() == pytest.approx(math.sqrt(4 * (0.3**2 + 0.4**2) + 0.1**2), rel=0.01)
    for k, source in enumerate(made.sources):
        scale = torch.zeros(4, dtype=torch.float64)
        scale[k] = 1.0
        alone = made(torch.zeros(200_000, 1, dtype=torch.float64), controls, noise, scale).std()
        assert alone == pytest.approx({"w0": 0.6, "a0": 0.8, "w1": 0.1, "a1": 0.0}[source], rel=0.01)


def test_common_random_numbers_make_the_level_differentiable() -> None:
    made, controls, generator = network()
    inputs = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    noise = made.draw((50,), generator)
    scale = torch.ones(6, dtype=torch.float64, requires_grad=True)

    def loss(scale: Tensor) -> Tensor:
        return made(inputs, controls, noise, scale).square().mean()

    assert torch.autograd.gradcheck(loss, (scale,))
    assert torch.autograd.gradcheck(lambda c: made(inputs, c, noise).sum(), (controls.requires_grad_(),))
    assert torch.equal(loss(scale), loss(scale))


def test_the_same_generator_draws_the_same() -> None:
    made = network()[0]
    first, second = (made.draw((4,), torch.Generator().manual_seed(9)) for _ in range(2))
    assert [tuple(one.shape) for one in first] == [(4, 5), (4, 5), (4, 4), (4, 4), (4, 2), (4, 2)]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_layers_in_turn_are_the_network() -> None:
    made, controls, generator = network()
    inputs = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    noise = made.draw((6,), generator)
    state = inputs
    for k, part in enumerate(controls.split(made.sizes)):
        state = made.layer(k)(state, part, noise[2 * k : 2 * k + 2])
        torch.testing.assert_close(state, made.states(inputs, controls, noise)[k])


@pytest.mark.parametrize(
    ("widths", "hidden", "levels", "said"),
    [
        ((3,), "tanh", (), "widths"),
        ((3, 0, 2), "tanh", (0.1, 0.1), "widths"),
        ((3, 4, 2), "arctan", (0.1, 0.1), "no activation is called 'arctan'; there are"),
        ((3, 4, 2), "tanh", (0.1,), "2 layers"),
        ((3, 4, 2), "tanh", (0.1, -0.1), "layer 1, weighted: -0.1"),
        ((3, 4, 2), "tanh", (0.1, math.nan), "layer 1"),
        ((3, 4, 2), "tanh", (math.inf, 0.1), "layer 0"),
    ],
)
def test_what_is_no_network_is_refused(
    widths: tuple[int, ...], hidden: str, levels: object, said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        NoisyNetwork(widths, hidden, NoiseLevels(*(torch.tensor(levels, dtype=torch.float64),) * 2))


def test_shapes_that_do_not_fit_are_refused() -> None:
    made, controls, generator = network()
    inputs = torch.zeros(2, 3, dtype=torch.float64)
    with pytest.raises(ModelError, match="2 inputs"):
        made(inputs[:, :2], controls)
    with pytest.raises(ModelError, match="controls"):
        made(inputs, controls[:-1])
    with pytest.raises(ModelError, match="sources"):
        made(inputs, controls, made.draw((2,), generator)[:-1])
