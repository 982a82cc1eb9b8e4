"""Every figure of a mesh's report as plain values."""

import numpy as np

from hil.page.data import Array
from hil.page.mesh_data import Deployed, MeshReport, Recheck, Verification
from hil.page.metrics import Metrics, run_metrics


def mesh_metrics(data: MeshReport) -> Metrics:
    """Every figure of the report, in SI units; a part that is missing is missing here too."""
    found = run_metrics(data)
    found["spent"] = {"readings": data.readings, "chip_time_s": data.chip_time_s}
    if data.record:
        found["record"] = dict(data.record)
    if data.ports is not None:
        found["ports"] = {"dark_W": data.ports.dark_W.tolist()}
        if data.ports.transmission is not None:
            found["ports"]["transmission"] = data.ports.transmission.tolist()
    if data.heaters:
        found["heaters"] = {
            "count": len(data.heaters),
            "good": sum(curve.ok for curve in data.heaters),
            "design_ohm": data.design_ohm,
        }
    if data.shifters:
        found["shifters"] = {
            "count": len(data.shifters),
            "good": sum(row.ok for row in data.shifters),
            "good_share": data.good_share,
            "each": {row.name: {"ok": row.ok, "reason": row.reason, **row.figures} for row in data.shifters},
        }
    if data.crosstalk is not None:
        found["crosstalk"] = _crosstalk(data.crosstalk)
    if data.twin is not None:
        found["twin"] = {
            **data.twin.figures,
            "residual_over_noise": data.twin.residual_over_noise,
            "steps": len(data.twin.loss),
        }
    if data.verification is not None:
        found["verification"] = _verification(data.verification)
    if data.recheck is not None:
        found["recheck"] = _recheck(data.recheck)
    if data.deployed is not None:
        found["deployed"] = _deployed(data.deployed)
    return found


def _crosstalk(shares: Array) -> Metrics:
    off = np.abs(shares[~np.eye(len(shares), dtype=bool)])
    return {
        "largest": float(off.max(initial=0.0)),
        "mean_row_sum": float(off.sum() / len(shares)) if len(shares) else None,
    }


def _verification(found: Verification) -> Metrics:
    difference = found.measured_W - found.predicted_W
    return {
        "unitaries": len(found.fidelity),
        "mean_fidelity": float(found.fidelity.mean()),
        "least_fidelity": float(found.fidelity.min()),
        "mean_infidelity": float(1.0 - found.fidelity.mean()),
        "rms_W": float(np.sqrt(np.mean(difference**2))),
        "mean_uncorrected": None if found.uncorrected is None else float(found.uncorrected.mean()),
    }


def _recheck(found: Recheck) -> Metrics:
    return {
        "settings": found.settings,
        "residual_over_noise_then": found.then,
        "residual_over_noise": found.now,
        "change_over_noise": found.change,
    }


def _deployed(found: Deployed) -> Metrics:
    return {
        "source": found.source,
        "fidelity": dict(found.fidelity),
        "clipped": list(found.clipped),
        "unreached": list(found.unreached),
        "notes": list(found.notes),
        "rms_amplitude": float(np.sqrt(np.mean((found.measured - found.wanted) ** 2))),
    }
