"""The oscilloscope's settings, as after *RST, and what follows from them.

R&S RTO User Manual. From memory: the numbers after *RST, and the ranges of scale and offset. The limit of the
record length after *RST is lower than the instrument's own, so that a long time axis does not take seconds.
"""

import math
from dataclasses import dataclass, field

CHANNELS, MEASUREMENTS = 4, 8
DIVISIONS, TIME_DIVISIONS = 10, 10
BANDWIDTH_HZ = 2e9
LIMITS_HZ = {"FULL": BANDWIDTH_HZ, "B800": 800e6, "B200": 200e6, "B20": 20e6}
CONVERTER_HZ = 10e9
"""The converters' own rate; beyond it records are interpolated."""
RATES_HZ = (2.0, 20e12)
MEMORY = (1000, 20_000_000)
USUAL_LIMIT = 1_000_000
SCALES_V = {"DC": (1e-3, 1.0), "DCL": (1e-3, 10.0), "AC": (1e-3, 10.0)}
OHM = {"DC": 50.0, "DCL": 1e6, "AC": 1e6}
"""DC is the 50 ohm input, DCLimit the one of 1 Mohm."""


@dataclass
class ChannelSettings:
    """One input: the screen's middle is at the offset, less the position in divisions."""

    on: bool = False
    scale_V: float = 50e-3
    offset_V: float = 0.0
    position: float = 0.0
    coupling: str = "DCL"
    grounded: bool = False
    inverted: bool = False
    bandwidth: str = "FULL"
    impedance_ohm: int = 50
    probe: float = 1.0
    arithmetic: str = "OFF"
    decimation: str = "SAMP"

    @property
    def range_V(self) -> float:
        """From the bottom of the screen to its top."""
        return DIVISIONS * self.scale_V

    @property
    def middle_V(self) -> float:
        """The voltage in the middle of the screen."""
        return self.offset_V - self.position * self.scale_V


@dataclass
class TimeSettings:
    """The time axis: `position_s` is the time after the trigger at the reference point, in % of the screen."""

    range_s: float = 100e-9
    position_s: float = 0.0
    reference: float = 50.0

    @property
    def left_s(self) -> float:
        """Time after the trigger at the left edge of the screen."""
        return self.position_s - 0.01 * self.reference * self.range_s


@dataclass
class AcquireSettings:
    """How finely a record is sampled: at a constant rate, or with a constant number of points."""

    rate_Hz: float = CONVERTER_HZ
    points: int = MEMORY[0]
    points_held: bool = False
    most_points: int = USUAL_LIMIT
    count: int = 1
    fine: bool = False
    fine_Hz: float = 1e9


@dataclass
class TriggerSettings:
    """The edge that is waited for; levels of the channels and, fifth, of the external input."""

    mode: str = "AUTO"
    source: str = "CHAN1"
    slope: str = "POS"
    levels_V: dict[int, float] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """The channel that is the source; 5 for the external input."""
        return int(self.source[4:]) if self.source.startswith("CHAN") else 5


@dataclass
class MeasurementSettings:
    """One of the measurements."""

    on: bool = False
    source: str = "C1W1"
    second: str = "NONE"
    category: str = "AMPT"
    main: str = "AMPL"
    statistics: bool = False


@dataclass
class ExportSettings:
    """How a waveform is sent."""

    format: str = "ASC,0"
    swapped: bool = False
    times: bool = False
    several: bool = False


@dataclass
class Settings:
    """All of them."""

    channels: list[ChannelSettings] = field(
        default_factory=lambda: [ChannelSettings(on=number == 1) for number in range(1, CHANNELS + 1)]
    )
    measurements: list[MeasurementSettings] = field(
        default_factory=lambda: [MeasurementSettings() for _ in range(MEASUREMENTS)]
    )
    time: TimeSettings = field(default_factory=TimeSettings)
    acquire: AcquireSettings = field(default_factory=AcquireSettings)
    trigger: TriggerSettings = field(default_factory=TriggerSettings)
    export: ExportSettings = field(default_factory=ExportSettings)

    @property
    def points(self) -> int:
        """Samples in a record."""
        acquire = self.acquire
        if acquire.points_held:
            return acquire.points
        wanted = max(math.ceil(self.time.range_s * acquire.rate_Hz - 1e-6), 2)
        return min(wanted, acquire.most_points)

    @property
    def step_s(self) -> float:
        """From sample to sample: the screen is filled, however many points there are."""
        return self.time.range_s / self.points

    @property
    def first_s(self) -> float:
        """Time after the trigger of the first sample."""
        return self.time.left_s
