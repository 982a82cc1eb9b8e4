"""What SRS's mainframe and its modules have in common: status registers, identity, the form of their answers.

Registers and their bits: SRS, Operation and Service Manual of the SIM928, section 2.5.
"""

from dataclasses import dataclass

from simulators.instruments.sim900.language import (
    BIT,
    BYTE,
    FLAG,
    ON_OFF,
    TERMINATORS,
    Interpreter,
    Token,
    form,
)

# Standard event status
OPERATION_COMPLETE, INPUT_BUFFER, QUERY_ERROR, DEVICE_ERROR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
EXECUTION_ERROR, COMMAND_ERROR, POWER_ON = 1 << 4, 1 << 5, 1 << 7
# Communication error status
OVERRUN, DEVICE_CLEAR = 1 << 4, 1 << 7
# Status byte
IDLE, EVENT_SUMMARY, MASTER_SUMMARY, COMMUNICATION_SUMMARY = 1 << 4, 1 << 5, 1 << 6, 1 << 7


def masked(mask: int, *values: int) -> int:
    """A register after one value for all of it, or after a bit's number and its flag."""
    if len(values) == 1:
        return values[0]
    bit, flag = values
    return mask & ~(1 << bit) | flag << bit


@dataclass
class EventRegister:
    """Events, cleared by being read, and which of them count in the status byte."""

    events: int = 0
    enable: int = 0

    @property
    def summary(self) -> bool:
        """Whether an event that counts has occurred."""
        return bool(self.events & self.enable)

    def take(self, bit: int | None = None) -> int:
        """Read and clear the whole register, or one bit of it."""
        mask = 0xFF if bit is None else 1 << bit
        taken = self.events & mask
        self.events &= ~mask
        return taken if bit is None else int(bool(taken))

    def set_enable(self, *values: int) -> None:
        """Enable a byte's worth of events, or, given a bit and a flag, switch one."""
        self.enable = masked(self.enable, *values)

    def enabled(self, bit: int | None = None) -> int:
        """Which events count, or whether one does."""
        return self.enable if bit is None else self.enable >> bit & 1


_SET_ENABLE = ((BYTE,), (BIT, FLAG))
_READ = ((), (BIT,))


class SimDevice(Interpreter):
    """A speaker of the language with the registers that every one of them has.

    Attributes:
        identity: what *IDN? answers.
        term: what ends an answer, one of `TERMINATORS`.
    """

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.standard = EventRegister(POWER_ON)
        self.communication = EventRegister()
        self.service = EventRegister()
        self.term = TERMINATORS.words["CRLF"]
        self.answers_in_words = False
        self.console = False
        self._last_command_fault = self._last_execution_fault = 0

    def command_fault(self, code: int) -> None:
        """See `Interpreter.command_fault`."""
        self.standard.events |= COMMAND_ERROR
        self._last_command_fault = code

    def execution_fault(self, code: int) -> None:
        """See `Interpreter.execution_fault`."""
        self.standard.events |= EXECUTION_ERROR
        self._last_execution_fault = code

    def in_words(self, token: Token, value: int) -> str:
        """A token as queries answer it: the word with TOKN ON, else the integer."""
        return token.word(value) if self.answers_in_words else str(value)

    def conditions(self) -> int:
        """The status byte without its summary of itself."""
        return (
            IDLE | EVENT_SUMMARY * self.standard.summary | COMMUNICATION_SUMMARY * self.communication.summary
        )

    def summary(self) -> int:
        """The status byte."""
        byte = self.conditions()
        return byte | MASTER_SUMMARY * bool(byte & self.service.enable & ~MASTER_SUMMARY)

    def reset(self) -> None:
        """*RST."""
        raise NotImplementedError

    def clear_events(self) -> None:
        """*CLS."""
        self.standard.events = self.communication.events = 0

    def receive_break(self) -> None:
        """The device clear signal of a serial line: the interface is as after power-on, the rest stays."""
        self.communication.events |= DEVICE_CLEAR
        self.term = TERMINATORS.words["CRLF"]
        self.answers_in_words = self.console = False

    @form("*IDN?")
    def _identify(self) -> str:
        return self.identity

    @form("*RST")
    def _reset(self) -> None:
        self.reset()

    @form("*TST?")
    def _self_test(self) -> int:
        return 0

    @form("*OPC")
    def _note_completion(self) -> None:
        self.standard.events |= OPERATION_COMPLETE

    @form("*OPC?")
    def _completed(self) -> int:
        return 1

    @form("*CLS")
    def _clear_events(self) -> None:
        self.clear_events()

    @form("*STB?", *_READ)
    def _status_byte(self, bit: int | None = None) -> int:
        return self.summary() if bit is None else self.summary() >> bit & 1

    @form("*SRE", *_SET_ENABLE)
    def _set_service_enable(self, *values: int) -> None:
        self.service.set_enable(*values)

    @form("*SRE?", *_READ)
    def _service_enable(self, bit: int | None = None) -> int:
        return self.service.enabled(bit)

    @form("*ESR?", *_READ)
    def _standard_events(self, bit: int | None = None) -> int:
        return self.standard.take(bit)

    @form("*ESE", *_SET_ENABLE)
    def _set_standard_enable(self, *values: int) -> None:
        self.standard.set_enable(*values)

    @form("*ESE?", *_READ)
    def _standard_enable(self, bit: int | None = None) -> int:
        return self.standard.enabled(bit)

    @form("CESR?", *_READ)
    def _communication_events(self, bit: int | None = None) -> int:
        return self.communication.take(bit)

    @form("CESE", *_SET_ENABLE)
    def _set_communication_enable(self, *values: int) -> None:
        self.communication.set_enable(*values)

    @form("CESE?", *_READ)
    def _communication_enable(self, bit: int | None = None) -> int:
        return self.communication.enabled(bit)

    @form("LCME?")
    def _take_command_fault(self) -> int:
        code, self._last_command_fault = self._last_command_fault, 0
        return code

    @form("LEXE?")
    def _take_execution_fault(self) -> int:
        code, self._last_execution_fault = self._last_execution_fault, 0
        return code

    @form("TOKN", (ON_OFF,))
    def _set_token_mode(self, on: int) -> None:
        self.answers_in_words = bool(on)

    @form("TOKN?")
    def _token_mode(self) -> str:
        return self.in_words(ON_OFF, int(self.answers_in_words))

    @form("CONS", (ON_OFF,))
    def _set_console(self, on: int) -> None:
        self.console = bool(on)

    @form("CONS?")
    def _console(self) -> str:
        return self.in_words(ON_OFF, int(self.console))
