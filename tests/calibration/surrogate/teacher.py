"""A chip whose answer is known: a network of random weights, and readings of it with noise."""

import numpy as np
import torch

from calibration.surrogate import Dataset, build_dataset

ELECTRODES = tuple(f"e{k}" for k in range(1, 8))
LOW = np.array([-1.2] * 5 + [-0.7] * 2)
HIGH = np.array([0.6] * 5 + [0.3] * 2)


class Teacher:
    """Two hidden layers of 40 tanh units; currents of some 10 nA."""

    def __init__(self, seed: int = 1) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.weights = [
            torch.randn(a, b, generator=generator) * gain / a**0.5
            for a, b, gain in ((7, 40, 2.4), (40, 40, 1.6), (40, 1, 1.0))
        ]

    def current(self, voltages: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(((2 * voltages - LOW - HIGH) / (HIGH - LOW)).astype(np.float32))
        first, second, last = self.weights
        answer = torch.tanh(torch.tanh(x @ first) @ second) @ last
        return 20e-9 * answer.double().numpy()


def noise_A(current: np.ndarray) -> np.ndarray:
    return 0.3e-9 + 0.012 * np.abs(current)


def teacher_dataset(
    batches: int = 40, time: int = 200, *, seed: int = 0, noisy: bool = True
) -> tuple[Dataset, Teacher]:
    teacher, rng = Teacher(), np.random.default_rng(seed)
    inputs = rng.uniform(LOW, HIGH, (batches, time, 7))
    outputs = teacher.current(inputs)
    if noisy:
        outputs = outputs + noise_A(outputs) * rng.standard_normal(outputs.shape)
    flags = np.zeros((batches, time), np.uint8)
    dataset = build_dataset(inputs, outputs, flags, electrodes=ELECTRODES, low_V=LOW, high_V=HIGH, seed=seed)
    return dataset, teacher
