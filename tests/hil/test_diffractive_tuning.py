"""A diffractive network is tuned on its bench: the modulators and the camera are all that the tuner has."""

from pathlib import Path

import numpy as np
import pytest
import torch

import hil
from calibration.device import Device
from calibration.tuning import (
    Correct,
    CrossEntropy,
    Examples,
    Limits,
    Pat,
    Problem,
    Tuner,
    TuningPlan,
    TuningTask,
    Update,
)
from hil.chips.diffractive import design, open_diffractive
from hil.config.bench import load_rack
from hil.config.diffractive_chip import DiffractiveSection
from hil.connection import open_station
from simulators.models.diffraction import DiffractiveNetwork
from simulators.models.threads import one_thread
from simulators.visa.library import power_off

SIDE, SAMPLES, PROBE = 8, 48, 8


def task(detectors: int) -> TuningTask:
    """Noisy bars that lie or stand, told apart by the light on two of the detectors."""
    rng = np.random.default_rng(0)
    labels = np.arange(SAMPLES) % 2
    images = 0.2 * rng.random((SAMPLES, SIDE, SIDE))
    for image, label in zip(images, labels, strict=True):
        place = rng.integers(1, SIDE - 2)
        (image if label else image.T)[place : place + 2] += 0.8
    inputs, targets = images.reshape(SAMPLES, -1), torch.as_tensor(labels)

    def logits(powers: torch.Tensor) -> torch.Tensor:
        pair = powers[..., [0, detectors - 1]]
        return 20.0 * pair / pair.sum(dim=-1, keepdim=True).abs().clamp(min=1e-30)

    return TuningTask(
        Examples(inputs[PROBE:], targets[PROBE:]),
        Examples(inputs[:PROBE], targets[:PROBE]),
        CrossEntropy(logits),
        Correct(logits),
    )


def test_a_few_steps_on_the_bench_lower_the_loss(tmp_path: Path) -> None:
    hil.init("diffractive", tmp_path)
    bench = tmp_path / "bench.yaml"
    rack = load_rack(bench)
    chip = rack.chip
    assert isinstance(chip, DiffractiveSection)
    network = DiffractiveNetwork(design(chip, (80, 80)), dtype=torch.complex64)
    with one_thread(), open_station(rack, bench) as station, open_diffractive(chip, bench, station) as driver:
        assert isinstance(driver, Device)
        driver.measure_dark()
        limits = Limits.of(driver.controls, turn=2.0 * np.pi)
        assert np.isfinite(limits.turn).all()  # phases go round
        problem = Problem(task(network.n_outputs), limits, model=network)
        start = np.random.default_rng(1).uniform(2.0, 3.0, network.n_controls)
        tuner = Tuner(driver, problem, Pat(Update("adam", 0.1), batch=8), TuningPlan(80, checks=1), start)
        before = driver.cost.readings
        steps = list(tuner)
        assert driver.cost.readings - before == tuner.readings <= 80
        assert not any(step.failed for step in steps)
        assert tuner.curve[-1].verdict == "accepted"
        assert tuner.curve[-1].loss < tuner.curve[0].loss
        # the best phases are shown when the tuner has ended: the driver's last frame is theirs
        probe = problem.task.probe
        outputs = torch.as_tensor(problem.asking(driver, probe.inputs).outputs)
        loss = float(problem.task.loss(outputs, probe.targets).mean())
        assert loss == pytest.approx(tuner.curve[-1].loss, rel=0.1)
    power_off()
