"""Put a matrix on the chip: as designed, as calibrated and corrected, and measure what each makes of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from calibration.device import Array, Device
from calibration.mesh import MeshCalibration
from calibration.mesh.amplitudes import read_powers
from calibration.mesh.correction import CorrectedSetting, corrected, uncorrected
from calibration.mesh.fidelity import amplitude_fidelity, output_shares
from calibration.mesh.heating import Heating, heat_for
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


@dataclass(frozen=True, eq=False)
class Setting:
    """One way to set the matrix: the heaters' voltages, and the powers (N, N) that were read."""

    name: str
    heating: Heating
    powers_W: Array
    fidelity: float


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
) -> tuple[Setting, ...]:
    """Set and measure the matrix as designed, as calibrated but for the splitters, and corrected.

    The device is left with the corrected one. Raises WrongChip for the calibration of another chip.
    """
    calibration.check(device.identity)
    ideal = replace(
        MeshCalibration.blank(device.identity, design(session.bench.chip)), shifters=calibration.shifters
    )
    twin = calibration.twin.mesh
    best = corrected(wanted.unitary, twin)
    ways: tuple[tuple[str, MeshCalibration, CorrectedSetting], ...] = (
        ("as designed", ideal, uncorrected(wanted.unitary, ideal.twin.mesh)),
        ("calibrated", calibration, uncorrected(wanted.unitary, twin)),
        ("corrected", calibration, best),
    )
    asked = output_shares(torch.as_tensor(wanted.unitary))
    session.progress.start("setting the matrix", len(ways))
    done = []
    for name, known, setting in ways:
        session.checkpoint()
        heating = heat_for(known, setting.phases, np.asarray(device.controls.high))
        powers = read_powers(device, calibration, heating.volts)
        fidelity = float(amplitude_fidelity(torch.as_tensor(powers), asked))
        session.store.blocks(DEPLOY).append(
            name, {"volts": heating.volts, "phases_rad": setting.phases.numpy(), "powers_W": powers}
        )
        done.append(Setting(name, heating, powers, fidelity))
        session.progress.advance(f"{name}: {fidelity:.5f}")
    session.progress.finish()
    session.note(DEPLOYED, _figures(wanted, calibration, best, tuple(done)))
    return tuple(done)


def _figures(
    wanted: Target, calibration: MeshCalibration, best: CorrectedSetting, done: tuple[Setting, ...]
) -> dict[str, Any]:
    last = done[-1]
    amplitudes = np.sqrt(output_shares_of(last.powers_W))
    return {
        "source": wanted.source,
        "shape": list(wanted.wanted),
        "scale": wanted.scale,
        "version": calibration.version,
        "fidelity": {setting.name: setting.fidelity for setting in done},
        "clipped": [str(one) for one in best.clipped],
        "notes": [*wanted.notes, *_still_possible(calibration, last.heating)],
        "failed": {one.name: one.reason for one in calibration.shifters if not one.ok},
        "volts": dict(
            zip([one.name for one in calibration.shifters], last.heating.volts.tolist(), strict=True)
        ),
        "total_W": last.heating.total_W,
        "wanted": np.abs(wanted.unitary).tolist(),
        "measured": amplitudes.tolist(),
    }


def output_shares_of(powers: Array) -> Array:
    """Powers (N, N), outputs by inputs, as shares of what leaves for each input."""
    whole = powers.sum(axis=0, keepdims=True)
    return np.asarray(powers / np.where(whole > 0.0, whole, 1.0), dtype=np.float64)


def _still_possible(calibration: MeshCalibration, heating: Heating) -> Iterator[str]:
    """What failed, and how far the matrix is off for it."""
    names = [shifter.name for shifter in calibration.shifters]
    for what, those in (
        ("failed in the calibration and stays at 0 V", heating.idle),
        ("would have to pass its limit and stays there", heating.beyond),
    ):
        for name in those:
            off = abs(float(heating.off_rad[names.index(name)]))
            yield f"{name} {what}: its phase is {off:.2f} rad from what the matrix wants"
