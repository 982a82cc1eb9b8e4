"""Voltages for phases: the least power, the limits, and what cannot be reached."""

import itertools

import numpy as np
import pytest
import torch

from calibration.errors import PlanError, PowerLimit, ShapeError
from calibration.mesh.drive import HeaterLimits, drive
from simulators.models.mesh import Fabrication, HeaterBank, MeshLayout, fabricate

LAYOUT = MeshLayout("rectangular", 6)
NAMES = LAYOUT.shifters


def bank(**changed: float | None) -> HeaterBank:
    return fabricate(LAYOUT, Fabrication(**changed), seed=4).heaters


def asked(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-20.0, 20.0, len(NAMES))


def wrapped(phases: np.ndarray) -> np.ndarray:
    return np.angle(np.exp(1j * phases))


@pytest.mark.parametrize("crosstalk", [0.0, 0.01, 0.1])
def test_the_heaters_make_the_phases(crosstalk):
    heaters = bank(crosstalk=crosstalk)
    found = drive(asked(), heaters, NAMES)
    made = heaters.phases(heaters.powers(torch.as_tensor(found.volts))).numpy()
    np.testing.assert_allclose(wrapped(made - asked()), 0.0, atol=1e-9)
    np.testing.assert_allclose(found.phases, made)
    assert found.volts.min() >= 0
    assert (found.volts <= heaters.high_V.numpy()).all()
    assert not found.unreached
    np.testing.assert_allclose(found.currents_A * found.volts, found.powers_W, rtol=1e-12)
    assert found.total_W == pytest.approx(found.powers_W.sum())


def test_no_other_branches_need_less_power():
    rng = np.random.default_rng(0)
    for _ in range(40):
        h = 4
        effect = np.diag(rng.uniform(100, 200, h)) + 10 * rng.random((h, h))
        heaters = HeaterBank.of_matrix(
            torch.full((h,), 1e3), torch.zeros(h), torch.as_tensor(effect), torch.full((h,), 50.0)
        )
        phases = rng.uniform(0, 0.6, h) if rng.random() < 0.5 else rng.uniform(0, 2 * np.pi, h)
        found = drive(phases, heaters, ("t0", "t1", "p0", "p1"))
        least = np.inf
        for branch in itertools.product(range(-1, 3), repeat=h):
            powers = np.linalg.solve(effect, phases + 2 * np.pi * np.array(branch))
            if (powers >= 0).all():
                least = min(least, powers.sum())
        assert found.total_W == pytest.approx(least, rel=1e-9)


def test_a_dead_heater_keeps_the_phase_that_its_neighbours_leave_it():
    heaters = bank(crosstalk=0.05)
    heaters.resistance_ohm.data[3] = np.inf
    heaters.gamma_rad_per_W.data[12] = 0.0
    found = drive(asked(), heaters, NAMES, dead=[NAMES[8]])
    assert [one.name for one in found.unreached] == [NAMES[3], NAMES[8], NAMES[12]]
    assert found.volts[3] == found.volts[8] == found.powers_W[3] == found.volts[12] == 0.0
    off = wrapped(found.phases - asked())
    assert found.unreached[1].error_rad == pytest.approx(off[8])
    others = [k for k in range(len(NAMES)) if k not in (3, 8, 12)]
    np.testing.assert_allclose(off[others], 0.0, atol=1e-9)
    assert "dead" in str(found.unreached[0])
    assert np.isfinite(found.phases).all()


def test_a_phase_beyond_the_limit_is_named_and_as_near_as_it_gets():
    heaters = bank(rise_per_W=0.0)
    # A heater that reaches 1.5 π only: what is wanted beyond is nearer to its limit, or to nothing at all.
    heaters.high_V[:] = (heaters.resistance_ohm * 1.5 * torch.pi / heaters.gamma_rad_per_W).sqrt()
    wanted = np.full(len(NAMES), 1.0)
    wanted[0], wanted[1] = 1.6 * np.pi, 1.95 * np.pi
    found = drive(wanted, heaters, NAMES)
    assert [one.name for one in found.unreached] == list(NAMES[:2])
    assert found.volts[0] == pytest.approx(float(heaters.high_V[0]))
    assert found.volts[1] == 0.0
    assert abs(found.unreached[0].error_rad) < 0.11 * np.pi
    assert "limit" in found.unreached[0].reason
    np.testing.assert_allclose(wrapped(found.phases - wanted)[2:], 0.0, atol=1e-9)


def test_current_and_joint_power_limits():
    heaters = bank()
    free = drive(asked(), heaters, NAMES)
    most = 0.8 * free.currents_A.max()
    held = drive(asked(), heaters, NAMES, limits=HeaterLimits(current_A=most))
    assert held.currents_A.max() <= most * (1 + 1e-12)
    assert {one.name for one in held.unreached} >= {NAMES[int(free.currents_A.argmax())]}
    with pytest.raises(PowerLimit, match=r"would draw 0\.\d+ W together, 0\.050 W are allowed"):
        drive(asked(), heaters, NAMES, limits=HeaterLimits(total_W=0.05))
    assert drive(asked(), heaters, NAMES, limits=HeaterLimits(total_W=free.total_W * 1.01)).total_W > 0
    with pytest.raises(PlanError, match="total_W = 0"):
        HeaterLimits(total_W=0)


def test_quantised_voltages_are_steps_of_the_converter():
    heaters = bank(bits=8)
    found = drive(asked(), heaters, NAMES)
    steps = found.volts / (heaters.high_V.numpy() / 255)
    np.testing.assert_allclose(steps, steps.round(), atol=1e-9)
    off = np.abs(wrapped(found.phases - asked()))
    assert 1e-4 < off.max() < 0.15
    assert not found.unreached


def test_wrong_names_and_shapes_are_named():
    with pytest.raises(ShapeError, match="no shifter 't9_9'"):
        drive(asked(), bank(), NAMES, dead=["t9_9"])
    with pytest.raises(ShapeError, match="30 heaters"):
        drive(asked()[:5], bank(), NAMES)
    with pytest.raises(ShapeError, match="finite"):
        drive(asked() * np.nan, bank(), NAMES)
