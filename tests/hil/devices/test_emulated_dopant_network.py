"""The emulated network of dopant chips satisfies the `Device` seam, and each of its chips is one too."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from calibration.device import Device
from hil.devices import EmulatedDopantNetwork
from simulators.models.dopant_network import DopantNetwork, Wiring, dopant_network
from simulators.models.imperfections import Imperfections
from simulators.models.threads import one_thread
from tests.conformance.device import DeviceConformance


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def network() -> DopantNetwork:
    return dopant_network(Wiring((2, 1)), seed=1)


def ideal(network: DopantNetwork, **more: float) -> EmulatedDopantNetwork:
    return EmulatedDopantNetwork(network, imperfections=Imperfections.none(), **more)  # type: ignore[arg-type]


class TestNetwork(DeviceConformance):
    @pytest.fixture
    def device(self, network: DopantNetwork) -> Device:
        return ideal(network, settling_s=5e-4)


class TestLayer(DeviceConformance):
    @pytest.fixture
    def device(self, network: DopantNetwork) -> Device:
        return ideal(network).layers[0]


class TestChip(DeviceConformance):
    @pytest.fixture
    def device(self, network: DopantNetwork) -> Device:
        return ideal(network).layers[0].layers[1]


class TestNetworkWithNoise(DeviceConformance):
    repeatability = 2e-8  # noisy chips one behind the other

    @pytest.fixture
    def device(self, network: DopantNetwork) -> Device:
        return EmulatedDopantNetwork(network)


def settings(device: Device, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform(device.controls.low, device.controls.high)


def points(device: Device) -> np.ndarray:
    return np.random.default_rng(1).uniform(device.inputs.low, device.inputs.high, (1, 6, 2)) * 0.05


def test_without_imperfections_it_is_its_model(network: DopantNetwork) -> None:
    device = ideal(network)
    controls, x = settings(device), points(device)
    device.set_controls(controls)
    read = device.run(x)
    with torch.no_grad():
        seen = network.chained(torch.as_tensor(x[0]), torch.as_tensor(controls))
    largest = float(seen[-1].abs().max())
    np.testing.assert_allclose(read.outputs[0], seen[-1], atol=1e-6 * largest)
    for name, values in zip(network.tap_names, seen, strict=False):
        np.testing.assert_allclose(read.taps[name][0], values, atol=1e-6 * float(values.abs().max()))
    assert not EmulatedDopantNetwork(network, taps=False).taps
    assert device.controls.names[:5] == ("0.0.e1", "0.0.e2", "0.0.e5", "0.0.e6", "0.0.e7")


def test_layers_and_chips_in_turn_are_the_network(network: DopantNetwork) -> None:
    device = ideal(network)
    controls, x = settings(device), points(device)
    place, state = 0, x
    for k, layer in enumerate(device.layers):
        assert len(layer.layers) == network.widths[k]
        for one in layer.layers:
            assert one.inputs.names == ("e3", "e4")
            one.set_controls(controls[place : place + 5])
            place += 5
        currents = layer.run(state).outputs
        alone = np.concatenate([one.run(state).outputs for one in layer.layers], axis=-1)
        np.testing.assert_allclose(currents, alone, atol=1e-6 * np.abs(alone).max())
        if k < 1:
            state = network.onward(k, torch.as_tensor(currents)).numpy()
    whole = device.run(x)  # its controls were set chip by chip
    np.testing.assert_allclose(whole.outputs, currents, atol=1e-5 * np.abs(currents).max())
    assert device.cost.readings == (2 + 3 + 1) * 6
    fast = device.with_inputs(["1.0.e5"])
    held = fast.run(np.full((1, 1, 1), controls[device.controls.names.index("1.0.e5")]))
    np.testing.assert_allclose(held.outputs[0, 0], whole.outputs[0, -1], atol=1e-5 * np.abs(currents).max())


def test_every_chip_has_noise_and_drift_of_its_own(network: DopantNetwork) -> None:
    quiet = Imperfections.none()
    drifting = Imperfections(**{**vars(quiet), "gain_drift": 1.0})
    device = EmulatedDopantNetwork(network, imperfections=drifting, sample_rate_Hz=0.01)
    first = device.layers[0]
    first.set_controls(settings(first))
    read = first.run(np.full((1, 40, 2), -0.1)).outputs[0]
    relative = read / read[0] - 1.0
    assert (np.abs(relative[-1]) > 0.01).all()
    assert np.abs(relative[-1, 0] - relative[-1, 1]) > 0.01
    noisy = EmulatedDopantNetwork(network, seed=4).layers[0]
    noisy.set_controls(settings(noisy))
    read = noisy.run(np.full((1, 400, 2), -0.1)).outputs[0]
    spread = read.std(axis=0)
    asked = 0.012 * np.abs(read.mean(axis=0)) + 0.1e-9
    np.testing.assert_allclose(spread, asked, rtol=0.5)
    assert abs(np.corrcoef(read.T)[0, 1]) < 0.2


def test_chips_drift_while_they_are_left_alone(network: DopantNetwork) -> None:
    drifting = Imperfections(**{**vars(Imperfections.none()), "gain_drift": 1.0})

    def after(waited_s: float) -> np.ndarray:
        device = EmulatedDopantNetwork(network, imperfections=drifting)
        chip = device.layers[0].layers[0]
        device.layers[0].set_controls(settings(device.layers[0]))
        device.wait(waited_s)
        return np.asarray(chip.run(np.full((1, 1, 2), -0.1)).outputs[0, 0])

    assert abs(after(0.0) / after(0.0) - 1.0) < 1e-9
    assert abs(after(4e3) / after(0.0) - 1.0) > 0.01
