"""The kinds of value that settings are made of."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from simulators.quantity import quantity


class Section(BaseModel):
    """A part of a file: frozen, and no key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _positive(value: float) -> float:
    if not 0 < value < float("inf"):
        raise ValueError(f"{value:g} must be more than zero")
    return value


Volts = Annotated[float, quantity("V")]
VoltsPerSecond = Annotated[float, quantity("V/s"), AfterValidator(_positive)]
Seconds = Annotated[float, quantity("s"), AfterValidator(_positive)]
Hertz = Annotated[float, quantity("Hz"), AfterValidator(_positive)]
Amperes = Annotated[float, quantity("A"), AfterValidator(_positive)]
Ohms = Annotated[float, quantity("ohm"), AfterValidator(_positive)]
VoltsPerAmpere = Annotated[float, quantity("V/A")]
Siemens = Annotated[float, quantity("S"), AfterValidator(_positive)]
Watts = Annotated[float, quantity("W"), AfterValidator(_positive)]
Metres = Annotated[float, quantity("m"), AfterValidator(_positive)]
PositiveVolts = Annotated[float, quantity("V"), AfterValidator(_positive)]
Radians = Annotated[float, quantity("rad"), AfterValidator(_positive)]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Ordinal = Annotated[int, Field(ge=0)]
Percent = Annotated[float, quantity(""), AfterValidator(_positive)]
