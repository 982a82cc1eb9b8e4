"""The emulated mesh in process satisfies the `Device` seam and answers as its physics says."""

import numpy as np
import torch

from calibration.device import Array, Device, Flag, Shuttered
from hil.devices import EmulatedMesh
from simulators.models.mesh import Fabrication, MeshLayout, PhotonicSpecimen, fabricate
from tests.conformance.device import DeviceConformance


def specimen(ports: int = 4, seed: int = 1, **fabrication: float) -> PhotonicSpecimen:
    made = Fabrication(**fabrication)  # type: ignore[arg-type]
    chip = fabricate(MeshLayout("rectangular", ports), made, seed)
    return PhotonicSpecimen(chip, made.drift_rad, seed)


class TestEmulatedMesh(DeviceConformance):
    def create_device(self) -> Device:
        return EmulatedMesh(specimen())


def test_powers_are_those_of_the_chip_within_the_noise() -> None:
    chip = specimen(drift_rad=0.0)
    device = EmulatedMesh(chip, noise_W=0.0, noise_relative=1e-4, dark_W=0.0)
    volts = np.linspace(0.0, 6.0, len(device.controls.names))
    device.set_controls(volts)
    inputs: Array = np.tile(np.linspace(0.5, 3.0, 4), (1, 50, 1))
    read = device.run(inputs)
    true = chip.chip(torch.as_tensor(inputs[0, 0]), torch.as_tensor(volts)).numpy()
    np.testing.assert_allclose(read.outputs[0].mean(axis=0), true, rtol=1e-4)
    np.testing.assert_allclose(
        read.taps["heater_currents"][0, 0],
        chip.chip.heaters.currents(torch.as_tensor(volts)).numpy(),
        rtol=1e-12,
    )


def test_a_saturated_detector_is_flagged_and_reads_its_end() -> None:
    device = EmulatedMesh(specimen(), full_scale_W=1e-6)
    read = device.run(np.full((1, 3, 4), 3.0))
    assert (read.flags == Flag.CLIPPED).all()
    assert read.outputs.max() == 1e-6


def test_in_the_dark_only_the_detectors_are_read_in_every_view() -> None:
    device = EmulatedMesh(specimen(), noise_W=0.0, dark_W=2e-10)
    assert isinstance(device, Shuttered)
    heated = device.with_inputs(device.controls.names[:1])
    device.light(False)
    device.rest()
    for view in (device, heated):
        dark = view.run(np.full((1, 1, len(view.inputs.names)), 3.0)).outputs
        assert (np.abs(dark / 2e-10 - 1.0) < 1.5).all()
    device.light(True)
    assert device.run(np.full((1, 1, 4), 3.0)).outputs.max() > 1e-6
