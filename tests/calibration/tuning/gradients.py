"""What a method takes for the gradient, and what it is: of a function, or of the true chip by autograd."""

from collections.abc import Callable

import numpy as np
import torch

from calibration.device import Array
from calibration.tuning import Answer, Method, Problem, Reading, State, Stepped, Steps
from tests.conformance.method import Lab


def told(steps: Steps, loss: Callable[[Array], float], samples: int = 1) -> Stepped:
    """A step to its end, its queries answered by a function of θ, the same for so many samples."""
    try:
        query = next(steps)
        while True:
            value = torch.full((samples,), loss(query.theta), dtype=torch.float64)
            reading = Reading(torch.zeros(samples, 1), {}, torch.ones(samples, dtype=torch.bool))
            query = steps.send(Answer(reading, value, value, torch.zeros(samples)))
    except StopIteration as end:
        stepped: Stepped = end.value
        return stepped


def asked(steps: Steps, lab: Lab) -> Stepped:
    """A step to its end, its queries put to the device."""
    try:
        query = next(steps)
        while True:
            query = steps.send(query.take(lab.problem, lab.device))
    except StopIteration as end:
        stepped: Stepped = end.value
        return stepped


def estimated(method: Method, lab: Lab, theta: Array, number: int = 0) -> Array:
    """The gradient of a step of plain descent at rate 1."""
    begun = method.begin(lab.problem, theta)
    stepped = asked(method.step(lab.problem, State(theta, begun.memory), number), lab)
    return theta - stepped.state.theta


def true_gradient(problem: Problem, model: torch.nn.Module, theta: Array, rows: Array) -> Array:
    """By autograd, of the mean loss of training examples `rows`, `model` being the true chip."""
    at = torch.tensor(theta, requires_grad=True)
    examples = problem.task.training.at(rows)  # type: ignore[arg-type]
    outputs = model(torch.as_tensor(examples.inputs), problem.limits.tensor(at))
    problem.task.loss(outputs, examples.targets).mean().backward()
    assert at.grad is not None
    return np.asarray(at.grad)


def cosine(one: Array, other: Array) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
