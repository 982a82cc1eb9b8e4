"""Dopant networks: a gate, a truth table or points as the task, the fitted surrogate as the model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np

from calibration.device import Array, ChannelGroup, Channels, Device
from calibration.tasks import Task, boolean_gate, labelled_points, truth_table
from calibration.tuning.dopant import dopant_problem
from hil.config.bench import BenchFile
from hil.config.device_file import DopantSection
from hil.config.tune_experiment import GateTask, PointsTask, TableTask
from hil.devices import EmulatedDevice, EmulatedDopantNetwork
from hil.errors import ConfigError
from hil.steps.fit import SURROGATE, surrogate_of
from hil.steps.search import SOLUTIONS
from hil.steps.session import DnpuSession
from hil.store import RunStore
from hil.tuning.lab import TuningLab, plain_start
from hil.tuning.session import TuneSession, folder_of
from simulators.models.dopant_network import Wiring, dopant_network
from simulators.models.hopping import default_network
from simulators.models.imperfections import ImperfectChip, Imperfections
from simulators.models.threads import one_thread

_QUIET_A = 1e-10
"""Noise of a reading where nobody says."""


@contextmanager
def dopant_lab(session: TuneSession, seed: int, *, hold: bool = False) -> Iterator[TuningLab]:
    """The dopant network, connected and its amplifier measured."""
    from hil.chips.dnpu import connect

    bench = cast(BenchFile, session.bench)
    check_inputs(session, tuple(bench.chip.electrodes))
    known = _known(session)
    with connect(cast(DnpuSession, session), hold=hold) as chip:
        yield dopant_on(session, chip, bench.chip.readout.settling, known, seed)


@contextmanager
def dopant_in_process(session: TuneSession, seed: int) -> Iterator[TuningLab]:
    """Dopant chips that are emulated in process: one, or a network of several."""
    section, known = cast(DopantSection, session.bench.chip), _known(session)
    with one_thread():
        device = _made(section, seed)
    session.store.describe(instruments=dict(device.identity))
    check_inputs(session, device.inputs.names)
    yield dopant_on(session, device, device.outputs.settling_s, known, seed)
    device.rest()


def _made(section: DopantSection, seed: int) -> Device:
    """The specimens that the file's seed stands for; their noise is that of the run's seed."""
    hidden = section.emulator
    imperfections = Imperfections() if hidden.imperfect else Imperfections.none()
    if section.chips == [1]:
        model = default_network(hidden.seed)
        electrodes = ChannelGroup(
            model.electrodes,
            "V",
            model.low.numpy(),
            model.high.numpy(),
            np.full(len(model.electrodes), section.max_slew),
        )
        chip = ImperfectChip(model, imperfections, seed)
        return EmulatedDevice(chip, electrodes, "e8", section.sample_rate, section.name)
    wiring = Wiring(tuple(section.chips))
    return EmulatedDopantNetwork(
        dopant_network(wiring, hidden.seed),
        imperfections=imperfections,
        max_slew=section.max_slew,
        sample_rate_Hz=section.sample_rate,
        seed=seed,
        name=section.name,
    )


def check_inputs(session: TuneSession, there: tuple[str, ...]) -> None:
    """ConfigError for inputs of the task that the chip does not have."""
    section = cast(GateTask | TableTask | PointsTask, session.experiment.task)
    unknown = [name for name in section.inputs if name not in there]
    if unknown:
        raise ConfigError(f"task.inputs: {unknown[0]} is no electrode; there are {', '.join(there)}")


def dopant_on(
    session: TuneSession, chip: Device, settling_s: float, known: Path | None, seed: int
) -> TuningLab:
    """The task on a chip that is connected, or on a network of them."""
    experiment = session.experiment
    section = cast(GateTask | TableTask | PointsTask, experiment.task)
    task, model = _task(section), None
    if experiment.model == "ideal":
        raise ConfigError("model: a dopant network has no ideal model; fitted, with known: RUN, or none")
    if experiment.model == "fitted" and known is not None:
        model = surrogate_of(known)
    device = chip.with_inputs(section.inputs)
    start, high = _start(session, device.controls, known, task, seed)
    problem = dopant_problem(
        device,
        task,
        model=model,
        noise_A=section.noise or _noise(known) or device.outputs.noise or _QUIET_A,
        plateau_s=section.plateau,
        settling_s=settling_s,
        repeats=section.repeats,
        probes=section.probes,
        high=high,
        seed=seed,
    )
    return TuningLab(device, problem, start)


def _task(section: GateTask | TableTask | PointsTask) -> Task:
    if isinstance(section, GateTask):
        return boolean_gate(section.gate, *section.levels)
    if isinstance(section, TableTask):
        return truth_table("table", section.table, *section.levels)
    return labelled_points("points", section.points, section.labels)


def _known(session: TuneSession) -> Path | None:
    named = session.experiment.known
    if named is None:
        return None
    folder = folder_of(session) / named
    if not (folder / SURROGATE).exists():
        raise ConfigError(f"known: {folder} has no fitted surrogate; run: hil fit {folder}")
    return folder


def _noise(known: Path | None) -> float | None:
    """The repeatability of a reading that a run found."""
    if known is None:
        return None
    with RunStore.open(known) as store:
        found = store.read_json("metrics.json").get("repeatability", {}).get("repeatability_A")
    return float(found) if found else None


def _start(
    session: TuneSession, controls: Channels, known: Path | None, task: Task, seed: int
) -> tuple[Array, int]:
    """Control voltages, and the label whose currents are to be the higher ones."""
    begin = session.experiment.start
    if begin.at != "deployed" or begin.file is not None:
        return plain_start(begin, controls, folder_of(session), seed), 1
    if known is None:
        raise ConfigError("start.at: deployed needs known: RUN, a run whose search found solutions")
    with RunStore.open(known) as store:
        found = store.read_json(SOLUTIONS).get(task.name) or []
    if not found:
        raise ConfigError(
            f"known: {known} has no solution of {task.name}; search for it first, or start elsewhere"
        )
    best = found[0]
    missing = [name for name in controls.names if name not in best["controls_V"]]
    if missing:
        raise ConfigError(
            f"known: the solution of {task.name} has no control {missing[0]}; it has other inputs"
        )
    return np.array([best["controls_V"][name] for name in controls.names]), int(best["high"])
