"""A step of a method whose losses are those of a known function, without a device."""

from collections.abc import Callable

from calibration.device import Array
from calibration.tuning import Method, Problem, Query, State, Stepped


class _Told:
    def __init__(self, loss: float) -> None:
        self.loss = loss


def told(
    method: Method, problem: Problem, state: State, number: int, loss: Callable[[Array], float]
) -> Stepped:
    """One step, whose queries are answered by `loss` of their parameters."""
    steps = method.step(problem, state, number)
    query: Query = next(steps)
    while True:
        try:
            query = steps.send(_Told(loss(query.theta)))  # type: ignore[arg-type]
        except StopIteration as end:
            stepped: Stepped = end.value
            return stepped
