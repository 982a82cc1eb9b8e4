"""The emulated devices beside the published ones, as a population.

Published currents: surrogates of four devices, asked at evenly drawn voltages in their ranges. Their share of
non-monotone sweeps and of gates was measured on two of them, 2020-02 and 2022, as `population` does it. That
XOR is rarer than AND is also in arXiv 2312.16037.
"""

import numpy as np
import pytest
import torch

from simulators.models.hopping import LEAST_STD_A, HoppingNetwork, default_network
from tests.simulators.models.population import GATES, PERCENTILES, statistics

N_DEVICES = 24
PUBLISHED_nA = {  # PERCENTILES, then the standard deviation
    "2019-09": (-333, -78, -31, -2.2, 0.10, 2.6, 19, 42, 86, 18.8),
    "2019-12": (-339, -79, -31, -2.1, 0.12, 2.5, 19, 43, 93, 18.9),
    "2020-02": (-352, -304, -152, -24, -0.4, 3.2, 24, 42, 88, 60.6),
    "2022": (-161, -79, -24, -0.3, 1.3, 8.3, 37, 72, 146, 21.7),
}
PUBLISHED_SHAPE = {  # skewness, kurtosis, non-monotone least and most per electrode, AND, XOR, XNOR
    "2020-02": (-2.9, 12.8, 0.12, 0.30, 0.53, 0.052, 0.007),
    "2022": (-1.2, 15.8, 0.19, 0.45, 0.05, 0.020, 0.000),
}


def _row(name: str, values: list[float] | tuple[float, ...], form: str = "8.2f") -> str:
    return f"{name:>16}" + "".join(f"{value:{form}}" for value in values)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_population_resembles_the_published_devices() -> None:
    torch.set_num_threads(1)
    devices = [default_network(seed) for seed in range(N_DEVICES)]
    seen = [
        statistics(lambda v, device=device: device.current(v)[:, 0], device.low, device.high, seed)
        for seed, device in enumerate(devices)
    ]
    yielded = np.mean([HoppingNetwork(seed=1000 + k).readout_std_A() >= LEAST_STD_A for k in range(40)])

    print(f"\n\nCurrent over its standard deviation, {N_DEVICES} emulated devices and four published")
    print(_row("percentile", PERCENTILES, "8.0f") + "   std nA")
    for name, values in PUBLISHED_nA.items():
        print(_row(name, [value / values[-1] for value in values[:-1]]) + f"{values[-1]:9.1f}")
    shares = np.array([one.percentiles_A / one.std_A for one in seen])
    for name, quantile in (("emulated, median", 0.5), ("lowest quarter", 0.25), ("highest quarter", 0.75)):
        print(_row(name, list(np.quantile(shares, quantile, axis=0))) + f"{seen[0].std_A * 1e9:9.1f}")

    print("\nShape; non-monotone sweeps (least and most of the 7 electrodes); gates over random controls")
    head = ("skewness", "kurtosis", "least", "most", "AND", "XOR", "XNOR")
    print(f"{'':>16}" + "".join(f"{one:>10}" for one in head))
    for name, shape in PUBLISHED_SHAPE.items():
        print(_row(name, shape, "10.3f"))
    for k, one in enumerate(seen):
        gates = [one.gates[name] for name in ("AND", "XOR", "XNOR")]
        sweeps = (one.non_monotone.min(), one.non_monotone.max())
        print(_row(f"seed {k}", (one.skewness, one.kurtosis, *sweeps, *gates), "10.3f"))
    skewness, kurtosis = (np.array([getattr(one, name) for one in seen]) for name in ("skewness", "kurtosis"))
    sweeps = np.array([one.non_monotone for one in seen])
    gates = {name: float(np.mean([one.gates[name] for one in seen])) for name in GATES}
    print(f"\nmedian skewness {np.median(skewness):.2f}, median kurtosis {np.median(kurtosis):.1f}")
    print(
        f"non-monotone sweeps: {sweeps.mean():.2f} on average; in the published 0.13 to 0.46 for "
        f"{np.mean((sweeps >= 0.13) & (sweeps <= 0.46)):.2f} of the electrodes"
    )
    print("gates: " + ", ".join(f"{name} {share:.3f}" for name, share in gates.items()))
    print(f"layouts that conduct: {yielded:.2f}")

    assert np.median(kurtosis) > 5
    assert np.median(skewness) < -1
    assert np.median(np.abs(shares[:, PERCENTILES.index(50)])) < 0.1
    assert 0.13 < sweeps.mean() < 0.46
    assert gates["XOR"] < gates["AND"] / 5
    assert gates["XOR"] > 0
    assert yielded > 0.5
