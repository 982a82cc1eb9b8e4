"""Faults of an emulated bench: lines that fail, instruments that lie, outputs that do not move.

    bench.faults.inject(Fault(instrument="meter", kind="no_answer", at=3))
    bench.faults.inject(Fault(instrument="dac", kind="stuck", terminal="3"))
    bench.faults.clear()

The same from the bench file (`emulator.faults`), and over the wire where `emulator.supervisor` gives an
address to the `Supervisor`. Faults are drawn from the bench's seed: the same seed gives the same ones.
"""

from simulators.faults.fault import KINDS, Fault
from simulators.faults.faults import Faults
from simulators.faults.injected import Injected

__all__ = ["KINDS", "Fault", "Faults", "Injected"]
