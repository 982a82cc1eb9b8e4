"""The 2400's commands for its source and its output."""

import math

import numpy as np

from simulators.instruments.given import for_each, same
from simulators.instruments.keithley_2400.settings import FACTS, MEMORY, SMALL_A, SMALL_V, Settings
from simulators.instruments.path import Array
from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.ranges import Range
from simulators.scpi import (
    Boolean,
    Choice,
    Integer,
    Number,
    Parameter,
    Rest,
    ScpiError,
    ScpiInstrument,
    command,
    query,
)

SOURCES = {"VOLT": Drive.VOLTS, "CURR": Drive.AMPS}
each = for_each({"VOLT": "[SOURce]:VOLTage", "CURR": "[SOURce]:CURRent"})


def _level(name: str) -> Parameter:
    largest = FACTS.source[SOURCES[name]].largest
    return Number("V" if name == "VOLT" else "A", -largest, largest, 0.0)


class SourceCommands(ScpiInstrument):
    """See the module."""

    settings: Settings

    def apply(self) -> None:
        """Let the output do what is set."""
        raise NotImplementedError

    def check_power(self) -> None:
        """Refuse what the output cannot deliver, with +826."""
        settings = self.settings
        level, limit = abs(settings.source.level), settings.senses["CURR"].limit
        if settings.function is Drive.AMPS:
            level, limit = settings.senses["VOLT"].limit, level
        if level > SMALL_V * (1.0 + 1e-9) and limit > SMALL_A * (1.0 + 1e-9):
            raise ScpiError(826, text="Attempt to exceed power limit")

    # Levels -----------------------------------------------------------------------------------------------

    @command("[SOURce]:FUNCtion[:MODE]", Choice("VOLTage", "CURRent"))
    def set_function(self, name: str) -> None:
        """What is sourced; the output goes off when it changes."""
        if self.settings.function is not SOURCES[name]:
            self.settings.output_on = False
            self.settings.function = SOURCES[name]
            self.apply()

    @query("[SOURce]:FUNCtion[:MODE]")
    def function(self) -> str:
        """What is sourced."""
        return self.settings.function.value

    @each(command, "[:LEVel][:IMMediate][:AMPLitude]", _level)
    def set_level(self, value: float, name: str) -> None:
        """The level, from now on; beyond a fixed range it is refused."""
        source, scale = self.settings.sources[SOURCES[name]], FACTS.source[SOURCES[name]]
        if not source.autorange and abs(value) > source.span.span * scale.overrange * (1.0 + 1e-9):
            raise ScpiError(-222)
        kept, source.level = source.level, value
        try:
            self.check_power()
        except ScpiError:
            source.level = kept
            raise
        source.triggered = value
        if source.autorange:
            source.span = scale.holding(value)
        self.apply()

    @each(query, "[:LEVel][:IMMediate][:AMPLitude]")
    def level(self, name: str) -> float:
        """The level."""
        return self.settings.sources[SOURCES[name]].level

    @each(command, "[:LEVel]:TRIGgered[:AMPLitude]", _level)
    def set_triggered(self, value: float, name: str) -> None:
        """The level that the next trigger brings."""
        self.settings.sources[SOURCES[name]].triggered = value

    @each(query, "[:LEVel]:TRIGgered[:AMPLitude]")
    def triggered(self, name: str) -> float:
        """The level that the next trigger brings."""
        return self.settings.sources[SOURCES[name]].triggered

    @each(command, "RANGe", _level)
    def set_range(self, value: float, name: str) -> None:
        """The smallest range that holds the value; a level beyond it comes down to its end."""
        source, scale = self.settings.sources[SOURCES[name]], FACTS.source[SOURCES[name]]
        source.span, source.autorange = scale.holding(value), False
        reach = source.span.span * scale.overrange
        source.level = source.triggered = min(max(source.level, -reach), reach)
        self.apply()

    @each(query, "RANGe")
    def range_of(self, name: str) -> float:
        """The end of the range."""
        return FACTS.source[SOURCES[name]].overrange * self.settings.sources[SOURCES[name]].span.span

    @each(command, "RANGe:AUTO", same(Boolean()))
    def set_autorange(self, on: bool, name: str) -> None:
        """Whether the level chooses the range."""
        source = self.settings.sources[SOURCES[name]]
        source.autorange = on
        if on:
            source.span = FACTS.source[SOURCES[name]].holding(source.level)
        self.apply()

    @each(query, "RANGe:AUTO")
    def autorange(self, name: str) -> bool:
        """Whether the level chooses the range."""
        return self.settings.sources[SOURCES[name]].autorange

    @command("[SOURce]:VOLTage:PROTection[:LEVel]", Number("V", -210.0, 210.0, 210.0))
    def set_protection(self, volts: float) -> None:
        """The most that the output may ever reach: the next of 20, 40, 60, 80, 100, 120, 160 V, or none."""
        steps = (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 160.0)
        self.settings.protection_V = next((step for step in steps if step >= abs(volts)), 210.0)
        self.apply()

    @query("[SOURce]:VOLTage:PROTection[:LEVel]")
    def protection(self) -> float:
        """The most that the output may ever reach."""
        return self.settings.protection_V

    @query("[SOURce]:VOLTage:PROTection:TRIPped")
    def protection_tripped(self) -> bool:
        """Whether the source asks for more than that."""
        settings = self.settings
        wanted = settings.source.level if settings.function is Drive.VOLTS else settings.senses["VOLT"].limit
        return settings.output_on and abs(wanted) > settings.protection_V

    @command("[SOURce]:DELay", Number("S", 0.0, 9999.999, 0.0))
    def set_delay(self, seconds: float) -> None:
        """From the source's setting to its measurement; the automatic delay goes off."""
        self.settings.delay_s, self.settings.auto_delay = seconds, False

    @query("[SOURce]:DELay")
    def delay(self) -> float:
        """From the source's setting to its measurement."""
        return self.settings.delay_s

    @command("[SOURce]:DELay:AUTO", Boolean())
    def set_auto_delay(self, on: bool) -> None:
        """Whether the instrument chooses the delay."""
        self.settings.auto_delay = on

    @query("[SOURce]:DELay:AUTO")
    def auto_delay(self) -> bool:
        """Whether the instrument chooses the delay."""
        return self.settings.auto_delay

    # Sweeps and lists -------------------------------------------------------------------------------------

    @each(command, "MODE", same(Choice("FIXed", "LIST", "SWEep")))
    def set_mode(self, mode: str, name: str) -> None:
        """A fixed level, a sweep, or a list."""
        self.settings.sources[SOURCES[name]].mode = mode

    @each(query, "MODE")
    def mode(self, name: str) -> str:
        """A fixed level, a sweep, or a list."""
        return self.settings.sources[SOURCES[name]].mode

    @each(command, "STARt", _level)
    def set_start(self, value: float, name: str) -> None:
        """Where a sweep starts."""
        self.settings.sources[SOURCES[name]].start = value

    @each(query, "STARt")
    def start(self, name: str) -> float:
        """Where a sweep starts."""
        return self.settings.sources[SOURCES[name]].start

    @each(command, "STOP", _level)
    def set_stop(self, value: float, name: str) -> None:
        """Where a sweep stops."""
        self.settings.sources[SOURCES[name]].stop = value

    @each(query, "STOP")
    def stop(self, name: str) -> float:
        """Where a sweep stops."""
        return self.settings.sources[SOURCES[name]].stop

    @each(command, "CENTer", _level)
    def set_center(self, value: float, name: str) -> None:
        """The middle of a sweep; its span stays."""
        source = self.settings.sources[SOURCES[name]]
        half = 0.5 * (source.stop - source.start)
        source.start, source.stop = value - half, value + half

    @each(query, "CENTer")
    def center(self, name: str) -> float:
        """The middle of a sweep."""
        source = self.settings.sources[SOURCES[name]]
        return 0.5 * (source.start + source.stop)

    @each(command, "SPAN", _level)
    def set_span(self, value: float, name: str) -> None:
        """From start to stop of a sweep; its middle stays."""
        middle, source = self.center(name), self.settings.sources[SOURCES[name]]
        source.start, source.stop = middle - 0.5 * value, middle + 0.5 * value

    @each(query, "SPAN")
    def span(self, name: str) -> float:
        """From start to stop of a sweep."""
        source = self.settings.sources[SOURCES[name]]
        return source.stop - source.start

    @each(command, "STEP", _level)
    def set_step(self, value: float, name: str) -> None:
        """The step of a linear sweep, which sets the number of its points."""
        steps = self.span(name) / value if value else math.inf
        if not 0.0 <= steps < MEMORY:
            raise ScpiError(-221)
        self.settings.sweep.points = max(int(steps + 1e-6) + 1, 2)

    @each(query, "STEP")
    def step(self, name: str) -> float:
        """The step of a linear sweep."""
        return self.span(name) / (self.settings.sweep.points - 1)

    @command("[SOURce]:SWEep:POINts", Integer(2, MEMORY, MEMORY))
    def set_points(self, count: int) -> None:
        """Points of a sweep, both ends included."""
        self.settings.sweep.points = count

    @query("[SOURce]:SWEep:POINts")
    def points(self) -> int:
        """Points of a sweep."""
        return self.settings.sweep.points

    @command("[SOURce]:SWEep:SPACing", Choice("LINear", "LOGarithmic"))
    def set_spacing(self, spacing: str) -> None:
        """Equal steps or equal ratios."""
        self.settings.sweep.logarithmic = spacing == "LOG"

    @query("[SOURce]:SWEep:SPACing")
    def spacing(self) -> str:
        """Equal steps or equal ratios."""
        return "LOG" if self.settings.sweep.logarithmic else "LIN"

    @command("[SOURce]:SWEep:DIRection", Choice("UP", "DOWn"))
    def set_direction(self, direction: str) -> None:
        """From start to stop or back."""
        self.settings.sweep.down = direction == "DOW"

    @query("[SOURce]:SWEep:DIRection")
    def direction(self) -> str:
        """From start to stop or back."""
        return "DOWN" if self.settings.sweep.down else "UP"

    @command("[SOURce]:SWEep:RANGing", Choice("BEST", "AUTO", "FIXed"))
    def set_ranging(self, ranging: str) -> None:
        """One range for the whole sweep, one for each point, or the present one."""
        self.settings.sweep.ranging = ranging

    @query("[SOURce]:SWEep:RANGing")
    def ranging(self) -> str:
        """How a sweep chooses its range."""
        return self.settings.sweep.ranging

    @command("[SOURce]:LIST:VOLTage", Rest(_level("VOLT"), least=1))
    def set_listed_volts(self, values: tuple[float, ...]) -> None:
        """The levels of a list."""
        self._set_listed(values, "VOLT")

    @command("[SOURce]:LIST:CURRent", Rest(_level("CURR"), least=1))
    def set_listed_amps(self, values: tuple[float, ...]) -> None:
        """The levels of a list."""
        self._set_listed(values, "CURR")

    def _set_listed(self, values: tuple[float, ...], name: str, before: int = 0) -> None:
        if len(values) + before > MEMORY:
            raise ScpiError(-223)
        source = self.settings.sources[SOURCES[name]]
        source.listed = np.concatenate((source.listed[:before], values))

    @command("[SOURce]:LIST:VOLTage:APPend", Rest(_level("VOLT"), least=1))
    def append_volts(self, values: tuple[float, ...]) -> None:
        """Further levels of a list."""
        self._set_listed(values, "VOLT", len(self.settings.sources[Drive.VOLTS].listed))

    @command("[SOURce]:LIST:CURRent:APPend", Rest(_level("CURR"), least=1))
    def append_amps(self, values: tuple[float, ...]) -> None:
        """Further levels of a list."""
        self._set_listed(values, "CURR", len(self.settings.sources[Drive.AMPS].listed))

    @query("[SOURce]:LIST:VOLTage")
    def listed_volts(self) -> Array:
        """The levels of a list."""
        return self.settings.sources[Drive.VOLTS].listed

    @query("[SOURce]:LIST:CURRent")
    def listed_amps(self) -> Array:
        """The levels of a list."""
        return self.settings.sources[Drive.AMPS].listed

    @query("[SOURce]:LIST:VOLTage:POINts")
    def count_listed_volts(self) -> int:
        """How many levels a list has."""
        return len(self.listed_volts())

    @query("[SOURce]:LIST:CURRent:POINts")
    def count_listed_amps(self) -> int:
        """How many levels a list has."""
        return len(self.listed_amps())

    def planned(self) -> list[tuple[float, Range]] | None:
        """Levels of the sweep or list that is set, with their ranges; None for a fixed level."""
        source, sweep = self.settings.source, self.settings.sweep
        scale = FACTS.source[self.settings.function]
        if source.mode == "FIX":
            return None
        levels = source.listed
        if source.mode == "SWE":
            ends = source.start, source.stop
            if sweep.logarithmic and (min(ends) <= 0.0 <= max(ends)):
                raise ScpiError(-221)
            spaced = np.geomspace if sweep.logarithmic else np.linspace
            levels = np.asarray(spaced(*ends, sweep.points))
            levels = levels[::-1] if sweep.down else levels
        largest = scale.holding(float(np.max(np.abs(levels))))
        spans = {"BEST": largest, "FIX": source.span}
        reach = source.span.span * scale.overrange if sweep.ranging == "FIX" else scale.largest
        return [
            (min(max(level, -reach), reach), spans.get(sweep.ranging) or scale.holding(level))
            for level in levels.tolist()
        ]

    # Output -----------------------------------------------------------------------------------------------

    @command("OUTPut[:STATe]", Boolean())
    def set_output(self, on: bool) -> None:
        """Switch the output."""
        self.settings.output_on = on
        self.apply()

    @query("OUTPut[:STATe]")
    def output(self) -> bool:
        """Whether the output is on."""
        return self.settings.output_on

    @command("[SOURce]:CLEar[:IMMediate]")
    def switch_off(self) -> None:
        """Switch the output off."""
        self.set_output(False)

    @command("[SOURce]:CLEar:AUTO", Boolean())
    def set_auto_off(self, on: bool) -> None:
        """Whether the output is on for measurements only."""
        self.settings.auto_off = on

    @query("[SOURce]:CLEar:AUTO")
    def auto_off(self) -> bool:
        """Whether the output is on for measurements only."""
        return self.settings.auto_off

    @command("OUTPut:SMODe", Choice("HIMPedance", "NORMal", "ZERO", "GUARd"))
    def set_off_mode(self, mode: str) -> None:
        """What the output is while it is off: open, 0 V with hardly a current, 0 V, or 0 A."""
        self.settings.off_mode = mode
        self.apply()

    @query("OUTPut:SMODe")
    def off_mode(self) -> str:
        """What the output is while it is off."""
        return self.settings.off_mode
