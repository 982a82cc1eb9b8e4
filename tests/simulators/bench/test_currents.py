import numpy as np
import pytest

from simulators.bench.analog.currents import ChipCurrent, Resistor
from simulators.instruments.path import Path, staircase


class Source:
    noise_V = 0.0

    def __init__(self, path):
        self.path = path

    def knots(self, start_s, stop_s):
        return self.path.knots(start_s, stop_s)


class Chip:
    """A chip that counts its questions and adds noise of its own to every answer."""

    def __init__(self, noise_A=0.0):
        self.noise_A, self.rng = noise_A, np.random.default_rng(0)
        self.asked_V, self.asked_s = np.empty((0, 2)), np.empty(0)

    def observe(self, voltages, times_s):
        self.asked_V, self.asked_s = voltages, times_s
        currents = 1e-9 * (voltages[:, 0] - 2.0 * voltages[:, 1] + voltages[:, 0] * voltages[:, 1])
        return currents + self.noise_A * self.rng.normal(size=len(times_s))


def played(*columns, slew=2e7, dwell=1e-3, start=1.0):
    sources = []
    for column in columns:
        path = Path()
        path.extend(*staircase(start, 0.0, np.asarray(column, dtype=float), dwell, slew, 1e-6))
        sources.append(Source(path))
    return sources


def chip_current(chip, sources, resolution_s=5e-6):
    return ChipCurrent(chip, sources, resolution_s, np.random.default_rng(0))


def test_a_chip_is_asked_once_per_dwell():
    rng = np.random.default_rng(1)
    chip = Chip()
    current = chip_current(chip, played(rng.uniform(-0.02, 0.02, 500), rng.uniform(-0.02, 0.02, 500)))
    starts = 1.0008 + 1e-3 * np.arange(500)
    current.knots(starts, starts + 2e-4, 1.0)
    assert 500 <= len(chip.asked_s) <= 505
    assert np.all(np.diff(chip.asked_s) >= 0.0)


def test_settled_currents_are_those_of_the_voltages():
    rng = np.random.default_rng(2)
    columns = rng.uniform(-1, 1, (2, 300))
    current = chip_current(Chip(), played(*columns))
    starts = 1.0005 + 1e-3 * np.arange(300)
    read = current.knots(starts, starts + 4e-4, 1.0).means(starts, starts + 4e-4)
    np.testing.assert_allclose(
        read, 1e-9 * (columns[0] - 2 * columns[1] + columns[0] * columns[1]), atol=1e-18
    )


def test_a_plateau_has_fresh_noise_in_every_reading():
    chip = Chip(noise_A=1e-10)
    current = chip_current(chip, played([0.3], [0.1]))
    starts = 1.5 + 0.02 * np.arange(400)
    read = current.knots(starts, starts + 0.01, 1.4).means(starts, starts + 0.01)
    noise = read - read.mean()
    assert noise.std() == pytest.approx(1e-10, rel=0.15)
    assert abs(np.mean(noise[1:] * noise[:-1])) < 0.15 * noise.var()


def test_a_long_ramp_is_followed_where_the_chip_is_not_linear():
    sources = played([1.0], [-1.0], slew=10.0, dwell=1.0)
    chip = Chip()
    starts = 1.0 + np.linspace(0.0, 0.095, 40)
    read = chip_current(chip, sources).knots(starts, starts + 1e-4, 0.9).means(starts, starts + 1e-4)
    x = 10.0 * (starts + 0.5e-4 - 1.0)
    np.testing.assert_allclose(read, 1e-9 * (x + 2 * x - x * x), atol=2e-12)
    assert len(chip.asked_s) < 100


def test_fast_waves_are_thinned_to_what_the_amplifier_can_see():
    times = 1.0 + 1e-6 * np.arange(1, 20_001)
    path = Path()
    wave = np.sin(2 * np.pi * 200 * (times - 1.0))
    path.extend(np.concatenate(([1.0], times)), np.concatenate(([0.0], wave)), np.ones(20_001, dtype=bool))
    chip = Chip()
    current = chip_current(chip, [Source(path), Source(Path(0.1))])
    starts = 1.0 + 1e-4 * np.arange(190)
    read = current.knots(starts, starts + 1e-5, 1.0).means(starts, starts + 1e-5)
    v = np.sin(2 * np.pi * 200 * (starts + 0.5e-5 - 1.0))
    np.testing.assert_allclose(read, 1e-9 * (v - 0.2 + 0.1 * v), atol=1e-11)
    assert len(chip.asked_s) < 5_000


def test_a_resistor_obeys_ohm():
    source = played([0.5, -1.0], slew=1e4)[0]
    starts = np.array([1.0005, 1.0015])
    read = Resistor(source, 1e8).knots(starts, starts + 1e-4, 0.9).means(starts, starts + 1e-4)
    np.testing.assert_allclose(read, [5e-9, -1e-8])
