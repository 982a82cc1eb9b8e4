"""Tasks, the search for control voltages that do them, and the verdict of the chip."""

from calibration.tasks.search import Search, SearchPlan, SearchStep, Solution
from calibration.tasks.task import GATES, Task, boolean_gate, labelled_points, task_from, truth_table
from calibration.tasks.threshold import Threshold, Thresholds, best_threshold, best_thresholds
from calibration.tasks.verification import Acceptance, PointResult, Verification, verify

__all__ = [
    "GATES",
    "Acceptance",
    "PointResult",
    "Search",
    "SearchPlan",
    "SearchStep",
    "Solution",
    "Task",
    "Threshold",
    "Thresholds",
    "Verification",
    "best_threshold",
    "best_thresholds",
    "boolean_gate",
    "labelled_points",
    "task_from",
    "truth_table",
    "verify",
]
