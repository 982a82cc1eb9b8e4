"""The 2450's commands for what is measured: functions, ranges, integration, filter, offsets."""

from simulators.instruments.given import for_each, same
from simulators.instruments.keithley_2450.settings import FACTS, SenseSettings
from simulators.instruments.keithley_2450.source_scpi import SOURCES, SourceCommands
from simulators.instruments.source_measure.ohms import OHMS
from simulators.instruments.source_measure.output import Drive
from simulators.scpi import (
    Boolean,
    Choice,
    Integer,
    Number,
    Parameter,
    ScpiError,
    Text,
    command,
    query,
    quoted,
)

WRITTEN = {"VOLT": "VOLT:DC", "CURR": "CURR:DC", "RES": "RES"}
_SCALES = {"VOLT": FACTS.meter[Drive.VOLTS], "CURR": FACTS.meter[Drive.AMPS], "RES": OHMS}
_UNITS = {"VOLT": "V", "CURR": "A", "RES": "OHM"}
_UNIT = Choice("VOLT", "AMP", "OHM", "WATT")
each = for_each({"VOLT": "[SENSe]:VOLTage[:DC]", "CURR": "[SENSe]:CURRent[:DC]", "RES": "[SENSe]:RESistance"})


def _span(name: str) -> Parameter:
    scale = _SCALES[name]
    return Number(_UNITS[name], -scale.largest, scale.largest, scale.ranges[0].span)


def _offset(name: str) -> Parameter:
    return Number(_UNITS[name], -_SCALES[name].largest, _SCALES[name].largest, 0.0)


class SenseCommands(SourceCommands):
    """See the module."""

    def sense(self, name: str) -> SenseSettings:
        """The settings of a function."""
        return self.settings.senses[name]

    def is_source(self, name: str) -> bool:
        """Whether a function is the one that is sourced, and so measured on the source's range."""
        return name in SOURCES and self.settings.function is SOURCES[name]

    @command("[SENSe]:FUNCtion[:ON]", Text(bare=True))
    def set_measured(self, name: str) -> None:
        """What is measured."""
        self.settings.measured = plain(name)
        self.apply()

    @query("[SENSe]:FUNCtion[:ON]")
    def measured(self) -> str:
        """What is measured."""
        return quoted(WRITTEN[self.settings.measured])

    @command("[SENSe]:COUNt", Integer(1, 300_000, 1))
    def set_count(self, count: int) -> None:
        """How many readings a measurement makes."""
        self.settings.count = count

    @query("[SENSe]:COUNt")
    def count(self) -> int:
        """How many readings a measurement makes."""
        return self.settings.count

    @each(command, "RANGe[:UPPer]", _span)
    def set_sense_range(self, value: float, name: str) -> None:
        """The smallest range that holds the value; what is sourced stays on the source's range."""
        self.sense(name).span, self.sense(name).autorange = _SCALES[name].nominal(value), False
        self.apply()

    @each(query, "RANGe[:UPPer]")
    def sense_range(self, name: str) -> float:
        """The range that is set, or was chosen last."""
        return self.sense(name).span.span

    @each(command, "RANGe:AUTO", same(Boolean()))
    def set_sense_autorange(self, on: bool, name: str) -> None:
        """Whether the measured value chooses the range."""
        self.sense(name).autorange = on
        self.apply()

    @each(query, "RANGe:AUTO")
    def sense_autorange(self, name: str) -> bool:
        """Whether the measured value chooses the range."""
        return self.sense(name).autorange

    @each(command, "NPLCycles", same(Number("", 0.01, 10.0, 1.0)))
    def set_line_cycles(self, count: float, name: str) -> None:
        """Integration in power-line cycles."""
        self.sense(name).line_cycles = count

    @each(query, "NPLCycles")
    def line_cycles(self, name: str) -> float:
        """Integration in power-line cycles."""
        return self.sense(name).line_cycles

    @each(command, "RSENse", same(Boolean()))
    def set_four_wire(self, on: bool, name: str) -> None:
        """Measure the voltage at the sense leads."""
        self.sense(name).four_wire = on

    @each(query, "RSENse")
    def four_wire(self, name: str) -> bool:
        """Whether the voltage is measured at the sense leads."""
        return self.sense(name).four_wire

    @each(command, "AZERo[:STATe]", same(Boolean()))
    def set_autozero(self, on: bool, name: str) -> None:
        """Whether zero is measured with every reading."""
        self.sense(name).autozero = on

    @each(query, "AZERo[:STATe]")
    def autozero(self, name: str) -> bool:
        """Whether zero is measured with every reading."""
        return self.sense(name).autozero

    @command("[SENSe]:AZERo:ONCE")
    def zero_once(self) -> None:
        """Measure zero once now."""

    @each(command, "AVERage[:STATe]", same(Boolean()))
    def set_filter(self, on: bool, name: str) -> None:
        """Whether readings are averaged."""
        self.sense(name).filter_on = on

    @each(query, "AVERage[:STATe]")
    def filter(self, name: str) -> bool:
        """Whether readings are averaged."""
        return self.sense(name).filter_on

    @each(command, "AVERage:COUNt", same(Integer(1, 100, 10)))
    def set_filter_count(self, count: int, name: str) -> None:
        """How many readings are averaged."""
        self.sense(name).filter_count = count

    @each(query, "AVERage:COUNt")
    def filter_count(self, name: str) -> int:
        """How many readings are averaged."""
        return self.sense(name).filter_count

    @each(command, "AVERage:TCONtrol", same(Choice("REPeat", "MOVing")))
    def set_filter_kind(self, kind: str, name: str) -> None:
        """Average fresh readings, or the last ones."""
        self.sense(name).filter_moves = kind == "MOV"

    @each(query, "AVERage:TCONtrol")
    def filter_kind(self, name: str) -> str:
        """Average fresh readings, or the last ones."""
        return "MOV" if self.sense(name).filter_moves else "REP"

    @each(command, "DELay:USER#", same(Number("S", 0.0, 10_000.0, 0.0)))
    def set_sense_delay(self, number: int, seconds: float, name: str) -> None:
        """A delay for trigger models."""
        self.sense(name).user_delays_s[number - 1] = seconds

    @each(query, "DELay:USER#")
    def sense_delay(self, number: int, name: str) -> float:
        """A delay for trigger models."""
        return self.sense(name).user_delays_s[number - 1]

    @each(command, "RELative", _offset)
    def set_relative(self, value: float, name: str) -> None:
        """What is taken off readings while it is on."""
        self.sense(name).relative = value

    @each(query, "RELative")
    def relative(self, name: str) -> float:
        """What is taken off readings while it is on."""
        return self.sense(name).relative

    @each(command, "RELative:STATe", same(Boolean()))
    def set_relative_on(self, on: bool, name: str) -> None:
        """Whether something is taken off readings."""
        self.sense(name).relative_on = on

    @each(query, "RELative:STATe")
    def relative_on(self, name: str) -> bool:
        """Whether something is taken off readings."""
        return self.sense(name).relative_on

    @each(command, "UNIT", same(_UNIT), of=("VOLT", "CURR"))
    def set_unit(self, unit: str, name: str) -> None:
        """What readings are shown as: the quantity itself, or the ohms or watts that follow from it."""
        if unit in ("VOLT", "AMP") and unit != {"VOLT": "VOLT", "CURR": "AMP"}[name]:
            raise ScpiError(-224)
        self.sense(name).unit = unit

    @each(query, "UNIT", of=("VOLT", "CURR"))
    def unit_of(self, name: str) -> str:
        """What readings are shown as."""
        return self.sense(name).unit

    @command("[SENSe]:RESistance:OCOMpensated", Boolean())
    def set_offset_compensated(self, on: bool) -> None:
        """Offset compensation; loads here have no thermal voltages."""
        self.sense("RES").offset_compensated = on

    @query("[SENSe]:RESistance:OCOMpensated")
    def offset_compensated(self) -> bool:
        """Offset compensation."""
        return self.sense("RES").offset_compensated


def plain(name: str) -> str:
    """A function's short name from any way to write it; raises ScpiError -224 for none."""
    short = name.upper().removesuffix(":DC").replace("VOLTAGE", "VOLT").replace("CURRENT", "CURR")
    short = short.replace("RESISTANCE", "RES")
    if short not in WRITTEN:
        raise ScpiError(-224)
    return short
