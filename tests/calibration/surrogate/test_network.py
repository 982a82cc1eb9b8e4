import numpy as np
import pytest
import torch

from calibration.errors import ModelFileError, PlanError
from calibration.surrogate import SurrogateNetwork, predict
from simulators.models.network import NetworkChip

LOW, HIGH = (-1.2, -0.7, -0.5), (0.6, 0.3, 0.5)


def network(**options) -> SurrogateNetwork:
    return SurrogateNetwork(("a", "b", "c"), LOW, HIGH, offset_A=2e-9, scale_A=5e-9, seed=3, **options)


def voltages(count: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    unit = torch.rand(count, 3, generator=generator, dtype=torch.float64)
    return torch.tensor(LOW) + unit * (torch.tensor(HIGH) - torch.tensor(LOW))


def test_the_default_has_the_weights_of_the_published_surrogates():
    chip = SurrogateNetwork([f"e{k}" for k in range(7)], [-1.0] * 7, [1.0] * 7)
    assert sum(weight.numel() for weight in chip.body.parameters()) == 33_571


@pytest.mark.parametrize("likelihood", [False, True])
def test_a_stored_surrogate_comes_back_exactly(tmp_path, likelihood):
    original = network(likelihood=likelihood, hidden=(20, 20))
    x = voltages()
    original.to_network("a test", {"run": 3}).save(tmp_path)
    stored = NetworkChip.load(tmp_path)
    assert stored.facts["run"] == 3
    torch.testing.assert_close(stored.current(x), original.current(x), rtol=1e-6, atol=0)
    back = SurrogateNetwork.from_network(stored)
    torch.testing.assert_close(back.current(x), original.current(x), rtol=0, atol=0)
    assert back.likelihood == likelihood
    if likelihood:
        torch.testing.assert_close(back.noise(x), original.noise(x), rtol=0, atol=0)


def test_another_network_becomes_a_surrogate_that_answers_alike():
    generator = torch.Generator().manual_seed(0)
    layers = [
        (torch.randn(9, 3, generator=generator), torch.randn(9, generator=generator)),
        (torch.randn(1, 9, generator=generator), torch.randn(1, generator=generator)),
    ]
    chip = NetworkChip(layers, "tanh", ("a", "b", "c"), LOW, HIGH, input_offset_V=0.1, input_scale_V=2.0)
    x = voltages()
    torch.testing.assert_close(
        SurrogateNetwork.from_network(chip).current(x), chip.current(x), rtol=1e-5, atol=1e-15
    )
    with pytest.raises(ModelFileError, match="1 layers"):
        SurrogateNetwork.from_network(
            NetworkChip(layers[1:], "relu", list("abcdefghi"), [-1.0] * 9, [1.0] * 9)
        )


def test_electrodes_can_be_parted_and_gradients_reach_both_parts():
    chip = network().with_inputs(["c", "a"])
    x = voltages()
    inputs, controls = x[:, [2, 0]].requires_grad_(), x[:, [1]].requires_grad_()
    answer = chip(inputs, controls)
    torch.testing.assert_close(answer, chip.current(x))
    answer.sum().backward()
    assert inputs.grad.abs().min() > 0
    assert controls.grad.abs().min() > 0


def test_gradient_is_that_of_the_function():
    chip = network(hidden=(16,), activation="tanh").double()
    x = voltages(4).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: chip.current(v) * 1e9, (x,))


def test_noise_only_with_likelihood():
    sigma = network(likelihood=True).noise(voltages())
    assert sigma.shape == (64, 1)
    assert (sigma > 0).all()
    with pytest.raises(PlanError, match="without likelihood"):
        network().noise(voltages())


def test_weights_are_a_function_of_the_seed():
    x = voltages()
    again = network()
    torch.testing.assert_close(network().current(x), again.current(x), rtol=0, atol=0)
    other = SurrogateNetwork(("a", "b", "c"), LOW, HIGH, seed=4)
    assert not torch.equal(again.body[0].weight, other.body[0].weight)


def test_predict_keeps_the_leading_shape():
    chip = network()
    block = voltages(60).numpy().reshape(5, 12, 3)
    answer = predict(chip, block)
    assert answer.shape == (5, 12, 1)
    np.testing.assert_allclose(answer[2, 3, 0], chip.current(torch.from_numpy(block[2, 3])).item(), rtol=1e-5)


def test_impossible_networks_are_refused():
    with pytest.raises(PlanError, match="choose one of relu"):
        network(activation="swish")
    with pytest.raises(PlanError, match="hidden"):
        network(hidden=())
