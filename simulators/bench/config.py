"""The `emulator:` section of a bench file: what only the emulator knows."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulators.bench.diffractive_config import DiffractiveConfig
from simulators.faults.fault import Fault
from simulators.quantity import quantity


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LinkConfig(_Section):
    """The line between the computer and the instruments: virtual time per exchange and per byte."""

    latency_s: Annotated[float, quantity("s"), Field(ge=0)] = Field(default=200e-6, alias="latency")
    throughput_Bps: Annotated[float, quantity("B/s"), Field(gt=0)] = Field(default=20e6, alias="throughput")


class InstrumentConfig(_Section):
    """One emulated instrument: its personality, its serial number, and how wrong its clock runs.

    `noise` is how loud its own noise is beside that of its data sheet: 0 for an instrument without.
    `options` are the model's own, such as the modules in a mainframe; `hil instruments` lists them.
    """

    model: str
    serial: str = "1"
    clock_error: Annotated[float, quantity(""), Field(gt=-1e-2, lt=1e-2)] = 0.0
    noise: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    options: dict[str, Any] = {}


class HumConfig(_Section):
    """Mains hum at the amplifier's output."""

    frequency_Hz: Annotated[float, quantity("Hz"), Field(gt=0)] = Field(default=50.0, alias="frequency")
    amplitude_V: Annotated[float, quantity("V"), Field(ge=0)] = Field(alias="amplitude")


class AmplifierConfig(_Section):
    """The transimpedance amplifier; everything in V is meant at its output.

    `noise` is the standard deviation in the whole bandwidth. An inverting amplifier answers a positive
    current with a negative voltage.
    """

    gain_V_per_A: Annotated[float, quantity("V/A"), Field(gt=0)] = Field(alias="gain")
    offset_V: Annotated[float, quantity("V")] = Field(default=0.0, alias="offset")
    bandwidth_Hz: Annotated[float, quantity("Hz"), Field(gt=0)] = Field(default=3e3, alias="bandwidth")
    saturation_V: Annotated[float, quantity("V"), Field(gt=0)] = Field(default=4.0, alias="saturation")
    hum: HumConfig | None = None
    noise_V: Annotated[float, quantity("V"), Field(ge=0)] = Field(default=0.0, alias="noise")
    inverting: bool = False


class ChipConfig(_Section):
    """The chip: a model by name, what makes this specimen, and its imperfections.

    `model: hopping` takes a `seed`; `model: network` takes a `file`, a folder named from the bench file's;
    `model: mesh` takes a `seed` and `options`, see `simulators.bench.optics.fabrication`; a model of another package
    may take any of them. Without `imperfections` the chip is its model; `imperfections: {}` gives it typical ones,
    fields of `Imperfections`, or for a mesh of `Fabrication`.
    """

    model: str
    seed: int | None = Field(default=None, ge=0)
    file: str | None = None
    options: dict[str, Any] = {}
    imperfections: dict[str, Any] | None = None


class EmulatorConfig(_Section):
    """The whole section; `wires` are strings such as "dac.1 -> chip.e1". A rack may do without a chip.

    With `clock: wall` what a script sleeps between two exchanges passes on the bench too.
    `supervisor` is where faults can be injected by SCPI while the bench is on: see `simulators.faults`.
    """

    seed: int = Field(ge=0)
    clock: Literal["virtual", "wall"] = "virtual"
    link: LinkConfig = Field(default_factory=LinkConfig)
    instruments: dict[str, InstrumentConfig] = Field(min_length=1)
    chip: ChipConfig | None = None
    amplifier: AmplifierConfig | None = None
    diffractive: DiffractiveConfig | None = None
    wires: list[str] = []
    faults: list[Fault] = []
    supervisor: str | None = None
