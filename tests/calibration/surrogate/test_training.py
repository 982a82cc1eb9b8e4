import itertools
import json

import numpy as np
import pytest
import torch

from calibration.errors import ModelFileError, PlanError
from calibration.surrogate import (
    SurrogateNetwork,
    Trainer,
    TrainingPlan,
    TrainingState,
    build_dataset,
    evaluate,
    predict,
)
from tests.calibration.surrogate.teacher import ELECTRODES, HIGH, LOW, noise_A, teacher_dataset

SMALL = {"hidden": (32, 32)}


def weights(network: SurrogateNetwork) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in network.body.parameters()])


def test_training_finds_the_chip_behind_the_noise():
    dataset, teacher = teacher_dataset(80, 250)
    network = SurrogateNetwork.for_dataset(dataset)
    trainer = Trainer(network, dataset, TrainingPlan(epochs=15))
    epochs = list(trainer)
    assert [epoch.epoch for epoch in epochs] == list(range(15))
    result = evaluate(trainer.best(), dataset.test, dataset.scaling)
    voltages = dataset.scaling.voltages(dataset.test.inputs)
    truth = teacher.current(voltages)
    to_truth = float(np.sqrt(np.mean((predict(network, voltages) - truth) ** 2)))
    assert to_truth < 0.2 * truth.std()
    # The readings' own noise is part of the error against readings and of nothing else.
    noise = float(np.sqrt(np.mean(noise_A(truth) ** 2)))
    assert result.rmse_A == pytest.approx(np.hypot(to_truth, noise), rel=0.05)
    assert result.rmse_A == pytest.approx(trainer.best_epoch.validation_rmse_A, rel=0.2)


@pytest.mark.parametrize("likelihood", [False, True])
@pytest.mark.parametrize("interrupted", [1, 3])
def test_a_resumed_training_equals_an_uninterrupted_one(likelihood, interrupted):
    dataset, _ = teacher_dataset(12, 60)
    plan = TrainingPlan(epochs=6, batch_size=64, seed=5)

    def fresh() -> SurrogateNetwork:
        return SurrogateNetwork.for_dataset(dataset, likelihood=likelihood, **SMALL)

    whole = Trainer(fresh(), dataset, plan)
    straight = list(whole)
    cut = Trainer(fresh(), dataset, plan)
    first = list(itertools.islice(cut, interrupted))
    stored = cut.state()
    stored = TrainingState(stored.tensors, json.loads(json.dumps(stored.record)))
    resumed = Trainer(fresh(), dataset, plan, state=stored)
    rest = list(resumed)
    keys = ("epoch", "train_loss", "validation_loss", "rate", "best")
    assert [[getattr(e, k) for k in keys] for e in first + rest] == [
        [getattr(e, k) for k in keys] for e in straight
    ]
    assert torch.equal(weights(whole.best()), weights(resumed.best()))


def test_a_stored_state_is_a_copy_and_flat():
    dataset, _ = teacher_dataset(12, 60)
    trainer = Trainer(SurrogateNetwork.for_dataset(dataset, **SMALL), dataset, TrainingPlan(epochs=4))
    next(iter(trainer))
    state = trainer.state()
    before = {name: value.clone() for name, value in state.tensors.items()}
    next(iter(trainer))
    assert all(torch.equal(before[name], value) for name, value in state.tensors.items())
    assert all(isinstance(value, torch.Tensor) for value in state.tensors.values())


def test_a_state_of_something_else_is_refused():
    dataset, _ = teacher_dataset(12, 60)
    plan = TrainingPlan(epochs=2)
    trainer = Trainer(SurrogateNetwork.for_dataset(dataset, **SMALL), dataset, plan)
    next(iter(trainer))
    state = trainer.state()
    other = SurrogateNetwork.for_dataset(dataset, hidden=(16, 16))
    with pytest.raises(ModelFileError, match="another network"):
        Trainer(other, dataset, plan, state=state)
    with pytest.raises(ModelFileError, match="another plan"):
        Trainer(trainer.network, dataset, TrainingPlan(epochs=3), state=state)
    with pytest.raises(ModelFileError, match="format"):
        Trainer(trainer.network, dataset, plan, state=TrainingState({}, {}))


def noise_only(seed: int = 0):
    """Nothing to learn: the sooner training stops the better."""
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(LOW, HIGH, (20, 100, 7))
    outputs = rng.normal(0.0, 1e-9, (20, 100, 1))
    flags = np.zeros((20, 100), np.uint8)
    return build_dataset(inputs, outputs, flags, electrodes=ELECTRODES, low_V=LOW, high_V=HIGH)


def test_early_stopping_stops_and_keeps_the_best():
    dataset = noise_only()
    plan = TrainingPlan(epochs=200, patience=4, cooldown=2, batch_size=128)
    trainer = Trainer(SurrogateNetwork.for_dataset(dataset), dataset, plan)
    epochs = list(trainer)
    assert len(epochs) < 40
    assert trainer.finished
    assert list(trainer) == []
    rates = [epoch.rate for epoch in epochs]
    assert rates[-1] == pytest.approx(plan.peak_rate / 1e4)
    best = min(epochs, key=lambda epoch: epoch.validation_loss)
    assert trainer.best_epoch == best
    assert best.epoch < len(epochs) - 1
    kept = evaluate(trainer.best(), dataset.validation, dataset.scaling)
    assert kept.rmse_A == pytest.approx(best.validation_rmse_A, rel=1e-5)


def test_stopping_resumes_too():
    dataset = noise_only()
    plan = TrainingPlan(epochs=200, patience=3, cooldown=3, batch_size=128)
    network = SurrogateNetwork.for_dataset(dataset, **SMALL)
    straight = [(e.epoch, e.train_loss, e.rate) for e in Trainer(network, dataset, plan)]
    cut = Trainer(SurrogateNetwork.for_dataset(dataset, **SMALL), dataset, plan)
    for _ in itertools.islice(cut, len(straight) - 2):
        pass
    resumed = Trainer(SurrogateNetwork.for_dataset(dataset, **SMALL), dataset, plan, state=cut.state())
    assert [(e.epoch, e.train_loss, e.rate) for e in resumed] == straight[-2:]
    assert resumed.finished


def test_the_rate_rises_once_and_falls_to_nothing():
    plan = TrainingPlan(epochs=10, peak_rate=4e-3, warm_up=0.25)
    rates = np.array([plan.rate(share) for share in np.linspace(0, 1, 201)])
    top = int(rates.argmax())
    assert top == 50
    assert rates[top] == pytest.approx(4e-3)
    assert rates[0] == pytest.approx(4e-3 / 25)
    assert rates[-1] == pytest.approx(4e-7)
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()


def test_likelihood_learns_the_noise():
    dataset, teacher = teacher_dataset(100, 250)
    network = SurrogateNetwork.for_dataset(dataset, likelihood=True)
    trainer = Trainer(network, dataset, TrainingPlan(epochs=15))
    for _ in trainer:
        pass
    result = evaluate(trainer.best(), dataset.test, dataset.scaling)
    assert 0.85 < result.within_two_sigma < 0.98
    voltages = dataset.scaling.voltages(dataset.test.inputs)
    sigma = network.noise(torch.from_numpy(voltages)).detach().numpy()[:, 0]
    magnitude = np.abs(teacher.current(voltages))[:, 0]
    calm, loud = sigma[magnitude < 2e-9].mean(), sigma[magnitude > 20e-9].mean()
    assert calm < loud
    assert 0.3e-9 < calm < 1.2e-9


@pytest.mark.parametrize(
    "key", [{"epochs": 0}, {"batch_size": 0}, {"patience": 0}, {"peak_rate": 0.0}, {"warm_up": 1.0}]
)
def test_impossible_plans_are_refused(key):
    with pytest.raises(PlanError, match=next(iter(key))):
        TrainingPlan(**key)
