"""Dual adaptive training: the model comes to answer as the chip does, and the chip to do its task."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from calibration.errors import PlanError
from calibration.networks import ClassifierPlan, accuracy, power_scores, train_classifier
from calibration.tuning import (
    Correct,
    CrossEntropy,
    Dat,
    Examples,
    Limits,
    Method,
    Pat,
    Problem,
    Query,
    Tuner,
    TuningPlan,
    TuningTask,
    Update,
)
from hil.devices import EmulatedMeshNetwork, EmulatedNoisyNetwork
from simulators.models.mesh import Fabrication, Mesh, MeshLayout
from simulators.models.optical import ElectroOptic, MeshNetwork, NoiseLevels, NoisyNetwork, fabricate_network
from tests.calibration.networks.digits import digits
from tests.conformance.method import TURN, Lab, MethodConformance, small_lab

SMALL = (2, 3, 4)


class TestDatOnOutputsAlone(MethodConformance):
    readings = 1600

    def create_method(self) -> Method:
        return Dat(Update("adam", 0.1), batch=64, internal_states="none", maps=SMALL)


class TestDatSeparable(MethodConformance):
    readings = 1600

    def create_method(self) -> Method:
        return Dat(Update("adam", 0.1), batch=64, internal_states="separable", maps=SMALL)


def noisy_lab(seed: int = 0) -> Lab:
    """A network of real layers, trained for other weights than it has."""
    network = NoisyNetwork((8, 6, 2), "tanh", NoiseLevels.uniform(2, 0.02))
    lab = small_lab(seed)
    device = EmulatedNoisyNetwork(network, seed=seed)
    problem = replace(lab.problem, limits=Limits.of(device.controls, scale=1.0), model=network)
    start = network.initial(torch.Generator().manual_seed(seed)).numpy()
    return Lab(device, problem, start)


class TestDatOnRealLayers(MethodConformance):
    readings = 1600

    def create_method(self) -> Method:
        return Dat(Update("adam", 0.02), batch=64, hidden=8)

    def create_lab(self, seed: int = 0) -> Lab:
        return noisy_lab(seed)


@pytest.mark.parametrize("internal_states", ["none", "unitary", "separable"])
def test_the_model_comes_to_answer_as_a_chip_with_hidden_errors(internal_states: str) -> None:
    lab = small_lab(2)
    # the chip stays as it is: its parameters hardly move
    method = Dat(
        Update("adam", 1e-9),
        network_update=Update("adam", 0.02),
        batch=64,
        internal_states=internal_states,  # type: ignore[arg-type]
        maps=(4, 6, 8),
        halving_epochs=0.0,
        similarity_steps=2,
    )
    state = method.begin(lab.problem, lab.problem.limits.theta(lab.start))
    losses = []
    for number in range(12):
        steps = method.step(lab.problem, state, number)
        answer = next(steps).take(lab.problem, lab.device)
        with pytest.raises(StopIteration) as end:
            steps.send(answer)
        state = end.value.value.state
        losses.append(end.value.value.figures["dissimilarity"])
    assert np.mean(losses[-3:]) < 0.6 * losses[0]


def test_networks_stay_out_of_the_gradient_while_they_warm_up() -> None:
    lab = small_lab()
    theta = lab.problem.limits.theta(lab.start)
    answer = Query(theta, lab.problem.batch(0, 32)).take(lab.problem, lab.device)
    rng = np.random.default_rng(0)
    moves = {}
    for epochs in (1.0, 0.0):
        method = Dat(
            Update("plain", 1.0), batch=32, internal_states="none", warm_up_epochs=epochs, maps=SMALL
        )
        state = method.begin(lab.problem, theta)
        # networks that do correct something
        weights = 0.2 * rng.normal(size=state.memory["weights"].shape)
        state = replace(state, memory={**state.memory, "weights": weights})
        steps = method.step(lab.problem, state, 0)
        next(steps)
        with pytest.raises(StopIteration) as end:
            steps.send(answer)
        moves[epochs] = end.value.value.state.theta - theta
    pat = Pat(Update("plain", 1.0), batch=32, internal_states="no").step(
        lab.problem, Pat().begin(lab.problem, theta), 0
    )
    next(pat)
    with pytest.raises(StopIteration) as end:
        pat.send(answer)
    # without its networks it is physics-aware training
    np.testing.assert_allclose(moves[1.0], end.value.value.state.theta - theta, atol=1e-12)
    assert np.abs(moves[0.0] - moves[1.0]).max() > 1e-3


@pytest.mark.parametrize(
    "settings",
    [
        {"batch": 0},
        {"similarity_steps": 0},
        {"warm_up_epochs": -1.0},
        {"internal_states": "some"},
        {"maps": (4, 8)},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        Dat(**settings)  # type: ignore[arg-type]


def test_a_model_without_inner_states_cannot_be_compared_by_them() -> None:
    lab = small_lab()
    alone = fabricate_network(
        MeshLayout("rectangular", 4), Fabrication.perfect(), 0, meshes=1, activation=ElectroOptic(), readout=2
    )
    device = EmulatedMeshNetwork(alone)
    problem = Problem(lab.problem.task, Limits.of(device.controls, turn=TURN), model=alone)
    with pytest.raises(PlanError, match="no inner states"):
        Tuner(device, problem, Dat(internal_states="unitary"), TuningPlan(2500), np.zeros(12))
    # what is read decides unless it is said
    tuner = Tuner(device, problem, Dat(maps=SMALL), TuningPlan(2500), np.zeros(12))
    _, step = (step for step, _ in zip(tuner, range(2), strict=False))
    assert step.figures["dissimilarity"] > 0.0


def test_digits_on_sixteen_ports_are_won_back() -> None:
    """The table of `test_dat_figures` in small."""
    data = digits(4)
    (images, labels), (unseen, names) = data.train, data.test
    layout = MeshLayout("rectangular", 16)
    design = MeshNetwork([Mesh(layout, dtype=torch.float32) for _ in range(3)], ElectroOptic(), readout=10)
    start = TURN * torch.rand(design.n_controls, generator=torch.Generator().manual_seed(0))
    trained = train_classifier(
        lambda light, phases: power_scores(design(light, phases)),
        start,
        images[:1000].float(),
        labels[:1000],
        ClassifierPlan(steps=100, rate=0.05),
    ).double()
    made = Fabrication.perfect(splitter_rad=0.05, phase_rad=0.1)
    device = EmulatedMeshNetwork(
        fabricate_network(layout, made, 7, meshes=3, activation=ElectroOptic(), readout=10),
        noise_relative=0.01,
    )
    task = TuningTask(
        Examples(images[:1000].numpy(), labels[:1000]),
        Examples(images[1000:1150].numpy(), labels[1000:1150]),
        CrossEntropy(power_scores),
        Correct(power_scores),
    )
    problem = Problem(task, Limits.of(device.controls, turn=TURN), model=design)

    def told_right(phases: np.ndarray) -> float:
        device.set_controls(np.mod(phases, 2.0 * math.pi))
        return accuracy(torch.as_tensor(device.run(unseen.numpy()[None]).outputs[0]), names)

    found = {"deployed": told_right(trained.numpy())}
    common = {"batch": 64, "halving_epochs": 2.0}
    for name, method in {
        "pat": Pat(Update("adam", 0.01), internal_states="no", **common),  # type: ignore[arg-type]
        "dat": Dat(
            Update("adam", 0.01),
            internal_states="separable",
            network_update=Update("adam", 0.01),
            **common,  # type: ignore[arg-type]
        ),
    }.items():
        tuner = Tuner(device, problem, method, TuningPlan(4500, checks=4), trained.remainder(TURN).numpy())
        for _ in tuner:
            pass
        found[name] = told_right(tuner.best)
    assert found["pat"] > found["deployed"] + 0.1
    assert found["dat"] > found["pat"] + 0.03
