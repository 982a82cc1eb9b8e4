"""The GS200's commands for measurements and for how the terminal is wired."""

from simulators.instruments.yokogawa_gs200.monitor import Monitor
from simulators.scpi import Boolean, Choice, Integer, Later, Number, ScpiError, ScpiInstrument, command, query

_LONGEST_DELAY_MS = 999_999


class MonitorCommands(ScpiInstrument):
    """See the module. Without the option /MON whatever measures is -241."""

    monitor: Monitor
    has_monitor: bool

    def _fitted(self) -> Monitor:
        if not self.has_monitor:
            raise ScpiError(-241, "the option /MON is not fitted")
        return self.monitor

    def _restarted(self) -> Monitor:
        """The monitor, whose free-running readings begin anew because a setting changes."""
        monitor = self._fitted()
        monitor.restart()
        return monitor

    @command("SENSe[:STATe]", Boolean())
    def set_sense(self, on: bool) -> None:
        """Switch measuring on or off."""
        self._fitted().switch(on)

    @query("SENSe[:STATe]")
    def sense(self) -> bool:
        """Whether it measures."""
        return self._fitted().on

    @command("SENSe:TRIGger", Choice("READy", "TIMer", "COMMunicate", "IMMediate"))
    def set_sense_trigger(self, name: str) -> None:
        """What starts a measurement."""
        self._restarted().trigger = name

    @query("SENSe:TRIGger")
    def sense_trigger(self) -> str:
        """What starts a measurement."""
        return self._fitted().trigger

    @command("SENSe:NPLC", Integer(1, 25, 1))
    def set_line_cycles(self, cycles: int) -> None:
        """Integration in power-line cycles."""
        self._restarted().cycles = cycles

    @query("SENSe:NPLC")
    def line_cycles(self) -> int:
        """Integration in power-line cycles."""
        return self._fitted().cycles

    @command("SENSe:DELay", Integer(0, _LONGEST_DELAY_MS, 0))
    def set_sense_delay(self, milliseconds: int) -> None:
        """From a trigger to its measurement, in ms."""
        self._restarted().delay_s = 1e-3 * milliseconds

    @query("SENSe:DELay")
    def sense_delay(self) -> int:
        """From a trigger to its measurement, in ms."""
        return round(1e3 * self._fitted().delay_s)

    @command("SENSe:INTerval", Number("S", 0.1, 3600.0, 1.0))
    def set_sense_interval(self, seconds: float) -> None:
        """From measurement to measurement of the timer."""
        self._restarted().interval_s = round(seconds, 1)

    @query("SENSe:INTerval")
    def sense_interval(self) -> str:
        """From measurement to measurement of the timer."""
        return f"{self._fitted().interval_s:.1f}"

    @command("SENSe:ZERo:AUTO", Boolean())
    def set_auto_zero(self, on: bool) -> None:
        """Measure zero after every reading."""
        self._restarted().auto_zero = on

    @query("SENSe:ZERo:AUTO")
    def auto_zero(self) -> bool:
        """Whether zero is measured after every reading."""
        return self._fitted().auto_zero

    @command("SENSe:ZERo:EXECute")
    def zero(self) -> None:
        """Measure zero once."""
        self._fitted()

    @command("SENSe:NULL[:STATe]", Boolean())
    def set_null(self, on: bool) -> None:
        """Take the newest reading off those that follow."""
        self._fitted().set_null(on)

    @query("SENSe:NULL[:STATe]")
    def null(self) -> bool:
        """Whether a reading is taken off."""
        return self._fitted().null is not None

    @command("INITiate")
    def initiate(self) -> None:
        """Trigger a measurement."""
        monitor = self._fitted()
        monitor.check_possible()
        monitor.start()

    @query("MEASure")
    def measure(self) -> Later:
        """Trigger a measurement and give it."""
        return self._fitted().measure()

    @query("READ")
    def read_now(self) -> Later:
        """Trigger a measurement and give it."""
        return self._fitted().measure()

    @query("FETCh")
    def fetch(self) -> float:
        """The newest measurement."""
        return self._fitted().newest()

    # The terminal -------------------------------------------------------------------------------------------

    @command("SENSe:REMote", Boolean())
    def set_remote_sensing(self, on: bool) -> None:
        """Whether the voltage is that of the sense leads."""
        self.monitor.remote = on

    @query("SENSe:REMote")
    def remote_sensing(self) -> bool:
        """Whether the voltage is that of the sense leads."""
        return self.monitor.remote

    @command("SENSe:GUARd", Boolean())
    def set_guard(self, on: bool) -> None:
        """Whether the guard terminal is driven; nothing is wired to it."""
        self.monitor.guard = on

    @query("SENSe:GUARd")
    def guard(self) -> bool:
        """Whether the guard terminal is driven."""
        return self.monitor.guard
