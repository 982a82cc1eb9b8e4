"""From measured batches to tensors: flagged samples dropped, splits by batch, inputs and targets scaled."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from calibration.device import Array, Flags
from calibration.errors import NotEnoughData, PlanError, ShapeError

Indices = npt.NDArray[np.int64]

# The 2nd and 98th percentiles of a normal distribution lie 4.107 standard deviations apart. The currents
# of a dopant network are heavy-tailed: their quartiles would leave targets of ±100, and their standard
# deviation follows a handful of samples.
_PERCENTILES, _WIDTH = (2.0, 98.0), 4.107


@dataclass(frozen=True, eq=False)
class Split:
    """Which batches serve what; every batch index is in one of the four, and in one only.

    `repeats` are the later copies of the reference batch: the same stimulus again, so they teach and test
    nothing new; they measure repeatability elsewhere.
    """

    train: Indices
    validation: Indices
    test: Indices
    repeats: Indices


@dataclass(frozen=True)
class Scaling:
    """The affine maps to the network's numbers: voltages of the range to ±1, currents by their spread."""

    low_V: tuple[float, ...]
    high_V: tuple[float, ...]
    offset_A: float
    scale_A: float

    def inputs(self, voltages: Array) -> Tensor:
        """Voltages (..., n_in) in V as float32 in ±1."""
        low, high = np.asarray(self.low_V), np.asarray(self.high_V)
        return torch.from_numpy(((2.0 * voltages - (low + high)) / (high - low)).astype(np.float32))

    def targets(self, currents: Array) -> Tensor:
        """Currents in A as float32 in units of their spread."""
        return torch.from_numpy(((currents - self.offset_A) / self.scale_A).astype(np.float32))

    def voltages(self, inputs: Tensor) -> Array:
        """The inverse of `inputs`."""
        low, high = np.asarray(self.low_V), np.asarray(self.high_V)
        return np.asarray(0.5 * (inputs.double().numpy() * (high - low) + (low + high)))

    def currents(self, targets: Tensor) -> Array:
        """The inverse of `targets`."""
        return np.asarray(targets.double().numpy() * self.scale_A + self.offset_A)


@dataclass(frozen=True, eq=False)
class Samples:
    """Scaled samples in memory: `inputs` (n, n_in), `targets` (n, 1), `batch` (n,) says whence."""

    inputs: Tensor
    targets: Tensor
    batch: Indices

    def __len__(self) -> int:
        return int(self.inputs.shape[0])


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a surrogate is trained, stopped and judged on.

    Attributes:
        electrodes: names of the inputs' columns.
        scaling: how the samples were scaled.
        train, validation, test: disjoint in batches, hence in stretches of time.
        split: the batches of each.
        flagged: samples left out because they were flagged or not finite.
    """

    electrodes: tuple[str, ...]
    scaling: Scaling
    train: Samples
    validation: Samples
    test: Samples
    split: Split
    flagged: int

    def as_dict(self) -> dict[str, Any]:
        """The figures of the split, for metrics."""
        return {
            "train_samples": len(self.train),
            "validation_samples": len(self.validation),
            "test_samples": len(self.test),
            "train_batches": self.split.train.size,
            "validation_batches": self.split.validation.size,
            "test_batches": self.split.test.size,
            "repeated_reference_batches": self.split.repeats.size,
            "flagged_samples": self.flagged,
            "offset_A": self.scaling.offset_A,
            "scale_A": self.scaling.scale_A,
        }


def split_batches(
    batches: int,
    *,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    reference: Collection[int] = (),
) -> Split:
    """Deal `batches` batches at random to training, validation and test.

    Never by sample: neighbours in a waveform are nearly equal, and one in training answers for the other
    in the test. Of the `reference` batches, copies of one stimulus, the first trains and the others are
    set aside. Raises PlanError for impossible fractions and NotEnoughData for fewer batches than parts.
    """
    parts = np.asarray(fractions, dtype=np.float64)
    if parts.shape != (3,) or np.any(parts <= 0.0) or abs(parts.sum() - 1.0) > 1e-9:
        raise PlanError(f"fractions {tuple(fractions)}: give three positive shares that sum to 1")
    copies = np.unique(np.asarray(list(reference), dtype=np.int64))
    if copies.size and not 0 <= copies[0] <= copies[-1] < batches:
        raise PlanError(f"reference batches {copies.tolist()}: there are batches 0 to {batches - 1}")
    free = np.setdiff1d(np.arange(batches, dtype=np.int64), copies)
    order = np.random.default_rng([seed, 0x5B117]).permutation(free)
    validation = max(1, round(parts[1] * order.size))
    test = max(1, round(parts[2] * order.size))
    if order.size < validation + test + 1:
        raise NotEnoughData(
            f"{order.size} batches besides the reference cannot be dealt to training, validation and test; "
            "sample at least 3"
        )
    train = np.concatenate((copies[:1], order[validation + test :]))
    held = (order[validation : validation + test], order[:validation])
    return Split(np.sort(train), np.sort(held[1]), np.sort(held[0]), copies[1:])


def build_dataset(
    inputs: Array,
    outputs: Array,
    flags: Flags,
    *,
    electrodes: Sequence[str],
    low_V: Sequence[float] | Array,
    high_V: Sequence[float] | Array,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    reference: Collection[int] = (),
    minimum: int = 100,
) -> Dataset:
    """Make a Dataset from `inputs` (batch, time, n_in) in V, `outputs` (batch, time, 1) in A and `flags`.

    Flagged samples (batch, time) are left out. Raises ShapeError for arrays that do not fit one another,
    PlanError for an empty voltage range, and NotEnoughData where fewer than `minimum` good samples are left
    for training, none for validation or test, or where the readout never changes.
    """
    _check_shapes(inputs, outputs, flags, len(electrodes))
    low, high = np.asarray(low_V, dtype=np.float64), np.asarray(high_V, dtype=np.float64)
    if low.shape != (len(electrodes),) or high.shape != low.shape:
        raise ShapeError(f"low_V {low.shape} and high_V {high.shape}: give one of each per electrode")
    for name, bottom, top in zip(electrodes, low, high, strict=True):
        if not bottom < top:
            raise PlanError(f"electrode {name}: the range {bottom} V to {top} V is empty")
    split = split_batches(inputs.shape[0], fractions=fractions, seed=seed, reference=reference)
    good = (flags == 0) & np.isfinite(inputs).all(axis=-1) & np.isfinite(outputs).all(axis=-1)
    for part, rows, least in (
        ("training", split.train, max(1, minimum)),
        ("validation", split.validation, 1),
        ("test", split.test, 1),
    ):
        left = int(good[rows].sum())
        if left < least:
            raise NotEnoughData(
                f"{left} usable samples for {part} of {good[rows].size} measured; at least {least} are "
                "needed: sample more batches, or see why readings were flagged"
            )
    offset, scale = _spread(outputs[split.train][good[split.train]])
    scaling = Scaling(tuple(low.tolist()), tuple(high.tolist()), offset, scale)

    def samples(rows: Indices) -> Samples:
        keep = good[rows]
        return Samples(
            scaling.inputs(inputs[rows][keep]),
            scaling.targets(outputs[rows][keep]),
            np.repeat(rows, keep.sum(axis=1)),
        )

    return Dataset(
        tuple(electrodes),
        scaling,
        samples(split.train),
        samples(split.validation),
        samples(split.test),
        split,
        int((~good).sum()),
    )


def _check_shapes(inputs: Array, outputs: Array, flags: Flags, electrodes: int) -> None:
    if inputs.ndim != 3 or inputs.shape[2] != electrodes:
        raise ShapeError(f"inputs {inputs.shape}: expected (batch, time, {electrodes} electrodes)")
    if outputs.shape != (*inputs.shape[:2], 1):
        raise ShapeError(f"outputs {outputs.shape}: expected {(*inputs.shape[:2], 1)}, as the inputs")
    if flags.shape != inputs.shape[:2]:
        raise ShapeError(f"flags {flags.shape}: expected {inputs.shape[:2]}, as the inputs")


def _spread(currents: Array) -> tuple[float, float]:
    low, high = np.percentile(currents, _PERCENTILES)
    scale = (high - low) / _WIDTH or currents.std()
    if np.ptp(currents) == 0.0:
        raise NotEnoughData(
            f"the readout is {currents.flat[0]:.4g} A in all {currents.size} samples: "
            "is it connected, and does the amplifier respond?"
        )
    return float(np.median(currents)), float(scale)
