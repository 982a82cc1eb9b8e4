"""The mean field beside the master equation of all 2^N occupations, written anew in numpy."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from simulators.models.hopping import ELEMENTARY_CHARGE_C, HoppingNetwork
from simulators.models.hopping_layout import HoppingParameters
from simulators.models.hopping_solver import steady_state

Array = NDArray[np.float64]


def exact(network: HoppingNetwork, voltages: Array) -> tuple[Array, Array]:
    """Occupations (N,) and electrode currents (8,) in A from the null space of the generator."""
    equations, n = network.equations, network.equations.n_sites
    kT_eV = 8.617333262e-5 * network.physics.temperature_K
    all_voltages = np.append(voltages, 0.0)
    arms, coulomb = equations.arms.numpy(), equations.coulomb.numpy()
    bonds = list(zip(equations.tail.tolist(), equations.head.tolist(), strict=True))
    site = arms @ all_voltages + equations.level[:, 0].numpy()
    fermi = all_voltages / kT_eV
    outer = np.append(arms @ all_voltages, fermi)
    couplings = []
    for (a, b), decay in zip(bonds, equations.decay[:, 0].tolist(), strict=True):
        u = math.hypot(outer[b] - outer[a], 1.0) * kT_eV / network.physics.tunnel_barrier_eV
        slope = 2 / 3 * (1 - (1 - u) ** 1.5) / u if u < 1 else 2 / (3 * u)
        couplings.append(math.exp(-decay * slope))

    states = [tuple(int(bit) for bit in f"{s:0{n}b}") for s in range(2**n)]

    def energy(state: tuple[int, ...]) -> float:
        charge = np.array(state) - 1.0
        return float(np.dot(state, site) + charge @ coulomb @ charge / 2)

    place = {state: k for k, state in enumerate(states)}
    generator = np.zeros((2**n, 2**n))
    arriving = np.zeros((8, 2**n))  # holes a second into each contact, in each state
    for state in states:
        for (a, b), coupling in zip(bonds, couplings, strict=True):
            for source, target in ((a, b), (b, a)):
                if (source < n and not state[source]) or (target < n and state[target]):
                    continue
                after, work = list(state), 0.0
                if source < n:
                    after[source] = 0
                else:
                    work -= fermi[source - n]
                if target < n:
                    after[target] = 1
                else:
                    work += fermi[target - n]
                work += energy(tuple(after)) - energy(state)
                rate = coupling * math.exp(-max(work, 0.0))
                generator[place[tuple(after)], place[state]] += rate
                generator[place[state], place[state]] -= rate
                if source >= n:
                    arriving[source - n, place[state]] -= rate
                if target >= n:
                    arriving[target - n, place[state]] += rate
    system = np.vstack([generator / np.abs(generator).max(), np.ones(2**n)])
    chance = np.linalg.lstsq(system, np.append(np.zeros(2**n), 1.0), rcond=None)[0]
    unit_A = ELEMENTARY_CHARGE_C * network.physics.attempt_frequency_Hz
    return np.array(states).T @ chance, arriving @ chance * unit_A


def small(n_sites: int, seed: int, **changes: float) -> HoppingNetwork:
    """A device on a disc so small that its few sites are all connected."""
    parameters = HoppingParameters(
        n_acceptors=n_sites, n_donors=1, radius_m=5e-9 * math.sqrt(n_sites) + 4e-9, **changes
    )
    return HoppingNetwork(parameters, seed=seed)


def draw(network: HoppingNetwork, n: int, scale: float = 1.0) -> torch.Tensor:
    share = torch.rand(n, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return scale * (network.low + share * (network.high - network.low))


@pytest.mark.parametrize("seed", range(3))
def test_one_site_is_exact(seed: int) -> None:
    network = small(1, seed)
    voltages = draw(network, 5)
    found = network.currents_all(voltages).numpy()
    for k in range(5):
        _, currents = exact(network, voltages[k].numpy())
        np.testing.assert_allclose(found[k], currents, rtol=1e-8, atol=1e-10 * np.abs(currents).max())


@pytest.mark.parametrize("seed", range(2))
def test_sites_of_equal_energy_without_interaction_are_exact(seed: int) -> None:
    """The symmetric exclusion process: its mean occupations close on themselves, at any bias."""
    network = small(6, seed)
    equations = network.equations
    equations.coulomb.zero_()
    equations.level.zero_()
    equations.arms.zero_()
    voltages = draw(network, 4)
    found = network.currents_all(voltages).numpy()
    for k in range(4):
        _, currents = exact(network, voltages[k].numpy())
        np.testing.assert_allclose(found[k], currents, rtol=1e-7, atol=1e-9 * np.abs(currents).max())


def test_equilibrium_without_interaction_is_exact() -> None:
    network = small(7, 1, disorder_eV=0.01)
    network.equations.coulomb.zero_()
    occupation, currents = exact(network, np.zeros(7))
    equations = network.equations
    points = torch.zeros(8, 1, dtype=torch.float64)
    found = steady_state(equations, points)[:, 0].numpy()
    np.testing.assert_allclose(found, occupation, atol=1e-9)
    assert np.abs(currents).max() < 1e-9 * network.unit_A


@pytest.mark.parametrize("interaction", [0.0, 1.0])
def test_elsewhere_the_mean_field_is_close(interaction: float) -> None:
    """Correlations are what the mean field leaves out: measured here, over devices of up to 8 sites."""
    exacts, founds = [], []
    for n_sites, seed in ((2, 0), (3, 1), (4, 2), (5, 3), (6, 4), (7, 5), (8, 6)):
        network = small(n_sites, seed)
        network.equations.coulomb.mul_(interaction)
        voltages = draw(network, 6)
        found = network.currents_all(voltages).numpy()
        for k in range(6):
            _, currents = exact(network, voltages[k].numpy())
            scale = np.abs(currents).max()
            exacts.append(currents / scale)
            founds.append(found[k] / scale)
    error = np.abs(np.array(founds) - np.array(exacts))
    correlation = float(np.corrcoef(np.ravel(founds), np.ravel(exacts))[0, 1])
    print(
        f"\nmean field against all occupations, interaction x {interaction}, error over the largest "
        f"electrode current: median {np.median(error):.1e}, 90 % {np.quantile(error, 0.9):.1e}, "
        f"worst {error.max():.1e}; correlation {correlation:.4f}"
    )
    assert np.median(error) < 1e-3
    assert error.max() < 0.2
    assert correlation > 0.99
