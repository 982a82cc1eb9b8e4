"""The base class of the SCPI personalities: common commands, error queue, status subsystem."""

from typing import ClassVar

from simulators.clock import VirtualClock
from simulators.scpi.declare import command, query
from simulators.scpi.errors import ScpiError
from simulators.scpi.exchange import MessageExchange
from simulators.scpi.parameters import Integer
from simulators.scpi.replies import Later, quoted
from simulators.scpi.status import MASTER_SUMMARY, OPERATION_COMPLETE


class ScpiInstrument(MessageExchange):
    """An instrument with the mandatory commands of IEEE 488.2 (10.1) and SCPI-99 (volume 1, 4.2).

    A personality sets `identity` (maker, model, serial number, firmware), declares its own commands, and
    overrides the hooks `reset`, `on_trigger`, `self_test`, `options` and `operation_complete_at` where it
    has something to say. `signed_error_codes` writes `+0,"No error"` as some makers do.
    """

    identity: str = "hil,Virtual instrument,0,0"
    scpi_version: ClassVar[str] = "1999.0"
    signed_error_codes: ClassVar[bool] = False

    def __init__(self, clock: VirtualClock, *, identity: str | None = None) -> None:
        super().__init__(clock)
        if identity is not None:
            self.identity = identity

    def reset(self) -> None:
        """*RST: put the settings to their defaults; the status model is left alone."""

    def self_test(self) -> int:
        """*TST?: zero when all is well."""
        return 0

    def options(self) -> str:
        """*OPT?: the installed options, comma-separated; `0` for none."""
        return "0"

    def format_error(self, error: ScpiError) -> str:
        """Write one entry of the error queue."""
        sign = "+" if self.signed_error_codes and error.code >= 0 else ""
        return f"{sign}{error.code},{quoted(error.message)}"

    # Common commands --------------------------------------------------------------------------------------

    @query("*IDN")
    def _identify(self) -> str:
        return self.identity

    @command("*RST")
    def _reset(self) -> None:
        self._awaiting_complete = False
        self.reset()

    @query("*TST")
    def _self_test(self) -> int:
        return self.self_test()

    def standing_errors(self) -> tuple[int, ...]:
        """See `VirtualInstrument`."""
        return tuple(error.code for error in self.status.errors)

    @query("*OPT")
    def _options(self) -> str:
        return self.options()

    @command("*CLS")
    def _clear_status(self) -> None:
        self.status.clear()
        self._awaiting_complete = False

    @command("*ESE", Integer(0, 255))
    def _set_event_enable(self, mask: int) -> None:
        self.status.event_enable = mask

    @query("*ESE")
    def _event_enable(self) -> int:
        return self.status.event_enable

    @query("*ESR")
    def _events(self) -> int:
        return self.status.read_events()

    @command("*SRE", Integer(0, 255))
    def _set_service_enable(self, mask: int) -> None:
        self.status.service_enable = mask & ~MASTER_SUMMARY

    @query("*SRE")
    def _service_enable(self) -> int:
        return self.status.service_enable

    @query("*STB")
    def _status_byte(self) -> int:
        return self.status.summary(self.message_available)

    @command("*OPC")
    def _note_completion(self) -> None:
        if self.operation_complete_at() <= self.clock.now:
            self.status.events |= OPERATION_COMPLETE
        else:
            self._awaiting_complete = True

    @query("*OPC")
    def _completed(self) -> Later:
        return Later(self.operation_complete_at, lambda: 1)

    @command("*WAI")
    def _wait(self) -> Later:
        return Later(self.operation_complete_at, lambda: None)

    @command("*TRG")
    def _trigger(self) -> None:
        self.on_trigger()

    # SYSTem -----------------------------------------------------------------------------------------------

    @query("SYSTem:ERRor[:NEXT]")
    def _next_error(self) -> str:
        return self.format_error(self.status.errors.pop())

    @query("SYSTem:ERRor:ALL")
    def _all_errors(self) -> str:
        entries = [self.status.errors.pop()]
        while len(self.status.errors):
            entries.append(self.status.errors.pop())
        return ",".join(map(self.format_error, entries))

    @query("SYSTem:ERRor:COUNt")
    def _error_count(self) -> int:
        return len(self.status.errors)

    @query("SYSTem:VERSion")
    def _version(self) -> str:
        return self.scpi_version

    # STATus -----------------------------------------------------------------------------------------------

    @command("STATus:PRESet")
    def _preset(self) -> None:
        self.status.operation.preset()
        self.status.questionable.preset()
        for register in self.status.others.values():
            register.preset()

    @query("STATus:OPERation[:EVENt]")
    def _operation_event(self) -> int:
        return self.status.operation.read_event()

    @query("STATus:OPERation:CONDition")
    def _operation_condition(self) -> int:
        return self.status.operation.condition

    @command("STATus:OPERation:ENABle", Integer(0, 65535))
    def _set_operation_enable(self, mask: int) -> None:
        self.status.operation.enable = mask & 0x7FFF

    @query("STATus:OPERation:ENABle")
    def _operation_enable(self) -> int:
        return self.status.operation.enable

    @command("STATus:OPERation:PTRansition", Integer(0, 65535))
    def _set_operation_positive(self, mask: int) -> None:
        self.status.operation.positive = mask & 0x7FFF

    @query("STATus:OPERation:PTRansition")
    def _operation_positive(self) -> int:
        return self.status.operation.positive

    @command("STATus:OPERation:NTRansition", Integer(0, 65535))
    def _set_operation_negative(self, mask: int) -> None:
        self.status.operation.negative = mask & 0x7FFF

    @query("STATus:OPERation:NTRansition")
    def _operation_negative(self) -> int:
        return self.status.operation.negative

    @query("STATus:QUEStionable[:EVENt]")
    def _questionable_event(self) -> int:
        return self.status.questionable.read_event()

    @query("STATus:QUEStionable:CONDition")
    def _questionable_condition(self) -> int:
        return self.status.questionable.condition

    @command("STATus:QUEStionable:ENABle", Integer(0, 65535))
    def _set_questionable_enable(self, mask: int) -> None:
        self.status.questionable.enable = mask & 0x7FFF

    @query("STATus:QUEStionable:ENABle")
    def _questionable_enable(self) -> int:
        return self.status.questionable.enable

    @command("STATus:QUEStionable:PTRansition", Integer(0, 65535))
    def _set_questionable_positive(self, mask: int) -> None:
        self.status.questionable.positive = mask & 0x7FFF

    @query("STATus:QUEStionable:PTRansition")
    def _questionable_positive(self) -> int:
        return self.status.questionable.positive

    @command("STATus:QUEStionable:NTRansition", Integer(0, 65535))
    def _set_questionable_negative(self, mask: int) -> None:
        self.status.questionable.negative = mask & 0x7FFF

    @query("STATus:QUEStionable:NTRansition")
    def _questionable_negative(self) -> int:
        return self.status.questionable.negative
