"""Physical local learning: each layer's slope is that of its own loss, and all of it finds its way."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from calibration.errors import PlanError
from calibration.tuning import Method, Phyll, Query, State, Stepped, Update
from calibration.tuning.physical_local import LabelledQuery, class_contrast, label_contrast
from hil.devices import EmulatedMeshNetwork
from tests.calibration.tuning.noisy import noisy_lab
from tests.conformance.method import Lab, MethodConformance, small_lab


class TestPhyll(MethodConformance):
    readings = 3000

    def create_method(self) -> Method:
        return Phyll(Update("adam", 0.1), perturbation=0.1, batch=32)


class TestPhyllWithLabels(MethodConformance):
    readings = 12000

    def create_method(self) -> Method:
        return Phyll(
            Update("adam", 0.05),
            perturbation=0.05,
            batch=16,
            contrast="labels",
            label_inputs=3,
            sharpness=2.0,
        )

    def create_lab(self, seed: int = 0) -> Lab:
        lab = noisy_lab(seed)
        task = lab.problem.task
        for examples in (task.training, task.probe):
            examples.inputs[:, -3:] = 0.0  # these are for the label
        return lab


def test_classes_that_are_apart_have_a_small_loss() -> None:
    rng = np.random.default_rng(0)
    targets = torch.arange(40) % 4
    centres = torch.as_tensor(rng.normal(size=(4, 12)))
    noise = torch.as_tensor(rng.normal(size=(40, 12)))
    apart = [class_contrast(5.0 + centres[targets] + size * noise, targets, 8.0) for size in (0.1, 1.0, 10.0)]
    assert apart[0] < 0.1 < apart[1] < apart[2]
    # noise alone: a sample is left out of its class's mean, so it cannot tell itself
    assert apart[2] > np.log(4.0) - 0.2


def test_a_sample_is_left_out_of_its_own_class() -> None:
    values = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], dtype=torch.float64)
    targets = torch.tensor([0, 0, 1, 1])
    # every sample is at right angles to the other one of its class, opposite to or at right angles to the sum of the
    # other class: cosines 0 and -1/√2
    expected = np.log(1.0 + np.exp(-8.0 / np.sqrt(2.0)))
    assert class_contrast(values, targets, 8.0) == pytest.approx(expected)
    lonely = class_contrast(values[:3], targets[:3], 8.0)
    assert np.isfinite(lonely)


def test_positive_and_negative_are_driven_apart() -> None:
    one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    assert label_contrast(one, other, 4.0) == pytest.approx(np.log(2.0))
    assert label_contrast(one, one, 4.0) == pytest.approx(np.log(1.0 + np.exp(4.0)), rel=1e-6)


def test_every_layer_has_the_slope_of_its_own_loss() -> None:
    """Along the direction of the step, by autograd: of a layer's own loss, whichever layer's perturbation is felt."""
    lab = noisy_lab(level=0.0)
    method = Phyll(Update("plain", 1.0), perturbation=1e-4, batch=30)
    problem, theta = lab.problem, lab.problem.limits.theta(lab.start)
    found = theta - stepped(method, lab, State(theta)).state.theta
    signs = torch.as_tensor(problem.rng(0).choice((-1.0, 1.0), theta.shape))
    rows, model = problem.batch(0, 30), problem.known_model
    targets = problem.task.training.targets[torch.as_tensor(rows)]
    parameters = torch.tensor(theta, requires_grad=True)
    inputs = torch.as_tensor(problem.task.training.inputs[rows])
    states = model.chained(inputs, problem.limits.tensor(parameters))
    parts = torch.split(torch.as_tensor(found) * signs, model.sizes)
    for k, (state, part) in enumerate(zip(states, parts, strict=True)):
        loss = local(state, targets) if k < 2 else torch.nn.functional.cross_entropy(state, targets)
        (true,) = torch.autograd.grad(loss, parameters, retain_graph=True)
        np.testing.assert_allclose(part.numpy(), float(true @ signs), rtol=1e-4)


def local(values: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The contrast of classes, sample by sample and class by class."""
    centred = values - values.mean(dim=0)
    cosines = []
    for i, own in enumerate(centred):
        kept = torch.arange(len(centred)) != i
        means = torch.stack([centred[kept & (targets == c)].mean(dim=0) for c in range(3)])
        cosines.append(torch.nn.functional.cosine_similarity(own, means, dim=-1))
    return torch.nn.functional.cross_entropy(8.0 * torch.stack(cosines), targets)


def stepped(method: Method, lab: Lab, state: State) -> Stepped:
    steps = method.step(lab.problem, state, 0)
    query = next(steps)
    while True:
        try:
            query = steps.send(query.take(lab.problem, lab.device))
        except StopIteration as end:
            found: Stepped = end.value
            return found


def test_labels_stand_in_the_last_inputs() -> None:
    lab = noisy_lab()
    rows = np.array([1, 5])
    labelled = LabelledQuery(lab.start, rows, np.array([2, 0]), 3, 0.5).examples(lab.problem)
    plain = Query(lab.start, rows).examples(lab.problem)
    np.testing.assert_array_equal(labelled.inputs[:, :3], plain.inputs[:, :3])
    np.testing.assert_array_equal(labelled.inputs[:, 3:], [[0.0, 0.0, 0.5], [0.5, 0.0, 0.0]])


def test_tasks_and_devices_that_do_not_fit_are_refused() -> None:
    lab = small_lab()
    untapped = EmulatedMeshNetwork(lab.problem.known_model, taps=False)  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="0 taps"):
        Phyll().check(lab.problem, untapped)
    task = lab.problem.task
    graded = replace(task.training, targets=task.training.targets.double())
    with pytest.raises(PlanError, match="classes as targets"):
        Phyll().check(replace(lab.problem, task=replace(task, training=graded)), lab.device)
    few, loud = noisy_lab(), Phyll(contrast="labels", label_inputs=3, label_amplitude=11.0)
    with pytest.raises(PlanError, match="3 classes"):
        Phyll(contrast="labels", label_inputs=2).check(few.problem, few.device)
    with pytest.raises(PlanError, match="label_amplitude 11"):
        loud.check(few.problem, few.device)


@pytest.mark.parametrize(
    "settings",
    [
        {"batch": 3},
        {"directions": 0},
        {"perturbation": 0.0},
        {"sharpness": 0.0},
        {"stability": -1.0},
        {"contrast": "none"},
        {"contrast": "labels"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        Phyll(**settings)  # type: ignore[arg-type]
