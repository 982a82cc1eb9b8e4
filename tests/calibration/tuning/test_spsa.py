"""SPSA finds its way on a chip that it knows nothing of."""

import numpy as np
import pytest

from calibration.errors import PlanError
from calibration.tuning import Method, Spsa, State, Update
from tests.calibration.tuning.gradients import cosine, told
from tests.conformance.method import MethodConformance, small_lab


class TestSpsaWithAdam(MethodConformance):
    def create_method(self) -> Method:
        return Spsa(Update("adam", 0.1), perturbation=0.1, batch=32)


class TestSpsaWithMomentum(MethodConformance):
    def create_method(self) -> Method:
        return Spsa(Update("momentum", 0.02), perturbation=0.1, batch=32)


class TestSpsaAsSpallWroteIt(MethodConformance):
    readings = 12000

    def create_method(self) -> Method:
        return Spsa(Update("plain", 0.05), perturbation=0.1, batch=32)


def test_the_mean_over_directions_is_the_gradient() -> None:
    # of a quadratic, whose gradient is known
    lab, slopes = small_lab(), np.arange(1.0, 25.0)
    theta = np.random.default_rng(0).normal(size=24)
    method = Spsa(Update("plain", 1.0), perturbation=0.05, directions=2000, stability=0.0)
    stepped = told(method.step(lab.problem, State(theta), 0), lambda at: float(0.5 * (slopes * at**2).sum()))
    assert cosine(theta - stepped.state.theta, slopes * theta) > 0.97


def test_a_step_that_went_too_far_is_taken_back() -> None:
    lab, theta = small_lab(), np.ones(24)
    for rate, blocked in ((1e-3, 0.0), (1.0, 1.0)):
        method = Spsa(Update("plain", rate), perturbation=0.1, blocking=True)
        steps = method.step(lab.problem, State(theta), 0)
        stepped = told(steps, lambda at: float((at**2).sum()), samples=4)
        assert stepped.figures["blocked"] == blocked
        assert (stepped.state.theta == theta).all() == bool(blocked)


@pytest.mark.parametrize(
    "settings", [{"batch": 0}, {"perturbation": 0.0}, {"directions": 0}, {"update": Update(fall=5.0)}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        Spsa(**settings)  # type: ignore[arg-type]
