"""The file of a device that is emulated in process, without instruments: for studies that ask for a million readings.

It takes the place of a bench file where an experiment names one; the rest of the session is the same.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from hil.config.fields import Count, Ordinal, Radians, Section

FORMAT = "hil-device/1"
NotNegative = Annotated[float, Field(ge=0.0)]


class MeshErrors(Section):
    """What only the emulator knows of a network of meshes.

    Attributes:
        seed: which specimen.
        splitter, phase: spreads of splitter angles and of phases.
        noise_relative, noise_floor: of a power reading, a share of it and in units of the unit power.
    """

    seed: Ordinal = 0
    splitter: Radians | None = None
    phase: Radians | None = None
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


InProcess: TypeAlias = Annotated[MeshNetworkSection | NoisyNetworkSection, Field(discriminator="type")]


class DeviceFile(Section):
    """A whole device file."""

    format: Literal["hil-device/1"]
    chip: InProcess
