"""The loss's slope with respect to what was read: where measured slopes of the outputs become a gradient."""

import torch
from torch import Tensor

from calibration.errors import NotFinite, PlanError
from calibration.tuning.method import Problem


def output_gradient(problem: Problem, outputs: Tensor, targets: Tensor) -> Tensor:
    """Derivatives of the mean loss with respect to outputs (samples, n_out), of the same shape.

    Raises PlanError for a loss that is not differentiable, NotFinite for a slope that is not finite.
    """
    read = outputs.detach().double().requires_grad_()
    with torch.enable_grad():
        loss = problem.task.loss(read, targets).mean()
    if not loss.requires_grad:
        raise PlanError(
            "the loss does not depend on the outputs in a way that can be differentiated; choose another loss, "
            "or a method that only reads it, such as spsa"
        )
    (slopes,) = torch.autograd.grad(loss, read)
    if not bool(torch.isfinite(slopes).all()):
        raise NotFinite(
            "the loss has no finite slope at what was read: look at the readings, and at the loss"
        )
    return slopes
