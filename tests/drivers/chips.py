"""A small chip on the bench of fakes: three electrodes, a readout, a reference source on channel 8."""

from typing import Any

import numpy as np

from drivers.dnpu import DNPU
from drivers.layout import Electrode, Readout, Reference
from tests.drivers.fakes import FakeDigitizer, FakeSource

ELECTRODES = (
    Electrode("e1", 1, -1.2, 0.6, 60.0, role="input"),
    Electrode("e2", 2, -0.7, 0.3, 30.0, role="input"),
    Electrode("e3", 3, -1.0, 1.0, 40.0),
)
REFERENCE = Reference(8, 100e6, 1e-3)
READOUT = Readout("e4", 1e7, 4.0, 500e-6, REFERENCE)
LIMITS = {1: (-1.2, 0.6, 60.0), 2: (-0.7, 0.3, 30.0), 3: (-1.0, 1.0, 40.0), 8: (-1.0, 1.0, 100.0)}


def fake_chip(
    source: FakeSource | None = None, digitizer: FakeDigitizer | None = None, **settings: Any
) -> tuple[DNPU, FakeSource, FakeDigitizer]:
    """A chip that is not calibrated, with its source and digitizer."""
    source = source or FakeSource()
    digitizer = digitizer or FakeDigitizer(source)
    name = f"chip_{id(source):x}"
    return DNPU(name, source, digitizer, ELECTRODES, READOUT, **settings), source, digitizer


def calibrated_chip(**settings: Any) -> tuple[DNPU, FakeSource, FakeDigitizer]:
    """A chip ready to run."""
    chip, source, digitizer = fake_chip(**settings)
    chip.calibrate_amplifier(readings=2, levels=3, noise_readings=4)
    return chip, source, digitizer


def assert_inside_the_envelope(source: FakeSource) -> None:
    """Every corner and every slope of every output the source ever had, against the limits."""
    for channel, (low, high, slew) in LIMITS.items():
        output = source.outputs[channel]
        assert min(output.volts) >= low - 1e-12, channel
        assert max(output.volts) <= high + 1e-12, channel
        assert np.max(output.slews(), initial=0.0) <= slew * (1.0 + 1e-6), channel
