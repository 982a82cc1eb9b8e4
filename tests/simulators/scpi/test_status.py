"""The status model: registers, queue, and a state machine against an independent account of IEEE 488.2."""

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from simulators.clock import VirtualClock
from simulators.instrument import NothingToRead
from simulators.scpi import StatusRegister
from tests.simulators.scpi.supply import Supply


def ask(instrument: Supply, message: str) -> str:
    instrument.write(message.encode())
    return instrument.read(10000)[0].decode().removesuffix("\n")


def test_power_on_sets_its_bit_once() -> None:
    supply = Supply(VirtualClock())
    assert ask(supply, "*ESR?") == "128"
    assert ask(supply, "*ESR?") == "0"


def test_transition_filters() -> None:
    register = StatusRegister()
    register.set_condition(0b11)
    assert register.read_event() == 0b11
    register.negative = 0b01
    register.set_condition(0)
    assert register.read_event() == 0b01
    register.positive = 0
    register.raise_bit(0b10)
    assert (register.condition, register.read_event()) == (0b10, 0)
    register.preset()
    assert (register.positive, register.negative, register.enable) == (0x7FFF, 0, 0)


@pytest.mark.parametrize(
    ("name", "register", "bit"), [("OPER", "operation", 128), ("QUES", "questionable", 8)]
)
def test_status_registers_reach_the_status_byte(name: str, register: str, bit: int) -> None:
    supply = Supply(VirtualClock())
    ask(supply, "*ESR?")
    getattr(supply.status, register).raise_bit(16)
    assert ask(supply, f"STAT:{name}:COND?;ENAB?;*STB?") == "16;0;0"
    supply.write(f"STAT:{name}:ENAB 16;*SRE {bit}".encode())
    assert ask(supply, "*STB?") == str(bit | 64)
    assert ask(supply, f"STAT:{name}?;:STAT:{name}:EVEN?;*STB?") == "16;0;0"
    supply.write(f"STAT:{name}:PTR 3;NTR 5".encode())
    assert ask(supply, f"STAT:{name}:PTR?;NTR?") == "3;5"
    supply.write(b"STAT:PRES")
    assert ask(supply, f"STAT:{name}:PTR?;NTR?;ENAB?") == "32767;0;0"


def test_the_queue_ends_with_an_overflow() -> None:
    supply = Supply(VirtualClock())
    for _ in range(supply.error_queue_depth + 5):
        supply.write(b"NONE")
    assert ask(supply, "SYST:ERR:COUN?") == "20"
    entries = ask(supply, "SYST:ERR:ALL?").split(",-")
    assert len(entries) == 20
    assert entries[-1] == '350,"Queue overflow"'
    assert ask(supply, "SYST:ERR?") == '0,"No error"'


def test_signed_codes() -> None:
    class Signed(Supply):
        signed_error_codes = True

    assert ask(Signed(VirtualClock()), "SYST:ERR?;:SYST:VERS?") == '+0,"No error";1999.0'


def test_a_serial_poll_takes_the_request_back() -> None:
    supply = Supply(VirtualClock())
    supply.write(b"*CLS;*ESE 1;*SRE 32;VOLT 2;*OPC")
    assert not supply.service_requested
    supply.clock.advance(1.0)
    assert supply.service_requested
    assert supply.status_byte() == 64 | 32
    assert supply.status_byte() == 32
    assert ask(supply, "*STB?") == "96"
    ask(supply, "*ESR?")
    assert supply.status_byte() == 0


def test_a_request_is_withdrawn_with_its_reason() -> None:
    supply = Supply(VirtualClock())
    for withdraw in ("*SRE 0", "*CLS"):
        supply.write(b"*CLS;*ESE 1;*SRE 32;*OPC")
        assert supply.service_requested
        supply.write(withdraw.encode())
        assert not supply.service_requested


def test_clear_status_clears_every_event_register() -> None:
    supply = Supply(VirtualClock())
    supply.write(b"*SRE 255")
    supply.status.operation.raise_bit(1)
    supply.status.questionable.raise_bit(0x8000 | 2)
    assert supply.status.questionable.event == 2
    supply.write(b"*CLS")
    assert ask(supply, "STAT:OPER?;OPER:COND?;:STAT:QUES?;QUES:COND?;*ESR?;*SRE?") == "0;1;0;2;0;191"


def test_reset_leaves_the_status_alone() -> None:
    supply = Supply(VirtualClock())
    supply.write(b"*ESE 60;*SRE 48;NONE")
    supply.write(b"*RST")
    assert ask(supply, "*ESE?;*SRE?;:SYST:ERR:COUN?") == "60;48;1"


class StatusMachine(RuleBasedStateMachine):
    """Random traffic; the expected byte is kept by hand from the definitions in IEEE 488.2, chapter 11."""

    faults = st.sampled_from([("NONE", -113, 32), ("VOLT 99", -222, 16), ("CAL:FAIL?", -310, 8)])

    def __init__(self) -> None:
        super().__init__()
        self.supply = Supply(VirtualClock())
        self.supply.write(b"*CLS")
        self.events = 0
        self.event_enable = 0
        self.service_enable = 0
        self.queue: deque[int] = deque()
        self.unread = 0
        self.complete_at: float | None = None

    def send(self, message: str, answered: bool = False) -> None:
        if self.unread:
            self.enter(-410, 4)
        self.unread = answered
        self.supply.write(message.encode())

    def enter(self, code: int, bit: int) -> None:
        self.events |= bit
        if len(self.queue) >= self.supply.error_queue_depth:
            self.queue[-1] = -350
            self.events |= 8
        else:
            self.queue.append(code)

    @rule(fault=faults)
    def make_an_error(self, fault: tuple[str, int, int]) -> None:
        message, code, bit = fault
        self.send(message)
        self.enter(code, bit)

    @rule(mask=st.integers(0, 255))
    def enable_events(self, mask: int) -> None:
        self.send(f"*ESE {mask}")
        self.event_enable = mask

    @rule(mask=st.integers(0, 255))
    def enable_requests(self, mask: int) -> None:
        self.send(f"*SRE {mask}")
        self.service_enable = mask & ~64

    @rule()
    def ask_and_leave(self) -> None:
        self.send("*IDN?", answered=True)

    @rule()
    def read(self) -> None:
        if self.unread:
            assert self.supply.read(100) == (b"hil,Supply,17,1.0\n", True)
            self.unread = False
        else:
            with pytest.raises(NothingToRead):
                self.supply.read(100)
            self.supply.query_timed_out()
            self.enter(-420, 4)

    @precondition(lambda self: not self.unread)
    @rule()
    def read_events(self) -> None:
        assert int(ask(self.supply, "*ESR?")) == self.events
        self.events = 0

    @precondition(lambda self: not self.unread)
    @rule()
    def read_error(self) -> None:
        expected = self.queue.popleft() if self.queue else 0
        assert int(ask(self.supply, "SYST:ERR?").partition(",")[0]) == expected

    @rule()
    def clear_status(self) -> None:
        self.send("*CLS")
        self.events, self.complete_at = 0, None
        self.queue.clear()

    @rule()
    def clear_device(self) -> None:
        self.supply.clear()
        self.unread, self.complete_at = False, None

    @rule(volts=st.floats(-10, 10))
    def start_and_note_completion(self, volts: float) -> None:
        slew = abs(volts - self.supply.volts[1]) / self.supply.SLEW_V_s
        self.send(f"VOLT {volts!r};*OPC")
        self.complete_at = self.supply.clock.now + slew
        self.note_completion()

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds: float) -> None:
        self.supply.clock.advance(seconds)
        self.note_completion()

    def note_completion(self) -> None:
        if self.complete_at is not None and self.complete_at <= self.supply.clock.now:
            self.events |= 1
            self.complete_at = None

    @invariant()
    def status_byte_is_as_defined(self) -> None:
        byte = 4 * bool(self.queue) | 16 * bool(self.unread) | 32 * bool(self.events & self.event_enable)
        assert self.supply.status_byte() & ~64 == byte
        assert bool(self.supply.status.summary(self.unread) & 64) == bool(byte & self.service_enable)
        assert len(self.supply.status.errors) == len(self.queue)


StatusMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestStatusMachine = StatusMachine.TestCase
