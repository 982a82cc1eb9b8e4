"""Tuning a chip in situ: methods that ask a device, within a budget of readings, and what they are judged by.

problem = Problem(task, Limits.of(device.controls), model=twin)
tuner = Tuner(device, problem, Spsa(), TuningPlan(readings=20_000), start)
for step in tuner:                                     steps with readings spent, loss, and what was accepted
    ...
tuner.best                                             on the device when the loop ends
"""

from calibration.tuning.asking import Asking, Reading, TimeSteps
from calibration.tuning.keeping import Keeper, KeepingPlan, Look, Retuning, Rung
from calibration.tuning.limits import Limits
from calibration.tuning.losses import Correct, CrossEntropy, share_fidelity, share_infidelity, squared_error
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.paired import Paired, compared
from calibration.tuning.readout import CorrectedReadout, ReadoutChange
from calibration.tuning.spsa import Spsa
from calibration.tuning.task import Examples, TuningTask
from calibration.tuning.tuner import Check, Snapshot, Tuner, TuningPlan, TuningStep
from calibration.tuning.updates import Update

__all__ = [
    "Answer",
    "Asking",
    "Check",
    "Correct",
    "CorrectedReadout",
    "CrossEntropy",
    "Examples",
    "Keeper",
    "KeepingPlan",
    "Limits",
    "Look",
    "Method",
    "Paired",
    "Problem",
    "Query",
    "Reading",
    "ReadoutChange",
    "Retuning",
    "Rung",
    "Snapshot",
    "Spsa",
    "State",
    "Stepped",
    "Steps",
    "TimeSteps",
    "Tuner",
    "TuningPlan",
    "TuningStep",
    "TuningTask",
    "Update",
    "compared",
    "share_fidelity",
    "share_infidelity",
    "squared_error",
]
