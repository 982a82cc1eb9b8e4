"""The emulator in process and a replayed recording satisfy the same seam as a chip's driver."""

from collections.abc import Mapping

import numpy as np
import pytest

from calibration.device import Array, ChannelGroup, Device
from calibration.errors import NotEnoughData, OutsideData, ShapeError
from hil.devices import EmulatedDevice, ReplayedDevice
from tests.conformance.device import DeviceConformance

ELECTRODES = ChannelGroup(
    ("e1", "e2", "e3"), "V", np.array([-1.0, -1.0, -0.5]), np.array([0.5, 1.0, 0.5]), np.full(3, 40.0)
)
OUTPUTS = ChannelGroup(("e4",), "A", np.array([-np.inf]), np.array([np.inf]), np.array([np.inf]))


def current(voltages: Array) -> Array:
    """A response with an answer known in closed form."""
    return 1e-8 * (voltages[..., 0] * voltages[..., 1] + np.tanh(voltages[..., 2]))


class Analytic:
    """An emulated chip without noise that remembers when it was observed."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def observe(self, voltages: Array, times_s: Array) -> Array:
        self.times += times_s.tolist()
        return current(voltages)


def emulated() -> EmulatedDevice:
    return EmulatedDevice(Analytic(), ELECTRODES, "e4", 1000.0)


def recording(points: int = 60_000, **more: float) -> ReplayedDevice:
    rng = np.random.default_rng(3)
    inputs = rng.uniform(ELECTRODES.low, ELECTRODES.high, (points, 3))
    identity: Mapping[str, str] = {"kind": "dnpu", "name": "recorded"}
    flags = np.zeros(points, dtype=np.uint8)
    return ReplayedDevice(
        identity, ELECTRODES, OUTPUTS, inputs, current(inputs)[:, None], flags, 1000.0, **more
    )


class TestEmulatedDevice(DeviceConformance):
    def create_device(self) -> Device:
        return emulated().with_inputs(["e1", "e2"])


class TestReplayedDevice(DeviceConformance):
    def create_device(self) -> Device:
        return recording().with_inputs(["e1", "e2"])


def test_the_emulator_answers_with_the_chip() -> None:
    device = emulated().with_inputs(["e2"])
    device.set_controls(np.array([0.5, -0.25]))
    wave = np.linspace(-0.2, 0.2, 30).reshape(1, 30, 1)
    expected = current(np.stack([np.full(30, 0.5), wave[0, :, 0], np.full(30, -0.25)], axis=-1))
    np.testing.assert_allclose(device.run(wave).outputs[0, :, 0], expected, rtol=1e-12)


def test_a_wait_passes_on_the_chips_time_in_all_views_and_is_no_time_driven() -> None:
    chip = Analytic()
    device = EmulatedDevice(chip, ELECTRODES, "e4", 1000.0)
    view = device.with_inputs(["e1"])
    device.run(np.zeros((1, 2, 3)))
    view.wait(3600.0)
    device.run(np.zeros((1, 2, 3)))
    np.testing.assert_allclose(chip.times, [0.001, 0.002, 3600.003, 3600.004])
    assert device.cost.chip_time_s == pytest.approx(0.004)


def test_the_chips_time_runs_on_through_all_views() -> None:
    chip = Analytic()
    device = EmulatedDevice(chip, ELECTRODES, "e4", 1000.0)
    device.run(np.zeros((2, 5, 3)))
    device.with_inputs(["e1"]).run(np.zeros((1, 5, 1)))
    np.testing.assert_allclose(chip.times, np.arange(1, 16) / 1000.0)
    assert device.cost.readings == 15


def test_a_recorded_point_answers_as_it_was_measured_and_a_near_one_says_how_far() -> None:
    device = recording()
    exact = np.zeros((1, 8, 3))
    answer = device.run(exact)
    assert (answer.taps["distance"] > 0).all()
    assert (answer.taps["distance"] < 0.05).all()
    assert np.abs(answer.outputs[0, :, 0] - current(exact[0])).max() < 1e-9


def test_where_nothing_was_recorded_it_refuses() -> None:
    with pytest.raises(OutsideData, match=r"nothing was recorded within 0\.01 of e1 0\.000 V"):
        recording(points=50, reach=0.01).run(np.zeros((1, 1, 3)))


def test_a_recording_without_a_usable_sample_is_refused() -> None:
    nan = np.full((3, 3), np.nan)
    with pytest.raises(NotEnoughData):
        ReplayedDevice({}, ELECTRODES, OUTPUTS, nan, nan[:, :1], np.zeros(3, dtype=np.uint8), 1e3)


def test_an_electrode_that_is_not_there_is_named() -> None:
    with pytest.raises(ShapeError, match="no electrode 'e9'; this chip has e1, e2, e3"):
        emulated().with_inputs(["e9"])
