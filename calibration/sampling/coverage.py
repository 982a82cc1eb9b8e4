"""How well a plan covers the input space: fill distance and centred discrepancy, beside uniform chance.

All distances are Euclidean in the cube that has each channel's range as its unit edge.
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import qmc

from calibration.device import Array
from calibration.errors import NotEnoughData
from calibration.sampling.multitone import MultiTone
from calibration.sampling.plan import SamplingPlan, Stream, generator, to_unit_cube


@dataclass(frozen=True)
class Coverage:
    """Coverage of the unit cube by a set of samples.

    Distances are from each of `probes` scrambled-Sobol points to the nearest sample. `fill_distance`, the
    largest of them, is a lower bound of the true fill distance that `probes` limits; `mean_distance` and
    `distance_95` (the 95th percentile) hardly depend on it. `discrepancy` is the centred L2 discrepancy
    (Hickernell 1998, doi:10.1090/S0025-5718-98-00894-1) of `discrepancy_samples` of the samples.

    The floors: `uniform_fill_distance` and `uniform_mean_distance` are the same figures for as many
    independent uniform points, `uniform_discrepancy` is the root mean square that such points have.
    """

    samples: int
    dimensions: int
    probes: int
    fill_distance: float
    mean_distance: float
    distance_95: float
    discrepancy: float
    discrepancy_samples: int
    uniform_fill_distance: float
    uniform_mean_distance: float
    uniform_discrepancy: float

    def as_dict(self) -> dict[str, float]:
        """The figures by name."""
        return asdict(self)


def uniform_discrepancy(samples: int, dimensions: int) -> float:
    """Root-mean-square centred discrepancy of independent uniform points.

    The expectation of Hickernell's formula over uniform points: ((5/4)^d - (13/12)^d) / n.
    """
    return math.sqrt(((5 / 4) ** dimensions - (13 / 12) ** dimensions) / samples)


def coverage_of(points: Array, seed: int, probes: int = 8192, discrepancy_samples: int = 2048) -> Coverage:
    """Coverage of the unit cube by `points`, shape (n, d).

    Raises NotEnoughData for an empty set.
    """
    samples, dimensions = points.shape
    if samples == 0:
        raise NotEnoughData("coverage of no samples: let the plan have at least one useful sample")
    draw = generator(seed, Stream.PROBES)
    power = max(1, probes).bit_length() - 1
    probe_points = qmc.Sobol(dimensions, rng=draw).random_base2(power)
    distance = _nearest(points, probe_points)
    chance = _nearest(draw.random((samples, dimensions)), probe_points)
    some = min(discrepancy_samples, samples)
    rows = generator(seed, Stream.SUBSAMPLE).choice(samples, some, replace=False)
    squared = qmc.discrepancy(np.clip(points[rows], 0.0, 1.0), method="CD")
    return Coverage(
        samples=samples,
        dimensions=dimensions,
        probes=len(probe_points),
        fill_distance=float(distance.max()),
        mean_distance=float(distance.mean()),
        distance_95=float(np.quantile(distance, 0.95)),
        discrepancy=math.sqrt(max(0.0, float(squared))),
        discrepancy_samples=some,
        uniform_fill_distance=float(chance.max()),
        uniform_mean_distance=float(chance.mean()),
        uniform_discrepancy=uniform_discrepancy(some, dimensions),
    )


def _nearest(points: Array, probes: Array) -> Array:
    # A few metres of waveform lie close together: sliding midpoints split such clusters evenly.
    distance, _ = cKDTree(points, balanced_tree=False, compact_nodes=True).query(probes)
    return distance


def sampled_points(plan: SamplingPlan, per_batch: int | None = None) -> Array:
    """The useful samples of all batches in the unit cube, shape (n, n_in).

    The reference counts once. `per_batch` takes about that many samples from each batch, one at random from each of
    so many equal stretches: neighbours in a waveform are almost the same point, so a few hundred a batch
    give nearly the coverage of all of them. (Evenly spaced samples would beat with the tones and show
    patterns that the stimulus does not have.)
    """
    blocks, seen_reference = [], False
    for k in range(plan.batches):
        if plan.is_reference(k):
            if seen_reference:
                continue
            seen_reference = True
        block = plan.stimulus(k)[plan.useful(k)]
        if per_batch is not None and per_batch < len(block):
            edges = np.linspace(0, len(block), per_batch + 1)
            drawn = generator(plan.seed, Stream.SUBSAMPLE, k + 1).uniform(edges[:-1], edges[1:])
            block = block[np.minimum(drawn.astype(int), len(block) - 1)]
        blocks.append(to_unit_cube(block, plan.channels))
    return np.concatenate(blocks)


def coverage(
    plan: SamplingPlan, per_batch: int | None = 256, probes: int = 8192, discrepancy_samples: int = 2048
) -> Coverage:
    """Coverage of the input space by the useful samples of a plan, references counted once."""
    return coverage_of(sampled_points(plan, per_batch), plan.seed, probes, discrepancy_samples)


def coverage_by_phases(
    plan: MultiTone, per_batch: int | None = 256, probes: int = 8192
) -> dict[Literal["random", "running", "restarted"], Coverage]:
    """The same multi-tone plan with each way of choosing phases, at equal numbers of samples.

    Expect `random` and `running` to agree within a few per cent: in incommensurate ratios a running clock
    fills the torus of phases as evenly as chance does, and its discrepancy is often the lower one.
    `restarted` stays where its first batch is.
    """
    return {
        "random": coverage(replace(plan, phases="random"), per_batch, probes),
        "running": coverage(replace(plan, phases="running"), per_batch, probes),
        "restarted": coverage(replace(plan, phases="restarted"), per_batch, probes),
    }
