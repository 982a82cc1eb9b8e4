"""Which electrodes do something, on devices whose answer is written down here."""

from collections.abc import Callable

import numpy as np
import pytest

from calibration.device import Array, ChannelGroup, Flag, Response
from calibration.sampling.effect import electrode_effects

ONE = np.ones(3)
CHANNELS = ChannelGroup(("e1", "e2", "e3"), "V", -ONE, ONE, 1e3 * ONE)


class Formula:
    """As much of a `Device` as is asked for."""

    inputs = CHANNELS
    sample_rate_Hz = 1000.0

    def __init__(self, formula: Callable[[Array], Array], noise: float = 0.1, seed: int = 1) -> None:
        self.formula, self.noise, self.rng = formula, noise, np.random.default_rng(seed)
        self.flags = 0

    def run(self, inputs: Array) -> Response:
        clean = self.formula(inputs)[..., None]
        flags = np.full(inputs.shape[:2], self.flags, dtype=np.uint8)
        return Response(inputs, clean + self.noise * self.rng.standard_normal(clean.shape), flags)


def wave(samples: int = 400) -> Array:
    return np.random.default_rng(7).uniform(-1.0, 1.0, (samples, 3))


def test_the_effect_is_what_the_output_loses_without_the_electrode() -> None:
    found = electrode_effects(Formula(lambda v: 3.0 * v[..., 0] + v[..., 1] * v[..., 2]), wave())  # type: ignore[arg-type]
    assert found.change[0] == pytest.approx(3.0 / np.sqrt(3.0), rel=0.1)
    assert found.change[1:] == pytest.approx(1.0 / 3.0, rel=0.2), "each needs the other"
    assert found.over_noise.min() > 4.0
    assert found.without(4.0) == ()


@pytest.mark.parametrize("noise", [0.5, 1e-3, 0.0])
def test_a_dead_electrode_is_found_however_quiet_the_bench(noise: float) -> None:
    device = Formula(lambda v: np.asarray(np.tanh(v[..., 0]) - v[..., 2] ** 2), noise)
    found = electrode_effects(device, wave())  # type: ignore[arg-type]
    assert found.without(4.0) == ("e2",)
    assert found.as_dict()["weakest"] == "e2"


def test_chance_alone_is_seldom_taken_for_an_effect() -> None:
    far = [
        electrode_effects(Formula(lambda v: v[..., 0], 1.0, seed), wave()).over_noise[1:]  # type: ignore[arg-type]
        for seed in range(300)
    ]
    assert np.mean(np.concatenate(far) > 4.0) < 0.005
    assert np.std(np.concatenate(far)) == pytest.approx(1.0, abs=0.25)


def test_nothing_good_is_no_effect_and_no_accident() -> None:
    device = Formula(lambda v: v[..., 0])
    device.flags = int(Flag.CLIPPED)
    assert electrode_effects(device, wave()).without(4.0) == ("e1", "e2", "e3")  # type: ignore[arg-type]
