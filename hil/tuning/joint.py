"""Limits on several electrodes at once, held against everything that a tuning may ask for."""

from calibration.errors import OutsideLimits
from calibration.tuning import Problem
from hil.config.dnpu_chip import DnpuSection


def check_joint(problem: Problem, chip: DnpuSection) -> None:
    """Raise OutsideLimits where parameters that the problem's limits allow could pass a joint limit of the chip.

    A method may ask for any corner of its limits, and the chip would refuse that in the middle of a run. Inputs are
    anywhere between rest and the points of the task.
    """
    limits, points = problem.limits, problem.task.training.inputs
    low = dict(zip(limits.names, limits.low.tolist(), strict=True))
    high = dict(zip(limits.names, limits.high.tolist(), strict=True))
    inputs = [name for name in chip.electrodes if name not in low]
    for column, name in enumerate(inputs):
        low[name] = min(0.0, float(points[:, column].min()))
        high[name] = max(0.0, float(points[:, column].max()))
    asked = chip.limits
    if asked.spread is not None:
        apart = max(high.values()) - min(low.values())
        _within("the largest difference between electrodes", apart, asked.spread, "V", "limits.spread")
    for pair in asked.differences:
        one, other = pair.between
        apart = max(high[one] - low[other], high[other] - low[one])
        _within(f"{one} and {other}", apart, pair.limit, "V", "limits.differences")
    if asked.power is not None:
        squares = sum(max(low[name] ** 2, high[name] ** 2) for name in low)
        _within("the joint power", asked.power.conductance * squares, asked.power.limit, "W", "limits.power")


def _within(what: str, most: float, limit: float, unit: str, key: str) -> None:
    if most > limit * (1.0 + 1e-9):
        raise OutsideLimits(
            f"{what} could come to {most:.4g} {unit} in the tuning, and chip.{key} allows {limit:.4g} {unit}; "
            "narrow tuning.within around a start that leaves room"
        )
