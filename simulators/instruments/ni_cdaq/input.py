"""One input of an NI-9202: a delta-sigma converter of 24 bits with a comb filter."""

from dataclasses import dataclass, field

import numpy as np

from simulators.instruments.path import Array
from simulators.instruments.terminals import Ground, Signal

RANGE_V = 10.0
CHANNELS = 16
MAX_RATE_HZ = 10e3
LSB_V = 2.0 * RANGE_V / 2**24


@dataclass
class Input:
    """Turns what is plugged in into readings.

    A reading is the mean over one sample interval: the comb filter's first notch is at the sample rate. What
    exceeds the range reads as its end.

    Attributes:
        gain_error, offset_V: how this channel is off: V * (1 + gain_error) + offset.
        noise_V: standard deviation of a reading.
    """

    gain_error: float
    offset_V: float
    noise_V: float
    rng: np.random.Generator
    signal: Signal = field(default_factory=Ground)

    def plug(self, signal: Signal) -> None:
        """Take a cable."""
        self.signal = signal

    def read(self, starts_s: Array, stops_s: Array) -> Array:
        """Readings in V over windows of time."""
        if len(starts_s) == 0:
            return np.empty(0)
        volts = self.signal.means(starts_s, stops_s) * (1.0 + self.gain_error) + self.offset_V
        volts = volts + self.noise_V * self.rng.normal(size=len(volts))
        return np.clip(np.round(volts / LSB_V) * LSB_V, -RANGE_V, RANGE_V - LSB_V)
