"""The 2400's commands for what is measured: functions, ranges, compliance, integration, filter."""

from simulators.instruments.given import for_each, same
from simulators.instruments.keithley_2400.settings import FACTS, LEAST_LIMIT, Settings
from simulators.instruments.keithley_2400.source_scpi import SOURCES, SourceCommands
from simulators.instruments.source_measure.ohms import OHMS
from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.ranges import Range, Scale
from simulators.scpi import (
    Boolean,
    Choice,
    Integer,
    Number,
    Parameter,
    Rest,
    ScpiError,
    Text,
    command,
    query,
    quoted,
)

_WRITTEN = {"VOLT": "VOLT:DC", "CURR": "CURR:DC", "RES": "RES"}
_SCALES = {"VOLT": FACTS.meter[Drive.VOLTS], "CURR": FACTS.meter[Drive.AMPS], "RES": OHMS}
_UNITS = {"VOLT": "V", "CURR": "A", "RES": "OHM"}
_LIMITED = ("VOLT", "CURR")
each = for_each({"VOLT": "[SENSe]:VOLTage[:DC]", "CURR": "[SENSe]:CURRent[:DC]", "RES": "[SENSe]:RESistance"})


def _span(name: str) -> Parameter:
    least = 0.0 if name == "RES" else -_SCALES[name].largest
    return Number(_UNITS[name], least, _SCALES[name].largest, _SCALES[name].ranges[2].span)


def _limit(name: str) -> Parameter:
    return Number(
        _UNITS[name], -_SCALES[name].largest, _SCALES[name].largest, {"VOLT": 21.0}.get(name, 1.05e-4)
    )


class SenseCommands(SourceCommands):
    """See the module."""

    settings: Settings

    def is_source(self, name: str) -> bool:
        """Whether a function is the one that is sourced, and so measured on the source's range."""
        return name in SOURCES and self.settings.function is SOURCES[name]

    def scale(self, name: str) -> Scale:
        """The ranges of a function."""
        return _SCALES[name]

    def span_of(self, name: str) -> Range:
        """The range that a function is on."""
        if not self.is_source(name):
            return self.settings.senses[name].span
        return _SCALES[name].nominal(self.settings.source.span.span)

    def limit_of(self, name: str) -> float:
        """The compliance in force: no more than a fixed measuring range holds."""
        sense, scale = self.settings.senses[name], _SCALES[name]
        return sense.limit if sense.autorange else min(sense.limit, sense.span.span * scale.overrange)

    # Functions --------------------------------------------------------------------------------------------

    @command("[SENSe]:FUNCtion[:ON]", Rest(Text(bare=True), least=1))
    def set_measured(self, names: tuple[str, ...]) -> None:
        """Measure these functions too, if they are measured concurrently; else only the last one."""
        wanted = [_plain(name) for name in names]
        kept = self.settings.measured if self.settings.concurrent else ()
        wanted = wanted if self.settings.concurrent else wanted[-1:]
        self.settings.measured = tuple(name for name in _WRITTEN if name in (*kept, *wanted))
        self.apply()

    @query("[SENSe]:FUNCtion[:ON]")
    def measured(self) -> str:
        """What is measured."""
        return ",".join(quoted(_WRITTEN[name]) for name in self.settings.measured)

    @query("[SENSe]:FUNCtion[:ON]:COUNt")
    def count_measured(self) -> int:
        """How many functions are measured."""
        return len(self.settings.measured)

    @command("[SENSe]:FUNCtion[:ON]:ALL")
    def measure_all(self) -> None:
        """Measure everything."""
        self.settings.measured = tuple(_WRITTEN) if self.settings.concurrent else ("RES",)
        self.apply()

    @command("[SENSe]:FUNCtion:OFF", Rest(Text(bare=True), least=1))
    def set_not_measured(self, names: tuple[str, ...]) -> None:
        """Measure these functions no longer."""
        unwanted = [_plain(name) for name in names]
        self.settings.measured = tuple(name for name in self.settings.measured if name not in unwanted)
        self.apply()

    @query("[SENSe]:FUNCtion:OFF")
    def not_measured(self) -> str:
        """What is not measured."""
        return ",".join(quoted(_WRITTEN[name]) for name in _WRITTEN if name not in self.settings.measured)

    @query("[SENSe]:FUNCtion:OFF:COUNt")
    def count_not_measured(self) -> int:
        """How many functions are not measured."""
        return len(_WRITTEN) - len(self.settings.measured)

    @command("[SENSe]:FUNCtion:OFF:ALL")
    def measure_nothing(self) -> None:
        """Measure nothing."""
        self.settings.measured = ()
        self.apply()

    @query("[SENSe]:FUNCtion:STATe", Text(bare=True))
    def is_measured(self, name: str) -> bool:
        """Whether a function is measured."""
        return _plain(name) in self.settings.measured

    @command("[SENSe]:FUNCtion:CONCurrent", Boolean())
    def set_concurrent(self, on: bool) -> None:
        """Whether several functions are measured at once."""
        self.settings.concurrent = on
        if not on and len(self.settings.measured) > 1:
            self.settings.measured = ("VOLT",)
            self.apply()

    @query("[SENSe]:FUNCtion:CONCurrent")
    def concurrent(self) -> bool:
        """Whether several functions are measured at once."""
        return self.settings.concurrent

    # Ranges and compliance --------------------------------------------------------------------------------

    @each(command, "RANGe[:UPPer]", _span)
    def set_sense_range(self, value: float, name: str) -> None:
        """The smallest range that holds the value; it may not exceed the compliance's."""
        if self.is_source(name):
            raise ScpiError(823, text="Invalid with source read-back on")
        sense, wanted = self.settings.senses[name], _SCALES[name].holding(value)
        if name in _LIMITED and wanted.span > _SCALES[name].holding(sense.limit).span:
            raise ScpiError(824, text="Cannot exceed compliance range")
        sense.span, sense.autorange = wanted, False
        self.apply()

    @each(query, "RANGe[:UPPer]")
    def sense_range(self, name: str) -> float:
        """The end of the range; that of the source for what is sourced."""
        return self.span_of(name).span * _SCALES[name].overrange

    @each(command, "RANGe:AUTO", same(Boolean()))
    def set_sense_autorange(self, on: bool, name: str) -> None:
        """Whether the measured value chooses the range."""
        self.settings.senses[name].autorange = on
        self.apply()

    @each(query, "RANGe:AUTO")
    def sense_autorange(self, name: str) -> bool:
        """Whether the measured value chooses the range."""
        return self.settings.senses[name].autorange

    @each(command, "PROTection[:LEVel]", _limit, of=_LIMITED)
    def set_limit(self, value: float, name: str) -> None:
        """The compliance; a fixed range that is much larger refuses it."""
        sense, value = self.settings.senses[name], abs(value)
        least = _SCALES[name].ranges[0] if sense.autorange else sense.span
        if value < LEAST_LIMIT * least.span * (1.0 - 1e-9):
            raise ScpiError(822, text="Too small for sense range")
        kept, sense.limit = sense.limit, value
        try:
            self.check_power()
        except ScpiError:
            sense.limit = kept
            raise
        if sense.autorange and not self.is_source(name):
            sense.span = _SCALES[name].holding(value)
        self.apply()

    @each(query, "PROTection[:LEVel]", of=_LIMITED)
    def limit(self, name: str) -> float:
        """The compliance."""
        return self.settings.senses[name].limit

    @each(query, "PROTection:TRIPped", of=_LIMITED)
    def limit_tripped(self, name: str) -> bool:
        """Whether the output is in compliance now."""
        return not self.is_source(name) and self.in_compliance()

    def in_compliance(self) -> bool:
        """Whether the output is in compliance now."""
        raise NotImplementedError

    # Integration and filter -------------------------------------------------------------------------------

    @each(command, "NPLCycles", same(Number("", 0.01, 10.0, 1.0)))
    def set_line_cycles(self, count: float, name: str) -> None:
        """Integration in power-line cycles, of all functions."""
        self.settings.line_cycles = count

    @each(query, "NPLCycles")
    def line_cycles(self, name: str) -> float:
        """Integration in power-line cycles."""
        return self.settings.line_cycles

    @command("[SENSe]:AVERage[:STATe]", Boolean())
    def set_filter(self, on: bool) -> None:
        """Whether readings are averaged."""
        self.settings.filter_on = on

    @query("[SENSe]:AVERage[:STATe]")
    def filter(self) -> bool:
        """Whether readings are averaged."""
        return self.settings.filter_on

    @command("[SENSe]:AVERage:COUNt", Integer(1, 100, 10))
    def set_filter_count(self, count: int) -> None:
        """How many readings are averaged."""
        self.settings.filter_count = count

    @query("[SENSe]:AVERage:COUNt")
    def filter_count(self) -> int:
        """How many readings are averaged."""
        return self.settings.filter_count

    @command("[SENSe]:AVERage:TCONtrol", Choice("REPeat", "MOVing"))
    def set_filter_kind(self, kind: str) -> None:
        """Average fresh readings, or the last ones."""
        self.settings.filter_moves = kind == "MOV"

    @query("[SENSe]:AVERage:TCONtrol")
    def filter_kind(self) -> str:
        """Average fresh readings, or the last ones."""
        return "MOV" if self.settings.filter_moves else "REP"

    # Resistance -------------------------------------------------------------------------------------------

    @command("[SENSe]:RESistance:MODE", Choice("AUTO", "MANual"))
    def set_ohms_mode(self, mode: str) -> None:
        """Whether a resistance measurement takes over the source."""
        self.settings.automatic_ohms = mode == "AUTO"
        self.apply()

    @query("[SENSe]:RESistance:MODE")
    def ohms_mode(self) -> str:
        """Whether a resistance measurement takes over the source."""
        return "AUTO" if self.settings.automatic_ohms else "MAN"

    @command("[SENSe]:RESistance:OCOMpensated", Boolean())
    def set_offset_compensated(self, on: bool) -> None:
        """Offset compensation; loads here have no thermal voltages."""
        self.settings.offset_compensated = on

    @query("[SENSe]:RESistance:OCOMpensated")
    def offset_compensated(self) -> bool:
        """Offset compensation."""
        return self.settings.offset_compensated


def _plain(name: str) -> str:
    plain = name.upper().removesuffix(":DC").replace("VOLTAGE", "VOLT").replace("CURRENT", "CURR")
    plain = plain.replace("RESISTANCE", "RES")
    if plain not in _WRITTEN:
        raise ScpiError(-224)
    return plain
