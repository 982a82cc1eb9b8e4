"""Automatic ohms: resistance ranges, each measured by a current of its own."""

from simulators.instruments.source_measure.output import OutputTerminal
from simulators.instruments.source_measure.ranges import Range, Scale

OHMS = Scale.of(*((2.0 * 10.0**k, 1e-5 * 10.0**k, 0.0, 0.0) for k in range(1, 9)))
TEST_A = dict(
    zip((item.span for item in OHMS.ranges), (0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-6, 1e-7), strict=True)
)
"""By the range's span, from 20 ohm to 200 Mohm."""


def range_for(output: OutputTerminal, limit_V: float) -> Range:
    """The smallest range that holds what hangs on an output now; the largest for an open end."""
    return next((item for item in OHMS.ranges if _fits(output, item, limit_V)), OHMS.ranges[-1])


def _fits(output: OutputTerminal, span: Range, limit_V: float) -> bool:
    test_A = TEST_A[span.span]
    volts = output.loads.voltage_V(test_A, -limit_V, limit_V, output.clock.now)
    return bool(output.loads.each) and volts <= OHMS.overrange * test_A * span.span


def ratio_ohm(volts: float, amps: float, span: Range | None) -> float:
    """A resistance from its parts; infinite beyond the range, or where a part is."""
    if abs(volts) == float("inf") or abs(amps) == float("inf") or amps == 0.0:
        return float("inf")
    ohms = volts / amps
    most = OHMS.largest if span is None else OHMS.overrange * span.span
    return float("inf") if abs(ohms) > most else ohms
