"""Plateaus asked of a chip that lags, has noise and slew limits, and clips."""

import numpy as np
import pytest

from calibration.device import Array, ChannelGroup, Response
from calibration.errors import PlanError
from calibration.tuning import Plateaus
from hil.devices import EmulatedDevice
from tests.calibration.tasks.synthetic import BumpDevice

ELECTRODES = ChannelGroup(
    ("a", "b", "c"), "V", np.array([-1.0, -0.8, 0.2]), np.array([0.6, 0.8, 0.9]), np.full(3, 20.0)
)
POINTS = np.array([[-0.6, 0.7], [0.5, -0.7], [-0.9, -0.1], [0.1, 0.3], [0.5, 0.7]])


def product(volts: Array) -> Array:
    return 1e-8 * (volts[..., 0] * volts[..., 1] + volts[..., 2])


class Lagging:
    """A product of voltages, seen through a low-pass of 2 ms; remembers what it was driven with."""

    def __init__(self, noise_A: float = 0.0) -> None:
        self.noise_A, self.rng, self.seen_A = noise_A, np.random.default_rng(0), 0.0
        self.driven: list[Array] = []

    def observe(self, voltages: Array, times_s: Array) -> Array:
        self.driven.append(voltages)
        read = np.empty(len(times_s))
        for k, current in enumerate(product(voltages)):
            self.seen_A += (1.0 - np.exp(-0.5)) * (current - self.seen_A)
            read[k] = self.seen_A
        return read + self.noise_A * self.rng.standard_normal(len(read))


def lab(noise_A: float = 0.0) -> tuple[EmulatedDevice, Lagging]:
    chip = Lagging(noise_A)
    device = EmulatedDevice(chip, ELECTRODES, "e", 1000.0).with_inputs(["a", "b"])
    device.set_controls(np.array([0.4]))
    return device, chip


def expected() -> Array:
    return product(np.column_stack((POINTS, np.full(len(POINTS), 0.4))))


def test_settled_readings_of_each_point_in_the_order_asked_for() -> None:
    device, _ = lab()
    slow = Plateaus.of(device, plateau_s=0.04, settling_s=0.02, repeats=3)
    np.testing.assert_allclose(slow(device, POINTS).outputs[:, 0], expected(), atol=1e-13)
    hasty = Plateaus.of(device, plateau_s=0.02, settling_s=0.0, repeats=3)
    assert np.abs(hasty(device, POINTS).outputs[:, 0].numpy() - expected()).max() > 1e-11


def test_it_says_what_it_costs_and_starts_and_ends_at_rest() -> None:
    device, chip = lab()
    for asking in (
        Plateaus.of(device, plateau_s=0.01, settling_s=0.002),
        Plateaus.of(device, plateau_s=0.01, settling_s=0.002, points=POINTS, repeats=4),
    ):
        before = device.cost.readings
        asking(device, POINTS)  # the device itself refuses what is faster than its slew limits
        assert device.cost.readings - before == asking.cost(len(POINTS))
        wave = chip.driven[-1]
        np.testing.assert_array_equal(wave[[0, -1], :2], 0.0)
        assert np.abs(np.diff(wave, axis=0)).max() <= 0.9 * 20.0 / 1000.0 * (1.0 + 1e-9)
    wide = Plateaus.of(device, plateau_s=0.01, settling_s=0.002)
    assert wide.cost(5) > Plateaus.of(device, plateau_s=0.01, settling_s=0.002, points=POINTS).cost(5)


def test_readings_and_repeats_are_averaged() -> None:
    device, _ = lab(noise_A=1e-9)
    asking = Plateaus.of(device, plateau_s=0.03, settling_s=0.02, repeats=2)
    read = np.array([asking(device, POINTS).outputs[:, 0].numpy() - expected() for _ in range(100)])
    # 20 readings a point: 500 means of them, so their spread is known to 3 %
    assert read.std() == pytest.approx(1e-9 / np.sqrt(20.0), rel=0.12)


def test_the_order_is_drawn_and_a_function_of_the_points() -> None:
    device, chip = lab()
    asking = Plateaus.of(device, plateau_s=0.01, settling_s=0.002, repeats=3)

    def order(points: Array) -> list[int]:
        asking(device, points)
        where = asking.holding.owners(3 * len(points), at_rest=True)
        first = [int(np.flatnonzero(where == k)[0]) for k in range(3 * len(points))]
        return [int(np.abs(points - chip.driven[-1][k, :2]).sum(axis=1).argmin()) for k in first]

    once = order(POINTS)
    assert order(POINTS) == once
    assert all(sorted(once[k : k + 5]) == [0, 1, 2, 3, 4] for k in (0, 5, 10))
    assert len({tuple(once[k : k + 5]) for k in (0, 5, 10)}) > 1
    moved = POINTS[::-1].copy()
    assert [4 - k for k in order(moved)] != once


def test_flagged_readings_are_left_out() -> None:
    chip = BumpDevice(clip_A=9e-9).with_inputs(["a", "b"])
    chip.set_controls(np.array([0.31, -0.2, 0.0]))
    points = np.array([[-0.2, -0.2], [-0.2, 0.2]])  # 0 and 10 nA
    reading = Plateaus.of(chip, plateau_s=0.01)(chip, points)
    assert reading.usable.tolist() == [True, False]

    class Fitful(BumpDevice):
        def run(self, inputs: Array) -> Response:
            answer = super().run(inputs)
            bad = np.arange(inputs.shape[1]) % 2 == 0
            answer.outputs[0, bad] = 1.0
            return Response(inputs, answer.outputs, bad[None].astype(np.uint8))

    fitful = Fitful()
    fitful.set_controls(np.array([0.31, -0.2, 0.0]))
    reading = Plateaus.of(fitful, plateau_s=0.01)(fitful, points)
    np.testing.assert_allclose(reading.outputs[:, 0], [0.0, 10e-9], atol=1e-15)
    assert reading.usable.all()


def test_what_cannot_be_read_is_refused() -> None:
    device, _ = lab()
    with pytest.raises(PlanError, match="lengthen the plateau"):
        Plateaus.of(device, plateau_s=0.01, settling_s=0.01)
    with pytest.raises(PlanError, match="repeats"):
        Plateaus.of(device, plateau_s=0.01, repeats=0)
