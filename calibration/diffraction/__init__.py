"""Diffractive networks: how one was really put together, found from its readings.

readings = read_alignment(device, design, plan)
twin = fit_alignment(design, readings).applied(design)
"""

from calibration.diffraction.alignment import (
    Alignment,
    AlignmentPlan,
    AlignmentReadings,
    fit_alignment,
    read_alignment,
)

__all__ = ["Alignment", "AlignmentPlan", "AlignmentReadings", "fit_alignment", "read_alignment"]
