"""Ranges, accuracy and noise of the GS200.

Source: Yokogawa, GS200 User's Manual (IM GS210-01EN), specifications: ranges, resolution and reach are its;
accuracy is that of one year. The output resistance of the two lowest voltage ranges, 2 ohm, is left out.
"""

from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.ranges import Integration, Range, Scale
from simulators.instruments.source_measure.unit import UnitFacts

_OVERRANGE = 1.2
_LARGEST = {Drive.VOLTS: 32.0, Drive.AMPS: 0.2}
LIMITER = {Drive.VOLTS: (1.0, 30.0), Drive.AMPS: (1e-3, 0.2)}
"""Bounds of the limiters of voltage and of current."""
LIMITER_STEP = {Drive.VOLTS: 1.0, Drive.AMPS: 1e-3}
MEASURABLE_V = 1.0
"""The smallest voltage range on which the monitor measures."""

FACTS = UnitFacts(
    source={
        Drive.VOLTS: Scale.of(
            (10e-3, 100e-9, 2.5e-4, 5e-6),
            (100e-3, 1e-6, 2.5e-4, 10e-6),
            (1.0, 10e-6, 1.6e-4, 120e-6),
            (10.0, 100e-6, 1.6e-4, 240e-6),
            (30.0, 1e-3, 1.6e-4, 600e-6),
            overrange=_OVERRANGE,
        ),
        Drive.AMPS: Scale.of(
            (1e-3, 10e-9, 3e-4, 0.1e-6),
            (10e-3, 100e-9, 3e-4, 0.5e-6),
            (100e-3, 1e-6, 3e-4, 5e-6),
            (200e-3, 1e-6, 3e-4, 30e-6),
            overrange=_OVERRANGE,
        ),
    },
    meter={
        Drive.VOLTS: Scale.of((30.0, 1e-4, 2e-4, 2e-3), overrange=_OVERRANGE),
        Drive.AMPS: Scale.of((0.2, 1e-6, 3e-4, 5e-6), overrange=_OVERRANGE),
    },
    integration=Integration(cycles=(1.0, 25.0), noise=(2e-6, 0.4e-6)),
    source_noise=2e-6,
    settling_s=1e-3,
)


def reach(drive: Drive, span: Range) -> float:
    """How far a range can be set: 120 % of it, but no further than the GS200 goes."""
    return min(_OVERRANGE * span.span, _LARGEST[drive])
