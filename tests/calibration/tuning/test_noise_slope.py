"""Where the training gradient goes with the noise level: a case that can be done by hand, and dense algebra.

A line y = c·x whose inputs have noise a s: E (y - t)² = (c·x - t)² + s² a² |c|². Its gradient is
2 ⟨x (c·x - t)⟩ + 2 s² a² c and its Hessian 2 ⟨x xᵀ⟩ + 2 s² a²: ridge regression.
"""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from calibration.device import Array
from calibration.tuning import AdditiveNoise, Examples, Limits, Problem, TuningTask, squared_error
from calibration.tuning.conjugate_gradients import conjugate_gradients
from calibration.tuning.noise_slope import Improvement, NoiseSlope
from calibration.tuning.noisy_loss import GaussNewton, Hessian, NoisyLoss
from hil.devices.emulated_network import group
from simulators.models.optical import NoiseLevels, NoisyNetwork
from tests.calibration.tuning.test_noise_structure import Line

A, WIDTH = 0.5, 5
ONE = torch.ones(1, dtype=torch.float64)


def line() -> tuple[list[NoisyLoss], Array, Tensor, Tensor]:
    """Two losses with much noise each, a point, and the examples."""
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(40, WIDTH)), torch.as_tensor(rng.normal(size=(40, 1)))
    examples = Examples(inputs, targets)
    limits = Limits.of(group(tuple(f"c{k}" for k in range(WIDTH)), -10.0, 10.0), scale=1.0)
    problem = Problem(TuningTask(examples, examples, squared_error, squared_error), limits)
    generator, rows = torch.Generator().manual_seed(0), np.tile(np.arange(40), 1500)
    halves = [
        NoisyLoss.drawn(problem, AdditiveNoise(Line(WIDTH), inputs=A), rows, generator) for _ in range(2)
    ]
    return halves, limits.theta(rng.normal(size=WIDTH)), torch.as_tensor(inputs), targets


def controls(theta: Array) -> Tensor:
    return torch.as_tensor(theta - 10.0)


def test_the_slope_in_the_level_is_the_known_one() -> None:
    halves, theta, inputs, targets = line()
    level = 0.8
    found = NoiseSlope.of(halves, theta, level * ONE, ONE, 0.1)
    true = 4.0 * level * A**2 * controls(theta)
    assert float((found.direction - true).norm() / true.norm()) < 0.02
    assert found.size == pytest.approx(float(true.norm()), rel=0.02)
    # the second derivative is 4 a² c
    assert found.bend == pytest.approx(float(4.0 * A**2 * controls(theta).norm()), rel=0.05)
    left = 2.0 * ((inputs @ controls(theta) - targets[:, 0])[:, None] * inputs).mean(dim=0)
    here = left + 2.0 * level**2 * A**2 * controls(theta)
    assert found.residual == pytest.approx(float(here.norm()), rel=0.02)
    assert not found.variance


def test_without_noise_it_is_the_slope_in_the_variance() -> None:
    halves, theta, _, _ = line()
    found = NoiseSlope.of(halves, theta, 0.0 * ONE, ONE, 0.1)
    true = 2.0 * A**2 * controls(theta)
    assert found.variance
    assert float((found.direction - true).norm() / true.norm()) < 0.02
    # d/ds = 2 s d/ds²
    level = 0.3
    std = NoiseSlope.of(halves, theta, level * ONE, ONE, 0.1).direction
    assert float((std - 2.0 * level * found.direction).norm() / std.norm()) < 0.02


def test_the_noise_slope_is_that_of_autograd_in_the_level() -> None:
    model = NoisyNetwork((3, 4, 2), "tanh", NoiseLevels.uniform(2, 0.4))
    generator = torch.Generator().manual_seed(2)
    start = model.initial(generator).numpy()
    rng = np.random.default_rng(1)
    examples = Examples(rng.normal(size=(30, 3)), torch.as_tensor(rng.normal(size=(30, 2))))
    limits = Limits.of(group(tuple(f"c{k}" for k in range(len(start))), -5.0, 5.0), scale=1.0)
    problem = Problem(TuningTask(examples, examples, squared_error, squared_error), limits)
    halves = [NoisyLoss.drawn(problem, model, np.arange(30), generator) for _ in range(2)]
    theta, scale = limits.theta(start), torch.ones(4, dtype=torch.float64)
    found = NoiseSlope.of(halves, theta, scale, scale, 1e-3).direction
    exact = []
    for half in halves:
        leaf, level = half.parameters(theta), torch.ones((), dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(half(leaf, level * scale), level, create_graph=True)
        exact.append(torch.autograd.grad(slope, leaf)[0])
    torch.testing.assert_close(found, torch.stack(exact).mean(dim=0), rtol=1e-4, atol=1e-6)

    # the curvatures, column by column, against autograd
    def loss(values: Tensor) -> Tensor:
        return halves[0](values, scale)

    whole = torch.autograd.functional.hessian(loss, torch.as_tensor(theta))
    product = Hessian(halves[0], theta, scale)
    columns = torch.stack([product(row) for row in torch.eye(len(theta), dtype=torch.float64)])
    torch.testing.assert_close(columns, whole, rtol=1e-8, atol=1e-10)
    slopes = torch.autograd.functional.jacobian(
        lambda values: halves[0].outputs(values, scale), torch.as_tensor(theta)
    )
    dense = torch.einsum("soi,soj->ij", slopes, slopes) * 2.0 / (len(slopes) * 2)
    product_gn = GaussNewton(halves[0], theta, scale)
    columns = torch.stack([product_gn(row) for row in torch.eye(len(theta), dtype=torch.float64)])
    torch.testing.assert_close(columns, dense, rtol=1e-8, atol=1e-10)


def test_the_direction_follows_the_ridge_path() -> None:
    """From the optimum at no noise, -S d goes where the optimum at the variance S is, to second order in S."""
    halves, _, inputs, targets = line()
    square, mixed = inputs.T @ inputs / 40, inputs.T @ targets[:, 0] / 40

    def optimum(variance: float) -> Tensor:
        return torch.linalg.solve(square + variance * A**2 * torch.eye(WIDTH).double(), mixed)

    theta = optimum(0.0).numpy() + 10.0
    v = NoiseSlope.of(halves, theta, 0.0 * ONE, ONE, 0.1).direction
    d = conjugate_gradients(GaussNewton(halves[0], theta, 0.0 * ONE), v, 20).solution
    missed = []
    for variance in (0.1, 0.2):
        moved = optimum(variance) - optimum(0.0)
        missed.append(float((-variance * d - moved).norm()))
        assert missed[-1] < 0.2 * float(moved.norm())
    assert 3.0 < missed[1] / missed[0] < 5.0


def test_conjugate_gradients_solve_as_dense_algebra_does() -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(12, 12, generator=generator, dtype=torch.float64)
    matrix, right = root @ root.T, torch.randn(12, generator=generator, dtype=torch.float64)
    found = conjugate_gradients(lambda vector: matrix @ vector, right, 100, damping=0.3)
    dense = torch.linalg.solve(matrix + 0.3 * torch.eye(12).double(), right)
    torch.testing.assert_close(found.solution, dense, rtol=1e-4, atol=1e-6)
    once = conjugate_gradients(lambda vector: matrix @ vector, right, 1)
    torch.testing.assert_close(once.solution, right * (right @ right) / (right @ matrix @ right))
    assert once.iterations == 1


def test_negative_curvature_ends_it() -> None:
    matrix = torch.diag(torch.tensor([1.0, -2.0])).double()
    found = conjugate_gradients(lambda vector: matrix @ vector, torch.tensor([0.0, 1.0]).double(), 10)
    assert found.negative
    torch.testing.assert_close(found.solution, torch.tensor([0.0, 0.5]).double())


def test_where_the_condition_holds_the_step_descends() -> None:
    """The exact ε and K of the line: whatever Δ, the condition never promises what is not so."""
    _, theta, inputs, targets = line()
    square, mixed = inputs.T @ inputs / 40, inputs.T @ targets[:, 0] / 40
    level, promised, kept = 0.5, 0, 0
    near = torch.linalg.solve(square + level**2 * A**2 * torch.eye(WIDTH).double(), mixed)
    for share in (0.0, 0.02, 0.1, 0.5):
        c = near + share * (controls(theta) - near)

        def gradient(s: float, at: Tensor = c) -> Tensor:
            return 2.0 * (square @ at - mixed) + 2.0 * s**2 * A**2 * at

        v, bend = 4.0 * level * A**2 * c, float(4.0 * A**2 * c.norm())
        for misjudged in (-0.4, -0.1, -0.01, 0.01, 0.1, 0.4, 2.0):
            said = Improvement(float(v.norm()), float(gradient(level).norm()), bend, misjudged, 0.0)
            descends = math.copysign(1.0, misjudged) * float(gradient(level + misjudged) @ v) > 0.0
            promised += said.holds
            kept += said.holds and descends
            low, high = said.window
            assert said.holds == (low < abs(misjudged) < high)
    assert promised == kept
    assert promised > 5
