"""Networks of meshes, and the electro-optic activation between them."""

import cmath
import math

import pytest
import torch
from torch import Tensor

from simulators.errors import ModelError
from simulators.models.mesh import Fabrication, Mesh, MeshLayout
from simulators.models.optical import ElectroOptic, MeshNetwork, activation, fabricate_network

LAYOUT = MeshLayout("rectangular", 5)


def network(readout: int | None = None, screen_rad: float | None = 2.0) -> MeshNetwork:
    errors = Fabrication.perfect(splitter_rad=0.05, phase_rad=0.1)
    return fabricate_network(
        LAYOUT,
        errors,
        1,
        meshes=3,
        activation=ElectroOptic(gain_rad=0.3),
        readout=readout,
        screen_rad=screen_rad,
    )


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return 3.0 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_electro_optic_activation_is_the_formula() -> None:
    alpha, g, bias = 0.1, 0.05 * math.pi, math.pi
    for field in (0.3 + 0.1j, -2.0 + 1.0j, 5j):
        lean = g * abs(field) ** 2 / 2 + bias / 2
        expected = math.sqrt(1 - alpha) * cmath.exp(-1j * lean) * math.cos(lean) * field
        assert ElectroOptic()(torch.tensor(field, dtype=torch.complex128)).item() == pytest.approx(expected)


def test_a_phase_passes_the_activation() -> None:
    fields = torch.complex(drawn(20, seed=1), drawn(20, seed=2))
    turned = torch.polar(torch.ones(20).double(), drawn(20, seed=3))
    torch.testing.assert_close(ElectroOptic()(turned * fields), turned * ElectroOptic()(fields))


def test_the_activation_has_its_derivative_also_in_the_dark() -> None:
    fields = torch.complex(drawn(4, seed=1), drawn(4, seed=2))
    fields[0] = 0.0
    assert torch.autograd.gradcheck(ElectroOptic(), (fields.requires_grad_(),))


def test_both_paths_agree_and_many_settings_are_many_answers() -> None:
    made = network(readout=3)
    inputs, settings = drawn(6, 10), drawn(2, made.n_controls, seed=4)
    table = made(inputs, settings[:, None, :])
    assert table.shape == (2, 6, 3)
    by_field = made(inputs.expand(2, 6, 10), settings[:, None, :].expand(2, 6, -1))
    torch.testing.assert_close(table, by_field)
    torch.testing.assert_close(table[1], made(inputs, settings[1]))
    torch.testing.assert_close(table[1, 2], made(inputs[2], settings[1]))


def test_it_is_meshes_and_activations_in_turn() -> None:
    """Written out with the meshes' own matrices."""
    made = network()
    inputs, controls = drawn(10), drawn(made.n_controls, seed=4)
    first, second, third = (
        mesh.matrix(phases) for mesh, phases in zip(made.chain, controls.split(made.sizes), strict=True)
    )
    light = torch.complex(inputs[:5], inputs[5:]) * torch.exp(1j * made.input_offset)
    field = third @ made.activation(second @ made.activation(first @ light))
    torch.testing.assert_close(made(inputs, controls), field.abs().square())


def test_a_screen_between_the_meshes_is_felt_and_one_behind_them_is_not() -> None:
    made = network()
    inputs, controls = drawn(4, 10), drawn(made.n_controls, seed=4)
    before = made.powers(inputs, controls)
    made.chain[2].output_offset += 1.0 + torch.arange(5)
    torch.testing.assert_close(made(inputs, controls), before[2])
    made.chain[0].output_offset += torch.arange(5)
    after = made.powers(inputs, controls)
    torch.testing.assert_close(after[0], before[0])
    assert not torch.allclose(after[1], before[1])


def test_inputs_and_phases_have_derivatives() -> None:
    made = network(readout=2)
    inputs, controls = drawn(2, 10).requires_grad_(), drawn(made.n_controls, seed=4).requires_grad_()
    assert torch.autograd.gradcheck(made, (inputs, controls))


def test_the_published_errors_have_their_size() -> None:
    """Splitter amplitudes √((1 ± e) / 2), e ~ N(0, BS): the share of the power that crosses is off by e / 2."""
    big = fabricate_network(
        MeshLayout("rectangular", 64),
        Fabrication.perfect(splitter_rad=0.06 / 2, phase_rad=0.06),
        7,
        meshes=2,
        activation=ElectroOptic(),
    )
    for mesh in big.chain:
        e = 2.0 * (mesh.splitter_in + math.pi / 4).cos().square() - 1.0
        assert e.std().item() == pytest.approx(0.06, rel=0.05)
        assert mesh.phase_offset.std().item() == pytest.approx(0.06, rel=0.05)
    assert not torch.equal(big.chain[0].splitter_in, big.chain[1].splitter_in)


def test_what_is_no_network_is_refused() -> None:
    plain = activation("identity")
    with pytest.raises(ModelError, match="no mesh"):
        MeshNetwork([], plain)
    with pytest.raises(ModelError, match="mesh 0 has 5 ports, mesh 1 has 4"):
        MeshNetwork([Mesh(LAYOUT), Mesh(MeshLayout("rectangular", 4))], plain)
    with pytest.raises(ModelError, match="6 ports"):
        MeshNetwork([Mesh(LAYOUT)], plain, readout=6)
    for wrong in (-0.1, 1.0, math.nan):
        with pytest.raises(ModelError, match="tapped"):
            ElectroOptic(tapped=wrong)
    with pytest.raises(ModelError, match="gain_rad"):
        ElectroOptic(gain_rad=math.inf)
    made = network()
    with pytest.raises(ModelError, match="quadrature"):
        made(drawn(5), drawn(made.n_controls))
    with pytest.raises(ModelError, match="phases"):
        made(drawn(10), drawn(3))
