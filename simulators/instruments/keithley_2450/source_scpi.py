"""The 2450's commands for its source and its output."""

import numpy as np

from simulators.instruments.given import for_each, same
from simulators.instruments.keithley_2450.settings import (
    FACTS,
    PROTECTIONS,
    SMALL_A,
    SMALL_V,
    USER_DELAYS,
    Settings,
    SourceSettings,
)
from simulators.instruments.path import Array
from simulators.instruments.source_measure.output import Drive
from simulators.scpi import (
    Boolean,
    Choice,
    Number,
    Parameter,
    Rest,
    ScpiError,
    ScpiInstrument,
    command,
    query,
)

SOURCES = {"VOLT": Drive.VOLTS, "CURR": Drive.AMPS}
_MOST_LISTED = 2500
_DELAY = Number("S", 0.0, 10_000.0, 0.0)
_OFF_MODE = Choice("NORMal", "HIMPedance", "ZERO", "GUARd")
_PROTECTION = Choice("NONE", *(f"PROT{volts}" for volts in PROTECTIONS))
each = for_each({"VOLT": "SOURce:VOLTage", "CURR": "SOURce:CURRent"})
each_limit = for_each({"VOLT": "SOURce:VOLTage:ILIMit", "CURR": "SOURce:CURRent:VLIMit"})
each_output = for_each({"VOLT": "OUTPut:VOLTage", "CURR": "OUTPut:CURRent"})
each_list = for_each({"VOLT": "SOURce:LIST:VOLTage", "CURR": "SOURce:LIST:CURRent"})


def _level(name: str) -> Parameter:
    largest = FACTS.source[SOURCES[name]].largest
    return Number("V" if name == "VOLT" else "A", -largest, largest, 0.0)


def _span(name: str) -> Parameter:
    scale = FACTS.source[SOURCES[name]]
    return Number("V" if name == "VOLT" else "A", -scale.largest, scale.largest, scale.ranges[0].span)


def _limit(name: str) -> Parameter:
    return Number("A", 1e-9, 1.05, 1.05e-4) if name == "VOLT" else Number("V", 0.02, 210.0, 21.0)


class SourceCommands(ScpiInstrument):
    """See the module."""

    suffix_limits = {"USER": USER_DELAYS}  # noqa: RUF012
    settings: Settings

    def apply(self) -> None:
        """Let the output do what is set."""
        raise NotImplementedError

    def in_compliance(self) -> bool:
        """Whether the output is in compliance now."""
        raise NotImplementedError

    def _of(self, name: str) -> SourceSettings:
        return self.settings.sources[SOURCES[name]]

    def _check_power(self, name: str, level: float, limit: float) -> None:
        """Refuse what the output cannot deliver."""
        volts, amps = (abs(level), limit) if name == "VOLT" else (limit, abs(level))
        if volts > SMALL_V * (1.0 + 1e-9) and amps > SMALL_A * (1.0 + 1e-9):
            raise ScpiError(-221)

    @command("SOURce:FUNCtion[:MODE]", Choice("VOLTage", "CURRent"))
    def set_function(self, name: str) -> None:
        """What is sourced; the output goes off when it changes."""
        if self.settings.function is not SOURCES[name]:
            self.settings.output_on = False
            self.settings.function = SOURCES[name]
            self.apply()

    @query("SOURce:FUNCtion[:MODE]")
    def function(self) -> str:
        """What is sourced."""
        return self.settings.function.value

    @each(command, "[:LEVel][:IMMediate][:AMPLitude]", _level)
    def set_level(self, value: float, name: str) -> None:
        """The level, from now on; beyond a fixed range it is refused."""
        source, scale = self._of(name), FACTS.source[SOURCES[name]]
        if not source.autorange and abs(value) > source.span.span * scale.overrange * (1.0 + 1e-9):
            raise ScpiError(-222)
        self._check_power(name, value, source.limit)
        source.level = value
        if source.autorange:
            source.span = scale.holding(value)
        self.apply()

    @each(query, "[:LEVel][:IMMediate][:AMPLitude]")
    def level(self, name: str) -> float:
        """The level."""
        return self._of(name).level

    @each(command, "RANGe", _span)
    def set_range(self, value: float, name: str) -> None:
        """The smallest range that holds the value; a level beyond it comes down to its end."""
        source, scale = self._of(name), FACTS.source[SOURCES[name]]
        source.span, source.autorange = scale.nominal(value), False
        reach = source.span.span * scale.overrange
        source.level = min(max(source.level, -reach), reach)
        self.apply()

    @each(query, "RANGe")
    def range_of(self, name: str) -> float:
        """The range."""
        return self._of(name).span.span

    @each(command, "RANGe:AUTO", same(Boolean()))
    def set_autorange(self, on: bool, name: str) -> None:
        """Whether the level chooses the range."""
        source = self._of(name)
        source.autorange = on
        if on:
            source.span = FACTS.source[SOURCES[name]].holding(source.level)
        self.apply()

    @each(query, "RANGe:AUTO")
    def autorange(self, name: str) -> bool:
        """Whether the level chooses the range."""
        return self._of(name).autorange

    @each_limit(command, "[:LEVel]", _limit)
    def set_limit(self, value: float, name: str) -> None:
        """The limit of the other quantity."""
        self._check_power(name, self._of(name).level, value)
        self._of(name).limit = value
        self.apply()

    @each_limit(query, "[:LEVel]")
    def limit(self, name: str) -> float:
        """The limit of the other quantity."""
        return self._of(name).limit

    @each_limit(query, "[:LEVel]:TRIPped")
    def limit_tripped(self, name: str) -> bool:
        """Whether the output is held by that limit now."""
        return self.settings.function is SOURCES[name] and self.in_compliance()

    @each(command, "PROTection[:LEVel]", same(_PROTECTION))
    def set_protection(self, level: str, name: str) -> None:
        """The most volts that the output may ever reach."""
        self._of(name).protection = level
        self.apply()

    @each(query, "PROTection[:LEVel]")
    def protection(self, name: str) -> str:
        """The most volts that the output may ever reach."""
        return self._of(name).protection

    @each(query, "PROTection[:LEVel]:TRIPped")
    def protection_tripped(self, name: str) -> bool:
        """Whether the source asks for more than that."""
        source, settings = self._of(name), self.settings
        wanted = source.level if name == "VOLT" else source.limit
        active = settings.output_on and settings.function is SOURCES[name]
        return active and abs(wanted) > self.protected_V(source)

    @staticmethod
    def protected_V(source: SourceSettings) -> float:
        """The most volts that a source function lets the output reach."""
        return 210.0 if source.protection == "NONE" else float(source.protection.removeprefix("PROT"))

    # Delays, details --------------------------------------------------------------------------------------

    @each(command, "DELay", same(_DELAY))
    def set_delay(self, seconds: float, name: str) -> None:
        """From a new level to its measurement; the automatic delay goes off."""
        self._of(name).delay_s, self._of(name).auto_delay = seconds, False

    @each(query, "DELay")
    def delay(self, name: str) -> float:
        """From a new level to its measurement."""
        return self._of(name).delay_s

    @each(command, "DELay:AUTO", same(Boolean()))
    def set_auto_delay(self, on: bool, name: str) -> None:
        """Whether the instrument chooses the delay."""
        self._of(name).auto_delay = on

    @each(query, "DELay:AUTO")
    def auto_delay(self, name: str) -> bool:
        """Whether the instrument chooses the delay."""
        return self._of(name).auto_delay

    @each(command, "DELay:USER#", same(_DELAY))
    def set_user_delay(self, number: int, seconds: float, name: str) -> None:
        """A delay for trigger models."""
        self._of(name).user_delays_s[number - 1] = seconds

    @each(query, "DELay:USER#")
    def user_delay(self, number: int, name: str) -> float:
        """A delay for trigger models."""
        return self._of(name).user_delays_s[number - 1]

    @each(command, "READ:BACK", same(Boolean()))
    def set_read_back(self, on: bool, name: str) -> None:
        """Whether readings come with the source's measured value, or with its setting."""
        self._of(name).read_back = on

    @each(query, "READ:BACK")
    def read_back(self, name: str) -> bool:
        """Whether readings come with the source's measured value, or with its setting."""
        return self._of(name).read_back

    @each(command, "HIGH:CAPacitance", same(Boolean()))
    def set_high_capacitance(self, on: bool, name: str) -> None:
        """Stability on capacitive loads, of which there are none here."""
        self._of(name).high_capacitance = on

    @each(query, "HIGH:CAPacitance")
    def high_capacitance(self, name: str) -> bool:
        """Stability on capacitive loads."""
        return self._of(name).high_capacitance

    # Lists ------------------------------------------------------------------------------------------------

    @command("SOURce:LIST:VOLTage", Rest(_level("VOLT"), least=1))
    def set_listed_volts(self, values: tuple[float, ...]) -> None:
        """The levels of a list."""
        self._list("VOLT", np.empty(0), values)

    @command("SOURce:LIST:CURRent", Rest(_level("CURR"), least=1))
    def set_listed_amps(self, values: tuple[float, ...]) -> None:
        """The levels of a list."""
        self._list("CURR", np.empty(0), values)

    @command("SOURce:LIST:VOLTage:APPend", Rest(_level("VOLT"), least=1))
    def append_volts(self, values: tuple[float, ...]) -> None:
        """Further levels of a list."""
        self._list("VOLT", self._of("VOLT").listed, values)

    @command("SOURce:LIST:CURRent:APPend", Rest(_level("CURR"), least=1))
    def append_amps(self, values: tuple[float, ...]) -> None:
        """Further levels of a list."""
        self._list("CURR", self._of("CURR").listed, values)

    def _list(self, name: str, before: Array, values: tuple[float, ...]) -> None:
        if len(before) + len(values) > _MOST_LISTED:
            raise ScpiError(-223)
        self._of(name).listed = np.concatenate((before, values))

    @each_list(query, "")
    def listed(self, name: str) -> Array:
        """The levels of a list."""
        return self._of(name).listed

    @each_list(query, "POINts")
    def count_listed(self, name: str) -> int:
        """How many levels a list has."""
        return len(self._of(name).listed)

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

    @each_output(command, "SMODe", same(_OFF_MODE))
    def set_off_mode(self, mode: str, name: str) -> None:
        """What the output is while it is off: 0 V with little current, open, 0 V, or 0 A."""
        self._of(name).off_mode = mode
        self.apply()

    @each_output(query, "SMODe")
    def off_mode(self, name: str) -> str:
        """What the output is while it is off."""
        return self._of(name).off_mode

    @query("OUTPut:INTerlock:TRIPped")
    def interlock(self) -> bool:
        """Whether the interlock allows more than 42 V; it does."""
        return True
