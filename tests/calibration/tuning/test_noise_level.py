"""The noise level of a chip, found from repeated readings of the same inputs."""

import numpy as np
import pytest
import torch

from calibration.errors import NotEnoughData
from calibration.tuning.noise_level import fitted_noise_level
from simulators.models.optical import NoiseLevels, NoisyNetwork

TOGETHER = torch.ones(1, 4, dtype=torch.float64)
KINDS = torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]]).double()


def read(
    weighted: float, activated: float, repeats: int = 30
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Outputs (repeats, inputs, n_out) of a true network, its inputs and its controls."""
    levels = NoiseLevels(torch.tensor([weighted] * 2).double(), torch.tensor([activated, 0.0]).double())
    true, generator = NoisyNetwork((6, 12, 5), "tanh", levels), torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 6, generator=generator, dtype=torch.float64)
    controls = 1.5 * true.initial(generator)
    noise = true.draw((repeats, 40), generator)
    return true(inputs, controls, noise), inputs, controls


def known() -> NoisyNetwork:
    return NoisyNetwork((6, 12, 5), "tanh", NoiseLevels.uniform(2, 0.1))


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_one_factor(factor: float) -> None:
    outputs, inputs, controls = read(0.1 * factor, 0.1 * factor)
    found = fitted_noise_level(outputs, known(), inputs, controls, TOGETHER, torch.Generator().manual_seed(1))
    assert found.scale[0] == pytest.approx(factor, rel=0.05)
    assert abs(found.scale[0] - factor) < 4.0 * found.error[0] + 0.02 * factor


def test_one_for_each_kind_of_source() -> None:
    outputs, inputs, controls = read(0.3, 0.2, repeats=200)
    generator = torch.Generator().manual_seed(1)
    found = fitted_noise_level(outputs, known(), inputs, controls, KINDS, generator, draws=200)
    np.testing.assert_allclose(found.scale, [3.0, 2.0], rtol=0.15)
    assert (np.abs(found.scale - [3.0, 2.0]) < 4.0 * found.error).all()


def test_a_chip_without_noise() -> None:
    outputs, inputs, controls = read(0.0, 0.0)
    found = fitted_noise_level(outputs, known(), inputs, controls, TOGETHER, torch.Generator().manual_seed(1))
    assert found.scale[0] == pytest.approx(0.0, abs=1e-12)


def test_one_reading_is_not_enough() -> None:
    outputs, inputs, controls = read(0.1, 0.1)
    with pytest.raises(NotEnoughData, match="two repeats"):
        fitted_noise_level(outputs[:1], known(), inputs, controls, TOGETHER, torch.Generator())
