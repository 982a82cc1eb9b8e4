"""Networks of dopant chips: wiring, stages and derivatives, with chips that are quick formulas."""

import numpy as np
import pytest
import torch
from torch import Tensor

from simulators.errors import ModelError
from simulators.models.dopant_network import CurrentToVoltage, DopantNetwork, Wiring, dopant_network
from simulators.models.hopping import HoppingNetwork
from simulators.models.model import ElectrodeModel

ELECTRODES = ("e1", "e2", "e3", "e4")


class Bend(ElectrodeModel):
    """A current that depends on four voltages in a way of its own for each `k`."""

    def __init__(self, k: int) -> None:
        limits = torch.tensor([1.0, 1.0, 0.8 + 0.05 * k, 0.5], dtype=torch.float64)
        super().__init__(ELECTRODES, -limits, limits)
        self.k = k

    def current(self, voltages: Tensor) -> Tensor:
        a, b, c, d = voltages.unbind(-1)
        return (1e-8 * torch.sin((1.0 + self.k) * a + c * d - b * c))[..., None]


def chip(k: int, inputs: tuple[str, ...] = ("e3", "e4")) -> Bend:
    return Bend(k).with_inputs(inputs)


def five() -> DopantNetwork:
    layers = [[chip(0), chip(1)], [chip(2), chip(3)], [chip(4)]]
    return DopantNetwork(layers, Wiring().stages(layers, 1e-8))


def test_it_is_what_its_formula_says() -> None:
    network, rng = five(), np.random.default_rng(0)
    x, controls = rng.uniform(-0.5, 0.5, (7, 2)), rng.uniform(-1.0, 1.0, 10)

    def answer(k: int, v: np.ndarray) -> np.ndarray:
        a, b = controls[2 * k : 2 * k + 2]
        return 1e-8 * np.sin((1.0 + k) * a + v[:, 0] * v[:, 1] - b * v[:, 0])

    def volts(*currents: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
        # two standard deviations of 10 nA reach to the ends of the narrowest electrode
        return np.stack([np.clip(c * e / 2e-8, -e, e) for c, e in zip(currents, ends, strict=True)], axis=1)

    first = answer(0, x), answer(1, x)
    middle = volts(*first, ends=(0.9, 0.5))
    second = answer(2, middle), answer(3, middle)
    last = answer(4, volts(*second, ends=(1.0, 0.5)))
    seen = network.chained(torch.as_tensor(x), torch.as_tensor(controls))
    np.testing.assert_allclose(seen[0], np.stack(first, axis=1), rtol=1e-12)
    np.testing.assert_allclose(seen[1], np.stack(second, axis=1), rtol=1e-12)
    np.testing.assert_allclose(network(torch.as_tensor(x), torch.as_tensor(controls))[:, 0], last, rtol=1e-12)
    assert (network.n_inputs, network.n_controls, network.n_outputs) == (2, 10, 1)
    assert network.tap_names == ("layer0", "layer1")


def test_controls_may_be_one_row_for_each_sample() -> None:
    network, generator = five(), torch.Generator().manual_seed(0)
    x = torch.rand(6, 2, generator=generator, dtype=torch.float64) - 0.5
    controls = torch.rand(6, 10, generator=generator, dtype=torch.float64) - 0.5
    together = network(x, controls)
    for k in range(6):
        torch.testing.assert_close(together[k], network(x[k], controls[k]))


def test_the_derivative_goes_through_all_layers() -> None:
    network, generator = five(), torch.Generator().manual_seed(1)
    x = torch.rand(3, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    controls = torch.rand(10, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: 1e8 * network(0.4 * a, 0.4 * b), (x, controls))


def test_what_reaches_the_next_chips_is_clipped_to_what_they_stand() -> None:
    given = [[1e8, 1e8], [-0.3, 0.0], [-1.2, -0.5], [0.6, 0.5]]
    stage = CurrentToVoltage(*torch.tensor(given, dtype=torch.float64))
    volts = stage(torch.tensor([[2e-9, 3e-9], [1e-6, -1e-6]], dtype=torch.float64))
    np.testing.assert_allclose(volts, [[-0.1, 0.3], [0.6, -0.5]])
    off = stage.with_errors(torch.Generator().manual_seed(0), 0.01, 0.002)
    assert (off.gain_V_per_A / stage.gain_V_per_A - 1.0).abs().max() < 0.05
    assert not torch.equal(off.gain_V_per_A, stage.gain_V_per_A)


def test_a_measured_current_takes_the_place_of_a_modelled_one() -> None:
    network = five()
    x, controls = torch.full((2, 2), 0.2, dtype=torch.float64), torch.zeros(10, dtype=torch.float64)
    state = network.stage(0, network.enter(x), network.parts(controls)[0])
    reading = state + 1e-9
    torch.testing.assert_close(network.fused(0, state, reading), reading)


def test_parts_that_do_not_fit_are_refused() -> None:
    layers = [[chip(0), chip(1)], [chip(2)]]
    stages = Wiring((2, 1)).stages(layers, 1e-8)
    with pytest.raises(ModelError, match=r"chip 1\.0 has 1 inputs"):
        DopantNetwork([layers[0], [chip(2, ("e3",))]], stages)
    with pytest.raises(ModelError, match="0 stages between"):
        DopantNetwork(layers, [])
    with pytest.raises(ModelError, match="serves 2 of 1 chips"):
        DopantNetwork([[chip(0)], [chip(1, ("e3",))]], stages)
    with pytest.raises(ModelError, match="an electrode for each input"):
        Wiring((3, 1))
    with pytest.raises(ModelError, match="finite"):
        CurrentToVoltage(torch.tensor([float("nan")]), torch.zeros(1), -torch.ones(1), torch.ones(1))
    with pytest.raises(ModelError, match="lower first"):
        CurrentToVoltage(torch.ones(1), torch.zeros(1), torch.ones(1), -torch.ones(1))


def test_every_chip_of_a_network_is_another_specimen() -> None:
    network = dopant_network(Wiring((1, 1)), seed=3)
    first, second = (one for layer in network.layers for one in layer if isinstance(one, HoppingNetwork))
    assert not np.array_equal(first.layout.acceptors_m, second.layout.acceptors_m)
    # the second has the current of the first on one electrode, and holds the six others
    assert (network.widths, network.n_controls) == ((1, 1), 5 + 6)
    other = network.with_chips([[chip(0)], [chip(1, ("e3",))]])
    assert other.n_controls == 2 + 3
    torch.testing.assert_close(
        other.onward(0, torch.tensor([[1e-9]])), network.onward(0, torch.tensor([[1e-9]]))
    )


def test_controls_of_a_chip_in_an_order_of_their_own() -> None:
    one = Bend(2)
    parted, turned = one.with_inputs(["e3"]), one.with_inputs(["e3"], ["e4", "e1", "e2"])
    x, controls = torch.tensor([0.3]), torch.tensor([0.1, -0.4, 0.25])
    torch.testing.assert_close(turned(x, controls[[2, 0, 1]]), parted(x, controls))
    for wrong in (["e1", "e2"], ["e1", "e2", "e2"], ["e1", "e2", "e9"], ["e1", "e2", "e3"]):
        with pytest.raises(ModelError):
            one.with_inputs(["e3"], wrong)
