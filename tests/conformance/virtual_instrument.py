"""Conformance of virtual instruments: what every door relies on, whoever wrote the instrument.

Subclass with `create_instrument()` and inherit the tests:

    class TestMyInstrument(ScpiConformance):
        def create_instrument(self) -> MyInstrument:
            return MyInstrument(VirtualClock())
"""

import math
from abc import ABC, abstractmethod

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulators.instrument import NothingToRead, VirtualInstrument

PIECES = st.lists(st.tuples(st.binary(max_size=40), st.booleans()), max_size=6)
_FUZZ = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)


def promised(instrument: VirtualInstrument, nothing: NothingToRead) -> float | None:
    """The instant at which there will be an answer, which must not have passed."""
    assert nothing.ready_at is None or instrument.clock.now < nothing.ready_at < math.inf
    return nothing.ready_at


def read_all(instrument: VirtualInstrument, limit: int = 1 << 16) -> bytes:
    """One whole answer, letting the clock run to it."""
    answer = b""
    while True:
        try:
            data, end = instrument.read(limit)
        except NothingToRead as nothing:
            instant = promised(instrument, nothing)
            if instant is None:
                raise
            instrument.clock.advance_to(instant)
            continue
        assert 0 < len(data) <= limit
        answer += data
        if end:
            return answer


class VirtualInstrumentConformance(ABC):
    """The seam `simulators.instrument.VirtualInstrument`, for any protocol."""

    question: bytes = b"*IDN?\n"  # something that is always answered, in the instrument's protocol

    @abstractmethod
    def create_instrument(self) -> VirtualInstrument:
        """A fresh instrument on a clock of its own."""

    def ask(self, instrument: VirtualInstrument, message: bytes | None = None) -> bytes:
        instrument.write(self.question if message is None else message)
        return read_all(instrument)

    def test_a_fresh_instrument_has_nothing_to_say(self) -> None:
        with pytest.raises(NothingToRead) as nothing:
            self.create_instrument().read(100)
        assert nothing.value.ready_at is None

    def test_the_question_is_answered_once(self) -> None:
        instrument = self.create_instrument()
        assert len(self.ask(instrument)) > 1
        with pytest.raises(NothingToRead):
            instrument.read(100)

    def test_answers_repeat(self) -> None:
        instrument = self.create_instrument()
        assert self.ask(instrument) == self.ask(instrument) == self.ask(self.create_instrument())

    @pytest.mark.parametrize("limit", [1, 3, 1000])
    def test_an_answer_read_in_pieces_is_the_same(self, limit: int) -> None:
        instrument = self.create_instrument()
        whole = self.ask(instrument)
        instrument.write(self.question)
        assert read_all(instrument, limit) == whole

    def test_a_message_written_byte_by_byte_is_the_same(self) -> None:
        instrument = self.create_instrument()
        whole = self.ask(instrument)
        for index in range(len(self.question)):
            instrument.write(self.question[index : index + 1], end=index == len(self.question) - 1)
        assert read_all(instrument) == whole

    def test_the_message_is_complete_without_the_transports_end(self) -> None:
        instrument = self.create_instrument()
        instrument.write(self.question, end=False)
        assert read_all(instrument) == self.ask(self.create_instrument())

    def test_clear_empties_both_buffers(self) -> None:
        instrument = self.create_instrument()
        whole = self.ask(instrument)
        instrument.write(self.question)
        instrument.write(self.question[:2], end=False)
        instrument.clear()
        with pytest.raises(NothingToRead):
            instrument.read(100)
        assert self.ask(instrument) == whole

    def test_the_status_byte_is_one_byte(self) -> None:
        instrument = self.create_instrument()
        assert 0 <= instrument.status_byte() <= 255
        assert instrument.status_byte() == instrument.status_byte()

    def test_nothing_but_its_user_moves_the_clock(self) -> None:
        instrument = self.create_instrument()
        instrument.clock.advance(1.0)
        instrument.write(self.question)
        instrument.status_byte()
        instrument.trigger()
        instrument.query_timed_out()
        instrument.clear()
        assert instrument.clock.now == 1.0

    @_FUZZ
    @given(pieces=PIECES)
    def test_no_bytes_raise_or_deafen(self, pieces: list[tuple[bytes, bool]]) -> None:
        self.check_answers_after(pieces)

    def check_answers_after(self, pieces: list[tuple[bytes, bool]]) -> None:
        instrument = self.create_instrument()
        for data, end in pieces:
            instrument.write(data, end)
            instrument.status_byte()
            try:
                instrument.read(7)
            except NothingToRead as nothing:
                promised(instrument, nothing)
                instrument.query_timed_out()
            instrument.clock.advance(0.01)
        instrument.clear()
        assert len(self.ask(instrument)) > 1


class ScpiConformance(VirtualInstrumentConformance):
    """The mandatory part of IEEE 488.2 (10.1) and SCPI-99 (volume 1, 4.2), through the same seam."""

    interrupts = True  # false for an instrument that has byte streams only
    notices_timeouts = True  # false behind a door that does not tell it
    error_queue_depth = 20

    def text(self, instrument: VirtualInstrument, message: str) -> str:
        return self.ask(instrument, message.encode() + b"\n").decode("ascii").rstrip("\r\n")

    def tell(self, instrument: VirtualInstrument, message: str) -> None:
        instrument.write(message.encode() + b"\n")

    def error(self, instrument: VirtualInstrument) -> int:
        return int(self.text(instrument, "SYST:ERR?").partition(",")[0])

    def started(self) -> VirtualInstrument:
        instrument = self.create_instrument()
        self.tell(instrument, "*CLS")
        return instrument

    def test_identity_has_four_fields(self) -> None:
        fields = self.text(self.create_instrument(), "*IDN?").split(",")
        assert len(fields) == 4
        assert all(field.strip() for field in fields)

    def test_it_starts_without_errors(self) -> None:
        assert self.error(self.create_instrument()) == 0

    @pytest.mark.parametrize(
        "header", ["SYST:ERR?", "SYSTEM:ERROR?", "syst:err:next?", ":SYSTem:ERRor:NEXT?"]
    )
    def test_every_spelling_of_the_error_query(self, header: str) -> None:
        instrument = self.started()
        self.tell(instrument, "NONSENSE:HEADER 1")
        assert self.text(instrument, header).startswith("-113,")
        assert self.text(instrument, header).lstrip("+").startswith("0,")

    @pytest.mark.parametrize("header", ["SYSTE:ERR?", "SYS:ERR?", "SYST:ERRO?", "*IDNX?"])
    def test_nothing_but_short_and_long_forms(self, header: str) -> None:
        instrument = self.started()
        self.tell(instrument, header)
        with pytest.raises(NothingToRead):
            read_all(instrument)
        assert self.error(instrument) == -113

    @pytest.mark.parametrize(("register", "highest"), [("ESE", 255), ("SRE", 191)])
    def test_enable_registers_hold_their_value(self, register: str, highest: int) -> None:
        instrument = self.started()
        for mask in (0, 32, highest):
            self.tell(instrument, f"*{register} {mask}")
            assert int(self.text(instrument, f"*{register}?")) == mask
        self.tell(instrument, f"*{register} 256")
        assert self.error(instrument) == -222
        self.tell(instrument, "*RST;*CLS")
        assert int(self.text(instrument, f"*{register}?")) == highest

    def test_events_are_cleared_by_reading(self) -> None:
        instrument = self.started()
        self.tell(instrument, "NONSENSE")
        assert int(self.text(instrument, "*ESR?")) == 32
        assert int(self.text(instrument, "*ESR?")) == 0

    def test_clear_status_empties_queue_and_events(self) -> None:
        instrument = self.started()
        self.tell(instrument, "NONSENSE")
        self.tell(instrument, "*CLS")
        assert self.error(instrument) == 0
        assert int(self.text(instrument, "*ESR?")) == 0

    def test_the_status_byte_sums_up(self) -> None:
        instrument = self.started()
        self.tell(instrument, "*ESE 32")
        self.tell(instrument, "*SRE 32")
        assert int(self.text(instrument, "*STB?")) == 0
        self.tell(instrument, "NONSENSE")
        byte = int(self.text(instrument, "*STB?"))
        assert byte & 32, "ESB"
        assert byte & 64, "MSS"

    def test_a_serial_poll_takes_the_request_back(self) -> None:
        instrument = self.started()
        self.tell(instrument, "*ESE 32")
        self.tell(instrument, "*SRE 32")
        self.tell(instrument, "NONSENSE")
        assert instrument.status_byte() & 64, "RQS"
        assert not instrument.status_byte() & 64, "a serial poll takes RQS back"
        instrument.write(b"*IDN?\n")
        assert instrument.status_byte() & 16, "MAV"

    def test_operation_complete(self) -> None:
        instrument = self.started()
        assert self.text(instrument, "*OPC?") in ("1", "+1")
        self.tell(instrument, "*OPC")
        assert int(self.text(instrument, "*ESR?")) & 1
        self.tell(instrument, "*WAI")
        assert self.error(instrument) == 0

    def test_reset_makes_no_error_and_keeps_the_queue(self) -> None:
        instrument = self.started()
        self.tell(instrument, "NONSENSE")
        self.tell(instrument, "*RST")
        assert self.error(instrument) == -113
        assert self.error(instrument) == 0

    def test_self_test_and_version(self) -> None:
        instrument = self.started()
        assert math.isfinite(float(self.text(instrument, "*TST?")))
        year, _, revision = self.text(instrument, "SYST:VERS?").partition(".")
        assert 1990 <= int(year) <= 1999
        assert revision.isdecimal()

    def test_a_full_queue_says_so_in_its_last_place(self) -> None:
        instrument = self.started()
        for _ in range(self.error_queue_depth + 3):
            self.tell(instrument, "NONSENSE")
        codes = [self.error(instrument) for _ in range(self.error_queue_depth + 1)]
        assert codes == [-113] * (self.error_queue_depth - 1) + [-350, 0]

    def test_a_compound_query_has_one_answer(self) -> None:
        instrument = self.started()
        assert self.text(instrument, "*ESE 4;*ESE?;SYST:ERR?").lstrip("+").startswith("4;")

    def test_status_preset_and_registers(self) -> None:
        instrument = self.started()
        for register in ("OPERation", "QUEStionable"):
            self.tell(instrument, f"STATus:{register}:ENABle 5")
            assert int(self.text(instrument, f"STAT:{register}:ENAB?")) == 5
            for query in ("", ":EVENt", ":CONDition"):
                assert int(self.text(instrument, f"STAT:{register}{query}?")) >= 0
        self.tell(instrument, "STAT:PRES")
        assert int(self.text(instrument, "STAT:OPER:ENAB?")) == 0
        assert self.error(instrument) == 0

    def test_query_errors(self) -> None:
        instrument = self.started()
        instrument.query_timed_out()
        assert self.error(instrument) == (-420 if self.interrupts and self.notices_timeouts else 0)
        instrument.write(b"*IDN?\n")
        instrument.write(b"*ESE?\n")
        first = read_all(instrument)
        if self.interrupts:
            assert int(first) == 0
            assert self.error(instrument) == -410
        else:
            assert first.count(b",") == 3
            assert int(read_all(instrument)) == 0
