"""The file of a device that is emulated in process, without instruments: for studies that ask for a million readings.

It takes the place of a bench file where an experiment names one; the rest of the session is the same.
"""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from hil.config.fields import Count, Hertz, Metres, Ordinal, Section, VoltsPerSecond, Watts
from simulators.quantity import quantity

FORMAT = "hil-device/1"
NotNegative = Annotated[float, Field(ge=0.0)]
NotNegativeMetres = Annotated[float, quantity("m"), Field(ge=0.0)]
NotNegativeRadians = Annotated[float, quantity("rad"), Field(ge=0.0)]


class MeshErrors(Section):
    """What only the emulator knows of a network of meshes.

    Attributes:
        seed: which specimen.
        splitter, phase: spreads of splitter angles and of phases.
        noise_relative, noise_floor: of a power reading, a share of it and in units of the unit power.
    """

    seed: Ordinal = 0
    splitter: NotNegativeRadians = 0.0
    phase: NotNegativeRadians = 0.0
    noise_relative: NotNegative = 1e-3
    noise_floor: NotNegative = 1e-7


class MeshNetworkSection(Section):
    """Meshes one after another with electro-optic activations between them."""

    type: Literal["mesh-network"]
    name: str = Field(pattern=r"^[A-Za-z_]\w*$")
    kind: Literal["rectangular", "triangular"] = "rectangular"
    ports: Annotated[int, Field(ge=2, le=128)]
    meshes: Count = 3
    readout: Count | None = None
    taps: bool = True
    bidirectional: bool = False
    emulator: MeshErrors = MeshErrors()


class NoiseSection(Section):
    """What only the emulator knows of a noisy network: the seed and the true level of its noise."""

    seed: Ordinal = 0
    level: NotNegative


class NoisyNetworkSection(Section):
    """A feed-forward network with noise in every layer; `assumed` is the level that the lab believes in."""

    type: Literal["noisy-network"]
    name: str = Field(pattern=r"^[A-Za-z_]\w*$")
    widths: Annotated[list[Count], Field(min_length=2)]
    activation: Literal["relu", "sigmoid", "tanh"] = "tanh"
    assumed: NotNegative
    taps: bool = True
    emulator: NoiseSection


class AssemblyErrors(Section):
    """What only the emulator knows of a diffractive network: how it was put together, and the noise of a reading.

    Attributes:
        seed: which specimen.
        shift, rotation, distance, mask: see `simulators.models.diffraction.Assembly`.
        noise_relative: of a power reading.
    """

    seed: Ordinal = 0
    shift: NotNegativeMetres = 4e-6
    rotation: NotNegativeRadians = 2e-3
    distance: NotNegativeMetres = 20e-6
    mask: NotNegativeRadians = 0.1
    noise_relative: NotNegative = 1e-3


class DiffractiveDeviceSection(Section):
    """Phase planes between an input pattern and square detectors in rows.

    Attributes:
        samples: rows and columns of every plane, each with a phase of its own.
        inputs: rows and columns of the pattern, which fills the middle half of its plane.
        gap: from each plane to the next.
        taps: whether cameras between the planes are read.
    """

    type: Literal["diffractive"]
    name: str = Field(pattern=r"^[A-Za-z_]\w*$")
    samples: Annotated[int, Field(ge=8, multiple_of=4)] = 32
    inputs: Annotated[int, Field(ge=1)] = 8
    planes: Count = 3
    detectors: Annotated[int, Field(ge=2, le=16)] = 4
    pitch: Metres = 8e-6
    wavelength: Metres = 532e-9
    gap: Metres = 8e-3
    power: Watts = 20e-9
    taps: bool = False
    emulator: AssemblyErrors = AssemblyErrors()

    @model_validator(mode="after")
    def _parted(self) -> Self:
        if (self.samples // 2) % self.inputs:
            raise ValueError(
                f"{self.inputs} inputs do not part {self.samples // 2} samples into equal blocks; choose a divisor"
            )
        return self


class DopantErrors(Section):
    """What only the emulator knows of dopant chips: which specimens, and whether they are noisy and drift."""

    seed: Ordinal = 0
    imperfect: bool = True


class DopantSection(Section):
    """Dopant chips: one, or layers of several, each layer driven by the currents of the one before.

    Attributes:
        chips: of each layer, such as [2, 2, 1]; the electrodes of a single chip are e1 to e7, the inputs of a network
            x0 and x1.
        sample_rate, max_slew: of every electrode.
    """

    type: Literal["dopant"]
    name: str = Field(pattern=r"^[A-Za-z_]\w*$")
    chips: Annotated[list[Count], Field(min_length=1)] = [1]
    sample_rate: Hertz = 1e3
    max_slew: VoltsPerSecond = 60.0
    emulator: DopantErrors = DopantErrors()


InProcess: TypeAlias = Annotated[
    MeshNetworkSection | NoisyNetworkSection | DiffractiveDeviceSection | DopantSection,
    Field(discriminator="type"),
]


class DeviceFile(Section):
    """A whole device file."""

    format: Literal["hil-device/1"]
    chip: InProcess
