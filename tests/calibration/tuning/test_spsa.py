"""SPSA finds its way on a chip that it knows nothing of."""

import numpy as np
import pytest

from calibration.errors import PlanError
from calibration.tuning import Method, Query, Spsa, State, Update
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
    # of a quadratic, whose gradient is known: L(θ) = Σ k_i θ_i² / 2 with losses handed to the generator
    lab, slopes = small_lab(), np.arange(1.0, 25.0)
    theta = np.random.default_rng(0).normal(size=24)
    method = Spsa(Update("plain", 1.0), perturbation=0.05, directions=4000, stability=0.0)
    steps = method.step(lab.problem, State(theta), 0)

    class Told:
        def __init__(self, query: Query) -> None:
            self.loss = float(0.5 * (slopes * query.theta**2).sum())

    query = next(steps)
    try:
        while True:
            query = steps.send(Told(query))  # type: ignore[arg-type]
    except StopIteration as end:
        found = theta - end.value.state.theta
    true = slopes * theta
    assert found @ true / np.linalg.norm(found) / np.linalg.norm(true) > 0.98


@pytest.mark.parametrize("settings", [{"batch": 0}, {"perturbation": 0.0}, {"directions": 0}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        Spsa(**settings)  # type: ignore[arg-type]
