"""The line search finds the lowest place of a known curve, on either side, and stays where there is none."""

from collections.abc import Callable

import pytest
import torch

from calibration.tuning.line_search import LineSearch, Searched


def ended(
    curve: Callable[[float], float], first: float, noise: float = 0.0, seed: int = 0, **settings: bool | float
) -> tuple[Searched, list[float]]:
    generator, tried = torch.Generator().manual_seed(seed), []
    moves = LineSearch(doublings=3, significance=0.1).search(first, **settings)  # type: ignore[arg-type]
    place = next(moves)
    try:
        while True:
            tried.append(place)
            losses = curve(place) + noise * torch.randn(400, generator=generator, dtype=torch.float64)
            place = moves.send(losses)
    except StopIteration as end:
        return end.value, tried


@pytest.mark.parametrize("lowest", [0.7, -0.7, 0.35, 1.9])
def test_a_parabola(lowest: float) -> None:
    found, tried = ended(lambda place: (place - lowest) ** 2, 0.3, noise=1e-9)
    assert found.place == pytest.approx(lowest, rel=0.15)
    assert len(tried) == found.readings <= LineSearch(3).most


def test_a_known_sign_is_shortened_and_not_turned() -> None:
    found, tried = ended(lambda place: (place - 0.1) ** 2, 0.3, noise=1e-9, signed=True)
    assert found.place == pytest.approx(0.1, rel=0.15)
    assert min(tried) == 0.0


def test_it_stays_above_the_least() -> None:
    found, tried = ended(lambda place: place, 0.3, noise=1e-9, least=-0.5)
    assert found.place == -0.5
    assert min(tried) == -0.5


def test_a_flat_curve_is_left_no_more_often_than_stated() -> None:
    left = sum(ended(lambda place: 0.0, 0.3, noise=1.0, seed=seed)[0].place != 0.0 for seed in range(200))
    # binomial, 20 expected at 0.1, 34 at three standard deviations
    assert left <= 34
