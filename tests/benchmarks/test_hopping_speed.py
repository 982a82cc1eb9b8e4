"""Operating points a second of the default dopant network on one thread; a real bench gives 1,500."""

import math
import time
from collections.abc import Callable

import pytest
import torch

from simulators.models.hopping import default_network

ROUNDS = 5


def _best(run: Callable[[], object], points: int) -> float:
    """Points a second of processor time in the fastest of ROUNDS runs, after one to warm up."""
    run()
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return points / min(seconds)


@pytest.mark.benchmark
def test_operating_points_per_second() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        device = default_network(0)
        span, middle = (device.high - device.low) / 2, (device.high + device.low) / 2
        n = 16384
        frequency = 0.001 * torch.tensor([2.0, 3.0, 5.0, 7.0, 13.0, 17.0, 19.0], dtype=torch.float64).sqrt()
        turns = frequency * torch.arange(n, dtype=torch.float64)[:, None]
        waveform = middle + span * torch.sin(2 * math.pi * turns + torch.arange(7.0))
        share = torch.rand(4096, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        scattered = device.low + 2 * span * share
        rates = {
            "multi-tone waveform (trace)": _best(lambda: device.trace(waveform), n),
            "random points (current)": _best(lambda: device.current(scattered), len(scattered)),
        }
    finally:
        torch.set_num_threads(threads)
    size = f"{device.equations.n_sites} sites, {len(device.equations.tail)} bonds"
    print(f"\n{size}, points per second of processor time on one thread, best of {ROUNDS}:")
    for name, rate in rates.items():
        print(f"{name:>30} {rate:10.0f} points/s")
    assert rates["multi-tone waveform (trace)"] > 10_000
