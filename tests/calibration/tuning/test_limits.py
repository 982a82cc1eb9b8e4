"""Whatever a method asks for, controls stay inside their limits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from calibration.device import ChannelGroup
from calibration.errors import OutsideLimits, PlanError
from calibration.tuning import Limits

TURN = 2.0 * math.pi
ANGLES = ChannelGroup(("a", "b"), "rad", np.zeros(2), np.full(2, TURN), np.full(2, np.inf))
VOLTS = ChannelGroup(("e1", "e2"), "V", np.array([-1.2, -0.7]), np.array([0.6, 0.3]), np.full(2, 60.0))
asked = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2).map(np.array)


@given(asked)
def test_no_control_leaves_its_range(theta: np.ndarray) -> None:
    for limits in (Limits.of(ANGLES, turn=TURN), Limits.of(VOLTS)):
        controls = limits.controls(theta)
        assert ((limits.low <= controls) & (controls <= limits.high)).all()
        again = limits.controls(limits.project(theta))
        # of angles the two ends are the same
        np.testing.assert_allclose(np.exp(1j * again), np.exp(1j * controls), atol=1e-6)


def test_an_angle_comes_in_again_at_the_other_end_and_a_voltage_stops() -> None:
    angles = Limits.of(ANGLES, turn=TURN)
    np.testing.assert_allclose(angles.controls(np.array([TURN + 0.5, -0.5])), [0.5, TURN - 0.5])
    volts = Limits.of(VOLTS)
    np.testing.assert_allclose(volts.controls(np.array([1.5, 0.5])), [0.6, -0.2])
    np.testing.assert_allclose(volts.controls(volts.theta(np.array([-0.3, 0.1]))), [-0.3, 0.1])


def test_angles_with_less_than_a_turn_stop_at_their_ends() -> None:
    short = ChannelGroup(("a",), "rad", np.zeros(1), np.full(1, 4.0), np.full(1, np.inf))
    np.testing.assert_allclose(Limits.of(short, turn=TURN).controls(np.array([4.5])), [4.0])


def test_gradients_pass_as_if_there_were_no_limits() -> None:
    theta = torch.tensor([1.5, 0.5], dtype=torch.float64, requires_grad=True)
    controls = Limits.of(VOLTS).tensor(theta)
    np.testing.assert_allclose(controls.detach().numpy(), [0.6, -0.2])
    controls.sum().backward()
    np.testing.assert_allclose(theta.grad, [1.8, 1.0])


def test_a_start_outside_is_named() -> None:
    with pytest.raises(OutsideLimits, match=r"e2: the start, 0\.4, is outside its limits, -0\.7 to 0\.3"):
        Limits.of(VOLTS).theta(np.array([0.0, 0.4]))


def test_limits_wider_than_the_device_are_refused() -> None:
    with pytest.raises(PlanError, match=r"e1: limits -2 to 0\.6 V are wider"):
        Limits.of(VOLTS, low=np.array([-2.0, -0.7]))


def test_there_is_room_around_parameters_that_were_brought_inside() -> None:
    volts = Limits.of(VOLTS)
    np.testing.assert_allclose(volts.inside(np.array([0.0, 0.97]), 0.1), [0.1, 0.9])
    np.testing.assert_allclose(volts.inside(np.array([0.0, 0.97]), 0.8), [0.5, 0.5])
    angles = Limits.of(ANGLES, turn=TURN)
    np.testing.assert_allclose(angles.inside(np.array([0.0, TURN]), 0.1), [0.0, TURN])
    free = ChannelGroup(("w",), "1", np.full(1, -np.inf), np.full(1, np.inf), np.full(1, np.inf))
    np.testing.assert_allclose(Limits.of(free).inside(np.array([7.0]), 0.1), [7.0])


def test_bounds_are_those_of_what_does_not_turn() -> None:
    volts = ChannelGroup(("a", "b"), "V", np.array([-1.0, 0.0]), np.array([3.0, 2.0]), np.full(2, np.inf))
    low, high = Limits.of(volts).bounds
    np.testing.assert_allclose(low, 0.0)
    np.testing.assert_allclose(high, 1.0)
    low, high = Limits.of(volts, turn=3.0, scale=0.5).bounds
    np.testing.assert_allclose(low, [-np.inf, 0.0])
    np.testing.assert_allclose(high, [np.inf, 4.0])


def test_angles_are_brought_beside_others_by_whole_turns() -> None:
    angles = ChannelGroup(("a", "b"), "rad", np.zeros(2), np.array([7.0, 3.0]), np.full(2, np.inf))
    limits = Limits.of(angles, turn=6.0, scale=2.0)
    # of turns of three units; what cannot turn stays where it is
    np.testing.assert_allclose(limits.beside(np.array([0.2, 0.2]), np.array([-3.1, 9.0])), [-2.8, 0.2])
