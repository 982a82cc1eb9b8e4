"""Diffractive planes on their bench: classes of patterns as the task, the design as the model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np

from calibration.networks import power_scores
from calibration.tuning import Limits, Problem
from hil.chips.diffractive import design, instruments, open_diffractive
from hil.config.diffractive_chip import DiffractiveSection
from hil.config.tune_experiment import ClassesTask
from hil.connection import connected
from hil.errors import ConfigError
from hil.tuning.classes import classes_task
from hil.tuning.lab import TuningLab, plain_start
from hil.tuning.session import TuneSession, folder_of

_TURN = 2.0 * np.pi


@contextmanager
def diffractive_lab(session: TuneSession, seed: int) -> Iterator[TuningLab]:
    """The bench, connected, with its dark measured."""
    from simulators.models.diffraction import DiffractiveNetwork

    experiment, section = session.experiment, cast(DiffractiveSection, session.bench.chip)
    if experiment.start.at == "deployed" or experiment.start.train is not None:
        raise ConfigError("start: of a diffractive bench it is the middle, random, or a file of phases")

    frame: list[tuple[int, int]] = []

    def opened(station: Any) -> Any:
        frame.append(instruments(section, station)[2].shape)
        return open_diffractive(section, session.bench_path, station, session.interrupts)

    with connected(session, opened) as device:
        device.measure_dark()
        task = classes_task(cast(ClassesTask, experiment.task), device, power_scores, folder_of(session))
        model = None
        if experiment.model != "none":
            model = DiffractiveNetwork(design(section, frame[0]))
        start = plain_start(experiment.start, device.controls, folder_of(session), seed)
        limits = Limits.of(device.controls, turn=_TURN)
        yield TuningLab(device, Problem(task, limits, model=model, seed=seed), start)
