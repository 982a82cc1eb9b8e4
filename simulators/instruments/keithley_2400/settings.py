"""The 2400's data sheet, and its settings as after *RST (2400 Series User's Manual, sections 17 and A)."""

from dataclasses import dataclass, field

import numpy as np

from simulators.instruments.path import Array
from simulators.instruments.source_measure.ohms import OHMS
from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.ranges import Integration, Range, Scale
from simulators.instruments.source_measure.unit import UnitFacts

FACTS = UnitFacts(
    source={
        Drive.VOLTS: Scale.of(
            (0.2, 5e-6, 200e-6, 600e-6),
            (2.0, 50e-6, 200e-6, 600e-6),
            (20.0, 500e-6, 200e-6, 2.4e-3),
            (200.0, 5e-3, 200e-6, 24e-3),
        ),
        Drive.AMPS: Scale.of(
            (1e-6, 50e-12, 350e-6, 600e-12),
            (1e-5, 500e-12, 330e-6, 2e-9),
            (1e-4, 5e-9, 310e-6, 20e-9),
            (1e-3, 50e-9, 340e-6, 200e-9),
            (1e-2, 500e-9, 450e-6, 2e-6),
            (0.1, 5e-6, 660e-6, 20e-6),
            (1.0, 50e-6, 2.7e-3, 900e-6),
        ),
    },
    meter={
        Drive.VOLTS: Scale.of(
            (0.2, 1e-6, 120e-6, 300e-6),
            (2.0, 10e-6, 120e-6, 300e-6),
            (20.0, 100e-6, 150e-6, 1.5e-3),
            (200.0, 1e-3, 150e-6, 10e-3),
        ),
        Drive.AMPS: Scale.of(
            (1e-6, 10e-12, 290e-6, 300e-12),
            (1e-5, 100e-12, 270e-6, 700e-12),
            (1e-4, 1e-9, 250e-6, 6e-9),
            (1e-3, 10e-9, 270e-6, 60e-9),
            (1e-2, 100e-9, 350e-6, 600e-9),
            (0.1, 1e-6, 550e-6, 6e-6),
            (1.0, 10e-6, 2.2e-3, 570e-6),
        ),
    },
    # Below one power-line cycle the data sheet adds 0.005 % and 0.05 % of the range: three deviations here.
    integration=Integration((0.01, 0.1, 1.0), (1.7e-4, 1.7e-5, 1.7e-6)),
    source_noise=5e-6,
    settling_s=30e-6,
)

ELEMENTS = ("VOLT", "CURR", "RES", "TIME", "STAT")
MEMORY = 2500
OFF_LIMIT = 0.005
"""Of the current range: the limit of a normal output-off state."""
SMALL_V, SMALL_A = 21.0, 0.105
"""Beyond the one voltage only currents up to the other are allowed: 22 W."""
LEAST_LIMIT = 1e-3
"""Of the measuring range: the smallest compliance that it allows."""


@dataclass
class SourceSettings:
    """What each source function remembers for itself."""

    level: float
    span: Range
    autorange: bool = True
    mode: str = "FIX"
    start: float = 0.0
    stop: float = 0.0
    triggered: float = 0.0
    listed: Array = field(default_factory=lambda: np.zeros(1))


@dataclass
class SenseSettings:
    """What each measuring function remembers for itself; the limit is the compliance."""

    span: Range
    limit: float = 0.0
    autorange: bool = True


@dataclass
class TriggerSettings:
    """The arm layer and the trigger layer."""

    arm_count: int = 1
    arm_source: str = "IMM"
    arm_timer_s: float = 0.1
    count: int = 1
    source: str = "IMM"
    delay_s: float = 0.0


@dataclass
class SweepSettings:
    """How a sweep gets from its start to its stop."""

    points: int = MEMORY
    logarithmic: bool = False
    down: bool = False
    ranging: str = "BEST"


@dataclass
class TraceSettings:
    """The data store."""

    points: int = 100
    feed: str = "SENS"
    storing: bool = False
    relative: bool = False
    statistic: str = "MEAN"


def _sources() -> dict[Drive, SourceSettings]:
    volts, amps = FACTS.source[Drive.VOLTS], FACTS.source[Drive.AMPS]
    return {
        Drive.VOLTS: SourceSettings(0.0, volts.nominal(20.0)),
        Drive.AMPS: SourceSettings(0.0, amps.nominal(1e-4)),
    }


def _senses() -> dict[str, SenseSettings]:
    volts, amps = FACTS.meter[Drive.VOLTS], FACTS.meter[Drive.AMPS]
    return {
        "VOLT": SenseSettings(volts.nominal(20.0), 21.0),
        "CURR": SenseSettings(amps.nominal(1e-4), 1.05e-4),
        "RES": SenseSettings(OHMS.nominal(2e5)),
    }


@dataclass
class Settings:
    """All of them."""

    function: Drive = Drive.VOLTS
    sources: dict[Drive, SourceSettings] = field(default_factory=_sources)
    senses: dict[str, SenseSettings] = field(default_factory=_senses)
    measured: tuple[str, ...] = ("CURR",)
    concurrent: bool = True
    line_cycles: float = 1.0
    filter_on: bool = False
    filter_count: int = 10
    filter_moves: bool = False
    automatic_ohms: bool = True
    offset_compensated: bool = False
    output_on: bool = False
    off_mode: str = "NORM"
    auto_off: bool = False
    delay_s: float = 0.0
    auto_delay: bool = True
    protection_V: float = 210.0
    sweep: SweepSettings = field(default_factory=SweepSettings)
    trigger: TriggerSettings = field(default_factory=TriggerSettings)
    trace: TraceSettings = field(default_factory=TraceSettings)
    elements: tuple[str, ...] = ELEMENTS
    data_format: str = "ASC"
    swapped: bool = True
    remote_sense: bool = False
    guard: str = "CABL"
    autozero: bool = True
    rear: bool = False

    @property
    def source(self) -> SourceSettings:
        """Those of the source in use."""
        return self.sources[self.function]

    @property
    def ohms(self) -> bool:
        """Whether automatic ohms has taken over the source."""
        return "RES" in self.measured and self.automatic_ohms
