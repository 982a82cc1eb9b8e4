import math

import numpy as np
import pytest
import torch
from torch import Tensor

from simulators.errors import ConvergenceError, ModelError
from simulators.models import hopping_solver
from simulators.models.hopping import READOUT_STD_A, HoppingNetwork, default_network
from simulators.models.hopping_layout import DopantLayout, HoppingParameters, contact_angles, lever_arms
from simulators.models.hopping_solver import steady_state


@pytest.fixture(scope="module")
def device() -> HoppingNetwork:
    return default_network(0)


def allowed(network: HoppingNetwork, n: int, seed: int = 1) -> Tensor:
    share = torch.rand(n, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return network.low + share * (network.high - network.low)


def tones(network: HoppingNetwork, time: int) -> Tensor:
    """The published sampling waveform: frequencies of 0.001 sqrt(prime) of the sample rate."""
    frequency = 0.001 * torch.tensor([2.0, 3.0, 5.0, 7.0, 13.0, 17.0, 19.0], dtype=torch.float64).sqrt()
    phase = 2 * math.pi * frequency * torch.arange(time, dtype=torch.float64)[:, None] + torch.arange(7.0)
    return (network.low + network.high) / 2 + (network.high - network.low) / 2 * torch.sin(phase)


@pytest.mark.parametrize("seed", range(4))
def test_currents_of_all_electrodes_add_to_zero(seed: int) -> None:
    network = HoppingNetwork(seed=seed)
    currents = network.currents_all(allowed(network, 400))
    assert (currents.sum(-1).abs() / currents.abs().amax(-1)).max() < 1e-9


def test_no_bond_carries_current_at_zero_bias_and_occupations_are_fermi_dirac(device: HoppingNetwork) -> None:
    equations = device.equations
    voltages = torch.zeros(8, 1, dtype=torch.float64)
    occupation = steady_state(equations, voltages)
    bias = equations.bias(voltages)
    flows = equations.flows(bias, occupation)
    assert float((flows / bias.coupling).abs().max()) < 1e-11
    n = occupation[:, 0].numpy()
    energy = equations.level[:, 0].numpy() + equations.coulomb.numpy() @ (n - 1)
    np.testing.assert_allclose(n, 1 / (1 + np.exp(energy)), atol=1e-11)
    assert n.min() < 0.95, "a test on a filled device would say nothing"


def test_one_voltage_on_every_electrode_shifts_nothing(device: HoppingNetwork) -> None:
    voltages = torch.cat((allowed(device, 50), torch.zeros(50, 1, dtype=torch.float64)), 1).T
    equations = device.equations
    same = [
        equations.electrode_flows(equations.bias(v), steady_state(equations, v))
        for v in (voltages, voltages + 0.7)
    ]
    torch.testing.assert_close(same[0], same[1], rtol=1e-9, atol=1e-9 * float(same[0].abs().max()))


def test_the_derivative_of_the_balance_is_analytic(device: HoppingNetwork) -> None:
    generator = torch.Generator().manual_seed(5)
    equations = device.equations
    voltages = torch.cat((allowed(device, 3), torch.zeros(3, 1, dtype=torch.float64)), 1).T
    occupation = torch.rand(equations.n_sites, 3, generator=generator, dtype=torch.float64)
    balance, derivative = equations.linearised(equations.bias(voltages), occupation)
    for k in range(3):
        bias = equations.bias(voltages[:, k : k + 1])
        expected = torch.autograd.functional.jacobian(
            lambda n, bias=bias: equations.balance(bias, n[:, None])[:, 0], occupation[:, k]
        )
        torch.testing.assert_close(derivative[k], expected, rtol=1e-10, atol=1e-14)
        torch.testing.assert_close(balance[:, k], equations.balance(bias, occupation[:, k : k + 1])[:, 0])


def test_the_gradient_by_the_voltages_is_that_of_finite_differences(device: HoppingNetwork) -> None:
    voltages = allowed(device, 3, seed=8).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda v: device.currents_all(v) / READOUT_STD_A, voltages, eps=1e-6, atol=1e-4, rtol=1e-4
    )


def test_a_second_derivative_is_refused_rather_than_wrong(device: HoppingNetwork) -> None:
    voltages = allowed(device, 1).requires_grad_()
    (slope,) = torch.autograd.grad(device.current(voltages).sum() * 1e9, voltages, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_a_seed_is_a_device(device: HoppingNetwork) -> None:
    voltages = allowed(device, 20)
    assert torch.equal(default_network(0).current(voltages), device.current(voltages))
    assert not torch.allclose(default_network(1).current(voltages), device.current(voltages), atol=1e-10)
    assert device.readout_std_A() == pytest.approx(READOUT_STD_A, rel=1e-6)


def test_a_trace_does_not_depend_on_how_it_is_split(device: HoppingNetwork) -> None:
    waveform = tones(device, 700)
    whole = device.trace(waveform)
    pieces = torch.cat([device.trace(piece) for piece in torch.split(waveform, [1, 2, 39, 5, 300, 353])])
    points = device.current(waveform)[:, 0]
    scale = float(points.abs().max())
    assert float((whole - pieces).abs().max()) < 1e-9 * scale
    assert float((whole - points).abs().max()) < 1e-9 * scale
    assert device.trace(waveform[:0]).shape == (0,)


@pytest.mark.parametrize("seed", range(3))
def test_the_steady_state_found_does_not_depend_on_the_start(seed: int) -> None:
    network = HoppingNetwork(seed=seed)
    voltages = torch.cat((allowed(network, 60), torch.zeros(60, 1, dtype=torch.float64)), 1).T
    half = steady_state(network.equations, voltages)
    start = torch.rand(half.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for other in (torch.zeros_like(half), torch.ones_like(half), start):
        torch.testing.assert_close(steady_state(network.equations, voltages, other), half, rtol=0, atol=1e-8)


def test_the_fallback_finds_what_newton_finds(
    device: HoppingNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    voltages = allowed(device, 6)
    expected = device.current(voltages)
    monkeypatch.setattr(hopping_solver, "_NEWTON_STEPS", 0)
    torch.testing.assert_close(device.current(voltages), expected, rtol=1e-7, atol=1e-16)


def test_a_point_where_full_steps_go_to_and_fro_is_settled() -> None:
    """Found in the population: Newton, and implicit Euler with long steps, circle the bend of one rate."""
    voltages = torch.tensor([[0.6, -0.073408, 0.351429, 0.515953, -0.865398, -0.081227, -0.287927]]).double()
    currents = default_network(16).currents_all(voltages)
    assert float(currents.sum().abs() / currents.abs().max()) < 1e-9


def test_a_point_that_does_not_converge_is_named(
    device: HoppingNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hopping_solver, "_NEWTON_STEPS", 1)
    monkeypatch.setattr(hopping_solver, "_TRANSIENT_STEPS", 3)
    with pytest.raises(ConvergenceError, match=r"point 0: electrode voltages \[0\.25, .*, 0\.0\] V"):
        device.current(torch.full((2, 7), 0.25))


def test_shapes_and_inputs_follow_the_seam(device: HoppingNetwork) -> None:
    voltages = allowed(device, 6).reshape(2, 3, 7)
    assert device.current(voltages).shape == (2, 3, 1)
    assert device.currents_all(voltages).shape == (2, 3, 8)
    view = device.with_inputs(["e3", "e5"])
    order = [2, 4, 0, 1, 3, 5, 6]
    parted = view(voltages[..., order[:2]], voltages[..., order[2:]])
    assert torch.equal(parted, device.current(voltages))


@pytest.mark.parametrize(
    ("voltages", "message"),
    [(torch.zeros(3, 6), "last axis should be the 7"), (torch.full((1, 7), math.nan), "not finite")],
)
def test_voltages_that_mean_nothing_are_refused(
    device: HoppingNetwork, voltages: Tensor, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        device.current(voltages)
    with pytest.raises(ModelError, match=message):
        device.trace(voltages)


def test_lever_arms_are_harmonic() -> None:
    parameters = HoppingParameters(n_acceptors=2 + 64, n_donors=0, disorder_eV=0.0)
    ring = 0.3 * parameters.radius_m * np.exp(1j * np.arange(64) * 2 * np.pi / 64)
    ring += 0.2 * parameters.radius_m
    close = 0.999 * parameters.radius_m * np.exp(1j * contact_angles()[3])
    points = np.concatenate([[0.2 * parameters.radius_m, close], ring])
    layout = DopantLayout(np.stack([points.real, points.imag], 1), np.empty((0, 2)), np.zeros(66))
    arms = lever_arms(parameters, layout)
    np.testing.assert_allclose(arms.sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(arms[2:].mean(0), arms[0], rtol=1e-9)  # the mean value property
    assert arms[1, 3] > 0.98


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature_K": 0.0}, "temperature_K = 0.0"),
        ({"contact_width_rad": 0.8}, "contacts touch"),
        ({"low_V": (0.0,)}, "7 voltages"),
        ({"n_donors": -1}, "negative"),
    ],
)
def test_parameters_that_make_no_device_are_refused(changes: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ModelError, match=message):
        HoppingParameters(**changes)


def test_a_layout_too_full_is_refused() -> None:
    with pytest.raises(ModelError, match="finds no place"):
        DopantLayout.random(HoppingParameters(min_spacing_m=40e-9), 0)
