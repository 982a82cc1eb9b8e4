"""Heater voltages make the phases that were asked for, crosstalk and all, within the heaters' limits."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from calibration.mesh import MeshCalibration
from calibration.mesh.heating import heat_for
from simulators.models.mesh import Fabrication, MeshLayout, fabricate


def calibration(seed: int = 0, **fabrication: float) -> MeshCalibration:
    chip = fabricate(MeshLayout("rectangular", 5), Fabrication(**fabrication), seed)
    return MeshCalibration.blank({"kind": "mesh", "name": "chip"}, chip)


def made(known: MeshCalibration, volts: np.ndarray) -> np.ndarray:
    heaters = known.twin.heaters
    return heaters.phases(heaters.powers(torch.as_tensor(volts))).detach().numpy()


def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs((one - other + np.pi) % (2 * np.pi) - np.pi)


@pytest.mark.parametrize("crosstalk", [0.0, 0.01, 0.05])
def test_the_phases_are_made_whatever_the_neighbours_heat(crosstalk: float) -> None:
    known = calibration(crosstalk=crosstalk, high_V=12.0)
    wanted = 2 * np.pi * np.random.default_rng(1).random(len(known.shifters))
    heating = heat_for(known, torch.as_tensor(wanted), np.full(len(wanted), 12.0))
    assert not heating.beyond
    assert not heating.idle
    assert heating.volts.min() >= 0.0
    assert apart(made(known, heating.volts), wanted).max() < 1e-9
    assert apart(0.0 * wanted, heating.off_rad).max() < 1e-9
    powers = known.twin.heaters.powers(torch.as_tensor(heating.volts)).detach().numpy()
    assert heating.total_W == pytest.approx(powers.sum())
    # nobody heats a whole turn more than it must
    assert (powers < 2 * np.pi / known.twin.heaters.gamma_rad_per_W.numpy() * 1.001 + 0.05).all()


def test_a_failed_heater_stays_cold_and_the_others_make_their_phases_without_it() -> None:
    known = calibration(crosstalk=0.02, high_V=12.0)
    shifters = tuple(one.failed("open") if one.name == "t1_1" else one for one in known.shifters)
    known = replace(known, shifters=shifters)
    wanted = np.linspace(0.5, 6.0, len(shifters))
    heating = heat_for(known, torch.as_tensor(wanted), np.full(len(wanted), 12.0))
    row = [one.name for one in shifters].index("t1_1")
    assert heating.idle == ("t1_1",)
    assert heating.volts[row] == 0.0
    away = apart(made(known, heating.volts), wanted)
    assert np.delete(away, row).max() < 1e-9
    assert away[row] == pytest.approx(abs(heating.off_rad[row]), abs=1e-9)


def test_a_heater_that_would_pass_its_limit_stays_there_and_is_named() -> None:
    known = calibration(crosstalk=0.0)
    wanted = np.full(len(known.shifters), 3.0)
    wanted[2] = 6.2
    high = np.full(len(wanted), 9.0)
    high[2] = 4.0
    heating = heat_for(known, torch.as_tensor(wanted), high)
    assert heating.beyond == (known.shifters[2].name,)
    assert heating.volts[2] == pytest.approx(4.0)
    assert abs(heating.off_rad[2]) > 0.1
