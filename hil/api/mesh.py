"""The commands on a photonic mesh."""

from pathlib import Path
from typing import Any

from hil.mesh.session import MESH
from hil.outcome import Outcome
from hil.progress import Progress
from hil.session import open_session


def calibrate_mesh(target: Path | str, progress: Progress | None = None) -> Outcome:
    """Every stage that is not done yet, the record and the report; see `hil.calibrate`."""
    from hil.mesh.calibrate import calibrate
    from hil.mesh.report import report

    with open_session(MESH, target, progress) as session, session.resumable():
        calibrate(session)
        report(session)
        return Outcome.of(session)


def report_mesh(target: Path | str, progress: Progress | None = None) -> Outcome:
    """The page of a mesh's run from what it holds so far; see `hil.report`."""
    from hil.mesh.report import report

    with open_session(MESH, target, progress, new=False) as session, session.resumable():
        report(session)
        return Outcome.of(session)


def deploy(
    target: Path | str,
    matrix: Path | str | Any = None,
    *,
    haar: int | None = None,
    hold: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Put a matrix on a calibrated mesh and measure what the chip makes of it.

    Args:
        target: an experiment file, for the chip's newest calibration; or the folder of a run, for its own.
        matrix: a .npy or .safetensors file, or an array; see `hil.mesh.target.read_target`.
        haar: instead, the seed of a random unitary.
        hold: leave the heaters and the light on; otherwise the chip is at rest afterwards.

    It is a run of its own, whose page shows the amplitudes that were wanted and read. Raises ConfigError for a
    matrix that does not fit, NoCalibration, WrongChip, the drivers' errors (after the safe state) and RunError.
    """
    from hil.mesh.deploy import deploy as deploy_matrix
    from hil.mesh.deploy import deployment
    from hil.mesh.report import report

    with deployment(target, matrix, haar, progress) as (session, wanted, calibration):
        deploy_matrix(session, wanted, calibration, hold=hold)
        report(session)
        return Outcome.of(session)
