"""Ranges, accuracy and noise of the B2962A.

Source: Keysight B2961A/B2962A SCPI Command Reference (B2961-90030), tables of source output ranges; data
sheet for accuracy. Its meter has no ranges of its own: the sourced quantity is measured on its source range,
the other one on the smallest range that covers the limit.
"""

from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.ranges import Integration, Range, Scale
from simulators.instruments.source_measure.unit import LINE_HZ, UnitFacts

_OVERRANGE = 1.05
_MEASURED_OVERRANGE = 1.06
_VOLTS = (
    (0.2, 0.1e-6, 1.5e-4, 225e-6),
    (2.0, 1e-6, 2e-4, 350e-6),
    (20.0, 10e-6, 1.5e-4, 5e-3),
    (200.0, 100e-6, 1.5e-4, 50e-3),
)
_AMPS = (
    (10e-9, 10e-15, 1e-3, 50e-12),
    (100e-9, 100e-15, 6e-4, 100e-12),
    (1e-6, 1e-12, 2.5e-4, 500e-12),
    (10e-6, 10e-12, 2.5e-4, 1.5e-9),
    (100e-6, 100e-12, 2e-4, 25e-9),
    (1e-3, 1e-9, 2e-4, 200e-9),
    (10e-3, 10e-9, 2e-4, 2.5e-6),
    (100e-3, 100e-9, 2e-4, 20e-6),
    (1.0, 1e-6, 3e-4, 1.5e-3),
    (1.5, 1e-6, 5e-4, 3.5e-3),
    (3.0, 10e-6, 4e-3, 7e-3),
)

FACTS = UnitFacts(
    source={
        Drive.VOLTS: Scale.of(*_VOLTS, overrange=_OVERRANGE),
        Drive.AMPS: Scale.of(*_AMPS, overrange=_OVERRANGE),
    },
    meter={
        Drive.VOLTS: Scale.of(*_VOLTS, overrange=_MEASURED_OVERRANGE),
        Drive.AMPS: Scale.of(*_AMPS, overrange=_MEASURED_OVERRANGE),
    },
    integration=Integration(cycles=(4e-4, 1e-2, 0.1, 1.0, 10.0), noise=(1e-4, 2e-5, 4e-6, 1e-6, 3e-7)),
    source_noise=1e-6,
    settling_s=50e-6,
)
LARGEST = {Drive.VOLTS: 210.0, Drive.AMPS: 3.03}
SMALLEST_LIMIT = {Drive.VOLTS: 20e-3, Drive.AMPS: 1e-9}
RESET_LIMIT = {Drive.VOLTS: 2.0, Drive.AMPS: 100e-6}
APERTURE_S = (8e-6, 2.0)
RESET_APERTURE_S = 0.1 / LINE_HZ
_WITHIN = ((6.0, 3.03), (21.0, 1.515), (210.0, 0.105))
"""Up to a voltage in V, the DC current in A that there is."""


def reach(drive: Drive, span: Range) -> float:
    """How far a range can be set."""
    largest = LARGEST[drive] if drive is Drive.VOLTS or span.span != 1.5 else 1.515
    return min(_OVERRANGE * span.span, largest)


def deliverable(volts: float, amps: float) -> bool:
    """Whether a channel can hold a voltage and deliver a current at it."""
    return any(abs(volts) <= to_V and abs(amps) <= to_A for to_V, to_A in _WITHIN)
