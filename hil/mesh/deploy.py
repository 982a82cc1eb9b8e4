"""Put a matrix on the chip in every way that the calibration knows, and measure what each makes of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from calibration.device import Device
from calibration.errors import NotEnoughData
from calibration.mesh import MeshCalibration
from calibration.mesh.comparison import Compared, compared
from calibration.mesh.deploy import Deployment
from calibration.mesh.deploy import deploy as plan
from calibration.mesh.drive import HeaterLimits
from calibration.mesh.fidelity import amplitude_fidelity, output_shares, shares
from calibration.mesh.settings import lit_alone, read
from hil.config.bench import MeshBench, load_chip_bench
from hil.config.experiment_file import EXPERIMENT
from hil.config.mesh_experiment import MeshExperiment
from hil.config.yaml_file import load
from hil.errors import ConfigError, NoCalibration
from hil.mesh.acceptance import DEPLOYED
from hil.mesh.calibrate import DEPLOYS, RECORD
from hil.mesh.design import design
from hil.mesh.records import Records
from hil.mesh.session import MESH, MeshSession
from hil.mesh.target import Target, as_target, haar, read_target
from hil.progress import Progress
from hil.session import check_kind, open_session

DEPLOY = "deploy"
"""The step, and the blocks of its readings."""
_REFINEMENT = 200
"""Steps on the twin, where correction alone cannot do it."""
_READABLE = 0.1
"""Share of the wanted light without which nothing can be said."""


@dataclass(frozen=True, eq=False)
class Tried:
    """One way to set the matrix, and what the chip gave."""

    way: str
    planned: Deployment
    found: Compared

    @property
    def powers_W(self) -> Tensor:
        """What was measured, (N, N), outputs by inputs; nothing where a detector cannot be used."""
        return self.found.measured[0]

    @property
    def _wanted(self) -> Tensor:
        return output_shares(self.planned.target) * self.found.counts[0]

    @property
    def readable(self) -> float:
        """Share of the wanted light that goes where it can be read."""
        return float(self._wanted.sum()) / len(self._wanted)

    @property
    def fidelity(self) -> float:
        """Amplitude fidelity of what was measured to the target, as far as detectors can tell."""
        return float(amplitude_fidelity(self.powers_W, self._wanted, weights=self._wanted.sum(dim=-2)))


@contextmanager
def deployment(
    target: Path | str, matrix: Path | str | Any, seed: int | None, progress: Progress | None
) -> Iterator[tuple[MeshSession, Target, MeshCalibration]]:
    """A run for a deployment, the matrix and the calibration; see `hil.deploy`."""
    path = Path(target)
    if (matrix is None) == (seed is None):
        raise ConfigError("name one matrix: --target FILE, or --haar SEED for a random one")
    file = path / EXPERIMENT if path.is_dir() else path
    check_kind(MESH, path, file)
    experiment = load(file, MeshExperiment)
    bench = load_chip_bench(file.parent / experiment.bench, MeshBench)
    runs = path.parent if path.is_dir() else path.parent / experiment.runs
    record = path / RECORD if path.is_dir() else Records(runs, bench.chip.name).latest()
    if not record.exists():
        raise NoCalibration(f"{path} has no finished calibration; run: hil calibrate {path}")
    calibration = MeshCalibration.load(record)
    calibration.check({"kind": "mesh", "name": bench.chip.name})
    ports = bench.chip.layout.ports
    if calibration.twin.mesh.layout != bench.chip.mesh:
        raise ConfigError(
            f"{record} is of a {calibration.twin.mesh.layout.kind} mesh of {calibration.twin.n_inputs} ports, "
            f"the bench has a {bench.chip.layout.kind} one of {ports}; calibrate again, or correct chip.layout"
        )
    if seed is not None:
        wanted = haar(ports, seed)
    elif isinstance(matrix, str | Path):
        wanted = read_target(Path(matrix), ports)
    else:
        wanted = as_target(matrix, "the matrix", ports)
    told = {"record": str(record), "version": calibration.version, "matrix": wanted.source}
    with open_session(MESH, file, progress, beside=runs, label=DEPLOY, manifest={DEPLOYS: told}) as session:
        try:
            yield session, wanted, calibration
        finally:
            session.progress.finish()


def deploy(session: MeshSession, wanted: Target, calibration: MeshCalibration, *, hold: bool) -> None:
    """Set the matrix on the session's chip in each way, the best one last; see `deploy_on`."""
    from hil.chips.mesh import connect

    torch.set_num_threads(1)
    with session.store.step(DEPLOY), connect(session, hold=hold) as device:
        deploy_on(session, device, wanted, calibration)


def deploy_on(
    session: MeshSession, device: Device, wanted: Target, calibration: MeshCalibration
) -> tuple[Tried, ...]:
    """Set and measure the matrix in each way: as designed, as calibrated but for the splitters, corrected.

    Where shifters failed, or splitters cannot do what the correction asks, the others are then refined on the twin
    to make up for them. The device is left with the last one. Raises WrongChip for the calibration of another chip,
    NotEnoughData where next to none of the wanted light can be read.
    """
    calibration.check(device.identity)
    done: list[Tried] = []
    ways = list(_ways(session, wanted, calibration))
    session.progress.start("setting the matrix", len(ways))
    for way, planned in ways:
        session.checkpoint()
        volts = planned.drive.volts
        block = read(device, volts, lit_alone(device, calibration.twin))
        done.append(Tried(way, planned, compared([block], calibration, device)))
        if done[-1].readable < _READABLE:
            raise NotEnoughData(
                f"{way}: {done[-1].readable:.0%} of the wanted light could be read, {_READABLE:.0%} are needed; the "
                "other detectors are dead or at their end: look at them, at the laser's power and the ranges"
            )
        powers = done[-1].powers_W.numpy()
        arrays = {"volts": volts, "phases_rad": planned.drive.phases, "powers_W": powers}
        session.store.blocks(DEPLOY).append(way, arrays)
        session.progress.advance(f"{way}: {done[-1].fidelity:.5f}")
    session.progress.finish()
    session.note(DEPLOYED, _figures(wanted, calibration, done))
    return tuple(done)


def _ways(
    session: MeshSession, wanted: Target, calibration: MeshCalibration
) -> Iterator[tuple[str, Deployment]]:
    heaters = session.bench.chip.heaters
    limits = HeaterLimits(heaters.total_power, heaters.current)
    failed = [one.name for one in calibration.shifters if not one.ok]
    unitary, twin = wanted.unitary, calibration.twin
    ideal = design(session.bench.chip)
    yield "as designed", plan(unitary, ideal, correct=False, dead=failed, limits=limits)
    yield "calibrated", plan(unitary, twin, correct=False, dead=failed, limits=limits)
    corrected = plan(unitary, twin, dead=failed, limits=limits)
    yield "corrected", corrected
    if corrected.clipped or corrected.drive.unreached:
        yield "refined", plan(unitary, twin, dead=failed, limits=limits, refinement=_REFINEMENT)


def _figures(wanted: Target, calibration: MeshCalibration, done: Sequence[Tried]) -> dict[str, Any]:
    best, drive = done[-1], done[-1].planned.drive
    names = [one.name for one in calibration.shifters]
    return {
        "source": wanted.source,
        "shape": list(wanted.wanted),
        "scale": wanted.scale,
        "version": calibration.version,
        "fidelity": {one.way: one.fidelity for one in done},
        "achieved": best.fidelity,
        "predicted": {one.way: one.planned.amplitude_fidelity for one in done},
        "clipped": [str(one) for one in best.planned.clipped],
        "unreached": [str(one) for one in drive.unreached],
        "notes": [*wanted.notes, *_unseen(best)],
        "failed": {one.name: one.reason for one in calibration.shifters if not one.ok},
        "volts": dict(zip(names, drive.volts.tolist(), strict=True)),
        "total_W": drive.total_W,
        "wanted": np.abs(wanted.unitary).tolist(),
        "measured": shares(best.powers_W).sqrt().tolist(),
    }


def _unseen(best: Tried) -> Iterator[str]:
    lost = int((best.found.counts == 0.0).sum())
    if best.found.dead:
        yield f"{', '.join(best.found.dead)} saw no light: the fidelity is that of the other outputs"
    elif lost:
        yield (
            f"{lost} of {best.found.counts.numel()} powers were at their detector's end, and the fidelity is "
            "that of the others; lower the laser's power, or raise the ranges"
        )
