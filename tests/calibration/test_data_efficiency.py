"""How many samples a surrogate needs: phases drawn afresh every batch against fixed ones.

Two chips, an emulated dopant network and the published surrogate of a measured one, are sampled with the
same tones three ways: `random` phases; `running`, one unbroken waveform cut into batches; `restarted`, the
same phases at the start of every batch. All trainings take the same number of steps, and the error is the
distance from the noiseless chip at voltages drawn evenly from the whole range, which no plan knows of.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from calibration.device import ChannelGroup
from calibration.sampling.multitone import MultiTone, Phases
from calibration.surrogate import SurrogateNetwork, Trainer, TrainingPlan, build_dataset
from simulators.models.hopping import default_network
from simulators.models.model import ElectrodeModel
from tests.calibration.real_device import measured_device
from tests.calibration.surrogate.teacher import noise_A

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

BATCHES, SAMPLES, RATE_HZ = (4, 8, 16, 32, 64), 1000, 1000.0
STEPS, BATCH_SIZE = 4000, 256
TEST_POINTS = 4000
PHASES: tuple[Phases, ...] = ("random", "running", "restarted")

Answer = Callable[[np.ndarray], np.ndarray]


def answer_of(chip: ElectrodeModel) -> Answer:
    """Currents (n, 1) in A, by pieces that fit the cache."""

    @torch.no_grad()
    def answer(voltages: np.ndarray) -> np.ndarray:
        return torch.cat([chip.current(piece) for piece in torch.from_numpy(voltages).split(2000)]).numpy()

    return answer


def error_A(chip: ElectrodeModel, inputs: np.ndarray, outputs: np.ndarray, test: tuple) -> float:
    """Root mean square distance of a surrogate of these samples from the noiseless chip at `test`."""
    dataset = build_dataset(
        inputs,
        outputs,
        np.zeros(outputs.shape[:2], np.uint8),
        electrodes=chip.electrodes,
        low_V=chip.low.numpy(),
        high_V=chip.high.numpy(),
        fractions=(0.7, 0.15, 0.15) if len(inputs) < 10 else (0.8, 0.1, 0.1),
    )
    epochs = round(STEPS / np.ceil(len(dataset.train) / BATCH_SIZE))
    plan = TrainingPlan(epochs=epochs, batch_size=BATCH_SIZE, patience=epochs)
    trainer = Trainer(SurrogateNetwork.for_dataset(dataset), dataset, plan)
    for _ in trainer:
        pass
    voltages, truth = test
    with torch.no_grad():
        predicted = trainer.best().current(torch.from_numpy(voltages)).numpy()
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def chip_named(name: str) -> ElectrodeModel:
    if name == "hopping":
        return default_network(7)
    return measured_device(name)


def samples_for(level: float, curve: list[float]) -> float:
    """Samples at which `curve` first falls to `level`, straight lines joining its points in the logarithms.

    The smallest run where that is below already; inf where the curve never falls so far.
    """
    sizes = np.log(np.array(BATCHES) * SAMPLES)
    for k, error in enumerate(curve):
        if error <= level:
            if k == 0:
                return float(np.exp(sizes[0]))
            share = np.log(curve[k - 1] / level) / np.log(curve[k - 1] / error)
            return float(np.exp(sizes[k - 1] + share * (sizes[k] - sizes[k - 1])))
    return float("inf")


@pytest.mark.parametrize("name", ["hopping", "device of 2022", "device of 2020"])
def test_samples_needed_by_random_and_fixed_phases(name):
    torch.set_num_threads(1)
    chip = chip_named(name)
    answer, rng = answer_of(chip), np.random.default_rng(0)
    low, high = chip.low.numpy(), chip.high.numpy()
    channels = ChannelGroup(chip.electrodes, "V", low, high, np.full(len(low), 60.0))
    voltages = rng.uniform(low, high, (TEST_POINTS, len(low)))
    test = voltages, answer(voltages)
    curves: dict[str, list[float]] = {}
    for phases in PHASES:
        plan = MultiTone(channels, RATE_HZ, 1, BATCHES[-1], SAMPLES, phases=phases)
        inputs = np.stack([plan.stimulus(k) for k in range(plan.batches)])
        fresh = inputs[:1] if phases == "restarted" else inputs
        truth = answer(fresh.reshape(-1, len(low))).reshape(*fresh.shape[:2], 1)
        outputs = np.broadcast_to(truth, (*inputs.shape[:2], 1))
        outputs = outputs + noise_A(outputs) * rng.standard_normal(outputs.shape)
        curves[phases] = [error_A(chip, inputs[:count], outputs[:count], test) for count in BATCHES]
    report(name, curves, float(test[1].std()))
    # At the error that fixed phases reach with everything, random ones need at most half of it.
    assert samples_for(curves["restarted"][-1], curves["random"]) <= 0.5 * BATCHES[-1] * SAMPLES
    # A waveform that never repeats covers the space as well as drawn phases do: no claim beyond that.
    assert curves["random"][-1] < 1.15 * curves["running"][-1]


def report(name: str, curves: dict[str, list[float]], spread_A: float) -> None:
    print(
        f"\n{name}: error from the noiseless chip in nA; its outputs' standard deviation is {spread_A * 1e9:.3g}"
    )
    print("  samples    " + "".join(f"{phases:>12}" for phases in curves))
    for row, count in enumerate(BATCHES):
        print(f"  {count * SAMPLES:>8,}   " + "".join(f"{c[row] * 1e9:>12.3f}" for c in curves.values()))
    for phases in ("running", "restarted"):
        level = curves[phases][-1]
        needed = samples_for(level, curves["random"])
        verdict = f"need {needed:,.0f} samples for" if np.isfinite(needed) else "do not reach"
        print(
            f"  random phases {verdict} the {level * 1e9:.3g} nA of {BATCHES[-1] * SAMPLES:,} {phases} ones"
        )
    folder = os.environ.get("HIL_PLOTS")
    if folder:
        plot(Path(folder) / f"data_efficiency_{name.replace(' ', '_')}.png", name, curves)


def plot(path: Path, name: str, curves: dict[str, list[float]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for (phases, errors), marker in zip(curves.items(), "os^", strict=True):
        axes.loglog(
            np.array(BATCHES) * SAMPLES, np.array(errors) * 1e9, marker + "-", label=f"{phases} phases"
        )
    axes.set(xlabel="samples", ylabel="RMS error from the noiseless chip (nA)", title=name)
    axes.set_xticks([count * SAMPLES for count in BATCHES], [f"{count * SAMPLES:,}" for count in BATCHES])
    axes.xaxis.minorticks_off()
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
