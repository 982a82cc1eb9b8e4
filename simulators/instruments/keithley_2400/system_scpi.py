"""The 2400's commands for its front panel, terminals, clock and system."""

from simulators.instruments.keithley_2400.settings import Settings
from simulators.instruments.source_measure.unit import LINE_HZ
from simulators.scpi import (
    Boolean,
    Choice,
    Integer,
    Number,
    Once,
    Optional,
    ScpiInstrument,
    StatusRegister,
    Text,
    command,
    query,
    quoted,
)


class SystemCommands(ScpiInstrument):
    """See the module."""

    suffix_limits = {"WIND": 2}  # noqa: RUF012
    settings: Settings
    tick: float
    time_zero_s: float
    measurement: StatusRegister
    shown: dict[int, str]
    display_on: bool
    beeper_on: bool

    # SYSTem -----------------------------------------------------------------------------------------------

    @command("SYSTem:PRESet")
    def preset(self) -> None:
        """As *RST, for what is emulated here."""
        self.reset()

    @command("SYSTem:POSetup", Choice("RST", "PRESet", "SAV#"))
    def set_power_on(self, setup: str) -> None:
        """What the instrument is set to when it is switched on."""

    @command("SYSTem:LOCal")
    @command("SYSTem:REMote")
    @command("SYSTem:RWLock")
    def set_control(self) -> None:
        """Who may use the front panel; nobody stands there."""

    @command("SYSTem:KEY", Integer(1, 31))
    def press_key(self, key: int) -> None:
        """A key of the front panel."""

    @command("SYSTem:CLEar")
    def clear_errors(self) -> None:
        """Empty the error queue."""
        self.status.errors.clear()

    @query("SYSTem:ERRor:CODE[:NEXT]")
    def next_code(self) -> int:
        """The number of the oldest error, which is forgotten."""
        return self.status.errors.pop().code

    @query("SYSTem:ERRor:CODE:ALL")
    def all_codes(self) -> list[int]:
        """The numbers of all errors, which are forgotten."""
        codes = [self.status.errors.pop().code]
        while len(self.status.errors):
            codes.append(self.status.errors.pop().code)
        return codes

    @query("STATus:QUEue[:NEXT]")
    def next_in_queue(self) -> str:
        """The oldest error, which is forgotten."""
        return self.format_error(self.status.errors.pop())

    @command("STATus:QUEue:CLEar")
    def clear_queue(self) -> None:
        """Empty the error queue."""
        self.status.errors.clear()

    @query("STATus:MEASurement[:EVENt]")
    def measurement_event(self) -> int:
        """What has happened to measurements since the last question."""
        return self.measurement.read_event()

    @query("STATus:MEASurement:CONDition")
    def measurement_condition(self) -> int:
        """How it stands with measurements."""
        return self.measurement.condition

    @command("STATus:MEASurement:ENABle", Integer(0, 65535))
    def set_measurement_enable(self, mask: int) -> None:
        """What of it is summed up in bit 0 of the status byte."""
        self.measurement.enable = mask & 0x7FFF

    @query("STATus:MEASurement:ENABle")
    def measurement_enable(self) -> int:
        """What of it is summed up in bit 0 of the status byte."""
        return self.measurement.enable

    @command("SYSTem:AZERo[:STATe]", Once())
    def set_autozero(self, on: bool | None) -> None:
        """Measure zero after every reading, never, or once now."""
        if on is not None:
            self.settings.autozero = on

    @query("SYSTem:AZERo[:STATe]")
    def autozero(self) -> bool:
        """Whether zero is measured after every reading."""
        return self.settings.autozero

    @command("SYSTem:AZERo:CACHing[:STATe]", Boolean())
    def set_caching(self, on: bool) -> None:
        """Whether zeros are remembered for source memory."""

    @command("SYSTem:LFRequency", Number("HZ", 50.0, 60.0, 50.0))
    def set_line_frequency(self, hertz: float) -> None:
        """Accepted; the mains of the bench stay what they are."""

    @query("SYSTem:LFRequency")
    def line_frequency(self) -> int:
        """Frequency of the mains."""
        return int(LINE_HZ)

    @command("SYSTem:LFRequency:AUTO", Boolean())
    def set_line_detection(self, on: bool) -> None:
        """Whether the frequency of the mains is found when the instrument is switched on."""

    @query("SYSTem:LFRequency:AUTO")
    def line_detection(self) -> bool:
        """Whether the frequency of the mains is found when the instrument is switched on."""
        return True

    @command("SYSTem:RSENse", Boolean())
    def set_remote_sense(self, on: bool) -> None:
        """Measure the voltage at the sense leads."""
        self.settings.remote_sense = on

    @query("SYSTem:RSENse")
    def remote_sense(self) -> bool:
        """Whether the voltage is measured at the sense leads."""
        return self.settings.remote_sense

    @command("SYSTem:GUARd", Choice("OHMS", "CABLe"))
    def set_guard(self, guard: str) -> None:
        """What the guard is for; cables here do not leak."""
        self.settings.guard = guard

    @query("SYSTem:GUARd")
    def guard(self) -> str:
        """What the guard is for."""
        return self.settings.guard

    @command("SYSTem:BEEPer[:IMMediate]", Number("HZ", 65.0, 2e6), Optional(Number("S", 0.0, 512.0)))
    def beep(self, hertz: float, seconds: float | None) -> None:
        """Beep."""

    @command("SYSTem:BEEPer:STATe", Boolean())
    def set_beeper(self, on: bool) -> None:
        """Whether it beeps."""
        self.beeper_on = on

    @query("SYSTem:BEEPer:STATe")
    def beeper(self) -> bool:
        """Whether it beeps."""
        return self.beeper_on

    @property
    def time_s(self) -> float:
        """The instrument's clock, since it was last set to zero."""
        return (self.clock.now - self.time_zero_s) / self.tick

    @query("SYSTem:TIME")
    def time(self) -> float:
        """The instrument's clock."""
        return self.time_s

    @command("SYSTem:TIME:RESet")
    def reset_time(self) -> None:
        """Set the instrument's clock to zero."""
        self.time_zero_s = self.clock.now

    @command("SYSTem:TIME:RESet:AUTO", Boolean())
    def set_reset_time(self, on: bool) -> None:
        """Whether every measurement sets the clock to zero; accepted."""

    # The front --------------------------------------------------------------------------------------------

    @command("ROUTe:TERMinals", Choice("FRONt", "REAR"))
    def set_terminals(self, side: str) -> None:
        """Front or rear terminals; a change switches the output off. Both are wired alike here."""
        if (side == "REAR") != self.settings.rear:
            self.settings.output_on = False
            self.settings.rear = side == "REAR"
            self.apply()

    def apply(self) -> None:
        """Let the output do what is set."""
        raise NotImplementedError

    @query("ROUTe:TERMinals")
    def terminals_used(self) -> str:
        """Front or rear terminals."""
        return "REAR" if self.settings.rear else "FRON"

    @command("OUTPut:ENABle[:STATe]", Boolean())
    def set_interlock(self, on: bool) -> None:
        """Whether the output enable line must be pulled; it is."""

    @query("OUTPut:ENABle[:STATe]")
    def interlock(self) -> bool:
        """Whether the output enable line must be pulled."""
        return False

    @query("OUTPut:ENABle:TRIPped")
    def interlock_open(self) -> bool:
        """Whether the output enable line lets the output be switched on."""
        return True

    @command("DISPlay:ENABle", Boolean())
    def set_display(self, on: bool) -> None:
        """The front panel."""
        self.display_on = on

    @query("DISPlay:ENABle")
    def display(self) -> bool:
        """The front panel."""
        return self.display_on

    @command("DISPlay:CNDisplay")
    def show_readings(self) -> None:
        """The front panel shows readings."""

    @command("DISPlay:DIGits", Integer(4, 7, 6))
    def set_digits(self, digits: int) -> None:
        """Digits on the front panel."""

    @command("DISPlay[:WINDow#]:TEXT:DATA", Text(bare=True))
    def set_text(self, window: int, text: str) -> None:
        """Words on the front panel."""
        self.shown[window] = text[: 20 if window == 1 else 32]

    @query("DISPlay[:WINDow#]:TEXT:DATA")
    def text(self, window: int) -> str:
        """Words on the front panel."""
        return quoted(self.shown.get(window, ""))

    @command("DISPlay[:WINDow#]:TEXT:STATe", Boolean())
    def set_text_shown(self, window: int, on: bool) -> None:
        """Whether the front panel shows words."""
        if not on:
            self.shown.pop(window, None)

    @query("DISPlay[:WINDow#]:TEXT:STATe")
    def text_shown(self, window: int) -> bool:
        """Whether the front panel shows words."""
        return window in self.shown
