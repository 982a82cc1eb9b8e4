"""A short training in silico at a given noise level."""

import torch
from torch import Tensor

from calibration.device import Array
from calibration.tuning.method import Problem
from calibration.tuning.noise_structure import NoiseStructure


def corrected(
    problem: Problem,
    model: NoiseStructure,
    theta: Array,
    scale: Tensor,
    *,
    steps: int,
    rate: float,
    batch: int,
    generator: torch.Generator,
) -> Array:
    """Parameters (n,) after some steps of Adam from `theta`, its rate falling to nothing on a cosine.

    Args:
        problem: with the training examples.
        model: with its noise structure; fresh noise in every step.
        theta: (n,).
        scale: factor on the model's noise levels, one for each source.
        steps: of Adam.
        rate: highest learning rate, in the parameters' scale.
        batch: examples of each step.
        generator: of batches and noise.
    """
    training = problem.task.training
    kind = model.draw((1,), generator)[0]
    inputs, factors = torch.as_tensor(training.inputs).to(kind), scale.to(kind)
    parameter = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([parameter], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    size = min(batch, len(training))
    for _ in range(steps):
        rows = torch.randint(len(training), (size,), generator=generator)
        noise = model.draw((size,), generator)
        outputs = model(inputs[rows], problem.limits.tensor(parameter).to(kind), noise, factors)
        optimizer.zero_grad()
        problem.task.loss(outputs, training.targets[rows]).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return problem.limits.project(parameter.detach().numpy())
