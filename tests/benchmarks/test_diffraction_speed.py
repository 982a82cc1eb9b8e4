"""A diffractive network of five planes beside its FFTs alone, in the same run on one thread."""

import math
import time
from collections.abc import Callable

import pytest
import torch

from simulators.models.diffraction import DiffractiveDesign, DiffractiveNetwork, Grid, Region

BATCH, PLANES, SIDE, ROUNDS = 64, 5, 200, 5


def _best(run: Callable[[], object]) -> float:
    """Seconds of processor time of the fastest of ROUNDS runs, after one to warm up."""
    run()
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _ffts(window: int) -> None:
    """The FFTs of one pass: there and back for every distance, on the whole batch at once."""
    fields = torch.ones((BATCH, SIDE, SIDE), dtype=torch.complex64)
    for _ in range(PLANES + 1):
        fields = torch.fft.ifft2(torch.fft.fft2(fields, s=(window, window)))[..., :SIDE, :SIDE]


@pytest.mark.benchmark
@pytest.mark.parametrize("padding", [1, 2])
def test_a_network_is_bound_by_its_ffts(padding: int) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        detectors = {f"d{k}": Region(40 + 60 * (k // 5), 10 + 36 * (k % 5), 20, 20) for k in range(10)}
        design = DiffractiveDesign(
            Grid((SIDE, SIDE), 8e-6), 532e-9, (0.02,) * (PLANES + 1), (SIDE, SIDE),
            Region(20, 20, 160, 160), (8, 8), detectors, padding=padding,
        )  # fmt: skip
        network = DiffractiveNetwork(design, dtype=torch.complex64)
        generator = torch.Generator().manual_seed(1)
        inputs = torch.rand((BATCH, network.n_inputs), generator=generator)
        controls = 2 * math.pi * torch.rand(network.n_controls, generator=generator)

        def forward() -> None:
            with torch.no_grad():
                network(inputs, controls)

        def both() -> None:
            network(inputs, controls.requires_grad_()).square().sum().backward()

        ffts, once, there_and_back = _best(lambda: _ffts(padding * SIDE)), _best(forward), _best(both)
    finally:
        torch.set_num_threads(threads)
    print(
        f"\n{PLANES} planes of {SIDE} x {SIDE}, batch {BATCH}, complex64, padding {padding}, one thread: "
        f"FFTs alone {1e3 * ffts:.0f} ms\n"
        f"  forward            {1e3 * once:6.0f} ms  {once / ffts:.2f} x its FFTs\n"
        f"  forward + backward {1e3 * there_and_back:6.0f} ms  {there_and_back / ffts / 2:.2f} x its FFTs"
    )
    assert once < 3.0 * ffts
    assert there_and_back < 3.0 * 2 * ffts
