"""The methods by the names that a command line or a file uses, and a method made from plain settings."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from importlib import import_module
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from calibration.errors import PlanError
from calibration.tuning.method import Method

_HOMES: Final = {
    "backpropagation": "calibration.tuning.backpropagation:Backpropagation",
    "cma-es": "calibration.tuning.cma_es:CmaEs",
    "coordinate-search": "calibration.tuning.coordinate_search:CoordinateSearch",
    "dat": "calibration.tuning.dat:Dat",
    "dfa": "calibration.tuning.feedback_alignment:Dfa",
    "finite-differences": "calibration.tuning.finite_differences:FiniteDifferences",
    "genetic": "calibration.tuning.genetic:Genetic",
    "gift": "calibration.tuning.gift:Gift",
    "lock-in": "calibration.tuning.lock_in:LockIn",
    "mgd": "calibration.tuning.multiplexed:MultiplexedGradientDescent",
    "parameter-shift": "calibration.tuning.parameter_shift:ParameterShift",
    "pat": "calibration.tuning.pat:Pat",
    "pepg": "calibration.tuning.pepg:Pepg",
    "phyll": "calibration.tuning.physical_local:Phyll",
    "spsa": "calibration.tuning.spsa:Spsa",
}
"""Where each method is: its module and its class; a new method is one more line here."""


class _Methods(Mapping[str, type[Method]]):
    """The class of each method, imported when it is asked for."""

    def __getitem__(self, name: str) -> type[Method]:
        module, _, kind = _HOMES[name].partition(":")
        found: type[Method] = getattr(import_module(module), kind)
        return found

    def __contains__(self, name: object) -> bool:
        return name in _HOMES

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


METHODS: Final[Mapping[str, type[Method]]] = _Methods()
"""The class of each method by its name."""


def make_method(name: str, settings: Mapping[str, Any] | None = None) -> Method:
    """The method of that name, with `settings` (numbers, strings, booleans, lists, and mappings for what is nested,
    such as `update: {rule: momentum, rate: 0.02}`) instead of its defaults.

    Raises PlanError for a name or a key that is not known, telling those that are, and for a value that does not fit.
    """
    if name not in METHODS:
        raise PlanError(f"there is no method {name!r}{_meant(name, METHODS)}; there are {', '.join(METHODS)}")
    made: Method = _made(METHODS[name], settings or {}, name)
    return made


def _made(kind: type[Any], settings: Mapping[str, Any], where: str) -> Any:
    """A dataclass from plain settings; `where` names it in what is complained of."""
    known = {field.name: field for field in fields(kind) if field.init}
    for key in settings:
        if key not in known:
            there = ", ".join(known) or "none"
            raise PlanError(f"{where} has no setting {key!r}{_meant(str(key), known)}; there are {there}")
    for key, field in known.items():
        if field.default is MISSING and field.default_factory is MISSING and key not in settings:
            raise PlanError(f"{where} needs the setting {key}")
    hints = get_type_hints(kind)
    return kind(**{key: _value(hints[key], value, f"{where}.{key}") for key, value in settings.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    """A plain value as a setting's type wants it."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _one_of(parts, value, where)
    if origin is Literal:
        if value not in parts:
            raise PlanError(f"{where}: {value!r}; there are {', '.join(str(part) for part in parts)}")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        each = [parts[0]] * len(value) if parts[1:] == (...,) else list(parts)
        if len(each) != len(value):
            raise PlanError(f"{where}: {len(value)} values where {len(each)} are needed")
        return tuple(
            _value(part, one, f"{where}[{k}]") for k, (part, one) in enumerate(zip(each, value, strict=True))
        )
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, Mapping):
        return _made(kind, value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise PlanError(f"{where}: {value!r} is no {_told(kind)}")


def _one_of(parts: tuple[Any, ...], value: Any, where: str) -> Any:
    for part in parts:
        try:
            return _value(part, value, where)
        except PlanError:
            if part is parts[-1]:
                raise
    raise PlanError(f"{where}: {value!r} fits nothing")


def _told(kind: Any) -> str:
    names = {
        int: "whole number",
        float: "number",
        str: "text",
        bool: "yes or no",
        tuple: "list",
        type(None): "null",
    }
    told = names.get(get_origin(kind) or kind)
    return told or ("group of settings" if is_dataclass(kind) else str(kind))


def _meant(word: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(word, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""
