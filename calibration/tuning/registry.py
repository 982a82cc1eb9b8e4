"""Every method by the name that files and the command line use; a module is loaded when its method is asked for."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

from pydantic import TypeAdapter, ValidationError

from calibration.errors import PlanError
from calibration.tuning.method import Method

METHODS: Mapping[str, tuple[str, str]] = {
    "backpropagation": ("backpropagation", "Backpropagation"),
    "cma-es": ("cma_es", "CmaEs"),
    "coordinate-search": ("coordinate_search", "CoordinateSearch"),
    "dat": ("dat", "Dat"),
    "dfa": ("feedback_alignment", "Dfa"),
    "finite-differences": ("finite_differences", "FiniteDifferences"),
    "genetic": ("genetic", "Genetic"),
    "gift": ("gift", "Gift"),
    "lock-in": ("lock_in", "LockIn"),
    "mgd": ("multiplexed", "MultiplexedGradientDescent"),
    "parameter-shift": ("parameter_shift", "ParameterShift"),
    "pat": ("pat", "Pat"),
    "pepg": ("pepg", "Pepg"),
    "phyll": ("physical_local", "Phyll"),
    "spsa": ("spsa", "Spsa"),
}
"""Module and class of each method."""


def method_class(name: str) -> type[Method]:
    """The class of a method; raises PlanError for a name that there is not."""
    if name not in METHODS:
        raise PlanError(f"no method {name!r}; there are {', '.join(METHODS)}")
    module, kind = METHODS[name]
    found: type[Method] = getattr(import_module(f"calibration.tuning.{module}"), kind)
    return found


def make_method(name: str, settings: Mapping[str, Any] | None = None) -> Method:
    """A method with plain settings, such as a file holds; those left out have their defaults.

    Raises PlanError, naming it, for a setting that there is not or that makes no sense.
    """
    kind, given = method_class(name), dict(settings or {})
    _check_names(name, kind, given)
    try:
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = str(first["msg"]).removeprefix("Value error, ")
        raise PlanError(f"{name}{f', {where}' if where else ''}: {what}") from None


def _check_names(where: str, kind: Any, given: Mapping[str, Any]) -> None:
    known = {field.name: field.type for field in fields(kind)}
    for key, value in given.items():
        if key not in known:
            raise PlanError(f"{where} has no setting {key!r}; there are {', '.join(known) or 'none'}")
        inner = known[key]
        if is_dataclass(inner) and isinstance(value, Mapping):
            _check_names(f"{where}, {key}", inner, value)
