"""Sample, fit, search, verify on a chip whose answer is known: what is found must be what is there."""

import numpy as np
import pytest

from calibration.sampling.multitone import MultiTone
from calibration.surrogate import SurrogateNetwork, Trainer, TrainingPlan, build_dataset, evaluate
from calibration.tasks import Acceptance, Search, SearchPlan, boolean_gate, verify
from tests.calibration.tasks.synthetic import BEST_XOR, LEVELS, NAMES, UNIT_A, BumpDevice

NOISE_A = 0.2e-9


def test_gates_found_on_a_surrogate_hold_on_the_chip():
    device = BumpDevice(noise_A=NOISE_A)
    chip = device.with_inputs(NAMES)
    sampling = MultiTone(chip.inputs, chip.sample_rate_Hz, 3, 60, 500)
    measured = [chip.run(sampling.stimulus(k)[None]) for k in range(sampling.batches)]
    dataset = build_dataset(
        np.concatenate([part.inputs for part in measured]),
        np.concatenate([part.outputs for part in measured]),
        np.concatenate([part.flags for part in measured]),
        electrodes=NAMES,
        low_V=chip.inputs.low,
        high_V=chip.inputs.high,
    )
    trainer = Trainer(
        SurrogateNetwork.for_dataset(dataset, hidden=(64, 64, 64)), dataset, TrainingPlan(epochs=15)
    )
    for _ in trainer:
        pass
    surrogate = trainer.best()
    quality = evaluate(surrogate, dataset.test, dataset.scaling, repeatability_A=NOISE_A)
    assert 0.9 < quality.over_repeatability < 4.0

    tasks = [boolean_gate(gate, *LEVELS) for gate in ("XOR", "AND", "OR", "XNOR")]
    plan = SearchPlan(restarts=64, steps=120, noise_A=NOISE_A)
    search = Search(surrogate.with_inputs(["a", "b"]), tasks, plan)
    for _ in search:
        pass
    asked = Acceptance(min_margin_A=0.3 * UNIT_A, min_margin_over_noise=5.0)
    results = {
        task.name: verify(
            device,
            search.solutions(task.name)[0],
            task,
            plateau_s=0.05,
            repeats=5,
            rng=np.random.default_rng(0),
            acceptance=asked,
        )
        for task in tasks
    }
    known = {"XOR": 1.0, "AND": 0.48, "OR": 0.96}  # with the guard at the ends of the range
    for gate, margin in known.items():
        assert results[gate].passed, results[gate].reason
        assert results[gate].margin_A == pytest.approx(margin * UNIT_A, rel=0.12), gate
        assert results[gate].noise_A == pytest.approx(NOISE_A, rel=0.1)
    assert not results["XNOR"].passed
    found = dict(zip(("c", "d", "e"), search.solutions("XOR")[0].controls_V.tolist(), strict=True))
    assert found == pytest.approx(BEST_XOR, abs=0.06)
