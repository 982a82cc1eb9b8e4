"""The numpy evaluation against the model that it stands for."""

import numpy as np
import pytest
import torch

from simulators.models.mesh import Fabrication, MeshLayout, PhotonicSpecimen, fabricate
from simulators.models.mesh.frozen import FrozenChip

LAYOUTS = [("rectangular", 2), ("rectangular", 5), ("rectangular", 8), ("triangular", 3), ("triangular", 6)]


@pytest.mark.parametrize(("kind", "ports"), LAYOUTS)
@pytest.mark.parametrize("points", [1, 7])
def test_it_gives_what_the_model_gives(kind, ports, points):
    layout = MeshLayout(kind, ports)
    chip = fabricate(layout, Fabrication(chirp_rad_per_V=0.1, splitter_rad=0.1), seed=3)
    rng = np.random.default_rng(4)
    volts, heaters_V = rng.uniform(-1, 4, (points, ports)), rng.uniform(0, 9, (points, chip.n_controls))
    with torch.no_grad():
        model = chip(torch.tensor(volts), torch.tensor(heaters_V)).numpy()
    frozen = FrozenChip(chip)
    shares = frozen.shares(volts, frozen.phases(frozen.powers(heaters_V)))
    np.testing.assert_allclose(chip.laser_W * shares, model, rtol=1e-11, atol=1e-18)


def test_many_points_come_in_parts_without_a_seam(monkeypatch):
    layout = MeshLayout("rectangular", 4)
    specimen = PhotonicSpecimen(fabricate(layout, Fabrication(), seed=1), 0.1, seed=2)
    rng = np.random.default_rng(0)
    asked = rng.uniform(0, 3, (25, 4)), rng.uniform(0, 0.05, (25, 12)), np.linspace(0, 100, 25)
    whole = specimen.shares(*asked)
    monkeypatch.setattr("simulators.models.mesh.frozen._AT_ONCE", 6 * 7)
    np.testing.assert_allclose(specimen.shares(*asked), whole, rtol=1e-12)


def test_an_open_heater_takes_no_power():
    chip = fabricate(MeshLayout("rectangular", 2), Fabrication(), seed=1)
    chip.heaters.resistance_ohm.data[0] = torch.inf
    assert FrozenChip(chip).powers(np.full((1, 2), 5.0))[0, 0] == 0.0
