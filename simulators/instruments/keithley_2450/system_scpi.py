"""The 2450's commands for its front panel, terminals, calendar, event log and language."""

from datetime import UTC, datetime, timedelta

from simulators.instruments.keithley_2450.buffers import EPOCH
from simulators.instruments.keithley_2450.settings import Settings
from simulators.instruments.source_measure.unit import LINE_HZ
from simulators.scpi import (
    Boolean,
    Choice,
    Integer,
    Number,
    Optional,
    Rest,
    ScpiError,
    ScpiInstrument,
    Text,
    command,
    query,
)

_TEXTS = {-222: "Parameter data out of range"}


class SystemCommands(ScpiInstrument):
    """See the module."""

    settings: Settings
    tick: float
    light: str

    def apply(self) -> None:
        """Let the output do what is set."""
        raise NotImplementedError

    # Events -----------------------------------------------------------------------------------------------

    @property
    def time_s(self) -> float:
        """The instrument's clock, in seconds since it was switched on."""
        return self.clock.now / self.tick

    def _stamp(self) -> str:
        when = EPOCH + timedelta(seconds=self.time_s)
        return f"{when:%Y/%m/%d %H:%M:%S}.{when.microsecond // 1000:03d}"

    def report(self, error: ScpiError) -> None:
        """Enter an error in the event log, with its severity and the time."""
        text = _TEXTS.get(error.code, error.text)
        super().report(ScpiError(error.code, text=f"{text};1;{self._stamp()}"))

    def format_error(self, error: ScpiError) -> str:
        """Write an event: its number, and its text with severity and time."""
        plain = "No error;0;0 0" if error.code == 0 else error.text
        return f'{error.code},"{plain if ";" in plain else f"{plain};1;{self._stamp()}"}"'

    @command("SYSTem:CLEar")
    def clear_log(self) -> None:
        """Empty the event log."""
        self.status.errors.clear()

    @command("STATus:CLEar")
    def clear_events(self) -> None:
        """Clear the event registers; the log stays."""
        self.status.operation.event = self.status.questionable.event = 0

    @query("SYSTem:ERRor:CODE[:NEXT]")
    def next_code(self) -> int:
        """The number of the oldest error, which is forgotten."""
        return self.status.errors.pop().code

    @query("SYSTem:EVENtlog:NEXT")
    def next_event(self) -> str:
        """The oldest event, which is forgotten."""
        return self.format_error(self.status.errors.pop())

    @query("SYSTem:EVENtlog:COUNt", Optional(Choice("ERRor", "WARNing", "INFormation", "ALL"), "ALL"))
    def count_events(self, kind: str) -> int:
        """How many events are in the log; all of them are errors."""
        return len(self.status.errors) if kind in ("ERR", "ALL") else 0

    # System -----------------------------------------------------------------------------------------------

    @query("*LANG")
    def language_used(self) -> str:
        """The language that is spoken."""
        return "SCPI"

    @command("*LANG", Choice("SCPI", "TSP", "SCPI2400"))
    def set_language(self, language: str) -> None:
        """The language from the next power cycle on; the bench's is SCPI when it is switched on."""

    @query("SYSTem:LFRequency")
    def line_frequency(self) -> int:
        """Frequency of the mains."""
        return int(LINE_HZ)

    @command("SYSTem:BEEPer[:IMMediate]", Number("HZ", 20.0, 8000.0), Optional(Number("S", 1e-3, 100.0)))
    def beep(self, hertz: float, seconds: float | None) -> None:
        """Beep."""

    @command("SYSTem:ACCess", Choice("FULL", "EXCLusive", "PROTected", "LOCKout"))
    def set_access(self, access: str) -> None:
        """Who may control the instrument; there is one line to it."""

    @command("SYSTem:POSetup", Choice("RST", "SAV#"))
    def set_power_on(self, setup: str) -> None:
        """What the instrument is set to when it is switched on."""

    @query("SYSTem:TIME", Optional(Integer(0, 1), 0))
    def time(self, written: int) -> str:
        """The calendar: seconds since 1970, or with 1 in words."""
        when = EPOCH + timedelta(seconds=self.time_s)
        if written:
            return f"{when:%a %b %d %H:%M:%S %Y}"
        return str(int((when - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()))

    @command("SYSTem:TIME", Rest(Number(), least=1))
    def set_time(self, fields: tuple[float, ...]) -> None:
        """Accepted; the calendar goes with the bench's clock."""

    # The front --------------------------------------------------------------------------------------------

    @command("ROUTe:TERMinals", Choice("FRONt", "REAR"))
    def set_terminals(self, side: str) -> None:
        """Front or rear terminals; a change switches the output off. Both are wired alike here."""
        if (side == "REAR") != self.settings.rear:
            self.settings.output_on = False
            self.settings.rear = side == "REAR"
            self.apply()

    @query("ROUTe:TERMinals")
    def terminals_used(self) -> str:
        """Front or rear terminals."""
        return "REAR" if self.settings.rear else "FRON"

    @command("DISPlay:CLEar")
    def clear_display(self) -> None:
        """No words on the front panel."""

    @command("DISPlay:SCReen", Choice("HOME", "HOME_LARGe_reading", "READing_table", "GRAPh", "SWIPE_USER"))
    def show(self, screen: str) -> None:
        """What the front panel shows."""

    @command("DISPlay:USER#:TEXT[:DATA]", Text())
    def show_text(self, line: int, text: str) -> None:
        """Words on the front panel."""

    @command("DISPlay:LIGHt:STATe", Choice("ON100", "ON75", "ON50", "ON25", "OFF", "BLACkout"))
    def set_light(self, light: str) -> None:
        """The front panel's brightness."""
        self.light = light

    @query("DISPlay:LIGHt:STATe")
    def light_used(self) -> str:
        """The front panel's brightness."""
        return self.light

    @command("DISPlay:VOLTage:DIGits", Integer(3, 6, 5))
    @command("DISPlay:CURRent:DIGits", Integer(3, 6, 5))
    @command("DISPlay:RESistance:DIGits", Integer(3, 6, 5))
    def set_digits(self, digits: int) -> None:
        """Digits on the front panel."""

    @command("DISPlay:READing:FORMat", Choice("EXPonent", "PREFix"))
    def set_reading_format(self, form: str) -> None:
        """How the front panel writes readings."""

    @command("SYSTem:EVENtlog:SAVE", Text(), Optional(Boolean()))
    def save_log(self, path: str, kind: bool | None) -> None:
        """Write the event log to a flash drive, of which there is none."""
        raise ScpiError(-241)
