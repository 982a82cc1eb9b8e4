"""Every emulated instrument of the engine's own tests against the conformance suite."""

from simulators.clock import VirtualClock
from tests.conformance.virtual_instrument import ScpiConformance
from tests.simulators.scpi.supply import ArraySource, Supply


class TestSupply(ScpiConformance):
    def create_instrument(self) -> Supply:
        return Supply(VirtualClock())


class TestArraySource(ScpiConformance):
    interrupts = False

    def create_instrument(self) -> ArraySource:
        return ArraySource(VirtualClock())
