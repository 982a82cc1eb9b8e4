"""Samples of classes: from a file, or made around drawn centres."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.tasks.task import Labels
from calibration.tuning import Correct, CrossEntropy, Examples, TuningTask
from calibration.tuning.losses import Logits
from hil.config.tune_experiment import ClassesTask, ClustersSection
from hil.errors import ConfigError


def classes_task(
    section: ClassesTask,
    device: Device,
    logits: Logits,
    folder: Path,
    driven: Callable[[Array], Array] = lambda inputs: inputs,
) -> TuningTask:
    """The task of `section`; paths are relative to `folder`. The first outputs stand for the classes.

    `driven` says what the device is given for inputs (samples, n).

    Raises ConfigError for samples that do not fit the device's inputs and outputs.
    """
    n_in, n_out = len(device.inputs.names), len(device.outputs.names)
    if section.clusters is not None:
        inputs, labels = _clusters(section.clusters, n_in)
    else:
        inputs, labels = _stored(folder / str(section.file))
    if inputs.shape[1] != n_in:
        raise ConfigError(f"task: samples of {inputs.shape[1]} inputs, the chip has {n_in}")
    inputs = driven(inputs * section.amplitude)
    _check(section, inputs, labels, device, n_out)
    order = np.random.default_rng((0, len(labels))).permutation(len(labels))
    probe, test = round(section.probe * len(labels)), round(section.test * len(labels))
    parts = np.split(order, [probe, probe + test])
    examples = [Examples(inputs[rows], torch.as_tensor(labels[rows])) for rows in parts]
    first = _First(logits, int(labels.max()) + 1)
    return TuningTask(examples[2], examples[0], CrossEntropy(first), Correct(first), examples[1])


@dataclass(frozen=True)
class _First:
    """Logits of the outputs that stand for a class, where a chip has more of them than there are classes."""

    logits: Logits
    classes: int

    def __call__(self, outputs: Tensor) -> Tensor:
        return self.logits(outputs[..., : self.classes])


def _clusters(section: ClustersSection, n_in: int) -> tuple[Array, Labels]:
    rng = np.random.default_rng(section.seed)
    centres = rng.random((section.classes, n_in))
    labels = np.arange(section.samples) % section.classes
    away = section.spread * rng.standard_normal((section.samples, n_in))
    if section.shape == "blobs":
        return np.clip(centres[labels] + away, 0.0, 1.0), labels
    around = rng.standard_normal((section.samples, n_in))
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    radii = 0.5 * (labels + 0.5) / section.classes
    return np.clip(0.5 + radii[:, None] * around + away, 0.0, 1.0), labels


def _stored(path: Path) -> tuple[Array, Labels]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.numpy import load_file

            stored = load_file(path)
        else:
            with np.load(path, allow_pickle=False) as archive:
                stored = {name: archive[name] for name in archive.files}
        inputs, labels = np.asarray(stored["inputs"], dtype=np.float64), np.asarray(stored["labels"])
    except KeyError as missing:
        raise ConfigError(
            f"task.file: {path} holds no array {missing}; it should hold inputs and labels"
        ) from None
    except Exception as error:  # a damaged archive fails in many ways
        raise ConfigError(f"task.file: {path} cannot be read: {error}") from None
    if inputs.ndim != 2 or labels.shape != (len(inputs),) or labels.dtype.kind not in "iu":
        raise ConfigError(
            f"task.file: {path}: inputs {inputs.shape} and labels {labels.shape} of type {labels.dtype}; they should "
            "be (samples, n) and (samples,), the labels whole numbers from 0"
        )
    return inputs, labels.astype(np.int64)


def _check(section: ClassesTask, inputs: Array, labels: Labels, device: Device, n_out: int) -> None:
    if labels.min() < 0 or labels.max() >= n_out:
        raise ConfigError(f"task: labels from {labels.min()} to {labels.max()}, the chip has {n_out} outputs")
    least, most = device.inputs.low, device.inputs.high
    wrong = ~((inputs >= least) & (inputs <= most) & np.isfinite(inputs))
    if wrong.any():
        sample, channel = (int(k) for k in np.argwhere(wrong)[0])
        raise ConfigError(
            f"task: sample {sample}, input {device.inputs.names[channel]}: {inputs[sample, channel]:g} is outside "
            f"{least[channel]:g} to {most[channel]:g} {device.inputs.unit}; change amplitude, {section.amplitude:g}"
        )
