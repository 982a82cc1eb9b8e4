"""The emulated networks satisfy the `Device` seam, and their layers are parts of the same chip."""

import numpy as np
import pytest
import torch

from calibration.device import Device, Flag
from hil.devices import EmulatedMeshNetwork, EmulatedNoisyNetwork
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.optical import (
    ElectroOptic,
    MeshNetwork,
    NoiseLevels,
    NoisyNetwork,
    activation,
    fabricate_network,
)
from tests.conformance.device import DeviceConformance


def meshes(seed: int = 1, readout: int | None = 3) -> MeshNetwork:
    errors = Fabrication.perfect(splitter_rad=0.05, phase_rad=0.1)
    layout = MeshLayout("rectangular", 4)
    return fabricate_network(
        layout, errors, seed, meshes=3, activation=ElectroOptic(), readout=readout, screen_rad=1.0
    )


def noisy(level: float = 0.1) -> NoisyNetwork:
    return NoisyNetwork((3, 4, 5, 2), "tanh", NoiseLevels.uniform(3, level))


class TestEmulatedMeshNetwork(DeviceConformance):
    def create_device(self) -> Device:
        return EmulatedMeshNetwork(meshes())


class TestLayerOfMeshes(DeviceConformance):
    def create_device(self) -> Device:
        return EmulatedMeshNetwork(meshes()).layers[1]


class TestEmulatedNoisyNetwork(DeviceConformance):
    repeatability = 20.0  # of outputs that sum five units with weights of 2 and noise of 0.1

    def create_device(self) -> Device:
        return EmulatedNoisyNetwork(noisy())


class TestLayerOfNoise(DeviceConformance):
    repeatability = 2.0

    def create_device(self) -> Device:
        return EmulatedNoisyNetwork(noisy()).layers[0]


def test_powers_and_taps_are_those_of_the_network() -> None:
    network = meshes()
    device = EmulatedMeshNetwork(network, noise_relative=0.0, noise_floor=0.0)
    rng = np.random.default_rng(0)
    phases, inputs = rng.uniform(0.0, 6.0, network.n_controls), rng.standard_normal((2, 5, 8))
    device.set_controls(phases)
    read = device.run(inputs)
    states = network.powers(torch.as_tensor(inputs), torch.as_tensor(phases))
    np.testing.assert_allclose(read.outputs, states[2][..., :3], rtol=1e-12)
    np.testing.assert_allclose(read.taps["mesh0"], states[0], rtol=1e-12)
    np.testing.assert_allclose(read.taps["mesh1"], states[1], rtol=1e-12)
    assert not EmulatedMeshNetwork(network, taps=False).taps


def test_readings_have_the_noise_that_was_asked_for() -> None:
    device = EmulatedMeshNetwork(meshes(), noise_relative=0.02, noise_floor=0.0)
    read = device.run(np.ones((1, 4000, 8)))
    spread = read.outputs[0].std(axis=0) / read.outputs[0].mean(axis=0)
    np.testing.assert_allclose(spread, 0.02, rtol=0.05)
    again = EmulatedMeshNetwork(meshes(), noise_relative=0.02, noise_floor=0.0).run(np.ones((1, 4000, 8)))
    np.testing.assert_array_equal(read.outputs, again.outputs)


def test_a_fast_phase_answers_like_a_held_one() -> None:
    device = EmulatedMeshNetwork(meshes(), noise_relative=0.0, noise_floor=0.0)
    view = device.with_inputs(["1.p2_0"])
    settings = np.linspace(0.0, 6.0, 4)
    device.run(np.linspace(-1.0, 1.0, 8).reshape(1, 1, 8))  # the fields stay on
    fast = view.run(settings.reshape(1, 4, 1)).outputs[0]
    where = device.controls.names.index("1.p2_0")
    for value, answer in zip(settings, fast, strict=True):
        controls = np.zeros(len(device.controls.names))
        controls[where] = value
        device.set_controls(controls)
        held = device.run(np.linspace(-1.0, 1.0, 8).reshape(1, 1, 8)).outputs[0, 0]
        np.testing.assert_allclose(answer, held, rtol=1e-9)


@pytest.mark.parametrize("kind", ["meshes", "noisy"])
def test_layers_in_turn_are_the_network(kind: str) -> None:
    """A layer set and read on its own is the same part of the same chip, and counts on it."""
    device: EmulatedMeshNetwork | EmulatedNoisyNetwork
    if kind == "meshes":
        device = EmulatedMeshNetwork(meshes(readout=None), noise_relative=0.0, noise_floor=0.0)
    else:
        device = EmulatedNoisyNetwork(noisy(level=0.0))
    rng = np.random.default_rng(1)
    parts = [rng.uniform(0.0, 3.0, len(layer.controls.names)) for layer in device.layers]
    for layer, values in zip(device.layers, parts, strict=True):
        layer.set_controls(values)
    first = device.layers[0]
    inputs = rng.standard_normal((2, 3, len(first.inputs.names)))
    whole = device.run(inputs)
    alone = first.run(inputs)
    assert device.cost.readings == 12
    np.testing.assert_allclose(alone.outputs, whole.taps[next(iter(device.taps))], rtol=1e-9)
    if kind == "noisy":
        state = inputs
        for layer in device.layers:
            state = layer.run(state).outputs
        np.testing.assert_allclose(state, whole.outputs, rtol=1e-9)
    device.set_controls(np.concatenate(parts)[::-1])
    assert not np.allclose(first.run(inputs).outputs, alone.outputs)


def test_each_reading_of_a_noisy_network_is_another() -> None:
    device = EmulatedNoisyNetwork(noisy(level=0.3))
    device.set_controls(np.full(len(device.controls.names), 0.2))
    read = device.run(np.full((1, 20000, 3), 0.5)).outputs[0]
    # two outputs that share the weights differ by the noise of the last weighted sums alone
    np.testing.assert_allclose((read[:, 0] - read[:, 1]).std(), 0.3 * np.sqrt(2.0), rtol=0.03)


def test_a_saturated_detector_is_flagged() -> None:
    read = EmulatedMeshNetwork(meshes(), full_scale=1e-3).run(np.full((1, 2, 8), 5.0))
    assert (read.flags == Flag.CLIPPED).all()
    assert read.outputs.max() == 1e-3


def test_noise_that_is_none_is_refused() -> None:
    for wrong in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match="noise_relative"):
            EmulatedMeshNetwork(meshes(), noise_relative=wrong)


def test_a_lossless_linear_network_passes_all_the_light() -> None:
    full = MeshNetwork(meshes().chain, activation("identity"))
    read = EmulatedMeshNetwork(full, noise_relative=0.0, noise_floor=0.0).run(np.ones((1, 1, 8))).outputs
    np.testing.assert_allclose(read.sum(), 8.0, rtol=1e-12)


def test_no_waveform_gives_no_answer() -> None:
    device = EmulatedMeshNetwork(meshes())
    assert device.run(np.ones((0, 3, 8))).outputs.shape == (0, 3, 3)
    assert device.cost.readings == 0
