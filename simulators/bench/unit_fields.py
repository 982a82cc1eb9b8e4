"""Dataclasses whose fields carry their unit in their name, read from sections whose values carry it.

`noise_floor_A: float` is the key `noise_floor: 0.1 nA`.
"""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from simulators.errors import BenchError
from simulators.quantity import parse

T = TypeVar("T")

_UNITS = {
    "_V_per_s": "V/s", "_A_per_s": "A/s", "_per_s": "1/s", "_per_h": "1/hour", "_rad_per_V": "rad/V", "_per_W": "1/W",
    "_ohm": "ohm", "_rad": "rad", "_dB": "dB",
} | {f"_{unit}": unit for unit in ("V", "A", "s", "Hz", "K", "W")}  # fmt: skip


def read_fields(
    kind: type[T], section: Mapping[str, Any], where: str, apart: Collection[str] = (), **fixed: Any
) -> T:
    """Build `kind` from `section`; raises BenchError that names the key below `where`, and the ones there are.

    Args:
        apart: fields that are no keys here.
        fixed: values of some of those.
    """
    units = {field.name: _unit(field.name) for field in dataclasses.fields(kind) if field.name not in apart}  # type: ignore[arg-type]
    keys = {name.removesuffix(suffix): (name, unit) for name, (suffix, unit) in units.items()}
    values: dict[str, Any] = {}
    for key, given in section.items():
        if key not in keys:
            raise BenchError(f"{where}.{key}: unknown key; there are {', '.join(sorted(keys))}")
        name, unit = keys[key]
        try:
            plain = not unit and isinstance(given, int | float) and not isinstance(given, bool)
            values[name] = given if plain else parse(given, unit)
        except ValueError as error:
            raise BenchError(f"{where}.{key}: {error}") from None
    try:
        return kind(**values, **fixed)
    except ValueError as error:
        raise BenchError(f"{where}: {error}") from error


def _unit(name: str) -> tuple[str, str]:
    return next(((suffix, unit) for suffix, unit in _UNITS.items() if name.endswith(suffix)), ("", ""))
