"""The front panel's display, as Keysight's bench instruments have it: on or off, and words on it."""

from simulators.scpi import Boolean, ScpiInstrument, Text, command, query, quoted


class DisplayCommands(ScpiInstrument):
    """See the module. A personality calls `reset_display` at *RST."""

    _display_on = True
    _shown = ""

    def reset_display(self) -> None:
        """On, and without words."""
        self._display_on, self._shown = True, ""

    @command("DISPlay[:STATe]", Boolean())
    def set_display(self, on: bool) -> None:
        """The front panel."""
        self._display_on = on

    @query("DISPlay[:STATe]")
    def display(self) -> bool:
        """The front panel."""
        return self._display_on

    @command("DISPlay:TEXT[:DATA]", Text(longest=40))
    def set_text(self, text: str) -> None:
        """Words on the front panel."""
        self._shown = text

    @query("DISPlay:TEXT[:DATA]")
    def text(self) -> str:
        """Words on the front panel."""
        return quoted(self._shown)

    @command("DISPlay:TEXT:CLEar")
    def clear_text(self) -> None:
        """No words on the front panel."""
        self._shown = ""
