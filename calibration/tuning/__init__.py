"""Tuning a chip in situ: methods that ask a device, within a budget of readings, and what they are judged by.

problem = Problem(task, Limits.of(device.controls), model=twin)
tuner = Tuner(device, problem, Spsa(), TuningPlan(readings=20_000), start)
for step in tuner:                                     steps with readings spent, loss, and what was accepted
    ...
tuner.best                                             on the device when the loop ends
"""

from calibration.tuning.asking import Asking, Reading, TimeSteps
from calibration.tuning.gift import Gift
from calibration.tuning.limits import Limits
from calibration.tuning.losses import Correct, CrossEntropy, share_fidelity, share_infidelity, squared_error
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.noise_structure import AdditiveNoise, NoiseStructure
from calibration.tuning.paired import Paired, compared
from calibration.tuning.spsa import Spsa
from calibration.tuning.task import Examples, TuningTask
from calibration.tuning.tuner import Check, Snapshot, Tuner, TuningPlan, TuningStep
from calibration.tuning.updates import Update

__all__ = [
    "AdditiveNoise",
    "Answer",
    "Asking",
    "Check",
    "Correct",
    "CrossEntropy",
    "Examples",
    "Gift",
    "Limits",
    "Method",
    "NoiseStructure",
    "Paired",
    "Problem",
    "Query",
    "Reading",
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
