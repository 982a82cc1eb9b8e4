"""Quantities with units in YAML files: a number without its unit is an error, never a guess."""

import re
from functools import cache
from typing import Any

from pydantic import BeforeValidator

_DECIBEL = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)) ?dB")


@cache
def _registry() -> Any:
    import pint  # costs a few hundred milliseconds: only where a file is read

    registry: Any = pint.UnitRegistry(autoconvert_offset_to_baseunit=False)
    registry.define("@alias ohm = Ohm")
    return registry


def parse(text: object, unit: str) -> float:
    """Read a quantity such as "-1.2 V" and give its value in `unit`.

    Raises ValueError for a bare number, an unknown unit or the wrong dimension.
    """
    import pint

    wanted = "write it with its unit, for example " + (f'"1 {unit}"' if unit else '"0.1 %"')
    if isinstance(text, bool) or not isinstance(text, str):
        raise ValueError(f"{text!r} has no unit; {wanted}")
    if unit == "dB":  # pint has it too, as a ratio
        match = _DECIBEL.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not in dB; {wanted}")
        return float(match[1])
    try:
        value = _registry().Quantity(text.strip())
    except (
        pint.errors.UndefinedUnitError,
        pint.errors.DefinitionSyntaxError,
        ValueError,
        TypeError,
    ) as error:
        raise ValueError(f"{text!r} is not a quantity ({error}); {wanted}") from None
    except Exception:  # pint raises tokenizer errors of many types on malformed text
        raise ValueError(f"{text!r} is not a quantity; {wanted}") from None
    if value.unitless and unit and "dimensionless" not in text:
        raise ValueError(f"{text!r} has no unit; {wanted}")
    try:
        return float(value.to(unit or "dimensionless").magnitude)
    except pint.errors.DimensionalityError:
        raise ValueError(f"{text!r} is not in {unit or 'parts of one'}; {wanted}") from None


def quantity(unit: str) -> BeforeValidator:
    """A pydantic annotation: `Annotated[float, quantity("V")]` takes "-1.2 V" or "600 mV", no bare number."""
    return BeforeValidator(lambda value: parse(value, unit))
