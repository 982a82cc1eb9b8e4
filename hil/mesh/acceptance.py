"""Whether a mesh's run is good enough, by what its experiment file states."""

from collections.abc import Iterator, Mapping
from typing import Any

from hil.acceptance import Criterion
from hil.config.mesh_experiment import MeshExperiment

SHIFTERS, RESULT, DEPLOYED, SPENT = "shifters", "result", "deployed", "spent"
"""Sections of a run's figures."""


def criteria(experiment: MeshExperiment, metrics: Mapping[str, Any]) -> tuple[Criterion, ...]:
    """Every criterion of the experiment with what was measured; of a deployment, its own fidelity alone."""
    return tuple(_deployed(experiment, metrics) if DEPLOYED in metrics else _calibrated(experiment, metrics))


def missed(experiment: MeshExperiment, metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """The criteria that were measured and not met, in words."""
    return tuple(str(line) for line in criteria(experiment, metrics) if line.passed is False)


def _calibrated(experiment: MeshExperiment, metrics: Mapping[str, Any]) -> Iterator[Criterion]:
    asked, result = experiment.acceptance, metrics.get(RESULT, {})
    if asked.min_fidelity is not None:
        fidelity = result.get("mean_fidelity")
        yield Criterion("mean amplitude fidelity", fidelity, asked.min_fidelity, "", "at least")
    if asked.min_good_shifters is not None:
        good = metrics.get(SHIFTERS, {}).get("good_share")
        yield Criterion("share of good shifters", good, asked.min_good_shifters, "", "at least")
    if asked.max_residual_over_noise is not None:
        left = result.get("residual_over_noise")
        yield Criterion("twin's residual over noise", left, asked.max_residual_over_noise, "", "at most")


def _deployed(experiment: MeshExperiment, metrics: Mapping[str, Any]) -> Iterator[Criterion]:
    asked = experiment.acceptance.min_fidelity
    if asked is not None:
        fidelity = metrics[DEPLOYED]["achieved"]
        yield Criterion("amplitude fidelity", fidelity, asked, "", "at least")
