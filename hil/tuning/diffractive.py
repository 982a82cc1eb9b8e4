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
from hil.tuning.classes import classes_task
from hil.tuning.in_silico import start_of
from hil.tuning.lab import TuningLab
from hil.tuning.session import TuneSession, folder_of

_TURN = 2.0 * np.pi


@contextmanager
def diffractive_lab(session: TuneSession, seed: int, *, hold: bool = False) -> Iterator[TuningLab]:
    """The bench, connected, with its dark measured."""
    from simulators.models.diffraction import DiffractiveNetwork

    experiment, section = session.experiment, cast(DiffractiveSection, session.bench.chip)
    frame: list[tuple[int, int]] = []

    def opened(station: Any) -> Any:
        frame.append(instruments(section, station)[2].shape)
        return open_diffractive(section, session.bench_path, station, session.interrupts, hold=hold)

    with connected(session, opened, hold=hold) as device:
        device.measure_dark()
        task = classes_task(cast(ClassesTask, experiment.task), device, power_scores, folder_of(session))
        ideal = DiffractiveNetwork(design(section, frame[0]))
        model = None if experiment.model == "none" else ideal
        problem = Problem(task, Limits.of(device.controls, turn=_TURN), model=model, seed=seed)
        yield TuningLab(device, problem, start_of(session, ideal, problem, device.controls))
