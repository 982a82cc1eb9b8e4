"""Every emulated instrument against the conformance suite, the small ones of the engine's own tests included."""

import numpy as np

from simulators.clock import VirtualClock
from simulators.faults import Fault, Faults
from simulators.faults.supervisor import Supervisor
from simulators.instrument import VirtualInstrument
from simulators.instruments.catalogue import make_instrument
from tests.conformance.virtual_instrument import ScpiConformance, VirtualInstrumentConformance
from tests.simulators.scpi.supply import ArraySource, Supply


class TestSupply(ScpiConformance):
    def create_instrument(self) -> Supply:
        return Supply(VirtualClock())


class TestArraySource(ScpiConformance):
    interrupts = False

    def create_instrument(self) -> ArraySource:
        return ArraySource(VirtualClock())


class TestQDac2(ScpiConformance):
    interrupts = False

    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("qdac2", VirtualClock(), "1", np.random.default_rng(1))


class TestKeysight34465A(ScpiConformance):
    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("keysight_34465a", VirtualClock(), "1", np.random.default_rng(1))


class TestThorlabsPm100d(ScpiConformance):
    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("thorlabs_pm100d", VirtualClock(), "1", np.random.default_rng(1))


class TestSantecTsl570(ScpiConformance):
    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("santec_tsl570", VirtualClock(), "1", np.random.default_rng(1))

    def test_self_test_and_version(self) -> None:
        """The maker answers SYSTem:VERSion? with the firmware, of three numbers."""
        instrument = self.started()
        assert int(self.text(instrument, "*TST?")) == 0
        assert self.text(instrument, "SYST:VERS?").replace(".", "").isdecimal()


class TestQontrolQ8iv(VirtualInstrumentConformance):
    question = b"ID?\n"

    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("qontrol_q8iv", VirtualClock(), "10", np.random.default_rng(1))


class TestKeithley2400(ScpiConformance):
    error_queue_depth = 10

    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("keithley_2400", VirtualClock(), "1", np.random.default_rng(1))


class TestKeithley2450(ScpiConformance):
    error_queue_depth = 1000

    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("keithley_2450", VirtualClock(), "1", np.random.default_rng(1))


class TestSim900(VirtualInstrumentConformance):
    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("sim900", VirtualClock(), "1", np.random.default_rng(1))


class TestYokogawaGS200(ScpiConformance):
    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("yokogawa_gs200", VirtualClock(), "91F729342", np.random.default_rng(1))


class TestKeysightB2962A(ScpiConformance):
    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("keysight_b2962a", VirtualClock(), "MY52350123", np.random.default_rng(1))


class TestSupervisor(ScpiConformance):
    def create_instrument(self) -> VirtualInstrument:
        clock = VirtualClock()
        return Supervisor(clock, Faults(clock, 1))


class TestLineBeforeItsFault(ScpiConformance):
    """A line that looks at every exchange, for a fault that has not come yet."""

    def create_instrument(self) -> VirtualInstrument:
        clock = VirtualClock()
        faults, supply = Faults(clock, 1), Supply(clock)
        line = faults.line("supply", supply)
        faults.reach("supply", supply.terminals)
        for kind in ("no_answer", "disconnect"):
            faults.inject(Fault(instrument="supply", kind=kind, at=1_000_000))
        return line


class TestKeysight33512B(ScpiConformance):
    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("keysight_33512b", VirtualClock(), "1", np.random.default_rng(1))


class TestRohdeSchwarzRTO1024(ScpiConformance):
    def create_instrument(self) -> VirtualInstrument:
        return make_instrument("rohde_schwarz_rto1024", VirtualClock(), "1", np.random.default_rng(1))
