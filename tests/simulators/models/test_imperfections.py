from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import welch
from torch import Tensor

from simulators.errors import ModelError
from simulators.models.hopping import HoppingNetwork, default_network
from simulators.models.imperfections import ImperfectChip, Imperfections
from simulators.models.model import ElectrodeModel

Array = NDArray[np.float64]


class Resistors(ElectrodeModel):
    """Every electrode through 10 MOhm to the readout."""

    def __init__(self) -> None:
        names = [f"e{k}" for k in range(7)]
        super().__init__(names, torch.full((7,), -1.0).double(), torch.full((7,), 1.0).double())

    def current(self, voltages: Tensor) -> Tensor:
        return voltages.sum(-1, keepdim=True) / 10e6


def times(n: int, rate_Hz: float = 1000.0, start_s: float = 0.0) -> Array:
    return start_s + np.arange(n) / rate_Hz


def only(**parts: float) -> Imperfections:
    return replace(Imperfections.none(), **parts)


def test_without_imperfections_a_chip_is_its_model() -> None:
    chip = ImperfectChip(default_network(0), Imperfections.none(), seed=1)
    voltages = np.random.default_rng(2).uniform(-0.7, 0.3, (40, 7))
    expected = chip.model.current(torch.tensor(voltages))[:, 0].numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(chip.observe(voltages, times(40)), expected, atol=1e-9 * scale)
    np.testing.assert_allclose(chip.true_current(voltages), expected, atol=1e-9 * scale)


@pytest.mark.parametrize("cut", [1, 7, 500, 999])
def test_a_chip_does_not_depend_on_how_its_run_is_cut(cut: int) -> None:
    voltages = np.random.default_rng(2).uniform(-1, 1, (1000, 7))
    when = np.sort(np.random.default_rng(3).uniform(0, 20_000, 1000))
    every = replace(Imperfections(), jumps_per_h=10.0)
    whole = ImperfectChip(Resistors(), every, 5).observe(voltages, when)
    chip = ImperfectChip(Resistors(), every, 5)
    pieces = [chip.observe(voltages[:cut], when[:cut]), chip.observe(voltages[cut:], when[cut:])]
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=1e-12, atol=1e-20)
    other = ImperfectChip(Resistors(), every, 6).observe(voltages, when)
    assert not np.allclose(other, whole, rtol=1e-3)


def test_drift_is_a_function_of_time_alone() -> None:
    imperfections = only(
        gain_drift=0.01, offset_drift_A=1e-9, potential_drift_V=1e-3, jumps_per_h=20.0, jump_V=1e-3
    )
    voltages = np.full((3, 7), 0.4)
    late = np.array([5000.0, 5003.0, 9000.5])
    seen = ImperfectChip(Resistors(), imperfections, 5)
    seen.observe(np.zeros((400, 7)), np.linspace(0, 4999, 400))
    fresh = ImperfectChip(Resistors(), imperfections, 5)
    assert np.array_equal(seen.observe(voltages, late), fresh.observe(voltages, late))


def test_white_noise_grows_with_the_current() -> None:
    chip = ImperfectChip(Resistors(), only(noise_relative=0.02, noise_floor_A=1e-10), 1)
    for k, level in enumerate((0.0, 0.05, -0.5)):
        voltages = np.full((20_000, 7), level)
        current = chip.observe(voltages, times(20_000, start_s=100.0 * k))
        true = 0.7 * level * 1e-6
        assert current.mean() == pytest.approx(true, abs=4 * current.std() / 141)
        assert current.std() == pytest.approx(0.02 * abs(true) + 1e-10, rel=0.03)


@pytest.mark.parametrize("jitter", [False, True])
def test_flicker_has_the_spectrum_and_size_asked_for(jitter: bool) -> None:
    n = 2**15 if jitter else 2**18
    chip = ImperfectChip(Resistors(), only(flicker_relative=0.01), 4)
    when = times(n)
    if jitter:  # no two steps alike: the general path
        when = when + 1e-7 * (np.arange(n) % 2)
    relative = chip.observe(np.full((n, 7), 1.0), when) / 0.7e-6 - 1
    frequency, density = welch(relative, 1000.0, nperseg=2**12 if jitter else 2**14)
    band = (frequency > 1) & (frequency < 100)
    slope, _ = np.polyfit(np.log(frequency[band]), np.log(density[band]), 1)
    assert slope == pytest.approx(-1, abs=0.1)
    per_decade = density[band] * frequency[band] * np.log(10)
    assert np.sqrt(per_decade.mean()) == pytest.approx(0.01, rel=0.12)


def test_walks_spread_as_the_root_of_time() -> None:
    ends = []
    for seed in range(150):
        chip = ImperfectChip(Resistors(), only(gain_drift=0.02), seed)
        ends.append(chip.observe(np.full((2, 7), 0.1), np.array([900.0, 3600.0])) / 0.07e-6 - 1)
    assert np.std(ends, axis=0) == pytest.approx([0.01, 0.02], rel=0.2)


def test_a_jump_is_a_step_that_stays() -> None:
    chip = ImperfectChip(Resistors(), only(jumps_per_h=6.0, jump_V=5e-3), 2)
    when = times(72_000, 10.0)
    current = chip.observe(np.zeros((72_000, 7)), when)
    steps = np.flatnonzero(np.diff(current))
    assert 4 <= len(steps) <= 22  # 12 expected
    levels = np.split(current, steps + 1)
    assert all(np.ptp(level) == 0 for level in levels)
    assert np.std(np.diff([level[0] for level in levels])) == pytest.approx(5e-3 * 7**0.5 / 10e6, rel=0.6)


def test_a_jump_steps_the_current_of_a_dopant_network() -> None:
    network = HoppingNetwork(seed=0)
    chip = ImperfectChip(network, only(jumps_per_h=60.0, jump_V=5e-3), 2)
    voltages = np.tile(np.array([-0.9, 0.2, -0.4, 0.5, -1.0, 0.1, -0.2]), (60, 1))
    current = chip.observe(voltages, np.arange(60) * 5.0)
    assert len(np.unique(np.round(current / np.abs(current).max(), 7))) > 1


def test_time_does_not_go_back() -> None:
    chip = ImperfectChip(Resistors(), Imperfections(), 1)
    chip.observe(np.zeros((2, 7)), np.array([1.0, 2.0]))
    with pytest.raises(ModelError, match=r"time 0 is 1\.5 s.*up to 2\.0 s"):
        chip.observe(np.zeros((1, 7)), np.array([1.5]))
    with pytest.raises(ModelError, match=r"time 1 is nan"):
        chip.observe(np.zeros((2, 7)), np.array([3.0, np.nan]))
    assert chip.observe(np.zeros((0, 7)), np.empty(0)).shape == (0,)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match=r"voltages \(3, 6\) at 3 times"):
        ImperfectChip(Resistors(), Imperfections(), 1).observe(np.zeros((3, 6)), times(3))


@pytest.mark.parametrize("name", [field.name for field in fields(Imperfections)])
def test_negative_imperfections_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match=name):
        replace(Imperfections(), **{name: -1.0})
