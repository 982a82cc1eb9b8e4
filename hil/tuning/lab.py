"""What a tuning session works with: the connected chip, what is known of it, and where it starts."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from calibration.device import Array, Channels, Device
from calibration.errors import OutsideLimits
from calibration.tuning import Limits, Problem
from hil.config.device_file import DeviceFile, DopantSection
from hil.config.diffractive_chip import DiffractiveSection
from hil.config.dnpu_chip import DnpuSection
from hil.config.tune_experiment import StartSection, TuneExperiment
from hil.errors import ConfigError
from hil.tuning.best import best_of
from hil.tuning.joint import check_joint
from hil.tuning.session import TuneSession


@dataclass(frozen=True, eq=False)
class TuningLab:
    """A chip that is ready to be tuned.

    Attributes:
        device: connected.
        problem: what methods know.
        start: controls, (n,), in their unit.
    """

    device: Device
    problem: Problem
    start: Array


@contextmanager
def lab_of(session: TuneSession, seed: int, *, hold: bool = False) -> Iterator[TuningLab]:
    """The session's chip, its task and its start for one seed; at rest afterwards, or with `hold` left as it is.

    Raises ConfigError for what does not fit the chip, and the drivers' errors.
    """
    with _opened(session, seed, hold) as lab:
        yield confined(lab, session.experiment, session.bench.chip)


def _opened(session: TuneSession, seed: int, hold: bool) -> AbstractContextManager[TuningLab]:
    chip = session.bench.chip
    if isinstance(session.bench, DeviceFile):
        if isinstance(chip, DopantSection):
            from hil.tuning.dopant import dopant_in_process

            return dopant_in_process(session, seed)
        from hil.tuning.in_process import in_process_lab

        return in_process_lab(session, seed)
    if isinstance(chip, DnpuSection):
        from hil.tuning.dopant import dopant_lab

        return dopant_lab(session, seed, hold=hold)
    if isinstance(chip, DiffractiveSection):
        from hil.tuning.diffractive import diffractive_lab

        return diffractive_lab(session, seed, hold=hold)
    from hil.tuning.mesh import mesh_lab

    return mesh_lab(session, seed, hold=hold)


def confined(lab: TuningLab, experiment: TuneExperiment, chip: Any) -> TuningLab:
    """The same with limits that are a share of every control's range, around the start, where that is asked for.

    Raises OutsideLimits where they let a method pass what several electrodes of the chip stand at once.
    """
    share = experiment.tuning.within
    if share is not None:
        limits = lab.problem.limits
        reach = 0.5 * share * (limits.high - limits.low)
        low, high = np.maximum(limits.low, lab.start - reach), np.minimum(limits.high, lab.start + reach)
        kept: Limits = replace(limits, low=low, high=high, turn=np.full_like(low, np.inf))
        lab = replace(lab, problem=replace(lab.problem, limits=kept))
    if isinstance(chip, DnpuSection):
        check_joint(lab.problem, chip)
    return lab


def plain_start(start: StartSection, controls: Channels, folder: Path, seed: int) -> Array:
    """Where tuning begins by the file alone: controls of a file, the middle, or anything.

    Raises ConfigError for a file that is not of this chip, OutsideLimits for values that its limits exclude.
    """
    if start.file is not None:
        return _from_file(folder / start.file, controls)
    low = np.where(np.isfinite(controls.low), controls.low, -1.0)
    high = np.where(np.isfinite(controls.high), controls.high, 1.0)
    if start.at == "random":
        return np.asarray(np.random.default_rng((seed, 77)).uniform(low, high))
    return np.asarray(0.5 * (low + high))


def _from_file(path: Path, controls: Channels) -> Array:
    if path.is_dir():
        best = best_of(path)
        if best is None:
            raise ConfigError(f"start.file: {path} holds no best controls; name a run of hil tune, or a file")
        path = best.file
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"start.file: {path} cannot be read: {error}") from None
    values = stored.get("controls", stored) if isinstance(stored, dict) else {}
    unknown = [name for name in controls.names if not isinstance(values.get(name), int | float)]
    if unknown:
        raise ConfigError(
            f"start.file: {path} has no number for control {unknown[0]}; it should hold one for each of the "
            f"{len(controls.names)} controls"
        )
    start = np.array([float(values[name]) for name in controls.names])
    outside = ~((start >= controls.low) & (start <= controls.high))
    if outside.any():
        k = int(np.argmax(outside))
        raise OutsideLimits(
            f"{controls.names[k]}: the start of {path}, {start[k]:g} {controls.unit}, is outside its limits, "
            f"{controls.low[k]:g} to {controls.high[k]:g}; start inside, or widen them"
        )
    return start
