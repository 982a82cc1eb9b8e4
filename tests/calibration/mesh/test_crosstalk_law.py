"""The law of distance is found under scatter, and single pairs are trusted as far as they deserve it."""

import numpy as np
import pytest

from calibration.mesh.crosstalk_law import CrosstalkLaw, fit_law


def test_it_is_found_although_some_pairs_are_far_off() -> None:
    rng = np.random.default_rng(2)
    distance = rng.choice([1.0, 2.24, 2.83, 3.0, 3.6], 120)
    true = 0.012 * np.exp(-(distance - 1.0) / 0.9)
    share = true * (1.0 + 0.2 * rng.standard_normal(120)) + 1e-4 * rng.standard_normal(120)
    share[:6] += 0.02
    law = fit_law(distance, share, np.full(120, 1e-4))
    assert law is not None
    assert law.nearest == pytest.approx(0.012, rel=0.1)
    assert law.length == pytest.approx(0.9, rel=0.15)


def test_a_precise_pair_is_believed_and_a_vague_one_is_not() -> None:
    law = CrosstalkLaw(nearest=0.01, length=1.0, scatter=0.0)
    assert law.weighed(1.0, 0.014, 1e-5) == pytest.approx(0.014, rel=1e-3)
    assert law.weighed(3.0, 0.014, 0.1) == pytest.approx(float(law.share(3.0)), rel=1e-3)


@pytest.mark.parametrize(
    ("distance", "share"),
    [([1.0] * 20, [0.01] * 20), ([1.0, 2.0], [0.01, 0.004]), ([1.0, 2.0] * 10, [-0.01, 0.0] * 10)],
)
def test_what_tells_no_law_gives_none(distance: list[float], share: list[float]) -> None:
    assert fit_law(np.array(distance), np.array(share), np.full(len(share), 1e-4)) is None
