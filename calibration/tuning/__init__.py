"""Tuning a chip in situ: methods that ask a device, within a budget of readings, and what they are judged by.

problem = Problem(task, Limits.of(device.controls), model=twin)
tuner = Tuner(device, problem, Spsa(), TuningPlan(readings=20_000), start)
for step in tuner:                                     steps with readings spent, loss, and what was accepted
    ...
tuner.best                                             on the device when the loop ends
"""

from calibration.tuning.asking import Asking, Reading, TimeSteps
from calibration.tuning.coordinate_search import CoordinateSearch
from calibration.tuning.current_losses import Correlation, RightSide, SoftMargin, tuning_task
from calibration.tuning.dat import Dat
from calibration.tuning.dopant import dopant_problem, model_of
from calibration.tuning.finite_differences import FiniteDifferences
from calibration.tuning.limits import Limits
from calibration.tuning.lock_in import LockIn
from calibration.tuning.losses import Correct, CrossEntropy, share_fidelity, share_infidelity, squared_error
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.multiplexed import MultiplexedGradientDescent
from calibration.tuning.paired import Paired, compared
from calibration.tuning.parameter_shift import ParameterShift
from calibration.tuning.pat import Pat
from calibration.tuning.plateaus import Plateaus
from calibration.tuning.sepn import ComplexUNet, ErrorNetworks, RealNetwork
from calibration.tuning.spsa import Spsa
from calibration.tuning.task import Examples, TuningTask
from calibration.tuning.tuner import Check, Snapshot, Tuner, TuningPlan, TuningStep
from calibration.tuning.updates import Update

__all__ = [
    "Answer",
    "Asking",
    "Check",
    "ComplexUNet",
    "CoordinateSearch",
    "Correct",
    "Correlation",
    "CrossEntropy",
    "Dat",
    "ErrorNetworks",
    "Examples",
    "FiniteDifferences",
    "Limits",
    "LockIn",
    "Method",
    "MultiplexedGradientDescent",
    "Paired",
    "ParameterShift",
    "Pat",
    "Plateaus",
    "Problem",
    "Query",
    "Reading",
    "RealNetwork",
    "RightSide",
    "Snapshot",
    "SoftMargin",
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
    "dopant_problem",
    "model_of",
    "share_fidelity",
    "share_infidelity",
    "squared_error",
    "tuning_task",
]
