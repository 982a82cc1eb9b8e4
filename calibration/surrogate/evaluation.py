"""How good a surrogate is: its error on unseen batches, beside the chip's own repeatability."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from calibration.device import Array
from calibration.errors import NotEnoughData
from calibration.surrogate.dataset import Samples, Scaling
from calibration.surrogate.network import SurrogateNetwork
from simulators.models.model import ElectrodeModel

_CHUNK = 8192


@dataclass(frozen=True)
class OutputBin:
    """The error where the measured current lies between `low_A` and `high_A`."""

    low_A: float
    high_A: float
    samples: int
    bias_A: float
    rmse_A: float


@dataclass(frozen=True)
class Region:
    """A box of two electrodes' voltages, and the error inside."""

    electrodes: tuple[str, str]
    low_V: tuple[float, float]
    high_V: tuple[float, float]
    samples: int
    rmse_A: float

    def __str__(self) -> str:
        sides = (
            f"{name} from {low:.3g} V to {high:.3g} V"
            for name, low, high in zip(self.electrodes, self.low_V, self.high_V, strict=True)
        )
        return f"{' and '.join(sides)}: {self.rmse_A * 1e9:.3g} nA over {self.samples} samples"


@dataclass(frozen=True)
class Histogram:
    """Counts between `edges_A`; the outermost bins also hold all beyond them."""

    edges_A: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Evaluation:
    """The judgement of a surrogate on batches it has not seen.

    Attributes:
        rmse_A, mae_A, bias_A, worst_A: of predicted minus measured current.
        r2: share of the measured variance that is explained.
        repeatability_A: standard deviation of the chip's own answers to one stimulus, if it was measured:
            the floor below which no surrogate's error can be told from the chip's.
        over_repeatability: `rmse_A` as a multiple of that floor.
        output_bins: error against measured current.
        errors: histogram of the error.
        worst_region: the pair of electrodes' voltages with the largest error, of those with enough samples.
        within_two_sigma: share of readings within two predicted standard deviations (0.954 for a right and
            normal noise), for surrogates that predict noise.
    """

    samples: int
    batches: int
    rmse_A: float
    mae_A: float
    bias_A: float
    worst_A: float
    r2: float | None
    repeatability_A: float | None
    over_repeatability: float | None
    output_bins: tuple[OutputBin, ...]
    errors: Histogram
    worst_region: Region | None
    within_two_sigma: float | None

    def as_dict(self) -> dict[str, Any]:
        """The figures as plain numbers, lists and dictionaries, for JSON."""
        return asdict(self)


@torch.no_grad()
def predict(model: ElectrodeModel, voltages: Array) -> Array:
    """Currents (..., n_out) in A of `model` at `voltages` (..., n_electrodes) in V."""
    rows = torch.from_numpy(np.ascontiguousarray(voltages, dtype=np.float64)).reshape(-1, voltages.shape[-1])
    answer = torch.cat([model.current(chunk) for chunk in torch.split(rows, _CHUNK)])
    return answer.reshape(*voltages.shape[:-1], -1).numpy()


def evaluate(
    network: SurrogateNetwork,
    samples: Samples,
    scaling: Scaling,
    *,
    repeatability_A: float | None = None,
    bins: int = 12,
    region_bins: int = 4,
    region_samples: int = 30,
) -> Evaluation:
    """Compare `network` with `samples`, scaled by `scaling`, from batches that it was not trained on.

    `worst_region` divides each electrode's range into `region_bins` and looks at every pair of electrodes.
    Raises NotEnoughData for fewer than two samples.
    """
    if len(samples) < 2:
        raise NotEnoughData(f"{len(samples)} samples cannot judge a surrogate; at least two are needed")
    voltages, measured = scaling.voltages(samples.inputs), scaling.currents(samples.targets)[:, 0]
    error = predict(network, voltages)[:, 0] - measured
    rmse = _rms(error)
    variance = float(measured.var())
    return Evaluation(
        samples=len(samples),
        batches=int(np.unique(samples.batch).size),
        rmse_A=rmse,
        mae_A=float(np.abs(error).mean()),
        bias_A=float(error.mean()),
        worst_A=float(np.abs(error).max()),
        r2=1.0 - rmse**2 / variance if variance > 0.0 else None,
        repeatability_A=repeatability_A,
        over_repeatability=rmse / repeatability_A if repeatability_A else None,
        output_bins=_against_output(measured, error, bins),
        errors=_histogram(error),
        worst_region=_worst_region(
            network.electrodes, voltages, scaling, np.square(error), region_bins, region_samples
        ),
        within_two_sigma=_coverage(network, voltages, error) if network.likelihood else None,
    )


def _rms(error: Array) -> float:
    return math.sqrt(float(np.mean(np.square(error))))


def _against_output(measured: Array, error: Array, bins: int) -> tuple[OutputBin, ...]:
    """Bins of equal width between the 0.5th and 99.5th percentile, widened at both ends to hold all."""
    low, high = np.percentile(measured, (0.5, 99.5)).tolist()
    edges = np.linspace(low, high, bins + 1)
    edges[0], edges[-1] = measured.min(), measured.max()
    which = np.clip(np.searchsorted(edges, measured, side="right") - 1, 0, bins - 1)
    return tuple(
        OutputBin(
            low_A=float(edges[k]),
            high_A=float(edges[k + 1]),
            samples=int(inside.sum()),
            bias_A=float(error[inside].mean()),
            rmse_A=_rms(error[inside]),
        )
        for k in range(bins)
        if (inside := which == k).any()
    )


def _histogram(error: Array, bins: int = 60) -> Histogram:
    reach = float(np.percentile(np.abs(error), 99.5)) or float(np.abs(error).max()) or 1e-15
    edges = np.linspace(-reach, reach, bins + 1)
    counts, _ = np.histogram(np.clip(error, -reach, reach), edges)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))


def _worst_region(
    electrodes: Sequence[str], voltages: Array, scaling: Scaling, square: Array, bins: int, least: int
) -> Region | None:
    low, high = np.asarray(scaling.low_V), np.asarray(scaling.high_V)
    cell = np.clip(((voltages - low) / (high - low) * bins).astype(np.int64), 0, bins - 1)
    worst: Region | None = None
    for a, b in itertools.combinations(range(len(electrodes)), 2):
        box = cell[:, a] * bins + cell[:, b]
        counts = np.bincount(box, minlength=bins * bins)
        mean = np.bincount(box, weights=square, minlength=bins * bins) / np.maximum(counts, 1)
        mean[counts < least] = -1.0
        k = int(mean.argmax())
        if mean[k] >= 0.0 and (worst is None or math.sqrt(mean[k]) > worst.rmse_A):
            corner = np.array(divmod(k, bins))
            step = (high - low)[[a, b]] / bins
            bottom = low[[a, b]] + corner * step
            worst = Region(
                electrodes=(electrodes[a], electrodes[b]),
                low_V=(float(bottom[0]), float(bottom[1])),
                high_V=(float(bottom[0] + step[0]), float(bottom[1] + step[1])),
                samples=int(counts[k]),
                rmse_A=math.sqrt(mean[k]),
            )
    return worst


@torch.no_grad()
def _coverage(network: SurrogateNetwork, voltages: Array, error: Array) -> float:
    rows = torch.from_numpy(voltages)
    sigma = torch.cat([network.noise(chunk) for chunk in torch.split(rows, _CHUNK)])[:, 0].numpy()
    return float((np.abs(error) < 2.0 * sigma).mean())
