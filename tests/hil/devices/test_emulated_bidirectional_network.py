"""The bidirectional network is the network, seen from inside, and counts what it reads."""

import numpy as np
import pytest

from calibration.device import Device, Flag
from calibration.errors import PlanError, ShapeError
from calibration.tuning import Bidirectional
from hil.devices import EmulatedBidirectionalNetwork
from tests.conformance.device import DeviceConformance
from tests.hil.devices.test_emulated_networks import meshes

QUIET = {"noise_relative": 0.0, "noise_floor": 0.0, "field_noise": 0.0}


class TestEmulatedBidirectionalNetwork(DeviceConformance):
    def create_device(self) -> Device:
        return EmulatedBidirectionalNetwork(meshes())


def lit(**noise: float) -> tuple[EmulatedBidirectionalNetwork, np.ndarray]:  # type: ignore[type-arg]
    device, rng = EmulatedBidirectionalNetwork(meshes(), **(QUIET | noise)), np.random.default_rng(0)
    device.set_controls(rng.uniform(0.0, 6.0, len(device.controls.names)))
    return device, rng.standard_normal((5, 8))


def test_what_goes_through_is_what_a_run_reads() -> None:
    device, inputs = lit()
    assert isinstance(device, Bidirectional)
    whole, there = device.run(inputs[None]), device.traverse(inputs)
    assert device.cost.readings == 10
    np.testing.assert_allclose(there.outputs, whole.outputs[0])
    for k, name in enumerate(("mesh0", "mesh1")):
        np.testing.assert_allclose(np.abs(there.passages[k].behind) ** 2, whole.taps[name][0])
    # each mesh alone does to the same light the same
    for k, passage in enumerate(there.passages):
        alone = device.send(k, passage.before)
        np.testing.assert_allclose(alone.behind, passage.behind)
        np.testing.assert_allclose(alone.shifters, passage.shifters)
    assert device.cost.readings == 25


def test_light_goes_back_by_the_transpose() -> None:
    device, _ = lit()
    one = np.eye(4, dtype=np.complex128)
    for k in range(3):
        forth, back = device.send(k, one), device.send(k, one, backward=True)
        np.testing.assert_allclose(back.behind, forth.behind.T, atol=1e-12)


def test_receivers_and_taps_have_their_noise() -> None:
    device, inputs = lit(noise_floor=0.02, field_noise=0.05)
    quiet, _ = lit()
    many = np.tile(inputs[:1], (4000, 1))
    read, true = device.traverse(many).passages[1], quiet.traverse(inputs[:1]).passages[1]
    np.testing.assert_allclose((read.behind - true.behind).real.std(axis=0), 0.05, rtol=0.05)
    np.testing.assert_allclose((read.before - true.before).imag.std(axis=0), 0.05, rtol=0.05)
    np.testing.assert_allclose((read.shifters - true.shifters).std(axis=0), 0.02, rtol=0.05)


def test_too_much_light_is_flagged_or_refused() -> None:
    device, inputs = lit(full_scale=0.5)
    assert (device.traverse(inputs).flags == Flag.CLIPPED).all()
    before = device.cost.readings
    with pytest.raises(ShapeError, match="send less light"):
        device.send(1, np.full((1, 4), 60.0 + 0.0j))
    with pytest.raises(ShapeError, match="i0"):
        device.traverse(np.full((1, 8), 60.0))
    assert device.cost.readings == before
    with pytest.raises(PlanError, match="field_noise"):
        EmulatedBidirectionalNetwork(meshes(), field_noise=-1.0)


def test_the_same_seed_reads_the_same() -> None:
    one, inputs = lit(field_noise=0.1)
    other, _ = lit(field_noise=0.1)
    np.testing.assert_array_equal(
        one.traverse(inputs).passages[2].behind, other.traverse(inputs).passages[2].behind
    )
