"""Networks that predict what a model leaves out: as large as published, nothing at first, and able to learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from calibration.tuning import ComplexUNet, ErrorNetworks, RealNetwork
from calibration.tuning.sepn import state_shapes
from tests.calibration.tuning.whole import Whole
from tests.conformance.method import small_lab


@pytest.mark.parametrize(("maps", "complex_weights"), [((4, 6, 8), 4035), ((4, 8, 16), 9757)])
def test_the_network_for_fields_is_as_large_as_published(
    maps: tuple[int, int, int], complex_weights: int
) -> None:
    assert ComplexUNet((8, 8), maps).n_weights == 2 * complex_weights


def fields(samples: int, shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return 3e-3 * torch.randn(samples, *shape, generator=generator, dtype=torch.complex128)


@pytest.mark.parametrize(("image", "shape"), [((8, 8), (64,)), ((2, 3), (6,)), ((5, 7), (5, 7))])
def test_a_new_network_for_fields_adds_nothing_and_learns_what_to_add(
    image: tuple[int, int], shape: tuple[int, ...]
) -> None:
    network, behind = ComplexUNet(image), fields(6, shape)
    weights = network.initial(torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(weights, behind, behind), behind)
    # an error of the stage: fields are turned and weaker
    target = 0.8 * behind * torch.exp(torch.tensor(0.5j, dtype=torch.complex128))
    leaf = weights.requires_grad_()
    optimizer = torch.optim.Adam([leaf], lr=0.01)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (network(leaf, behind, behind) - target).abs().square().mean() / 9e-6
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


def test_convolutions_are_complex() -> None:
    # of a network without its ReLUs, that is one convolution: j x goes to j y, the bias aside
    network = ComplexUNet((4, 4), (1, 1, 1))
    layer = network.convolutions[-1]
    weights = layer.initial(torch.Generator().manual_seed(0))
    n = layer.maps_in * layer.maps_out * 9
    weights[2 * n :] = 0.0
    x = torch.randn(3, 2, 2, 4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    turned = torch.stack((-x[:, 1], x[:, 0]), dim=1)
    y, z = layer(weights, x), layer(weights, turned)
    torch.testing.assert_close(z, torch.stack((-y[:, 1], y[:, 0]), dim=1))
    # and what torch's own complex convolution makes of it
    real, imaginary = weights[: 2 * n].view(2, 1, 2, 3, 3)
    kernel, image = torch.complex(real, imaginary), torch.complex(x[:, 0], x[:, 1])
    expected = torch.nn.functional.conv2d(image, kernel, padding=1)
    torch.testing.assert_close(torch.complex(y[:, 0], y[:, 1]), expected)


def test_transposed_convolutions_are_complex_too() -> None:
    layer = ComplexUNet((4, 4), (2, 3, 4)).convolutions[11]
    weights = layer.initial(torch.Generator().manual_seed(0))
    n = layer.maps_in * layer.maps_out * 9
    x = torch.randn(3, 2, 4, 2, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    real, imaginary = weights[: 2 * n].view(2, 4, 3, 3, 3)
    bias = torch.complex(*weights[2 * n :].view(2, 3))
    kernel, image = torch.complex(real, imaginary), torch.complex(x[:, 0], x[:, 1])
    expected = torch.nn.functional.conv_transpose2d(image, kernel, bias, 2, 1, 1)
    y = layer(weights, x)
    torch.testing.assert_close(torch.complex(y[:, 0], y[:, 1]), expected)


def test_networks_for_real_states_see_what_goes_in() -> None:
    network = RealNetwork(n_before=3, n_behind=2, hidden=8)
    weights = network.initial(torch.Generator().manual_seed(0))
    before, behind = torch.rand(5, 3, dtype=torch.float64), 1e-9 * torch.rand(5, 2, dtype=torch.float64)
    torch.testing.assert_close(network(weights, before, behind), behind)
    other = network(weights + 0.1, before, behind)
    assert float((other - behind).abs().max()) > 1e-11
    assert not torch.allclose(network(weights + 0.1, 1.0 - before, behind), other, rtol=1e-3, atol=0.0)


def test_there_is_one_network_for_each_stage() -> None:
    problem = small_lab().problem
    networks = ErrorNetworks.of(state_shapes(problem), (4, 6, 8), 16)
    assert networks.networks == (ComplexUNet((2, 2), (4, 6, 8)),) * 2
    weights = networks.initial(3)
    assert weights.shape == (networks.n_weights,)
    np.testing.assert_array_equal(weights, networks.initial(3))
    whole = replace(problem, model=Whole(problem.known_model))
    assert ErrorNetworks.of(state_shapes(whole), (4, 6, 8), 16).networks == (RealNetwork(8, 2, 16),)
