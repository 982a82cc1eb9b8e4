"""The B2962A's commands for its outputs and sources."""

from collections.abc import Sequence

from simulators.instruments.given import for_each
from simulators.instruments.keysight_b2962a.channel import Channel, Mode, QuantitySettings
from simulators.instruments.keysight_b2962a.facts import FACTS, LARGEST
from simulators.instruments.source_measure.output import Drive
from simulators.scpi import (
    Boolean,
    Choice,
    Integer,
    Number,
    Rest,
    ScpiError,
    ScpiInstrument,
    command,
    query,
)

MOST_POINTS = 100_000
_UNITS = {"VOLT": "V", "CURR": "A"}

each = for_each({"VOLT": "[SOURce#]:VOLTage", "CURR": "[SOURce#]:CURRent"})
each_list = for_each({"VOLT": "[SOURce#]:LIST:VOLTage", "CURR": "[SOURce#]:LIST:CURRent"})


def _level(name: str) -> Number:
    largest = LARGEST[Drive(name)]
    return Number(_UNITS[name], -largest, largest, 0.0)


def _span(name: str) -> Number:
    drive = Drive(name)
    return Number(_UNITS[name], 0.0, LARGEST[drive], FACTS.source[drive].ranges[0].span)


def _switch(name: str) -> Boolean:
    return Boolean()


def _mode(name: str) -> Choice:
    return Choice("FIXed", "SWEep", "LIST")


def _points(name: str) -> Integer:
    return Integer(1, MOST_POINTS, 1)


class SourceCommands(ScpiInstrument):
    """See the module."""

    def channel(self, number: int) -> Channel:
        """One channel, from 1."""
        raise NotImplementedError

    def _quantity(self, number: int, name: str) -> QuantitySettings:
        return self.channel(number).settings.quantities[Drive(name)]

    # Output -------------------------------------------------------------------------------------------------

    @command("OUTPut#[:STATe]", Boolean())
    def set_output(self, number: int, on: bool) -> None:
        """Switch the output."""
        self.channel(number).switch(on)

    @query("OUTPut#[:STATe]")
    def output(self, number: int) -> bool:
        """Whether the output is on."""
        return self.channel(number).settings.on

    @command("OUTPut#:OFF:MODE", Choice("NORMal", "HIZ", "ZERO"))
    def set_off_mode(self, number: int, mode: str) -> None:
        """What the output does when it is off."""
        self.channel(number).settings.off_mode = mode
        self.channel(number).apply()

    @query("OUTPut#:OFF:MODE")
    def off_mode(self, number: int) -> str:
        """What the output does when it is off."""
        return self.channel(number).settings.off_mode

    @command("OUTPut#:OFF:AUTO", Boolean())
    def set_automatic_off(self, number: int, on: bool) -> None:
        """Whether the output goes off after a run."""
        self.channel(number).settings.switches_off = on

    @query("OUTPut#:OFF:AUTO")
    def automatic_off(self, number: int) -> bool:
        """Whether the output goes off after a run."""
        return self.channel(number).settings.switches_off

    @command("OUTPut#:ON:AUTO", Boolean())
    def set_automatic_on(self, number: int, on: bool) -> None:
        """Whether a run switches the output on."""
        self.channel(number).settings.switches_on = on

    @query("OUTPut#:ON:AUTO")
    def automatic_on(self, number: int) -> bool:
        """Whether a run switches the output on."""
        return self.channel(number).settings.switches_on

    @command("OUTPut#:PROTection[:STATe]", Boolean())
    def set_protection(self, number: int, on: bool) -> None:
        """Whether the output goes off when it meets its limit."""
        self.channel(number).settings.protected = on
        self.channel(number).apply()

    @query("OUTPut#:PROTection[:STATe]")
    def protection(self, number: int) -> bool:
        """Whether the output goes off when it meets its limit."""
        return self.channel(number).settings.protected

    @command("OUTPut#:LOW", Choice("FLOat", "GROund"))
    def set_low_terminal(self, number: int, where: str) -> None:
        """Whether the low terminal is grounded; here it always is."""
        if self.channel(number).settings.on:
            raise ScpiError(-221, "the output is on")
        self.channel(number).settings.low = where

    @query("OUTPut#:LOW")
    def low_terminal(self, number: int) -> str:
        """Whether the low terminal is grounded."""
        return self.channel(number).settings.low

    # Source -------------------------------------------------------------------------------------------------

    @command("[SOURce#]:FUNCtion:MODE", Choice("VOLTage", "CURRent"))
    def set_function(self, number: int, name: str) -> None:
        """What is sourced."""
        self.channel(number).set_drive(Drive(name))

    @query("[SOURce#]:FUNCtion:MODE")
    def function(self, number: int) -> str:
        """What is sourced."""
        return self.channel(number).settings.drive.value

    @command("[SOURce#]:FUNCtion:TRIGgered:CONTinuous", Boolean())
    def set_continuous(self, number: int, on: bool) -> None:
        """Whether the last step of a run stays."""
        self.channel(number).settings.holds_last = on

    @query("[SOURce#]:FUNCtion:TRIGgered:CONTinuous")
    def continuous(self, number: int) -> bool:
        """Whether the last step of a run stays."""
        return self.channel(number).settings.holds_last

    @each(command, "[LEVel][:IMMediate][:AMPLitude]", _level)
    def set_level(self, number: int, level: float, name: str) -> None:
        """The level."""
        self.channel(number).set_level(Drive(name), level)

    @each(query, "[LEVel][:IMMediate][:AMPLitude]")
    def level(self, number: int, name: str) -> float:
        """The level."""
        return self._quantity(number, name).level

    @each(command, "RANGe", _span)
    def set_range(self, number: int, value: float, name: str) -> None:
        """The smallest range that holds a value; automatic ranging goes off."""
        self.channel(number).set_span(Drive(name), value)

    @each(query, "RANGe")
    def range(self, number: int, name: str) -> float:
        """The range."""
        return self._quantity(number, name).span.span

    @each(command, "RANGe:AUTO", _switch)
    def set_automatic_range(self, number: int, on: bool, name: str) -> None:
        """Whether the range follows the level."""
        self.channel(number).set_automatic(Drive(name), on)

    @each(query, "RANGe:AUTO")
    def automatic_range(self, number: int, name: str) -> bool:
        """Whether the range follows the level."""
        return self._quantity(number, name).automatic

    @each(command, "RANGe:AUTO:LLIMit", _span)
    def set_lowest_range(self, number: int, value: float, name: str) -> None:
        """The smallest range that automatic ranging takes."""
        quantity = self._quantity(number, name)
        quantity.lowest = FACTS.source[Drive(name)].nominal(value)
        self.channel(number).set_automatic(Drive(name), quantity.automatic)

    @each(query, "RANGe:AUTO:LLIMit")
    def lowest_range(self, number: int, name: str) -> float:
        """The smallest range that automatic ranging takes."""
        return self._quantity(number, name).lowest.span

    # Sweeps and lists ---------------------------------------------------------------------------------------

    @each(command, "MODE", _mode)
    def set_mode(self, number: int, mode: Mode, name: str) -> None:
        """What a run does with the source."""
        self._quantity(number, name).mode = mode

    @each(query, "MODE")
    def mode(self, number: int, name: str) -> str:
        """What a run does with the source."""
        return self._quantity(number, name).mode

    @each(command, "STARt", _level)
    def set_start(self, number: int, level: float, name: str) -> None:
        """Where a sweep begins."""
        self._quantity(number, name).start = level

    @each(query, "STARt")
    def start(self, number: int, name: str) -> float:
        """Where a sweep begins."""
        return self._quantity(number, name).start

    @each(command, "STOP", _level)
    def set_stop(self, number: int, level: float, name: str) -> None:
        """Where a sweep ends."""
        self._quantity(number, name).stop = level

    @each(query, "STOP")
    def stop(self, number: int, name: str) -> float:
        """Where a sweep ends."""
        return self._quantity(number, name).stop

    @each(command, "POINts", _points)
    def set_points(self, number: int, count: int, name: str) -> None:
        """How many steps a sweep has."""
        self._quantity(number, name).points = count

    @each(query, "POINts")
    def points(self, number: int, name: str) -> int:
        """How many steps a sweep has."""
        return self._quantity(number, name).points

    def _list(self, number: int, name: str, levels: Sequence[float]) -> None:
        if len(levels) > MOST_POINTS:
            raise ScpiError(-223, f"a list has at most {MOST_POINTS} values")
        self._quantity(number, name).listed = tuple(levels)

    @command("[SOURce#]:LIST:VOLTage", Rest(_level("VOLT"), least=1))
    def set_voltage_list(self, number: int, levels: Sequence[float]) -> None:
        """The steps of a list."""
        self._list(number, "VOLT", levels)

    @command("[SOURce#]:LIST:CURRent", Rest(_level("CURR"), least=1))
    def set_current_list(self, number: int, levels: Sequence[float]) -> None:
        """The steps of a list."""
        self._list(number, "CURR", levels)

    @command("[SOURce#]:LIST:VOLTage:APPend", Rest(_level("VOLT"), least=1))
    def append_voltages(self, number: int, levels: Sequence[float]) -> None:
        """Further steps of a list."""
        self._list(number, "VOLT", (*self._quantity(number, "VOLT").listed, *levels))

    @command("[SOURce#]:LIST:CURRent:APPend", Rest(_level("CURR"), least=1))
    def append_currents(self, number: int, levels: Sequence[float]) -> None:
        """Further steps of a list."""
        self._list(number, "CURR", (*self._quantity(number, "CURR").listed, *levels))

    @each_list(query, "")
    def listed(self, number: int, name: str) -> Sequence[float]:
        """The steps of a list."""
        return self._quantity(number, name).listed

    @each_list(query, "POINts")
    def list_points(self, number: int, name: str) -> int:
        """How many steps a list has."""
        return len(self._quantity(number, name).listed)
