"""The conformance suite of the `Device` seam, for any chip, emulator or replayed run.

Subclass `DeviceConformance`, give it `create_device`, and let pytest collect the subclass:

    class TestMyChip(DeviceConformance):
        def create_device(self) -> Device:
            return MyChip(...)

A device that cannot take any waveform (a replayed run) also overrides `waveform` and `control_values`
with what it can. The device must be calibrated and at rest when it is handed over.
"""

import numpy as np
import numpy.typing as npt
import pytest

from calibration.device import Channels, Device, Flag, Waiting

Array = npt.NDArray[np.float64]


class DeviceConformance:
    """What every device does; SI units and shapes as `calibration.device` states them."""

    repeatability = 0.0
    """Largest difference of two readings of the same point beyond ten times the stated noise, absolute."""

    def create_device(self) -> Device:
        """A fresh device at rest."""
        raise NotImplementedError

    def waveform(self, device: Device, batch: int = 2, time: int = 20) -> Array:
        """A batch of waveforms within the limits, (batch, time, n_in): slow sines of different phases."""
        group = device.inputs
        middle, reach = (group.high + group.low) / 2.0, (group.high - group.low) / 2.0
        fastest_Hz = np.min(group.max_slew / np.maximum(reach, 1e-12)) / (2.0 * np.pi)
        rate_Hz = min(0.5 * fastest_Hz, device.sample_rate_Hz / 20.0)
        phase = 2.0 * np.pi * rate_Hz * np.arange(time) / device.sample_rate_Hz
        shift = np.arange(batch)[:, None] + 0.7 * np.arange(len(group.names))
        return np.asarray(middle + 0.8 * reach * np.sin(phase[None, :, None] + shift[:, None, :]))

    def control_values(self, device: Device) -> Array:
        """Control values within the limits, (n_controls,)."""
        group = device.controls
        return np.asarray(group.low + 0.6 * (group.high - group.low))

    @pytest.fixture
    def device(self) -> Device:
        return self.create_device()

    def test_it_has_the_shape_of_a_device(self, device: Device) -> None:
        assert isinstance(device, Device)
        assert {"kind", "name"} <= set(device.identity)
        assert all(isinstance(text, str) for text in device.identity.values())
        assert device.sample_rate_Hz > 0.0
        assert all(isinstance(part, Device) for part in device.layers)

    def test_channel_groups_state_their_limits(self, device: Device) -> None:
        assert device.inputs.names
        assert device.outputs.names
        for group in (device.inputs, device.controls, device.outputs, *device.taps.values()):
            self._check_group(group)
        assert not set(device.inputs.names) & set(device.controls.names)

    @staticmethod
    def _check_group(group: Channels) -> None:
        n = len(group.names)
        assert len(set(group.names)) == n
        assert group.low.shape == group.high.shape == group.max_slew.shape == (n,)
        assert (group.low <= group.high).all()
        assert (group.max_slew > 0.0).all()
        assert group.settling_s >= 0.0
        assert group.noise is None or group.noise >= 0.0

    def test_a_batch_of_waveforms_gives_a_batch_of_traces(self, device: Device) -> None:
        device.set_controls(self.control_values(device))
        waveform = self.waveform(device)
        response = device.run(waveform)
        assert response.inputs.shape == waveform.shape
        np.testing.assert_allclose(response.inputs, waveform, atol=1e-6)
        assert response.outputs.shape == (*waveform.shape[:2], len(device.outputs.names))
        assert response.outputs.dtype == np.float64
        assert np.isfinite(response.outputs).all()
        assert response.flags.shape == waveform.shape[:2]
        assert response.flags.dtype == np.uint8
        assert not (response.flags & ~np.uint8(sum(Flag))).any()
        for name, group in device.taps.items():
            assert response.taps[name].shape == (*waveform.shape[:2], len(group.names))

    def test_it_does_not_change_what_it_is_given(self, device: Device) -> None:
        waveform, controls = self.waveform(device), self.control_values(device)
        kept = waveform.copy(), controls.copy()
        device.set_controls(controls)
        device.run(waveform)
        np.testing.assert_array_equal(waveform, kept[0])
        np.testing.assert_array_equal(controls, kept[1])

    def test_the_same_waveform_gives_the_same_answer_within_the_noise(self, device: Device) -> None:
        device.set_controls(self.control_values(device))
        waveform = self.waveform(device, batch=1)
        first, second = device.run(waveform), device.run(waveform)
        allowed = self.repeatability + 10.0 * (device.outputs.noise or 0.0) + 1e-6 * np.ptp(first.outputs)
        assert np.abs(first.outputs - second.outputs).max() <= allowed

    def test_readings_and_time_are_counted(self, device: Device) -> None:
        device.set_controls(self.control_values(device))
        before = device.cost
        waveform = self.waveform(device)
        device.run(waveform)
        after = device.cost
        samples = waveform.shape[0] * waveform.shape[1]
        assert after.readings - before.readings == samples
        assert after.chip_time_s - before.chip_time_s >= 0.99 * samples / device.sample_rate_Hz

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
    def test_a_waveform_that_is_no_voltage_is_refused(self, device: Device, bad: float) -> None:
        waveform = self.waveform(device)
        waveform[1, 3, 0] = bad
        self._refuses(device, waveform)

    def test_a_waveform_outside_the_range_is_refused(self, device: Device) -> None:
        for limit, sign in ((device.inputs.high, 1.0), (device.inputs.low, -1.0)):
            waveform = self.waveform(device, batch=1)
            waveform[0, :, 0] = limit[0] + sign * 1e-3
            self._refuses(device, waveform)

    def test_a_waveform_that_is_too_fast_is_refused(self, device: Device) -> None:
        group = device.inputs
        step = 1.01 * group.max_slew / device.sample_rate_Hz
        if not (step < group.high - group.low).any():
            pytest.skip("no step within the range is too fast for this device")
        j = int(np.argmax(step < group.high - group.low))
        waveform = np.tile((group.low + group.high) / 2.0, (1, 20, 1))
        waveform[0, :10, j] -= step[j] / 2.0
        waveform[0, 10:, j] += step[j] / 2.0
        self._refuses(device, waveform)

    @pytest.mark.parametrize("cut", ["one axis too few", "one channel too many", "no time"])
    def test_a_waveform_of_the_wrong_shape_is_refused(self, device: Device, cut: str) -> None:
        waveform = self.waveform(device)
        wrong = {
            "one axis too few": waveform[0],
            "one channel too many": np.concatenate([waveform, waveform[..., :1]], axis=2),
            "no time": waveform[:, :0],
        }[cut]
        self._refuses(device, wrong)

    @staticmethod
    def _refuses(device: Device, waveform: Array) -> None:
        before = device.cost
        with pytest.raises(ValueError, match=r".+"):
            device.run(waveform)
        assert device.cost == before, "a refused waveform must cost nothing"

    def test_controls_outside_the_limits_are_refused(self, device: Device) -> None:
        if not device.controls.names:
            pytest.skip("no controls")
        good = self.control_values(device)
        for bad in (np.nan, np.inf, device.controls.high[0] + 1e-3, device.controls.low[0] - 1e-3):
            values = good.copy()
            values[0] = bad
            with pytest.raises(ValueError, match=r".+"):
                device.set_controls(values)
        for values in (good[:-1], np.append(good, good[0]), good[None]):
            with pytest.raises(ValueError, match=r".+"):
                device.set_controls(values)

    def test_channels_can_change_sides(self, device: Device) -> None:
        if not device.controls.names:
            pytest.skip("no controls")
        names = (*device.inputs.names, *device.controls.names)
        other = device.with_inputs([device.controls.names[-1]])
        assert isinstance(other, Device)
        assert other.inputs.names == (device.controls.names[-1],)
        assert sorted((*other.inputs.names, *other.controls.names)) == sorted(names)
        with pytest.raises(ValueError, match=r".+"):
            device.with_inputs(["no such channel"])

    def test_a_wait_holds_everything_and_spends_nothing(self, device: Device) -> None:
        if not isinstance(device, Waiting):
            pytest.skip("it cannot wait")
        device.set_controls(self.control_values(device))
        waveform = self.waveform(device, batch=1)
        first, before = device.run(waveform), device.cost
        device.wait(0.05)
        assert device.cost == before
        second = device.run(waveform)
        allowed = self.repeatability + 10.0 * (device.outputs.noise or 0.0) + 1e-6 * np.ptp(first.outputs)
        assert np.abs(first.outputs - second.outputs).max() <= allowed
        with pytest.raises(ValueError, match="wait"):
            device.wait(-1.0)

    def test_rest_can_be_repeated(self, device: Device) -> None:
        device.set_controls(self.control_values(device))
        device.rest()
        device.rest()
        device.set_controls(self.control_values(device))
        device.run(self.waveform(device))
