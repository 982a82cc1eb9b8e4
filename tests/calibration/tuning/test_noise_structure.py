"""Noise that is added to a model has the stated size at its place."""

import pytest
import torch
from torch import Tensor

from calibration.errors import PlanError
from calibration.tuning import AdditiveNoise, NoiseStructure
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.model import Model
from simulators.models.optical import ElectroOptic, NoiseLevels, NoisyNetwork, fabricate_network


class Line(Model):
    """One output: the inputs times the controls."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.n_inputs = self.n_controls = width
        self.n_outputs = 1

    def forward(self, inputs: Tensor, controls: Tensor) -> Tensor:
        """See `Model`."""
        return (inputs * controls).sum(dim=-1, keepdim=True)


def test_a_noisy_network_says_where_its_noise_is_and_a_mesh_does_not() -> None:
    mesh = fabricate_network(
        MeshLayout("rectangular", 4),
        Fabrication.perfect(),
        meshes=2,
        activation=ElectroOptic(),
        readout=2,
        seed=0,
    )
    assert isinstance(NoisyNetwork((3, 2), "tanh", NoiseLevels.uniform(1, 0.1)), NoiseStructure)
    assert not isinstance(mesh, NoiseStructure)
    assert isinstance(AdditiveNoise(mesh, outputs=0.1), NoiseStructure)


def test_every_source_has_its_size() -> None:
    noisy = AdditiveNoise(Line(2), inputs=0.1, outputs=0.3, relative=0.05)
    assert noisy.sources == ("inputs", "outputs", "relative")
    inputs, controls = (
        torch.tensor([[1.0, 2.0]]).double().expand(60_000, 2),
        torch.tensor([3.0, 4.0]).double(),
    )
    noise = noisy.draw((60_000,), torch.Generator().manual_seed(0))
    # y = 3 (1 + ξ) + 4 (2 + ξ'), so 0.1 √(3² + 4²) of the inputs, 0.3 of the output, 0.05 of y = 11
    for k, size in enumerate((0.5, 0.3, 0.55)):
        scale = torch.zeros(3, dtype=torch.float64)
        scale[k] = 2.0
        assert float(noisy(inputs, controls, noise, scale).std()) == pytest.approx(2.0 * size, rel=0.02)
    torch.testing.assert_close(noisy(inputs, controls), Line(2)(inputs, controls))
    torch.testing.assert_close(
        noisy(inputs, controls, noise), noisy(inputs, controls, noise, torch.ones(3, dtype=torch.float64))
    )


@pytest.mark.parametrize("levels", [{}, {"inputs": -1.0}, {"outputs": float("nan")}])
def test_levels_that_make_no_sense_are_refused(levels: dict[str, float]) -> None:
    with pytest.raises(PlanError, match="noise"):
        AdditiveNoise(Line(2), **levels)
