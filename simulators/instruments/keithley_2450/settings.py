"""The 2450's data sheet, and its settings as after *RST (Model 2450 Reference Manual, section 6)."""

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
            (0.02, 500e-9, 1e-3, 200e-6),
            (0.2, 5e-6, 150e-6, 200e-6),
            (2.0, 50e-6, 200e-6, 300e-6),
            (20.0, 500e-6, 150e-6, 2.4e-3),
            (200.0, 5e-3, 150e-6, 24e-3),
        ),
        Drive.AMPS: Scale.of(
            (1e-8, 500e-15, 1e-3, 100e-12),
            (1e-7, 5e-12, 600e-6, 150e-12),
            (1e-6, 50e-12, 250e-6, 400e-12),
            (1e-5, 500e-12, 250e-6, 1.5e-9),
            (1e-4, 5e-9, 200e-6, 15e-9),
            (1e-3, 50e-9, 200e-6, 150e-9),
            (1e-2, 500e-9, 200e-6, 1.5e-6),
            (0.1, 5e-6, 250e-6, 15e-6),
            (1.0, 50e-6, 670e-6, 900e-6),
        ),
    },
    meter={
        Drive.VOLTS: Scale.of(
            (0.02, 10e-9, 1e-3, 150e-6),
            (0.2, 100e-9, 120e-6, 200e-6),
            (2.0, 1e-6, 120e-6, 300e-6),
            (20.0, 10e-6, 150e-6, 1e-3),
            (200.0, 100e-6, 150e-6, 10e-3),
        ),
        Drive.AMPS: Scale.of(
            (1e-8, 10e-15, 1e-3, 50e-12),
            (1e-7, 100e-15, 600e-6, 100e-12),
            (1e-6, 1e-12, 250e-6, 300e-12),
            (1e-5, 10e-12, 250e-6, 700e-12),
            (1e-4, 100e-12, 200e-6, 6e-9),
            (1e-3, 1e-9, 200e-6, 60e-9),
            (1e-2, 10e-9, 200e-6, 600e-9),
            (0.1, 100e-9, 250e-6, 6e-6),
            (1.0, 1e-6, 300e-6, 500e-6),
        ),
    },
    # The data sheet adds 0.005 % of the range at 0.1 PLC and 0.05 % at 0.01: three deviations here.
    integration=Integration((0.01, 0.1, 1.0), (1.7e-4, 1.7e-5, 1e-6)),
    source_noise=5e-6,
    settling_s=30e-6,
)
OFF_LIMIT = 0.1
"""Of the current range: the limit of a normal output-off state."""
SMALL_V, SMALL_A = 21.0, 0.105
"""Beyond the one voltage only currents up to the other are allowed: 20 W."""
USER_DELAYS = 5
PROTECTIONS = ("2", "5", "10", "20", "40", "60", "80", "100", "120", "140", "160", "180")


@dataclass
class SourceSettings:
    """What each source function remembers for itself; the limit is that of the other quantity."""

    span: Range
    limit: float
    level: float = 0.0
    autorange: bool = True
    delay_s: float = 0.0
    auto_delay: bool = True
    user_delays_s: list[float] = field(default_factory=lambda: [0.0] * USER_DELAYS)
    read_back: bool = True
    high_capacitance: bool = False
    off_mode: str = "NORM"
    protection: str = "NONE"
    listed: Array = field(default_factory=lambda: np.zeros(1))


@dataclass
class SenseSettings:
    """What each measuring function remembers for itself."""

    span: Range
    autorange: bool = True
    line_cycles: float = 1.0
    four_wire: bool = False
    autozero: bool = True
    filter_on: bool = False
    filter_count: int = 10
    filter_moves: bool = False
    user_delays_s: list[float] = field(default_factory=lambda: [0.0] * USER_DELAYS)
    relative: float = 0.0
    relative_on: bool = False
    offset_compensated: bool = False
    unit: str = ""


def _sources() -> dict[Drive, SourceSettings]:
    return {
        Drive.VOLTS: SourceSettings(FACTS.source[Drive.VOLTS].ranges[0], 1.05e-4),
        Drive.AMPS: SourceSettings(FACTS.source[Drive.AMPS].ranges[0], 21.0),
    }


def _senses() -> dict[str, SenseSettings]:
    return {
        "VOLT": SenseSettings(FACTS.meter[Drive.VOLTS].nominal(0.02), unit="VOLT"),
        "CURR": SenseSettings(FACTS.meter[Drive.AMPS].nominal(1e-4), unit="AMP"),
        "RES": SenseSettings(OHMS.nominal(2e5), unit="OHM"),
    }


@dataclass
class Settings:
    """All of them."""

    function: Drive = Drive.VOLTS
    measured: str = "CURR"
    sources: dict[Drive, SourceSettings] = field(default_factory=_sources)
    senses: dict[str, SenseSettings] = field(default_factory=_senses)
    output_on: bool = False
    count: int = 1
    rear: bool = False
    data_format: str = "ASC"
    swapped: bool = True

    @property
    def source(self) -> SourceSettings:
        """Those of the source in use."""
        return self.sources[self.function]

    @property
    def sense(self) -> SenseSettings:
        """Those of the measuring function in use."""
        return self.senses[self.measured]
