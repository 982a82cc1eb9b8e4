"""Tuning a chip in situ: methods that ask a device, within a budget of readings, and what they are judged by.

problem = Problem(task, Limits.of(device.controls), model=twin)
tuner = Tuner(device, problem, Spsa(), TuningPlan(readings=20_000), start)
for step in tuner:                                     steps with readings spent, loss, and what was accepted
    ...
tuner.best                                             on the device when the loop ends
"""

from calibration.tuning.asking import Asking, Reading, TimeSteps
from calibration.tuning.backpropagation import Backpropagation
from calibration.tuning.bidirectional import Bidirectional, Passage, Traversal
from calibration.tuning.cma_es import CmaEs
from calibration.tuning.comparison import Contender, Trial, compare
from calibration.tuning.coordinate_search import CoordinateSearch
from calibration.tuning.current_losses import Correlation, RightSide, SoftMargin, tuning_task
from calibration.tuning.dat import Dat
from calibration.tuning.dopant import dopant_problem, model_of
from calibration.tuning.feedback_alignment import Dfa
from calibration.tuning.finite_differences import FiniteDifferences
from calibration.tuning.genetic import Genetic
from calibration.tuning.gift import Gift
from calibration.tuning.keeping import Keeper
from calibration.tuning.limits import Limits
from calibration.tuning.lock_in import LockIn
from calibration.tuning.losses import Correct, CrossEntropy, share_fidelity, share_infidelity, squared_error
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.multiplexed import MultiplexedGradientDescent
from calibration.tuning.noise_structure import AdditiveNoise, NoiseStructure
from calibration.tuning.paired import Paired, compared
from calibration.tuning.parameter_shift import ParameterShift
from calibration.tuning.pat import Pat
from calibration.tuning.pepg import Pepg
from calibration.tuning.physical_local import Phyll
from calibration.tuning.plateaus import Plateaus
from calibration.tuning.readout import CorrectedReadout, ReadoutChange
from calibration.tuning.sepn import ComplexUNet, ErrorNetworks, RealNetwork
from calibration.tuning.spsa import Spsa
from calibration.tuning.study import Band, Recommendation, Row, Run, Study
from calibration.tuning.task import Examples, TuningTask
from calibration.tuning.tuner import Check, Snapshot, Tuner, TuningPlan, TuningStep
from calibration.tuning.updates import Update
from calibration.tuning.watch import KeepingPlan, Look, Retuning, Rung

__all__ = [
    "AdditiveNoise",
    "Answer",
    "Asking",
    "Backpropagation",
    "Band",
    "Bidirectional",
    "Check",
    "CmaEs",
    "ComplexUNet",
    "Contender",
    "CoordinateSearch",
    "Correct",
    "CorrectedReadout",
    "Correlation",
    "CrossEntropy",
    "Dat",
    "Dfa",
    "ErrorNetworks",
    "Examples",
    "FiniteDifferences",
    "Genetic",
    "Gift",
    "Keeper",
    "KeepingPlan",
    "Limits",
    "LockIn",
    "Look",
    "Method",
    "MultiplexedGradientDescent",
    "NoiseStructure",
    "Paired",
    "ParameterShift",
    "Passage",
    "Pat",
    "Pepg",
    "Phyll",
    "Plateaus",
    "Problem",
    "Query",
    "Reading",
    "ReadoutChange",
    "RealNetwork",
    "Recommendation",
    "Retuning",
    "RightSide",
    "Row",
    "Run",
    "Rung",
    "Snapshot",
    "SoftMargin",
    "Spsa",
    "State",
    "Stepped",
    "Steps",
    "Study",
    "TimeSteps",
    "Traversal",
    "Trial",
    "Tuner",
    "TuningPlan",
    "TuningStep",
    "TuningTask",
    "Update",
    "compare",
    "compared",
    "dopant_problem",
    "model_of",
    "share_fidelity",
    "share_infidelity",
    "squared_error",
    "tuning_task",
]
