"""The line to one instrument, with whatever is wrong with it."""

from dataclasses import dataclass
from typing import Any

from simulators.faults.fault import ANSWER_KINDS
from simulators.faults.injected import Injected
from simulators.framing import Framer
from simulators.instrument import Disconnected, NothingToRead, VirtualInstrument
from simulators.scpi import ScpiError

_WHOLE = 1 << 30
_TERMINATORS = (b"\n", b"\r")
_IDENTITY_QUESTION = b"*IDN?"
_SOMEBODY_ELSE = b"Another Maker,Another Model,0,0"
_MESSAGE_AVAILABLE = 1 << 4


@dataclass
class _Outage:
    """A connection that was lost, and what it takes to get it back."""

    cause: Injected
    tries: int
    back_s: float


class FaultyLine(VirtualInstrument):
    """An instrument behind a line that can fail, whichever door is used.

    While nothing is wrong the instrument's own `write` and `read` stand in for the line's, so that a sound
    line costs nothing. A message is complete where the transport marks its end, or at the end of a line.
    """

    def __init__(self, instrument: VirtualInstrument) -> None:
        super().__init__(instrument.clock)
        self.instrument = instrument
        self.terminals = instrument.terminals
        self._faults: list[Injected] = []
        self._outage: _Outage | None = None
        self._mid_message = False
        self._swallowing = False
        self._overflowing = False
        self._identity_asked = False
        self._answer = b""
        self._given = 0
        self._ready_s = 0.0
        self._before = b"\n"
        self._step_aside()

    def __getattr__(self, name: str) -> Any:
        # only what this class lacks: a service request line, an identity
        if name == "instrument":
            raise AttributeError(name)
        return getattr(self.instrument, name)

    @property
    def ignores_termchar(self) -> bool:  # type: ignore[override]  # of a class elsewhere, of the instrument here
        """See `VirtualInstrument.ignores_termchar`."""
        return self.instrument.ignores_termchar

    def add(self, fault: Injected) -> None:
        """Let a fault happen from the next exchange on."""
        self._faults.append(fault)
        self._step_in()

    def mend(self, fault: Injected) -> None:
        """Take a fault away: a connection that it broke can be opened again, an answer that is late comes."""
        if fault in self._faults:
            self._faults.remove(fault)
        if self._outage is not None and self._outage.cause is fault:
            self._outage = None
        self._ready_s = 0.0
        self._step_aside()

    # The seam ---------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """A controller opens a new connection; raises Disconnected while none can be had."""
        outage = self._outage
        if outage is not None:
            if outage.tries > 0 or self.clock.now < outage.back_s:
                outage.tries -= 1
                raise Disconnected
            self._outage = None
            self._step_aside()
        self.instrument.connected()

    def write(self, data: bytes, end: bool = True) -> None:
        """Take bytes; what is wrong with messages happens at a message's beginning."""
        self._must_be_up()
        if not self._mid_message:
            self._begin_message(data)
        complete = end or data.endswith(_TERMINATORS)
        self._mid_message = not complete
        if self._swallowing:
            self._swallowing = not complete
            return
        self.instrument.write(data, end)
        if complete and self._overflowing:
            self._overflowing = False
            for _ in range(self.error_queue_depth + 1):
                self.report(ScpiError(-310))

    def read(self, limit: int) -> tuple[bytes, bool]:
        """Give the answer, as far as what is wrong leaves one."""
        self._must_be_up()
        if not self._answer:
            self._take_answer()
        if self.clock.now < self._ready_s:
            raise NothingToRead(self._ready_s)
        start, stop = self._given, self._given + limit
        chunk = self._answer[start:stop]
        if stop < len(self._answer):
            self._given = stop
            return chunk, False
        self._forget_answer()
        return chunk, True

    def clear(self) -> None:
        """See `VirtualInstrument.clear`."""
        self._must_be_up()
        self._forget_answer()
        self._mid_message = self._swallowing = self._identity_asked = False
        self.instrument.clear()

    def status_byte(self) -> int:
        """See `VirtualInstrument.status_byte`."""
        self._must_be_up()
        held = self._answer and self.clock.now >= self._ready_s
        return self.instrument.status_byte() | (_MESSAGE_AVAILABLE if held else 0)

    def trigger(self) -> None:
        """See `VirtualInstrument.trigger`."""
        self._must_be_up()
        self.instrument.trigger()

    def standing_errors(self) -> tuple[int, ...]:
        """See `VirtualInstrument.standing_errors`."""
        return self.instrument.standing_errors()

    def framer(self) -> Framer:
        """See `VirtualInstrument.framer`."""
        return self.instrument.framer()

    @property
    def answer_due(self) -> bool:
        """See `VirtualInstrument.answer_due`."""
        return self._outage is None and self.instrument.answer_due

    def refuse(self, error: Exception) -> None:
        """See `VirtualInstrument.refuse`."""
        self.instrument.refuse(error)

    def answer_lost(self) -> None:
        """See `VirtualInstrument.answer_lost`."""
        self.instrument.answer_lost()

    def query_timed_out(self) -> None:
        """See `VirtualInstrument.query_timed_out`; an instrument that is late has an answer."""
        if not self._answer and self._outage is None:
            self.instrument.query_timed_out()

    # What is wrong ----------------------------------------------------------------------------------------

    def _must_be_up(self) -> None:
        if self._outage is not None:
            raise Disconnected

    def _struck(self, *kinds: str) -> list[Injected]:
        return [each for each in self._faults if each.fault.kind in kinds and each.strikes(self.clock.now)]

    def _begin_message(self, data: bytes) -> None:
        for each in self._struck("disconnect"):
            self._lose_connection(each)
        self._swallowing = bool(self._struck("lost_message"))
        self._overflowing = bool(self._struck("queue_overflow"))
        self._identity_asked = data.strip().upper() == _IDENTITY_QUESTION
        if self._given:  # the rest of an answer that was begun is lost, as it is without a line between
            self._forget_answer()
        self._step_aside()

    def _lose_connection(self, cause: Injected) -> None:
        """Whatever was on the line is lost with it."""
        self._outage = _Outage(cause, cause.fault.tries, self.clock.now + cause.fault.pause_s)
        self._forget_answer()
        try:
            while True:
                self.instrument.read(_WHOLE)
        except NothingToRead:
            pass
        raise Disconnected

    def _take_answer(self) -> None:
        """Take a whole answer from the instrument and spoil it; raises NothingToRead if nothing is left."""
        answer, _ = self.instrument.read(_WHOLE)
        self._ready_s = self.clock.now
        kinds = [kind for kind in ANSWER_KINDS if kind != "wrong_identity" or self._identity_asked]
        self._identity_asked = False
        spoilt = answer
        for each in self._struck(*kinds):
            spoilt = self._spoil(spoilt, each)
        self._before = answer
        self._answer, self._given = spoilt, 0
        self._step_aside()
        if not spoilt:
            raise NothingToRead

    def _spoil(self, answer: bytes, each: Injected) -> bytes:
        fault, rng = each.fault, each.rng
        body = answer.removesuffix(b"\n")
        end = answer[len(body) :]
        match fault.kind:
            case "no_answer":
                return b""
            case "late_answer":
                self._ready_s = max(self._ready_s, self.clock.now + (fault.delay_s or 0.0))
                return answer
            case "wrong_answer":
                return self._before if fault.answer is None else fault.answer.encode("latin-1") + end
            case "wrong_identity":
                return (fault.answer.encode("latin-1") if fault.answer else _SOMEBODY_ELSE) + end
            case "cut_answer":
                return answer[: len(answer) // 2]
            case "dropped_bytes":
                lost = set(rng.choice(len(answer), min(fault.bytes, len(answer)), replace=False).tolist())
                return bytes(byte for k, byte in enumerate(answer) if k not in lost)
            case _:
                return rng.bytes(max(len(body), 1)) + end

    def _forget_answer(self) -> None:
        self._answer, self._given, self._ready_s = b"", 0, 0.0
        self._step_aside()

    def _step_in(self) -> None:
        self.__dict__.pop("write", None)
        self.__dict__.pop("read", None)

    def _step_aside(self) -> None:
        """Let the instrument's own methods stand in while nothing is, or can still go, wrong."""
        sound = all(each.spent for each in self._faults) and self._outage is None
        if sound and not (self._answer or self._mid_message or self._swallowing or self._overflowing):
            self.__dict__.update(write=self.instrument.write, read=self.instrument.read)
        else:
            self._step_in()
