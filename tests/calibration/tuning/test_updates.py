"""From gradients to moves: the rules of torch, resumed from arrays, and rates that fall."""

import numpy as np
import pytest
import torch

from calibration.errors import PlanError
from calibration.tuning import Update


@pytest.mark.parametrize("rule", ["plain", "momentum", "adam"])
def test_moves_are_those_of_one_optimiser_that_was_never_stopped(rule: str) -> None:
    rng = np.random.default_rng(0)
    gradients, theta = rng.normal(size=(5, 3)), np.ones(3)
    update = Update(rule, 0.1, 0.8)  # type: ignore[arg-type]
    parameter = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    peers = {
        "plain": lambda: torch.optim.SGD([parameter], lr=0.1),
        "momentum": lambda: torch.optim.SGD([parameter], lr=0.1, momentum=0.8),
        "adam": lambda: torch.optim.Adam([parameter], lr=0.1, betas=(0.8, 0.999)),
    }
    peer, memory = peers[rule](), {}
    for gradient in gradients:
        theta, memory = update.apply(theta, gradient, memory)
        parameter.grad = torch.as_tensor(gradient)
        peer.step()
    np.testing.assert_allclose(theta, parameter.detach().numpy(), rtol=1e-12)


def test_a_rate_falls_as_spalls() -> None:
    assert Update(fall=0.0).factor(1000) == 1.0
    assert Update(fall=50.0).factor(0) == 1.0
    assert Update(fall=50.0).factor(50) == pytest.approx(2.0**-0.602)
    with pytest.raises(PlanError, match="fall"):
        Update(fall=-1.0)
