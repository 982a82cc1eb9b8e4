"""The planes one by one: they are the network, and what a camera in front of a plane sees is the light there."""

from dataclasses import replace

import pytest
import torch

from simulators.errors import ModelError
from simulators.models.diffraction import Assembly, DiffractiveNetwork, LookUpTable, Region, assemble
from tests.simulators.models.diffraction.test_network import DESIGN, random


@pytest.mark.parametrize("dtype", [torch.complex128, torch.complex64])
def test_planes_one_after_another_are_the_network(dtype: torch.dtype) -> None:
    network = assemble(DESIGN, Assembly(rotation_rad=0.02), seed=5, dtype=dtype)
    real = network.planes.rotation_rad.dtype
    inputs, controls = random(3, 4).to(real), (6.0 * random(network.n_controls, seed=1)).to(real)
    seen = network.chained(inputs, controls)
    assert [values.shape for values in seen] == [(3, 24 * 24), (3, 3)]
    assert len(network.tap_names) == 1
    torch.testing.assert_close(seen[-1], network(inputs, controls), rtol=1e-5, atol=0.0)
    one = network.chained(inputs[1], controls)
    torch.testing.assert_close(one[0], seen[0][1], rtol=1e-4, atol=1e-12)


def test_planes_with_a_look_up_table_take_levels() -> None:
    network = DiffractiveNetwork(DESIGN, LookUpTable.of_curve(16, 6.0))
    levels = (15.0 * random(network.n_controls)).round()
    torch.testing.assert_close(network.chained(random(4), levels)[-1], network(random(4), levels))


def test_a_camera_in_front_of_a_plane_sees_what_detectors_there_would() -> None:
    network = assemble(DESIGN, Assembly.perfect(shift_m=8e-6, mask_rad=0.3), seed=2)
    cut = replace(DESIGN, distances_m=DESIGN.distances_m[:2], detectors={"a": Region(3, 5, 4, 2)})
    front = DiffractiveNetwork(cut)
    front.shift_m.data = network.shift_m[:2]
    front.planes.phase_error_rad.data = network.planes.phase_error_rad[:1]
    inputs, controls = random(2, 4), 6.0 * random(network.n_controls)
    image = network.chained(inputs, controls)[0].view(2, 24, 24)
    torch.testing.assert_close(image[:, 3:7, 5:7].sum((-1, -2)), front(inputs, controls[:36])[:, 0])


def test_measured_light_takes_the_place_of_modelled_light() -> None:
    network = DiffractiveNetwork(DESIGN)
    inputs, parts = random(2, 4), network.parts(6.0 * random(network.n_controls))
    state = network.stage(0, network.enter(inputs), parts[0])
    reading = random(2, 24 * 24, seed=3)
    measured = network.measured(0, state, reading)
    torch.testing.assert_close(network.seen(0, measured), reading)
    torch.testing.assert_close(measured.angle(), state.angle())
    powers = network.stage(1, state, parts[1])
    torch.testing.assert_close(network.seen(1, network.measured(1, powers, reading[:, :3])), reading[:, :3])


def test_a_distance_that_is_longer_is_the_longer_distance() -> None:
    near, far = DiffractiveNetwork(DESIGN), replace(DESIGN, distances_m=(5.02e-3, 4e-3, 4.97e-3))
    near.distance_error_m.data = torch.tensor([2e-5, 0.0, -3e-5], dtype=torch.float64)
    inputs, controls = random(2, 4), 6.0 * random(near.n_controls)
    # but for the band limit, which is that of the design
    torch.testing.assert_close(
        near(inputs, controls), DiffractiveNetwork(far)(inputs, controls), rtol=1e-3, atol=0.0
    )


def test_settings_of_another_number_are_refused() -> None:
    with pytest.raises(ModelError, match="70 settings, the planes have 72"):
        DiffractiveNetwork(DESIGN).parts(random(70))
