"""Target matrices on a fabricated chip whose twin is exact, so that what is left is the method's."""

import numpy as np
import pytest
import torch
from scipy.stats import unitary_group

from calibration.mesh.deploy import deploy
from calibration.mesh.drive import HeaterLimits
from simulators.errors import ModelError
from simulators.models.mesh import Fabrication, MeshLayout, PhotonicChip, fabricate

LAYOUT = MeshLayout("rectangular", 8)
TARGET = unitary_group.rvs(8, random_state=5)


def chip(**changed: float | None) -> PhotonicChip:
    return fabricate(LAYOUT, Fabrication(**changed), seed=11)


def test_correction_beats_the_uncorrected_setting_on_powers_read_from_the_chip():
    real = chip(modulator_floor=0.0)
    aims = np.abs(TARGET) ** 2
    off = {}
    for correct in (False, True):
        found = deploy(TARGET, real, correct=correct)
        # One port lit at a time: what the detectors get of it, freed of their ports' losses.
        shut = real.modulators.closed_V
        lit = shut + torch.diag(real.modulators.half_wave_V)
        shares = (real(lit, torch.as_tensor(found.drive.volts)) / real.port_transmission).detach().numpy()
        shares /= shares.sum(axis=1, keepdims=True)
        off[correct] = 0.5 * np.abs(shares.T - aims).sum(axis=0).mean()
        assert found.total_variation == pytest.approx(off[correct], abs=1e-9)
        assert found.amplitude_fidelity == pytest.approx(
            np.sqrt(shares.T * aims).sum(axis=0).mean(), abs=1e-9
        )
    assert off[True] < 0.25 * off[False]


def test_the_output_phases_complete_the_target():
    found = deploy(TARGET, chip(mzi_loss_dB=0.0, mzi_loss_spread_dB=0.0, splitter_rad=0.0))
    whole = torch.polar(torch.ones_like(found.output), found.output)[:, None] * found.matrix
    np.testing.assert_allclose(whole.numpy(), TARGET, atol=1e-9)
    assert found.fidelity == pytest.approx(1.0, abs=1e-12)
    assert not found.drive.unreached
    assert not found.clipped


def test_refinement_makes_up_for_dead_heaters():
    real = chip(splitter_rad=0.05)
    dead = [LAYOUT.shifters[k] for k in (3, 30, 41)]
    plain = deploy(TARGET, real, dead=dead)
    refined = deploy(TARGET, real, dead=dead, refinement=60)
    assert {one.name for one in plain.drive.unreached} == set(dead)
    assert {one.name for one in refined.drive.unreached} == set(dead)
    assert refined.fidelity > 0.5 + 0.5 * plain.fidelity
    for k in (3, 30, 41):
        assert refined.drive.volts[k] == 0.0
    assert (refined.drive.volts <= real.heaters.high_V.numpy()).all()


def test_refinement_makes_up_for_clipped_mzis_and_losses():
    real = chip(splitter_rad=0.2)
    plain, refined = deploy(TARGET, real), deploy(TARGET, real, refinement=60)
    assert plain.clipped
    assert 1.0 - refined.fidelity < 0.3 * (1.0 - plain.fidelity)


def test_eight_bits_cost_little():
    fine, coarse = deploy(TARGET, chip()), deploy(TARGET, chip(bits=8))
    assert coarse.fidelity < fine.fidelity
    assert coarse.amplitude_fidelity > 0.99


def test_limits_and_targets_are_checked():
    with pytest.raises(ValueError, match=r"0\.100 W are allowed"):
        deploy(TARGET, chip(), limits=HeaterLimits(total_W=0.1))
    with pytest.raises(ModelError, match="9 x 9 does not fit a mesh of 8 ports"):
        deploy(np.eye(9), chip())
