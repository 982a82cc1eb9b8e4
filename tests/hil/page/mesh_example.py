"""A whole mesh report with plausible data, nothing of it from a calibration."""

import numpy as np

from hil.page.data import Criterion, Run, Step
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

PORTS = 6
RUN = Run(
    "mesh",
    "runs/mesh",
    "2026-01-01T00:00:00+00:00",
    1,
    "mesh chip",
    (Step("twin", "done", 3.0),),
    {"laser": "SANTEC,TSL-570"},
    {"python": "3.11"},
)


def calibrated(run: Run | None = None) -> MeshReport:
    """A calibration of a mesh of six ports; one heater is open."""
    rng = np.random.default_rng(4)
    n = PORTS * (PORTS - 1) // 2
    names = tuple(f"{kind}{k % PORTS}_{k // PORTS}" for kind in "tp" for k in range(n))
    bad = names[7]
    volts = np.linspace(0.0, 8.0, 9)
    heaters = []
    for name in names:
        ohms = 1000.0 * (1.0 + 0.02 * rng.standard_normal())
        drawn = volts / (ohms * (1.0 + 1.5 * volts**2 / ohms))
        heaters.append(HeaterCurve(name, volts, 0.0 * volts if name == bad else drawn, name != bad))
    sweeps, rows = [], []
    fine, steps = np.linspace(0.0, 45e-3, 120), np.linspace(0.0, 45e-3, 17)
    for name in names:
        offset, good = rng.uniform(0.0, 2.0 * np.pi), name != bad

        def fringe(watts: np.ndarray, offset: float = offset) -> np.ndarray:
            return 0.5 + 0.48 * np.cos(offset + np.pi * watts / 0.02)

        read = fringe(steps if good else 0.0 * steps) + 0.01 * rng.standard_normal(steps.size)
        fit = fringe(fine) if good else np.full(fine.size, read.mean())
        sweeps.append(Sweep(name, steps, read, fine, fit, good))
        figures = {
            "phase_rad": offset,
            "phase_error_rad": 0.004,
            "visibility": 0.992,
            "resistance_ohm": 1003.2,
        }
        reason = "" if good else "open: it draws less than 1 µA at 8 V"
        rows.append(ShifterRow(name, good, reason, figures if good else {}))
    apart = np.abs(np.subtract.outer(np.arange(2 * n), np.arange(2 * n)))
    predicted = rng.dirichlet(np.ones(PORTS), 200) * 3e-4
    return MeshReport(
        run=run or RUN,
        acceptance=(Criterion("mean amplitude fidelity", 0.99993, 0.999, "", "at least", True),),
        layout="rectangular, 6 ports",
        record={"version": 3},
        readings=4321,
        chip_time_s=1234.5,
        ports=Ports(
            tuple(f"out{k}" for k in range(PORTS)),
            2e-10 * (1 + 0.3 * rng.random(PORTS)),
            0.6 + 0.1 * rng.random(PORTS),
        ),
        heaters=tuple(heaters),
        design_ohm=1000.0,
        sweeps=tuple(sweeps),
        shifters=tuple(rows),
        crosstalk=np.where(apart == 0, 1.0, 0.01 * np.exp(1.0 - apart)),
        twin=Twin(30.0 * np.exp(-np.arange(200) / 30.0) + 1.02, 1.02, {"settings": 64.0}),
        verification=Verification(
            1.0 - 1e-4 * rng.random(20),
            predicted,
            predicted * (1 + 0.01 * rng.standard_normal(predicted.shape)),
        ),
        recheck=Recheck(12, 1.02, 1.1, 1.05, "steady"),
    )


def deployed() -> MeshReport:
    """A matrix that was put on the same chip."""
    rng = np.random.default_rng(5)
    wanted = np.abs(np.linalg.qr(rng.standard_normal((PORTS, PORTS)))[0])
    whole = calibrated()
    return MeshReport(
        run=whole.run,
        layout=whole.layout,
        deployed=Deployed(
            "U.npy, 4 x 4, padded to 6 x 6",
            {"as designed": 0.41, "calibrated": 0.995, "corrected": 0.99987},
            wanted,
            wanted + 0.004 * rng.standard_normal(wanted.shape),
            ("0_2",),
            ("t1_1 failed: it stays at 0 V.",),
        ),
    )
