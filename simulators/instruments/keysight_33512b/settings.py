"""The settings of a channel, as after *RST, and what limits them.

Limits and defaults: Keysight 33500B Series Operating and Service Guide and data sheet (20 MHz models with the
arbitrary waveform option). Levels are kept as what the source gives into an open circuit, which is what stays
when the load that the scale assumes is changed.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from simulators.instruments.keysight_33512b.shapes import EDGE_S
from simulators.instruments.path import Array

SOURCE_OHM = 50.0
LARGEST_V = 10.0
"""Of the open circuit, either way."""
SMALLEST_SPAN_V = 2e-3
"""Peak to peak into an open circuit: 1 mV into 50 ohm."""
LOWEST_HZ = 1e-6
FASTEST_HZ = {"SIN": 20e6, "SQU": 20e6, "TRI": 200e3, "RAMP": 200e3, "PULS": 20e6}
NARROWEST_S = 16e-9
BIT_RATES = (1e-3, 50e6)
SAMPLE_RATES = (1e-6, 250e6)
NOISE_BANDWIDTHS_HZ = (1e-3, 20e6)
BURST_PERIODS_S = (1e-6, 8000.0)
BURST_SLACK_S = 1e-6
"""A burst's period is at least this much longer than the burst."""
_NOISE_CREST = 3.5
"""Peak over standard deviation."""


@dataclass
class PulseSettings:
    """A pulse: its width and its edges, 10 to 90 %; with `duty_held` a new frequency keeps the duty cycle."""

    width_s: float = 100e-6
    rise_s: float = EDGE_S
    fall_s: float = EDGE_S
    duty_held: bool = False


@dataclass
class ArbSettings:
    """Which arbitrary wave is played, and how."""

    name: str = "INT:\\BUILTIN\\EXP_RISE.ARB"
    levels: Array = field(default_factory=lambda: exponential_rise())
    sample_rate: float = 40e3
    smoothing: str = "STEP"


@dataclass
class SweepSettings:
    """How the frequency moves in the modes SWEep and LIST."""

    start_Hz: float = 100.0
    stop_Hz: float = 1e3
    time_s: float = 1.0
    hold_s: float = 0.0
    return_s: float = 0.0
    logarithmic: bool = False
    frequencies_Hz: tuple[float, ...] = (100.0, 1e3, 550.0)
    dwell_s: float = 1.0


@dataclass
class BurstSettings:
    """Bursts: `cycles` may be infinite."""

    on: bool = False
    gated: bool = False
    cycles: float = 1.0
    phase_deg: float = 0.0
    period_s: float = 10e-3
    gate_inverted: bool = False


@dataclass
class TriggerSettings:
    """What starts a burst."""

    source: str = "IMM"
    negative: bool = False
    count: float = 1.0
    delay_s: float = 0.0
    timer_s: float = 1.0
    level_V: float = 1.65
    continuous: bool = True


@dataclass
class ChannelSettings:
    """All of one channel."""

    function: str = "SIN"
    frequency_Hz: float = 1e3
    frequency_mode: str = "CW"
    phase_deg: float = 0.0
    span_V: float = 0.2
    offset_V: float = 0.0
    unit: str = "VPP"
    load_ohm: float = 50.0
    on: bool = False
    inverted: bool = False
    limited: bool = False
    low_limit_V: float = -LARGEST_V
    high_limit_V: float = LARGEST_V
    square_duty: float = 0.5
    symmetry: float = 1.0
    pulse: PulseSettings = field(default_factory=PulseSettings)
    prbs: str = "PN7"
    bit_rate: float = 1e3
    prbs_edge_s: float = EDGE_S
    noise_bandwidth_Hz: float = 100e3
    arb: ArbSettings = field(default_factory=ArbSettings)
    sweep: SweepSettings = field(default_factory=SweepSettings)
    burst: BurstSettings = field(default_factory=BurstSettings)
    trigger: TriggerSettings = field(default_factory=TriggerSettings)

    @property
    def scale(self) -> float:
        """Volts shown per volt of the open circuit, with the load that the instrument assumes."""
        return 1.0 if math.isinf(self.load_ohm) else self.load_ohm / (self.load_ohm + SOURCE_OHM)

    @property
    def fastest_Hz(self) -> float:
        """The highest frequency of the function."""
        return FASTEST_HZ.get(self.function, FASTEST_HZ["SIN"])

    @property
    def rms_per_span(self) -> float:
        """Standard deviation of the wave, of its peak-to-peak amplitude."""
        if self.function == "ARB":
            return max(float(np.std(self.arb.levels)) / 2.0, 1e-6)
        table = {"SIN": 0.5 / math.sqrt(2.0), "TRI": 0.5 / math.sqrt(3.0), "RAMP": 0.5 / math.sqrt(3.0)}
        return table.get(self.function, 0.5 / _NOISE_CREST if self.function == "NOIS" else 0.5)

    def shown(self, span_V: float) -> float:
        """An open-circuit span in the unit and at the load that are set."""
        return self.in_unit(span_V, self.unit)

    def in_unit(self, span_V: float, unit: str) -> float:
        """An open-circuit span as an amplitude in `unit`."""
        volts = span_V * self.scale
        if unit == "VPP":
            return volts
        rms = volts * self.rms_per_span
        return rms if unit == "VRMS" else 10.0 * math.log10(rms**2 / self.load_ohm / 1e-3)

    def span_of(self, amplitude: float, unit: str) -> float:
        """The open-circuit span of an amplitude in `unit`."""
        if unit == "DBM":
            amplitude = math.sqrt(1e-3 * 10.0 ** (min(amplitude, 300.0) / 10.0) * self.load_ohm)
        volts = amplitude if unit == "VPP" else amplitude / self.rms_per_span
        return volts / self.scale


def exponential_rise() -> Array:
    """The arbitrary wave after *RST: a rise towards its end, from -1 to 1."""
    part = np.linspace(0.0, 1.0, 410)
    return 2.0 * (1.0 - np.exp(-5.0 * part)) / (1.0 - math.exp(-5.0)) - 1.0
