"""Diffractive planes on their bench: classes of patterns as the task, the design as the model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np

from calibration.device import Device
from calibration.networks import power_scores
from calibration.tuning import Limits, Problem
from hil.chips.diffractive import design, instruments, open_diffractive
from hil.config.diffractive_chip import DiffractiveSection
from hil.config.tune_experiment import ClassesTask
from hil.connection import connected
from hil.tuning.classes import classes_task
from hil.tuning.in_silico import start_of
from hil.tuning.lab import TuningLab
from hil.tuning.session import Given, TuneSession

_TURN = 2.0 * np.pi


@contextmanager
def diffractive_lab(session: TuneSession, seed: int, *, hold: bool = False) -> Iterator[TuningLab]:
    """The bench, connected, with its dark measured."""
    section = cast(DiffractiveSection, session.bench.chip)
    frame: list[tuple[int, int]] = []

    def opened(station: Any) -> Any:
        frame.append(instruments(section, station)[2].shape)
        return open_diffractive(section, session.bench_path, station, session.interrupts, hold=hold)

    with connected(session, opened, hold=hold) as device:
        session.store.event("connected", identity=dict(device.identity))
        device.measure_dark()
        yield diffractive_on(Given.of(session, seed), device, frame[0])


def diffractive_on(given: Given, device: Device, camera: tuple[int, int]) -> TuningLab:
    """The task on planes that are connected, before a camera of that shape."""
    from simulators.models.diffraction import DiffractiveNetwork

    task = classes_task(cast(ClassesTask, given.experiment.task), device, power_scores, given.folder)
    ideal = DiffractiveNetwork(design(given.chip, camera))
    model = None if given.experiment.model == "none" else ideal
    problem = Problem(task, Limits.of(device.controls, turn=_TURN), model=model, seed=given.seed)
    return TuningLab(device, problem, start_of(given, ideal, problem, device.controls))
