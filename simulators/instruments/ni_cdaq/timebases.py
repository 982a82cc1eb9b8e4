"""Which sample rates a chassis can make: whole divisions of its time bases.

The chassis supplies all time bases from one oscillator (cDAQ-9185/9189 user manual, chapters Analog Input and
Analog Output), so rates divided from different ones keep their ratio. A rate that cannot be made is coerced
to the next higher one that can, as NI-DAQmx does.
"""

import math

TIMEBASES_HZ = {
    "80MHzTimebase": 80e6,
    "20MHzTimebase": 20e6,
    "13.1072MHzTimebase": 13.1072e6,
    "12.8MHzTimebase": 12.8e6,
    "10MHzTimebase": 10e6,
    "100kHzTimebase": 100e3,
}
OVERSAMPLED = ("13.1072MHzTimebase", "12.8MHzTimebase", "10MHzTimebase")
"""Those that a delta-sigma converter can run on."""
OVERSAMPLING = 128
"""Ticks of the oversample clock in one sample, at the least: rates are f / 128 n (taken for the NI-9202 from
its 12.8 MHz and 10 kS/s, and from the other delta-sigma modules' f / 256 n)."""
_LARGEST_DIVISOR = 2**24 - 1
_ROUNDING = 1e-9


def coerced(rate_Hz: float, ticks_Hz: float) -> float:
    """The next higher rate that a whole number of ticks makes; the tick rate itself at the most."""
    return ticks_Hz / max(math.floor(ticks_Hz / rate_Hz * (1.0 + _ROUNDING)), 1)


def output_timebase(rate_Hz: float) -> str:
    """The fastest time base whose divider reaches down to a rate."""
    return "80MHzTimebase" if 80e6 / rate_Hz <= _LARGEST_DIVISOR else "100kHzTimebase"


def input_timebase(rate_Hz: float) -> str:
    """The oversample clock that comes closest to a rate; of equals the fastest."""
    return min(OVERSAMPLED, key=lambda name: coerced(rate_Hz, TIMEBASES_HZ[name] / OVERSAMPLING))
