"""The emulated diffractive network satisfies the `Device` seam and reads the light of the true network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from calibration.device import Device, Flag
from calibration.errors import PlanError
from hil.devices import EmulatedDiffractive
from simulators.models.diffraction import (
    Assembly,
    DiffractiveDesign,
    DiffractiveNetwork,
    Grid,
    LookUpTable,
    Region,
    assemble,
)
from tests.conformance.device import DeviceConformance

DESIGN = DiffractiveDesign(
    grid=Grid((16, 16), 8e-6),
    wavelength_m=532e-9,
    distances_m=(3e-3, 3e-3, 3e-3),
    pixels=(4, 4),
    input_region=Region(4, 4, 8, 8),
    input_pixels=(2, 2),
    detectors={"left": Region(4, 2, 8, 5), "right": Region(4, 9, 8, 5)},
    power_W=20e-9,
)
QUIET = {"noise_relative": 0.0, "electron_W": 0.0, "noise_floor_W": 0.0}


def misassembled(table: LookUpTable | None = None) -> DiffractiveNetwork:
    return assemble(DESIGN, Assembly(rotation_rad=0.02), 3, table)


class TestEmulatedDiffractive(DeviceConformance):
    def create_device(self) -> Device:
        return EmulatedDiffractive(misassembled())


class TestWithCamerasAndLevels(DeviceConformance):
    def create_device(self) -> Device:
        return EmulatedDiffractive(misassembled(LookUpTable.of_curve(64, 6.2)), taps=True)


def test_powers_and_taps_are_those_of_the_network() -> None:
    network = misassembled()
    device = EmulatedDiffractive(network, taps=True, **QUIET)
    rng = np.random.default_rng(0)
    phases, inputs = rng.uniform(0.0, 6.0, network.n_controls), rng.random((2, 5, 4))
    device.set_controls(phases)
    read = device.run(inputs)
    inner, outputs = network.chained(torch.as_tensor(inputs), torch.as_tensor(phases))
    np.testing.assert_allclose(read.outputs, outputs, rtol=1e-12)
    np.testing.assert_allclose(read.taps["plane0"], inner, rtol=1e-12)
    assert device.outputs.names == ("left", "right")
    assert device.controls.names[17] == "p1_0_1"
    assert not EmulatedDiffractive(network).taps


@pytest.mark.parametrize("kind", ["noise_relative", "electron_W", "noise_floor_W"])
def test_readings_have_the_noise_that_was_asked_for(kind: str) -> None:
    level = {"noise_relative": 0.02, "electron_W": 1e-13, "noise_floor_W": 1e-11}[kind]
    device = EmulatedDiffractive(misassembled(), **{**QUIET, kind: level})
    read = device.run(np.ones((1, 4000, 4))).outputs[0]
    mean_W = read.mean(axis=0)
    expected = {"noise_relative": level * mean_W, "electron_W": np.sqrt(level * mean_W)}.get(kind, level)
    np.testing.assert_allclose(read.std(axis=0), expected, rtol=0.05)


def test_a_network_in_single_precision_is_read_in_it() -> None:
    single = assemble(DESIGN, Assembly(), 3, dtype=torch.complex64)
    double = assemble(DESIGN, Assembly(), 3)
    one, other = (EmulatedDiffractive(network, **QUIET) for network in (single, double))
    inputs = np.random.default_rng(0).random((1, 3, 4))
    np.testing.assert_allclose(one.run(inputs).outputs, other.run(inputs).outputs, rtol=1e-4)


def test_a_saturated_detector_is_flagged() -> None:
    read = EmulatedDiffractive(misassembled(), full_scale_W=1e-12).run(np.ones((1, 2, 4)))
    assert (read.flags == Flag.CLIPPED).all()
    assert read.outputs.max() == 1e-12


def test_noise_that_is_none_is_refused() -> None:
    for wrong in (-0.1, np.nan, np.inf):
        with pytest.raises(PlanError, match="noise_relative"):
            EmulatedDiffractive(misassembled(), noise_relative=wrong)


def test_a_dark_pattern_gives_no_light() -> None:
    device = EmulatedDiffractive(assemble(replace(DESIGN, power_W=1.0), Assembly(), 3), **QUIET)
    assert device.run(np.zeros((1, 1, 4))).outputs.max() == 0.0
