"""Write the report of a mesh's run from what its folder holds."""

from typing import Any

import numpy as np
import torch

from calibration.device import Array
from calibration.mesh import MeshCalibration
from calibration.mesh.comparison import predicted_powers
from hil.chronicle import run_of
from hil.mesh.acceptance import DEPLOYED, SHIFTERS, criteria
from hil.mesh.calibrate import stage_folder
from hil.mesh.session import MeshSession
from hil.mesh.stages import wanted_stages
from hil.page.data import Criterion
from hil.page.mesh_data import (
    Deployed,
    HeaterCurve,
    MeshReport,
    Ports,
    Recheck,
    ShifterRow,
    Sweep,
    Twin,
    Verification,
)
from hil.page.mesh_metrics import mesh_metrics
from hil.page.mesh_page import write_mesh_report

_TWIN = ("settings", "used_readings", "unknowns", "splitter_rms_rad", "mzi_loss_dB", "crosstalk_nearest")
"""Figures of the twin that the page shows."""


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
        **(_characterised(known, chip.heaters.resistance) if known is not None else {}),
        verification=_verification(session, known)
        if known is not None and "verify" in known.figures
        else None,
        shifters=_shifters(known) if known is not None and SHIFTERS in figures else (),
        deployed=_deployed(figures[DEPLOYED]) if DEPLOYED in figures else None,
    )


def _last_known(session: MeshSession) -> MeshCalibration | None:
    done = [stage for stage in wanted_stages(session.experiment) if session.status(stage) == "done"]
    return MeshCalibration.load(stage_folder(session, done[-1])) if done else None


def _characterised(known: MeshCalibration, design_ohm: float) -> dict[str, Any]:
    """The parts of the report that the figures of the record hold."""
    found, ok = known.figures, {one.name: one.ok for one in known.shifters}
    parts: dict[str, Any] = {"design_ohm": design_ohm}
    if "ports" in found:
        names = tuple(f"out{port}" for port in range(known.twin.n_outputs))
        parts["ports"] = Ports(
            names,
            known.dark_W,
            _array(found["ports"]["port_transmission"]),
            tuple(found["ports"].get("notes", ())),
        )
    if "heaters" in found:
        parts["heaters"] = tuple(
            HeaterCurve(name, _array(line["volts"]), _array(line["amperes"]), ok[name])
            for name, line in found["heaters"]["lines"].items()
        )
    parts["sweeps"] = tuple(
        Sweep(
            name,
            _array(curve["heater_W"]),
            _array(curve["powers_W"]),
            _array(curve["heater_W"]),
            _array(curve["fitted_W"]),
            ok[name],
        )
        for stage in ("internal", "external")
        for name, curve in found.get(stage, {}).get("curves", {}).items()
    )
    if "crosstalk" in found:
        heaters = known.twin.heaters
        with torch.no_grad():
            parts["crosstalk"] = (heaters.matrix() / heaters.gamma_rad_per_W).numpy()
    if "twin" in found:
        twin = found["twin"]
        shown = {key: twin[key] for key in _TWIN if twin.get(key) is not None}
        parts["twin"] = Twin(_array(twin["loss"]), twin["residual_over_noise"], shown, twin["verdict"])
    if "drift" in found:
        drift = found["drift"]
        parts["recheck"] = Recheck(
            drift["settings"],
            drift["residual_over_noise_then"],
            drift["residual_over_noise"],
            drift.get("change_over_noise"),
            drift["verdict"],
        )
    return parts


def _verification(session: MeshSession, known: MeshCalibration) -> Verification:
    """Every power of the corrected unitaries as the twin predicts it, beside what was read."""
    twin = MeshCalibration.load(stage_folder(session, "verify")).twin
    blocks = session.store.blocks("verify").read()
    corrected = [block.arrays for name, block in blocks.items() if name.endswith(" corrected")]
    measured = np.concatenate([arrays["powers_W"] for arrays in corrected]) - known.dark_W
    predicted = predicted_powers(
        twin,
        np.concatenate([arrays["inputs_V"] for arrays in corrected]),
        np.stack([arrays["controls_V"] for arrays in corrected]),
    )
    ports = known.twin.n_outputs
    figures = known.figures["verify"]
    return Verification(
        _array(figures["corrected"]["fidelities"]),
        predicted.reshape(-1, ports),
        measured.reshape(-1, ports),
        uncorrected=_array(figures["uncorrected"]["fidelities"]),
    )


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
