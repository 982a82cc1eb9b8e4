"""Handwritten digits as light on 64 ports or fewer."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

TEST = 500


@dataclass(frozen=True)
class Digits:
    """Inputs (samples, 2 N) as in-phase and quadrature amplitudes, labels (samples,)."""

    inputs: Tensor
    labels: Tensor

    @property
    def train(self) -> tuple[Tensor, Tensor]:
        return self.inputs[:-TEST], self.labels[:-TEST]

    @property
    def test(self) -> tuple[Tensor, Tensor]:
        return self.inputs[-TEST:], self.labels[-TEST:]


def digits(side: int, mean_power: float = 5.0) -> Digits:
    """The middle `side` × `side` of the spectrum of each 8 × 8 image: the input of Zheng et al. (2023).

    Always the same 1,297 images to train with and 500 to test with, in an order that is drawn once; all
    as bright, `mean_power` at each port on the average.
    """
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    spectrum = np.fft.fftshift(np.fft.fft2(data.images[order]), axes=(1, 2))
    first = 4 - side // 2
    fields = spectrum[:, first : first + side, first : first + side].reshape(len(order), -1)
    fields *= side * np.sqrt(mean_power) / np.linalg.norm(fields, axis=1, keepdims=True)
    inputs = np.concatenate((fields.real, fields.imag), axis=1)
    return Digits(torch.as_tensor(inputs), torch.as_tensor(data.target[order]))
