"""The model in stages that some methods need."""

from calibration.errors import PlanError
from calibration.tuning.method import Problem
from simulators.models.staged import StagedModel


def staged_model(problem: Problem) -> StagedModel:
    """The problem's model; raises PlanError where there is none, or one that is in one piece."""
    model = problem.known_model
    if not isinstance(model, StagedModel):
        raise PlanError(
            f"this method needs a model in stages, and {type(model).__name__} is in one piece; name one with stages"
        )
    return model
