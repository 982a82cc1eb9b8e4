"""Write the report of a mesh's run from what its folder holds."""

from typing import Any

import numpy as np

from calibration.device import Array
from calibration.mesh import MeshCalibration
from hil.chronicle import run_of
from hil.mesh.acceptance import DEPLOYED, SHIFTERS, criteria
from hil.mesh.calibrate import stage_folder
from hil.mesh.session import MeshSession
from hil.mesh.stages import stages_of
from hil.page.data import Criterion
from hil.page.mesh_data import Deployed, MeshReport, ShifterRow
from hil.page.mesh_metrics import mesh_metrics
from hil.page.mesh_page import write_mesh_report


def report(session: MeshSession) -> None:
    """Write report.html, and every figure in it to metrics.json."""
    with session.store.step("report"):
        data = report_data(session)
        session.note("report", mesh_metrics(data))
        write_mesh_report(data, session.folder / "report.html")


def report_data(session: MeshSession) -> MeshReport:
    """Everything the report shows; what the run has not got yet stays out."""
    figures, chip = session.metrics(), session.bench.chip
    known = _last_known(session)
    spent = figures.get("spent", {})
    return MeshReport(
        run=run_of(session),
        acceptance=tuple(
            Criterion(line.what, line.measured, line.limit, line.unit, line.sense, line.passed)
            for line in criteria(session.experiment, figures)
        ),
        layout=f"{chip.layout.kind}, {chip.layout.ports} ports",
        record=figures.get("record", {}),
        readings=spent.get("readings", 0),
        chip_time_s=spent.get("chip_time_s", 0.0),
        shifters=_shifters(known) if known is not None and SHIFTERS in figures else (),
        deployed=_deployed(figures[DEPLOYED]) if DEPLOYED in figures else None,
    )


def _last_known(session: MeshSession) -> MeshCalibration | None:
    done = [
        stage.name
        for stage in stages_of(session.experiment, session.bench.chip)
        if session.status(stage.name) == "done"
    ]
    return MeshCalibration.load(stage_folder(session, done[-1])) if done else None


def _shifters(known: MeshCalibration) -> tuple[ShifterRow, ...]:
    return tuple(ShifterRow(one.name, one.ok, one.reason, one.figures) for one in known.shifters)


def _deployed(figures: dict[str, Any]) -> Deployed:
    return Deployed(
        source=figures["source"],
        fidelity=figures["fidelity"],
        wanted=_array(figures["wanted"]),
        measured=_array(figures["measured"]),
        clipped=tuple(figures["clipped"]),
        unreached=tuple(figures["unreached"]),
        notes=tuple(figures["notes"]),
    )


def _array(rows: Any) -> Array:
    return np.array(rows, dtype=np.float64)
