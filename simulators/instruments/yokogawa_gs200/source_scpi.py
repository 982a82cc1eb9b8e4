"""The GS200's commands for its output, its source and its BNC sockets."""

from collections.abc import Sequence
from typing import Any

from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.ranges import Range
from simulators.instruments.yokogawa_gs200.facts import FACTS, LIMITER, LIMITER_STEP, reach
from simulators.instruments.yokogawa_gs200.program import Program, Step
from simulators.instruments.yokogawa_gs200.source import Source
from simulators.scpi import (
    Boolean,
    Choice,
    Number,
    Parameter,
    ScpiError,
    ScpiInstrument,
    command,
    query,
)

_UNITS = {Drive.VOLTS: "V", Drive.AMPS: "A"}


class _Level(Parameter):
    """A level in the unit of the function, MINimum, MAXimum, or UP and DOWN by one digit."""

    def __init__(self) -> None:
        self._numbers = {
            drive: Number(unit, lambda device: -device.reach, lambda device: device.reach)
            for drive, unit in _UNITS.items()
        }

    def convert(self, token: str | bytes, instrument: Any, suffixes: Sequence[int]) -> float:
        """Read the level; beyond the range it is -222."""
        if isinstance(token, str) and token.upper() in ("UP", "DOWN"):
            digit = instrument.span.resolution
            token = repr(instrument.level + (digit if token.upper() == "UP" else -digit))
        return self._numbers[instrument.drive].convert(token, instrument, suffixes)


class _AutoLevel(_Level):
    """A level that chooses its range."""

    def __init__(self) -> None:
        largest = {drive: reach(drive, FACTS.source[drive].ranges[-1]) for drive in _UNITS}
        self._numbers = {
            drive: Number(unit, -largest[drive], largest[drive]) for drive, unit in _UNITS.items()
        }


class _Span(Parameter):
    """A range, by any value that it holds, MINimum, MAXimum, or UP and DOWN by one."""

    def __init__(self) -> None:
        self._numbers = {
            drive: Number(unit, FACTS.source[drive].ranges[0].span, FACTS.source[drive].ranges[-1].span)
            for drive, unit in _UNITS.items()
        }

    def convert(self, token: str | bytes, instrument: Any, suffixes: Sequence[int]) -> Range:
        """Read the range."""
        ranges = FACTS.source[instrument.drive].ranges
        if isinstance(token, str) and token.upper() in ("UP", "DOWN"):
            at = ranges.index(instrument.span) + (1 if token.upper() == "UP" else -1)
            return ranges[min(max(at, 0), len(ranges) - 1)]
        number = self._numbers[instrument.drive]
        if isinstance(token, str) and (known := number.keyword(token, instrument, suffixes)) is not None:
            return FACTS.source[instrument.drive].nominal(known)
        value = abs(Number(number.unit).convert(token, instrument, suffixes))
        if value > ranges[-1].span:
            raise ScpiError(-222, f"{value:g} is beyond every range")
        return FACTS.source[instrument.drive].nominal(value)


class SourceCommands(ScpiInstrument):
    """See the module. While a program is edited, the source's commands make its steps."""

    source: Source
    program: Program
    bnc_out: str
    bnc_in: str

    def resting(self) -> None:
        """Raise ScpiError while a program is running."""
        if self.program.running:
            raise ScpiError(-221, "a program is running")

    # What the source's parameters are read against: the source, or the step under edit ---------------------

    @property
    def drive(self) -> Drive:
        """The function that is set, or edited."""
        step = self.program.editing
        return self.source.drive if step is None else step.drive

    @property
    def span(self) -> Range:
        """The range that is set, or edited."""
        step = self.program.editing
        return self.source.span if step is None else FACTS.source[step.drive].nominal(step.span)

    @property
    def level(self) -> float:
        """The level that is set, or edited."""
        step = self.program.editing
        return self.source.level if step is None else step.level

    @property
    def reach(self) -> float:
        """The largest level on the range."""
        return reach(self.drive, self.span)

    # Output and source --------------------------------------------------------------------------------------

    @command("OUTPut[:STATe]", Boolean())
    def set_output(self, on: bool) -> None:
        """Close or open the relay."""
        self.source.switch(on)

    @query("OUTPut[:STATe]")
    def output(self) -> bool:
        """Whether the relay is closed."""
        return self.source.on

    @command("SOURce:FUNCtion", Choice("VOLTage", "CURRent"))
    def set_function(self, name: str) -> None:
        """What is sourced; a change switches the output off."""
        drive = Drive(name)
        if self.program.editing is not None:
            self.program.editing = Step(drive, FACTS.source[drive].ranges[0].span, 0.0)
        else:
            self.resting()
            self.source.set_function(drive)

    @query("SOURce:FUNCtion")
    def function(self) -> str:
        """What is sourced."""
        return self.drive.value

    @command("SOURce:RANGe", _Span())
    def set_range(self, span: Range) -> None:
        """The range."""
        if self.program.editing is not None:
            self.program.editing = self.program.editing._replace(span=span.span)
        else:
            self.resting()
            self.source.set_span(span.span)

    @query("SOURce:RANGe")
    def range(self) -> float:
        """The range."""
        return self.span.span

    @command("SOURce:LEVel[:FIXed]", _Level())
    def set_level(self, level: float) -> None:
        """The level, on the present range."""
        self._take(self.span, level)

    @command("SOURce:LEVel:AUTO", _AutoLevel())
    def set_level_and_range(self, level: float) -> None:
        """The level, on the smallest range that holds it."""
        ranges = FACTS.source[self.drive].ranges
        self._take(next(span for span in ranges if reach(self.drive, span) >= abs(level)), level)

    def _take(self, span: Range, level: float) -> None:
        if self.program.editing is not None:
            self.program.record(Step(self.drive, span.span, level))
            return
        self.resting()
        if span != self.span:
            self.source.set_span(span.span)
        self.source.go_to(level)

    @query("SOURce:LEVel[:FIXed]")
    def level_now(self) -> float:
        """The level, in the midst of a slope that of the present moment."""
        return self.level

    @command("SOURce:PROTection:VOLTage", Number("V", *LIMITER[Drive.VOLTS], LIMITER[Drive.VOLTS][1]))
    def set_voltage_limit(self, volts: float) -> None:
        """The limiter that counts while a current is sourced."""
        self._limit(Drive.VOLTS, volts)

    @query("SOURce:PROTection:VOLTage")
    def voltage_limit(self) -> float:
        """The limiter that counts while a current is sourced."""
        return self.source.limits[Drive.VOLTS]

    @command("SOURce:PROTection:CURRent", Number("A", *LIMITER[Drive.AMPS], LIMITER[Drive.AMPS][1]))
    def set_current_limit(self, amps: float) -> None:
        """The limiter that counts while a voltage is sourced."""
        self._limit(Drive.AMPS, amps)

    @query("SOURce:PROTection:CURRent")
    def current_limit(self) -> float:
        """The limiter that counts while a voltage is sourced."""
        return self.source.limits[Drive.AMPS]

    def _limit(self, drive: Drive, value: float) -> None:
        step = LIMITER_STEP[drive]
        self.source.set_limit(drive, round(value / step) * step)

    # Sockets ------------------------------------------------------------------------------------------------

    @command("ROUTe:BNCO", Choice("TRIGger", "OUTPut", "READy"))
    def set_bnc_out(self, name: str) -> None:
        """What the BNC output tells."""
        self.bnc_out = name

    @query("ROUTe:BNCO")
    def bnc_out_signal(self) -> str:
        """What the BNC output tells."""
        return self.bnc_out

    @command("ROUTe:BNCI", Choice("TRIGger", "OUTPut"))
    def set_bnc_in(self, name: str) -> None:
        """What the BNC input does."""
        self.bnc_in = name

    @query("ROUTe:BNCI")
    def bnc_in_signal(self) -> str:
        """What the BNC input does."""
        return self.bnc_in
