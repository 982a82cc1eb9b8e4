"""Handwritten digits on a small diffractive network that was put together badly."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from calibration.diffraction import fit_alignment, read_alignment
from calibration.networks import ClassifierPlan, train_classifier
from calibration.tuning import Correct, CrossEntropy, Examples, Limits, Problem, Trial, TuningTask
from hil.devices import EmulatedDiffractive
from simulators.models.diffraction import (
    Assembly,
    DiffractiveDesign,
    DiffractiveNetwork,
    Grid,
    Region,
    assemble,
)

TURN = 2.0 * np.pi
OFF = Assembly.perfect(shift_m=8e-6, rotation_rad=0.02, distance_m=100e-6, mask_rad=0.3)
"""Planes a pixel off their places, turned by a degree, etched to a twentieth of a turn."""
SHARPNESS = 20.0
TRAINING, PROBE, TEST = 1097, 200, 500


def _detectors(side: int, size: int) -> dict[str, Region]:
    """One for each class, in rows of three, four and three, in the middle four fifths of the plane."""
    regions = {}
    for row, count in enumerate((3, 4, 3)):
        for column in range(count):
            top, left = (side * (0.1 + 0.8 * (k + 0.5) / n) for k, n in ((row, 3), (column, count)))
            regions[f"digit{len(regions)}"] = Region(
                round(top - size / 2), round(left - size / 2), size, size
            )
    return regions


DESIGN = DiffractiveDesign(
    grid=Grid((32, 32), 8e-6),
    wavelength_m=532e-9,
    distances_m=(8e-3,) * 4,
    pixels=(32, 32),
    input_region=Region(8, 8, 16, 16),
    input_pixels=(8, 8),
    detectors=_detectors(32, 4),
    power_W=20e-9,
    fill_factor=0.93,
)


def logits(powers: Tensor) -> Tensor:
    """Shares of the light on the detectors: a brighter laser changes no decision."""
    return SHARPNESS * powers / powers.sum(dim=-1, keepdim=True).clamp(min=1e-30)


@cache
def digits() -> tuple[Examples, Examples, Examples]:
    """To train on, to accept on and to report: images of 8 x 8 as amplitudes."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images, labels = data.data[order] / 16.0, torch.as_tensor(data.target[order])
    ends = np.cumsum((0, TRAINING, PROBE, TEST))
    training, probe, test = (
        Examples(images[first:last], labels[first:last]) for first, last in pairwise(ends)
    )
    return training, probe, test


@cache
def ideal() -> DiffractiveNetwork:
    """The network as designed, in single precision."""
    return DiffractiveNetwork(DESIGN, dtype=torch.complex64)


@cache
def trained(steps: int = 400) -> np.ndarray:
    """Phases that sort the digits on the network as designed."""
    training, _, _ = digits()
    start = 0.1 * torch.randn(ideal().n_controls, generator=torch.Generator().manual_seed(1))
    found = train_classifier(
        lambda inputs, controls: logits(ideal()(inputs, controls)),
        start,
        torch.as_tensor(training.inputs, dtype=torch.float32),
        training.targets,
        ClassifierPlan(steps=steps, batch_size=64, rate=0.1),
    )
    return np.mod(found.double().numpy(), TURN)


def model_accuracy() -> float:
    """Of the network as designed, on the test digits."""
    _, _, test = digits()
    images, phases = (torch.as_tensor(values, dtype=torch.float32) for values in (test.inputs, trained()))
    with torch.no_grad():
        powers = ideal()(images, phases)
    return float((powers.argmax(-1) == test.targets).double().mean())


def trial(
    seed: int, assembly: Assembly = OFF, *, taps: bool = True, start: np.ndarray | None = None
) -> Trial:
    """The specimen of a seed, known by its design, at the phases trained in silico unless a start is given."""
    training, probe, test = digits()
    true = assemble(DESIGN, assembly, seed, dtype=torch.complex64)
    device = EmulatedDiffractive(true, taps=taps, seed=seed)
    task = TuningTask(training, probe, CrossEntropy(logits), Correct(logits), test)
    problem = Problem(task, Limits.of(device.controls, turn=TURN), model=ideal(), seed=seed)
    return Trial(device, problem, trained() if start is None else start)


def aligned(at: Trial) -> Trial:
    """The same with the places of the planes fitted first: the twin is the model."""
    twin = fit_alignment(ideal(), read_alignment(at.device, ideal())).applied(ideal())
    return replace(at, problem=replace(at.problem, model=twin))
