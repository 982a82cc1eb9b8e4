"""The whole network: gradients, its errors, its tables, and what does not fit together."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from simulators.errors import ModelError
from simulators.models.diffraction import (
    Assembly,
    DiffractiveDesign,
    DiffractiveNetwork,
    Grid,
    LookUpTable,
    PhasePlanes,
    Region,
    assemble,
)

DESIGN = DiffractiveDesign(
    grid=Grid((24, 24), 8e-6),
    wavelength_m=633e-9,
    distances_m=(5e-3, 4e-3, 5e-3),
    pixels=(6, 6),
    input_region=Region(6, 6, 12, 12),
    input_pixels=(2, 2),
    detectors={"a": Region(4, 4, 6, 6), "b": Region(4, 14, 6, 6), "c": Region(14, 9, 6, 6)},
)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_gradients_are_those_of_finite_differences_in_everything() -> None:
    design = replace(
        DESIGN, grid=Grid((8, 8), 8e-6), distances_m=(1e-3, 1e-3), pixels=(2, 2), fill_factor=0.9,
        input_region=Region(2, 2, 4, 4), detectors={"a": Region(0, 0, 4, 8), "b": Region(4, 0, 4, 8)}, power_W=1.0,
    )  # fmt: skip
    network = assemble(design, Assembly(rotation_rad=0.03), seed=3)
    network.distance_error_m.data = torch.tensor([1e-5, -3e-5], dtype=torch.float64)
    names = (
        "shift_m", "distance_error_m", "planes.rotation_rad", "planes.pitch_error", "planes.phase_error_rad"
    )  # fmt: skip
    errors = tuple(network.get_parameter(name).detach().clone().requires_grad_() for name in names)

    def powers(inputs: torch.Tensor, controls: torch.Tensor, *errors: torch.Tensor) -> torch.Tensor:
        # in units that are all of the order of one
        values = dict(zip(names, (e * scale for e, scale in zip(errors, scales, strict=True)), strict=True))
        return torch.func.functional_call(network, values, (inputs, controls))

    scales = (1e-6, 1e-5, 1.0, 1e-2, 1.0)
    errors = tuple((e.detach() / s).requires_grad_() for e, s in zip(errors, scales, strict=True))
    inputs, controls = random(2, 4).requires_grad_(), (6.0 * random(2, 4, seed=1)).requires_grad_()
    assert torch.autograd.gradcheck(powers, (inputs, controls, *errors), fast_mode=True)


def test_batches_broadcast_and_agree_with_single_points() -> None:
    network = assemble(DESIGN, Assembly(), seed=5)
    inputs, controls = random(3, 1, 4), 6.0 * random(5, network.n_controls)
    whole = network(inputs, controls)
    assert whole.shape == (3, 5, 3)
    torch.testing.assert_close(whole[2, 4], network(inputs[2, 0], controls[4]), rtol=1e-12, atol=0.0)
    torch.testing.assert_close(network(inputs[:, 0], controls[4]), whole[:, 4], rtol=1e-12, atol=0.0)


def test_single_precision_is_the_double_one_rounded() -> None:
    inputs, controls = random(2, 4), 6.0 * random(2, 72)
    double = DiffractiveNetwork(DESIGN)(inputs, controls)
    single = DiffractiveNetwork(DESIGN, dtype=torch.complex64)(inputs.float(), controls.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-9)


def test_the_input_pattern_carries_the_power_that_is_stated() -> None:
    everything = {"all": Region(0, 0, 24, 24)}
    near = replace(DESIGN, distances_m=(0.0, 0.0), detectors=everything, power_W=2e-3)
    network = DiffractiveNetwork(near)
    assert float(network(torch.ones(4), torch.zeros(36))) == pytest.approx(2e-3, rel=1e-12)
    assert float(network(torch.tensor([1.0, 0.0, 0.5, 0.0]), torch.zeros(36))) == pytest.approx(
        2e-3 * (1.0 + 0.25) / 4.0, rel=1e-6
    )


def test_a_lens_on_a_plane_focuses_where_it_should() -> None:
    """A quadratic phase of focal length f gathers a plane wave in a spot of λ f / D, f behind it."""
    grid, focal_m = Grid((128, 128), 8e-6), 60e-3
    spot = round(633e-9 * focal_m / (128 * 8e-6) / 8e-6)
    design = DiffractiveDesign(
        grid, 633e-9, (0.0, focal_m), (128, 128), Region(0, 0, 128, 128), (1, 1),
        {"spot": Region(64 - 2 * spot, 64 - 2 * spot, 4 * spot, 4 * spot), "all": Region(0, 0, 128, 128)},
    )  # fmt: skip
    down, across = grid.axes_m
    lens = -math.pi / (633e-9 * focal_m) * (down[:, None] ** 2 + across**2)
    network = DiffractiveNetwork(design)
    dark, light = network(torch.ones(1), torch.zeros(128**2)), network(torch.ones(1), lens.flatten())
    assert light[0] / light[1] > 0.85  # the main lobe of sinc² along both axes, twice as wide: 0.95²
    assert dark[0] / dark[1] < 0.05


def test_a_plane_turned_by_a_right_angle_is_the_plane_turned() -> None:
    planes = PhasePlanes(Grid((12, 12), 8e-6), 2, (4, 4))
    phases = 6.0 * random(2, 4, 4)
    straight = planes(phases)
    planes.rotation_rad.data = torch.tensor([math.pi / 2.0, 0.0], dtype=torch.float64)
    turned = planes(phases)
    torch.testing.assert_close(turned[0], straight[0].rot90(1), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(turned[1], straight[1], rtol=0.0, atol=1e-12)


def test_a_wider_pitch_moves_what_is_off_the_middle_in_proportion() -> None:
    grid = Grid((4, 200), 8e-6)
    planes = PhasePlanes(grid, 1, (4, 200))
    ramp = (0.02 * torch.arange(200, dtype=torch.float64) - 1.99).expand(1, 4, 200)
    planes.pitch_error.data = torch.tensor([0.05], dtype=torch.float64)
    wider = planes(ramp).angle()[0, 0]
    torch.testing.assert_close(wider, ramp[0, 0] / 1.05, rtol=0.0, atol=1e-4)


def test_the_fill_factor_leaves_light_that_no_phase_reaches() -> None:
    planes = PhasePlanes(Grid((4, 4), 8e-6), 1, (1, 1), fill_factor=0.9)
    mean = torch.stack(
        [
            planes(torch.full((1, 1, 1), phase, dtype=torch.float64)).mean()
            for phase in np.linspace(0, 2 * np.pi, 9)[:-1]
        ]
    )
    assert mean.mean().abs() == pytest.approx(0.1, rel=1e-9)


def test_the_error_of_quantisation_falls_as_the_levels_grow() -> None:
    """Uniform rounding to L levels leaves a phase error of 2π / (L √12), and so an error in proportion."""
    network = DiffractiveNetwork(DESIGN)
    phases, inputs = 2.0 * math.pi * random(8, network.n_controls), torch.ones(4)
    exact = network(inputs, phases)
    errors = []
    for levels in (16, 64, 256):
        table = LookUpTable.of_curve(levels, 2.0 * math.pi * (levels - 1) / levels)
        coarse = table(table.nearest(phases).double())
        off = torch.remainder(coarse - phases + math.pi, 2.0 * math.pi) - math.pi
        assert off.std() == pytest.approx(2.0 * math.pi / levels / math.sqrt(12.0), rel=0.1)
        powers = DiffractiveNetwork(DESIGN, table)(inputs, table.nearest(phases).double())
        errors.append(float((powers - exact).norm() / exact.norm()))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.25)
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.25)


@pytest.mark.parametrize(("stroke", "gamma"), [(2.0 * math.pi, 1.0), (5.0, 1.3), (7.5, 0.8)])
def test_the_nearest_level_is_the_nearest_on_the_circle(stroke: float, gamma: float) -> None:
    table = LookUpTable.of_curve(40, stroke, gamma)
    phases = 20.0 * random(500) - 10.0
    chosen = table(table.nearest(phases).double())

    def apart(a: torch.Tensor) -> torch.Tensor:
        return (torch.remainder(a + math.pi, 2.0 * math.pi) - math.pi).abs()

    best = apart(table.phases_rad - phases[:, None])[:, table.phases_rad < 2.0 * math.pi].min(1).values
    torch.testing.assert_close(apart(chosen - phases), best, rtol=0.0, atol=1e-9)


def test_levels_have_the_gradient_of_the_table() -> None:
    table = LookUpTable.of_curve(11, 5.0, 2.0)
    levels = torch.tensor([0.0, 4.0, 10.0], dtype=torch.float64, requires_grad=True)
    table(levels).sum().backward()  # type: ignore[no-untyped-call]
    expected = [5.0 / 100.0, 5.0 * 2.0 * 4.0 / 100.0, 5.0 * 19.0 / 100.0]
    torch.testing.assert_close(levels.grad, torch.tensor(expected, dtype=torch.float64))


def test_the_same_seed_gives_the_same_network_and_each_error_its_own_numbers() -> None:
    inputs, controls = random(4), 6.0 * random(72)
    first, again, other = (assemble(DESIGN, Assembly(), seed)(inputs, controls) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, rtol=1e-3)
    perfect = assemble(DESIGN, Assembly.perfect(), 1)(inputs, controls)
    assert torch.equal(perfect, DiffractiveNetwork(DESIGN)(inputs, controls))
    only = assemble(DESIGN, Assembly.perfect(shift_m=4e-6), 1)
    assert torch.equal(only.shift_m, assemble(DESIGN, Assembly(), 1).shift_m)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pixels": (5, 6)}, "settings do not fit"),
        ({"input_pixels": (5, 2)}, "amplitudes do not fit"),
        ({"input_region": Region(20, 0, 12, 12)}, "input: rows 20 to 31"),
        ({"detectors": {"far": Region(0, 20, 4, 8)}}, "detector far: .* columns 20 to 27"),
        ({"detectors": {}}, "no output"),
        ({"distances_m": (1e-3,)}, "distances"),
        ({"distances_m": (1e-3, 3.0)}, "beyond .* m"),
        ({"fill_factor": 1.2}, "fill_factor"),
        ({"power_W": -1.0}, "power"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        DiffractiveNetwork(replace(DESIGN, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [-1.0, 256.0, math.nan])
def test_a_level_that_is_not_in_the_table_is_named(bad: float) -> None:
    network = DiffractiveNetwork(DESIGN, LookUpTable.of_curve(256, 6.0))
    levels = torch.zeros(72)
    levels[7] = bad
    with pytest.raises(ModelError, match=r"levels are 0 to 255"):
        network(torch.ones(4), levels)
    with pytest.raises(ModelError, match="rise"):
        LookUpTable(torch.tensor([0.0, 1.0, 0.5]))
    with pytest.raises(ModelError, match="mask_rad"):
        Assembly(mask_rad=-1.0)
