"""PEPG's gradients are those of the expected loss, and it finds its way."""

import numpy as np
import pytest

from calibration.errors import PlanError
from calibration.tuning import Method, Pepg, Update
from calibration.tuning.pepg import gradients
from tests.conformance.method import MethodConformance


class TestPepg(MethodConformance):
    def create_method(self) -> Method:
        return Pepg(Update("adam", 0.1), spread=0.2, batch=32)


class TestPepgWithNaturalGradients(MethodConformance):
    readings = 8000

    def create_method(self) -> Method:
        return Pepg(Update("plain", 2.0), spread=0.3, batch=32, natural=True)


def test_gradients_are_those_of_the_expected_loss() -> None:
    # of a quadratic, L(θ) = Σ k_i θ_i² / 2: E L = Σ k_i (m_i² + s_i²) / 2, whose gradients are k m and, by log s, k s²
    rng = np.random.default_rng(0)
    slopes, mean, spreads = np.arange(1.0, 6.0), rng.normal(size=5), rng.uniform(0.2, 1.0, 5)
    apart = spreads * rng.standard_normal((400_000, 5))

    def loss(theta: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return 0.5 * theta**2 @ slopes

    losses = np.stack((loss(mean + apart), loss(mean - apart)), axis=1)
    of_mean, of_log = gradients(apart, spreads, losses)
    np.testing.assert_allclose(of_mean, slopes * mean, atol=0.05)
    np.testing.assert_allclose(of_log, slopes * spreads**2, atol=0.1)


def test_few_pairs_are_not_biased() -> None:
    # the baseline is made of the other pairs, so the mean over many steps of two pairs is the gradient as well
    rng = np.random.default_rng(1)
    slopes, mean, spreads = np.array([1.0, 2.0]), np.array([0.5, -1.0]), np.array([0.4, 0.8])
    found = np.zeros(2)
    for _ in range(5_000):
        apart = spreads * rng.standard_normal((2, 2))
        losses = np.stack([0.5 * (mean + side * apart) ** 2 @ slopes for side in (1.0, -1.0)], axis=1)
        found += gradients(apart, spreads, losses)[1] / 5_000
    np.testing.assert_allclose(found, slopes * spreads**2, atol=0.12)


@pytest.mark.parametrize("settings", [{"pairs": 1}, {"batch": 0}, {"spread": 0.0}, {"spread_rate": 1.0}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        Pepg(**settings)  # type: ignore[arg-type]
