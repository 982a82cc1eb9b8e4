"""The noise level of a chip from repeated readings; nobody needs to know what the answers should have been."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from calibration.device import Array
from calibration.errors import NotEnoughData
from calibration.tuning.noise_structure import NoiseStructure

_PRIOR = 0.05  # of a factor e from the common level: decides only what the readings leave open
_FLOOR = 1e-3  # of the mean variance: outputs that scatter less say nothing


@dataclass(frozen=True, eq=False)
class NoiseLevel:
    """Factors on the model's noise levels under which it scatters as the chip does.

    Attributes:
        scale: of each group of sources, (groups,).
        error: standard error of each, (groups,), from the fit.
    """

    scale: Array
    error: Array


def fitted_noise_level(
    outputs: Tensor,
    model: NoiseStructure,
    inputs: Tensor,
    controls: Tensor,
    groups: Tensor,
    generator: torch.Generator,
    draws: int = 64,
) -> NoiseLevel:
    """Least squares between the variances that were read, and the model's at s: min Σ ((V_read - V(s)) / V(s_0))².

    s_0 is the one factor on all sources that gives the mean variance; the model's variances are taken over the same
    unit noise at every s.

    Args:
        outputs: read again and again, (repeats, inputs, n_out).
        model: with its noise structure.
        inputs: (inputs, n_in).
        controls: (n_controls,).
        groups: which sources are scaled together, (groups, sources) of 1 and 0.
        generator: of the unit noise.
        draws: of the noise, for each input.

    Raises:
        NotEnoughData: fewer than two repeats, or no input.
    """
    if outputs.ndim != 3 or outputs.shape[0] < 2 or not outputs.shape[1]:
        raise NotEnoughData(f"outputs {tuple(outputs.shape)}: two repeats of one input are needed at least")
    read = outputs.var(dim=0).double()
    size = float(read.mean())
    if size == 0.0:
        return NoiseLevel(np.zeros(len(groups)), np.zeros(len(groups)))
    count = len(inputs)
    noise = model.draw((count * draws,), generator)
    spread = inputs.to(noise[0]).repeat_interleave(draws, dim=0)
    fixed = controls.to(noise[0])

    def variance(scale: Array) -> Tensor:
        factors = torch.as_tensor(scale).to(noise[0]) @ groups.to(noise[0])
        with torch.no_grad():
            answers = model(spread, fixed, noise, factors)
        return answers.reshape(count, draws, -1).var(dim=1).double()

    common = 0.5 * np.log(size / float(variance(np.ones(len(groups))).mean()))
    # what a variance of a few readings misses by is in proportion to it
    expected = variance(np.full(len(groups), np.exp(common))) + _FLOOR * size

    def missed(logarithm: Array) -> Array:
        apart = ((variance(np.exp(logarithm)) - read) / expected).numpy().ravel()
        return np.concatenate((apart, _PRIOR * (logarithm - common)))

    start = np.full(len(groups), common)
    found = least_squares(missed, start, bounds=(start - 4.0, start + 4.0), diff_step=0.02)
    left = float(np.mean(found.fun[: read.numel()] ** 2))
    covariance = left * np.linalg.inv(found.jac.T @ found.jac)
    scale = np.exp(found.x)
    return NoiseLevel(scale, scale * np.sqrt(np.diag(covariance)))
