"""Options of a bench file that are quantities or numbers, refused by their names."""

import math

from simulators.quantity import parse


def positive(name: str, value: float | str, unit: str = "") -> float:
    """A positive number, or with a `unit` a positive quantity in it; ValueError that names the option."""
    try:
        number = parse(value, unit) if unit else float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
    if not 0.0 < number < math.inf:
        raise ValueError(f"{name} is {value!r}; it is positive")
    return number


def count(name: str, value: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`; ValueError that names the option."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it is a whole number from {low} to {high}")
    return value
