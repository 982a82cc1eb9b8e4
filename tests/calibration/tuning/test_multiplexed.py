"""Multiplexed gradient descent: its codes, and the methods that it turns into at the ends of its time constants."""

from collections.abc import Callable

import numpy as np
import pytest

from calibration.device import Array
from calibration.errors import PlanError
from calibration.tuning import FiniteDifferences, Method, MultiplexedGradientDescent, Spsa, State, Update
from tests.calibration.tuning.gradients import cosine, estimated, told, true_gradient
from tests.calibration.tuning.meshes import one_mesh
from tests.conformance.method import MethodConformance, small_lab

PLAIN = Update("plain", 1.0)
PROBLEM = small_lab().problem


def mgd(code: str, **settings: object) -> MultiplexedGradientDescent:
    return MultiplexedGradientDescent(PLAIN, code=code, **settings)  # type: ignore[arg-type]


class TestRandomCodes(MethodConformance):
    def create_method(self) -> Method:
        return MultiplexedGradientDescent(
            Update("adam", 0.15), perturbation=0.1, batch=32, tau_theta=4, tau_x=4
        )


def cubic(at: Array) -> float:
    """A function with third derivatives, and slopes that are known."""
    return float((np.arange(1.0, at.size + 1.0) * (at + at**3 / 3.0)).sum() + at[0] * at[1])


def slopes(at: Array) -> Array:
    gradient = np.arange(1.0, at.size + 1.0) * (1.0 + at**2)
    gradient[:2] += at[1::-1]
    return gradient


def found(method: Method, theta: Array, loss: Callable[[Array], float] = cubic, number: int = 0) -> Array:
    state = State(theta, method.begin(PROBLEM, theta).memory)
    return theta - told(method.step(PROBLEM, state, number), loss).state.theta


THETA = np.random.default_rng(4).normal(size=24)


def test_two_ticks_of_random_codes_are_spsa() -> None:
    settings = {"perturbation": 0.1, "batch": 32}
    two = mgd("random", tau_x=2, tau_theta=2, **settings)
    lab, other = small_lab(), small_lab()
    ours, spalls = estimated(two, lab, lab.start), estimated(Spsa(PLAIN, **settings), other, lab.start)  # type: ignore[arg-type]
    # the same signs, the same examples, the same noise
    np.testing.assert_allclose(ours, spalls, rtol=1e-9)


def test_a_whole_sequential_code_is_finite_differences() -> None:
    forward = FiniteDifferences(PLAIN, sides=1, perturbation=0.1, adapt=False, parameters=0)
    whole = mgd("sequential", perturbation=0.1, tau_theta=0, tau_x=24, baseline="measured")
    np.testing.assert_allclose(found(whole, THETA), found(forward, THETA), rtol=1e-9)


def test_sequential_codes_with_an_update_each_are_coordinate_descent() -> None:
    each = mgd("sequential", perturbation=1e-4, tau_theta=1, tau_x=1, baseline="measured")
    for number in (0, 5, 24):
        moved = found(each, THETA, number=number)
        assert np.flatnonzero(moved).tolist() == [number % 24]
        assert moved[number % 24] == pytest.approx(slopes(THETA)[number % 24], rel=1e-2)


@pytest.mark.parametrize("code", ["walsh", "sinusoid"])
def test_a_whole_orthogonal_code_is_the_gradient(code: str) -> None:
    whole = mgd(code, perturbation=1e-4, tau_theta=0, tau_x=96)
    np.testing.assert_allclose(found(whole, THETA), slopes(THETA), rtol=1e-5)


@pytest.mark.parametrize("code", ["walsh", "sinusoid", "sequential"])
def test_codes_are_orthogonal_over_a_whole_one(code: str) -> None:
    method = mgd(code, tau_theta=0, tau_x=96, tau_p=2, baseline="measured")
    length = method.cost(PROBLEM) // 32
    codes = method.codes(PROBLEM, 0, 2 * {"walsh": 64, "sinusoid": 96, "sequential": 24}[code])
    assert length > len(codes)
    products = codes.T @ codes
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-9)
    if code != "sequential":
        np.testing.assert_allclose(codes.sum(axis=0), 0.0, atol=1e-9)


def test_a_perturbation_stays_for_tau_p_and_examples_for_tau_x() -> None:
    method = mgd("random", tau_p=3, tau_x=6, tau_theta=12)
    np.testing.assert_array_equal(next(method.step(PROBLEM, State(THETA), 2)).rows, PROBLEM.batch(4, 32))
    queries: list[Array] = []
    told(method.step(PROBLEM, State(THETA), 2), lambda at: float(queries.append(at) or 1.0))
    assert len(queries) == 12
    signs = np.sign(np.array(queries) - THETA)
    for first in (0, 3, 6, 9):
        assert (signs[first : first + 3] == signs[first]).all()
    assert (signs[0] == -signs[3]).all()
    assert (signs[0] != signs[6]).any()


def test_windows_shorter_than_a_code_add_up_to_the_gradient() -> None:
    for code, parts, least in (("random", 200, 0.9), ("walsh", 8, 0.999)):
        short = mgd(code, perturbation=1e-3, tau_theta=8, tau_x=8, baseline="measured")
        mean = np.mean([found(short, THETA, number=number) for number in range(parts)], axis=0)
        assert cosine(mean, slopes(THETA)) > least, code


def test_on_a_chip_it_is_the_gradient_within_the_noise() -> None:
    lab, true = one_mesh(noise=1e-3)
    wanted = true_gradient(lab.problem, true, lab.start, lab.problem.batch(0, 64))
    for code in ("walsh", "sinusoid"):
        estimate = estimated(mgd(code, perturbation=0.03, tau_theta=0, tau_x=96, batch=64), lab, lab.start)
        assert cosine(estimate, wanted) > 0.99, code


def test_ticks_that_are_alone_with_their_examples_have_a_baseline_measured() -> None:
    method = mgd("random", tau_x=3, tau_theta=2, perturbation=1e-3)
    queries: list[Array] = []

    def noted(at: Array) -> float:
        queries.append(at)
        return cubic(at)

    # ticks 2 and 3, one with the first examples, one with the next
    moved = found(method, THETA, noted, number=1)
    assert len(queries) == method.cost(PROBLEM) // 32 == 4
    along = np.sign(queries[1] - THETA)
    assert moved @ along == pytest.approx(along @ slopes(THETA) * THETA.size, rel=1e-2)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"code": "morse"}, "there are random, walsh"),
        ({"tau_p": 0}, "at least 1"),
        ({"perturbation": 0.0}, "positive"),
        ({"tau_theta": 1}, "not modulated"),
        ({"tau_x": 1}, "examples change with the perturbation"),
        ({"code": "sequential"}, "baseline: measured"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], match: str) -> None:
    with pytest.raises(PlanError, match=match):
        MultiplexedGradientDescent(**settings)  # type: ignore[arg-type]
