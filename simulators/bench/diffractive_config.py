"""The `diffractive:` part of the `emulator:` section: free space between modulators and a camera, as it really is."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulators.quantity import quantity


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Length = Annotated[float, quantity("m"), Field(gt=0, allow_inf_nan=False)]
_Spread = Annotated[float, quantity("m"), Field(ge=0, allow_inf_nan=False)]
_Ordinal = Annotated[int, Field(ge=0)]
_Count = Annotated[int, Field(ge=1)]


class PatternConfig(_Section):
    """Which pixels of an amplitude modulator light goes through; their middle is the axis."""

    instrument: str
    top: _Ordinal = 0
    left: _Ordinal = 0
    height: _Count
    width: _Count


class PlanesConfig(_Section):
    """The phase planes side by side on one modulator, by their upper left corners, in the order of the light."""

    instrument: str
    corners: Annotated[list[tuple[_Ordinal, _Ordinal]], Field(min_length=1)]
    height: Annotated[int, Field(ge=2)]
    width: Annotated[int, Field(ge=2)]
    fill_factor: Annotated[float, Field(gt=0, le=1)] = 1.0


class LaserConfig(_Section):
    """The laser that lights the input pattern, and the share of its power that gets there.

    Attributes:
        output: the instrument's terminal that gives the light.
    """

    instrument: str
    output: str = "output"
    transmission: Annotated[float, Field(gt=0, le=1)]


class AssemblyConfig(_Section):
    """Standard deviations of what is off; see `simulators.models.diffraction.Assembly`, whose defaults these are."""

    shift_m: _Spread = Field(default=4e-6, alias="shift")
    rotation_rad: Annotated[float, quantity("rad"), Field(ge=0)] = Field(default=2e-3, alias="rotation")
    pitch_error: Annotated[float, Field(ge=0, lt=0.1)] = 1e-4
    distance_m: _Spread = Field(default=20e-6, alias="distance")
    mask_rad: Annotated[float, quantity("rad"), Field(ge=0)] = Field(default=0.1, alias="mask")


class DiffractiveConfig(_Section):
    """One pixel pitch for all devices; without `assembly` everything is in its place.

    The amplitude modulator stands between crossed polarisers: a pixel of retardance δ lets the amplitude sin(δ / 2)
    through. The camera sees the last plane on its middle pixels. Light comes from a laser on the bench, or, with
    `power` on the whole open pattern, from one that nobody can switch.
    """

    wavelength_m: _Length = Field(alias="wavelength")
    power_W: Annotated[float, quantity("W"), Field(gt=0)] | None = Field(default=None, alias="power")
    laser: LaserConfig | None = None
    pitch_m: _Length = Field(alias="pitch")
    distances_m: Annotated[list[Annotated[float, quantity("m"), Field(ge=0)]], Field(min_length=2)] = Field(
        alias="distances"
    )
    input: PatternConfig
    planes: PlanesConfig
    camera: str
    assembly: AssemblyConfig | None = None

    @model_validator(mode="after")
    def _lit(self) -> Self:
        if (self.power_W is None) == (self.laser is None):
            raise ValueError(
                "light comes from a laser on the bench or has a power of its own; give one of the two"
            )
        return self
