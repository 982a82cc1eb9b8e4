"""The experiment file of a photonic mesh: how it is calibrated, and what counts as good."""

from typing import Annotated, Literal

from pydantic import Field

from hil.config.experiment_file import ExperimentBase
from hil.config.fields import Count, Section, Share

FORMAT = "hil-mesh/1"


class PortsSection(Section):
    """Darks of the detectors and losses of the ports: how often each is read."""

    repeats: Count = 16


class HeatersSection(Section):
    """Resistance and I-V of every heater: at how many voltages up to its limit."""

    points: Annotated[int, Field(ge=3)] = 6


class SweepsSection(Section):
    """The sweep of every phase shifter: at how many powers from nothing to the heater's limit."""

    points: Annotated[int, Field(ge=8)] = 24


class CrosstalkSection(Section):
    """The regression of crosstalk: how many random settings are read for it."""

    settings: Count = 64


class TwinSection(Section):
    """The fit of the whole model: random settings that are read for it, and steps of the fit at most."""

    settings: Count = 64
    steps: Count = 300


class VerifySection(Section):
    """What the finished calibration is tried on.

    Attributes:
        unitaries: Haar-random ones, each read from every input.
        drift_settings: random settings that are read at the beginning and again at the end; 0 for none.
    """

    unitaries: Count = 20
    drift_settings: Annotated[int, Field(ge=0)] = 16


class AcceptanceSection(Section):
    """What counts as good; `hil calibrate` and `hil deploy` exit with 5 if a figure that is given is missed.

    Attributes:
        min_fidelity: mean amplitude fidelity over the random unitaries, or of a deployed matrix.
        min_good_shifters: share of the shifters that can be trusted.
        max_residual_over_noise: what the twin leaves unexplained, in standard deviations of a reading.
    """

    min_fidelity: Share | None = 0.999
    min_good_shifters: Share | None = 1.0
    max_residual_over_noise: Annotated[float, Field(gt=0)] | None = 2.0


class MeshExperiment(ExperimentBase):
    """A whole experiment file of a mesh."""

    format: Literal["hil-mesh/1"]
    ports: PortsSection = PortsSection()
    heaters: HeatersSection = HeatersSection()
    sweeps: SweepsSection = SweepsSection()
    crosstalk: CrosstalkSection = CrosstalkSection()
    twin: TwinSection = TwinSection()
    verify: VerifySection = VerifySection()
    acceptance: AcceptanceSection = AcceptanceSection()
