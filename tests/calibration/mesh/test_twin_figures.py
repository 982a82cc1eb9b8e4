"""How near the twin comes to the chip, by number of ports: the published set-up, a stricter one, and a whole chip."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from calibration.device import Array
from calibration.mesh.bare import BareMesh
from calibration.mesh.prior import ChipPrior
from calibration.mesh.readings import PowerNoise, PowerReadings
from calibration.mesh.twin import FitPlan, TwinFit
from calibration.mesh.unknowns import Spread
from simulators.models.mesh import Fabrication, Mesh, MeshLayout, fabricate

SETTINGS, UNSEEN = 64, 20
Inputs = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Case:
    """A hidden chip, what is known of it, and S + 20 settings."""

    hidden: nn.Module
    start: nn.Module
    spreads: dict[str, Spread]
    inputs: Inputs
    controls: Array
    plan: FitPlan


def bare(ports: int, splitter_rad: float, seed: int) -> Case:
    """Splitter and phase errors alone, phases as controls."""
    layout = MeshLayout("rectangular", ports)
    hidden = fabricate(layout, Fabrication.perfect(splitter_rad=splitter_rad, phase_rad=0.1), seed).mesh
    spreads = {
        "mesh.splitter_in": Spread(splitter_rad),
        "mesh.splitter_out": Spread(splitter_rad),
        "mesh.phase_offset": Spread(0.1),
    }
    phases = 2.0 * np.pi * np.random.default_rng(seed).random((SETTINGS + UNSEEN, len(layout.shifters)))
    plan = FitPlan(steps=500 if ports > 16 else 200, refinements=0 if ports > 16 else 6, seed=seed)
    return Case(BareMesh(hidden), BareMesh(Mesh(layout)), spreads, np.eye(ports, dtype=complex), phases, plan)


def whole(ports: int, splitter_rad: float, seed: int) -> Case:
    """Crosstalk of 0.01 with a spread from pair to pair, spread losses and heaters, shut modulators that leak,
    8 bits; known are the design, the heaters' resistances and the modulators' voltages."""
    layout = MeshLayout("rectangular", ports)
    hidden = fabricate(layout, Fabrication(splitter_rad=splitter_rad, phase_rad=0.1, bits=8), seed)
    start = fabricate(
        layout,
        Fabrication.perfect(
            mzi_loss_dB=0.1, crosstalk=0.01, bits=8, input_loss_dB=2.0, port_loss_dB=1.5, rise_per_W=1.5
        ),
        0,
    )
    start.heaters.resistance_ohm.data = hidden.heaters.resistance_ohm.data.clone()
    start.modulators.closed_V.data = hidden.modulators.closed_V.data.clone()
    start.modulators.half_wave_V.data = hidden.modulators.half_wave_V.data.clone()
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        turn = 2.0 * torch.pi / start.heaters.gamma_rad_per_W
        powers = turn * torch.as_tensor(rng.random((SETTINGS + UNSEEN, len(layout.shifters))))
        volts = start.heaters.volts(powers).numpy()
        inputs = (torch.diag(start.modulators.half_wave_V) + start.modulators.closed_V).numpy()
    plan = FitPlan(steps=1200 if ports > 16 else 400, refinements=0 if ports > 16 else 5, seed=seed)
    return Case(hidden, start, ChipPrior(splitter_rad=splitter_rad).spreads(start), inputs, volts, plan)


def powers(model: nn.Module, inputs: Inputs, controls: Array) -> Array:
    with torch.no_grad():
        found: Array = model(torch.as_tensor(inputs), torch.as_tensor(controls)[:, None]).numpy()
    return found


def fidelity(one: Array, other: Array) -> float:
    """Mean over settings and inputs of Σ √(P P'), each input's light shared out among the outputs."""
    shares = [light / light.sum(axis=-1, keepdims=True) for light in (one, other)]
    return float(np.sqrt(shares[0] * shares[1]).sum(axis=-1).mean())


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("make", "splitter_rad", "ports", "seeds", "least"),
    [
        (bare, 0.05, 8, 3, 0.9999),
        (bare, 0.05, 16, 3, 0.9999),
        (bare, 0.05, 64, 2, 0.9999),
        (bare, 0.1, 8, 3, 0.9999),
        (bare, 0.1, 16, 3, 0.9999),
        (bare, 0.1, 64, 1, 0.9999),
        (whole, 0.05, 8, 3, 0.999),
        (whole, 0.05, 16, 3, 0.999),
        (whole, 0.05, 64, 1, 0.999),
        (whole, 0.1, 8, 2, 0.999),
        (whole, 0.1, 64, 1, 0.999),
    ],
)
def test_fidelity_at_unseen_settings(
    make: Callable[[int, float, int], Case], splitter_rad: float, ports: int, seeds: int, least: float
) -> None:
    for seed in range(1, seeds + 1):
        case = make(ports, splitter_rad, seed)
        light = powers(case.hidden, case.inputs, case.controls)
        seen, unseen = light[:SETTINGS], light[SETTINGS:]
        noise = PowerNoise(2e-3 * float(seen.mean()), 0.01)
        rng = np.random.default_rng((seed, 1))
        read = seen + noise.std(seen) * rng.standard_normal(seen.shape)
        inputs = np.broadcast_to(case.inputs, (SETTINGS, ports, ports))
        readings = PowerReadings(inputs, case.controls[:SETTINGS], read)
        began, worked = time.perf_counter(), time.process_time()
        fit = TwinFit(case.start, case.spreads, readings, noise, case.plan)
        found = fit.run()
        before, after = (
            fidelity(unseen, powers(model, case.inputs, case.controls[SETTINGS:]))
            for model in (case.start, found)
        )
        train, held_out = fit.residuals()
        print(
            f"\n{make.__name__:5} splitters {splitter_rad:4g} rad, N {ports:2d}, seed {seed}: {before:.5f} -> "
            f"{after:.6f}, "
            f"residual over noise {train:.3f} fitted, {held_out:.3f} held out, {fit.unknowns.count} unknowns, "
            f"{time.perf_counter() - began:.1f} s ({time.process_time() - worked:.1f} s of CPU)"
        )
        assert after >= least
