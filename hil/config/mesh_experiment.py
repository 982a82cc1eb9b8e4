"""The experiment file of a photonic mesh: how it is calibrated, and what counts as good."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hil.config.experiment_file import ExperimentBase
from hil.config.fields import Count, Section, Share

FORMAT = "hil-mesh/1"


class PortsSection(Section):
    """Darks, modulators and port losses.

    Attributes:
        repeats: readings in the dark, and with all inputs lit.
        points: of each modulator's curve.
        mixes: random settings from which the losses are told apart.
    """

    repeats: Annotated[int, Field(ge=2)] = 16
    points: Annotated[int, Field(ge=8)] = 16
    mixes: Count = 4


class HeatersSection(Section):
    """Resistance and I-V of every heater: at how many voltages up to its limit."""

    points: Annotated[int, Field(ge=3)] = 6


class SweepsSection(Section):
    """The sweep of every phase shifter: at how many powers, and the least visibility that is trusted."""

    points: Annotated[int, Field(ge=8)] = 24
    min_visibility: Share = 0.3


class CrosstalkSection(Section):
    """Crosstalk: how many of the nearest heaters are stepped for each shifter."""

    neighbours: Count = 6


class TwinSection(Section):
    """The fit of the whole model.

    Attributes:
        settings: random ones, each read from every input.
        together: patterns of several lit inputs read at each besides.
        repeats: readings of one setting that tell the noise.
        steps: of the fit's descent, before it is refined; by default what the number of ports needs.
    """

    settings: Annotated[int, Field(ge=8)] = 64
    together: Count = 1
    repeats: Annotated[int, Field(ge=2)] = 16
    steps: Count | None = None


class VerifySection(Section):
    """What the finished calibration is tried on: Haar-random unitaries, and random settings, all unseen."""

    unitaries: Count = 20
    settings: Count = 10


class DriftSection(Section):
    """The twin's first settings, read again at the end: how many; 0 for none."""

    settings: Literal[0] | Annotated[int, Field(ge=4)] = 16


class AcceptanceSection(Section):
    """What counts as good; `hil calibrate` and `hil deploy` exit with 5 if a figure that is given is missed.

    Attributes:
        min_fidelity: mean amplitude fidelity over the random unitaries, or of a deployed matrix.
        min_good_shifters: share of the shifters that can be trusted.
        max_residual_over_noise: what the twin leaves unexplained, in standard deviations of a reading.
    """

    min_fidelity: Share | None = 0.999
    min_good_shifters: Share | None = 1.0
    max_residual_over_noise: Annotated[float, Field(gt=0)] | None = None


class MeshExperiment(ExperimentBase):
    """A whole experiment file of a mesh."""

    format: Literal["hil-mesh/1"]
    ports: PortsSection = PortsSection()
    heaters: HeatersSection = HeatersSection()
    sweeps: SweepsSection = SweepsSection()
    crosstalk: CrosstalkSection = CrosstalkSection()
    twin: TwinSection = TwinSection()
    verify: VerifySection = VerifySection()
    drift: DriftSection = DriftSection()
    acceptance: AcceptanceSection = AcceptanceSection()

    @model_validator(mode="after")
    def _read_before(self) -> Self:
        if self.drift.settings > self.twin.settings:
            raise ValueError(
                f"drift.settings, {self.drift.settings}, are of the twin's {self.twin.settings}; ask for fewer"
            )
        return self
