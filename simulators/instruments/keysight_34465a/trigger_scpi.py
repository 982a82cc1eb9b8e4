"""The 34465A's commands for triggers and samples."""

from collections.abc import Sequence
from typing import Any

from simulators.instruments.keysight_34465a.settings import Settings
from simulators.scpi import Boolean, Choice, Integer, Number, Optional, ScpiInstrument, command, query

MEMORY = 2_000_000
"""Readings, with the MEM option."""
_LIMIT = Choice("MINimum", "MAXimum", "DEFault")


class _TriggerCount(Number):
    """A count, or INFinity beyond all bounds."""

    def convert(self, token: str | bytes, instrument: Any, suffixes: Sequence[int]) -> float:
        """Read the count."""
        if isinstance(token, str) and token.upper() in ("INF", "INFINITY"):
            return float("inf")
        return super().convert(token, instrument, suffixes)


class TriggerCommands(ScpiInstrument):
    """See the module."""

    settings: Settings

    def changed(self) -> None:
        """A setting of the measurement has changed: a measurement under way is over."""
        raise NotImplementedError

    def shortest_interval(self) -> float:
        """From sample to sample as fast as the present settings go."""
        return self.settings.reading_s

    @command("TRIGger:SOURce", Choice("IMMediate", "BUS", "EXTernal", "INTernal"))
    def set_trigger_source(self, source: str) -> None:
        """Where triggers come from."""
        self.changed()
        self.settings.trigger.source = source

    @query("TRIGger:SOURce")
    def trigger_source(self) -> str:
        """Where triggers come from."""
        return self.settings.trigger.source

    @command("TRIGger:SLOPe", Choice("POSitive", "NEGative"))
    def set_slope(self, slope: str) -> None:
        """Which edge counts, of the trigger input or of the signal."""
        self.changed()
        self.settings.trigger.negative = slope == "NEG"

    @query("TRIGger:SLOPe")
    def slope(self) -> str:
        """Which edge counts."""
        return "NEG" if self.settings.trigger.negative else "POS"

    @command("TRIGger:LEVel", Number("V", -1000.0, 1000.0, 0.0))
    def set_level(self, volts: float) -> None:
        """The level that an internal trigger waits for."""
        self.changed()
        self.settings.trigger.level_V = volts

    @query("TRIGger:LEVel")
    def level(self) -> float:
        """The level that an internal trigger waits for."""
        return self.settings.trigger.level_V

    @command("TRIGger:COUNt", _TriggerCount("", 1.0, 1e9, 1.0))
    def set_trigger_count(self, count: float) -> None:
        """Triggers per measurement; INFinity until ABORt."""
        self.changed()
        self.settings.trigger.count = count if count == float("inf") else float(round(count))

    @query("TRIGger:COUNt")
    def trigger_count(self) -> float:
        """Triggers per measurement."""
        return self.settings.trigger.count

    @command("TRIGger:DELay", Number("S", 0.0, 3600.0, 0.0))
    def set_delay(self, seconds: float) -> None:
        """From a trigger to its first sample, in steps of 1 us; the automatic delay goes off."""
        self.changed()
        self.settings.trigger.delay_s, self.settings.trigger.auto_delay = round(seconds, 6), False

    @query("TRIGger:DELay")
    def delay(self) -> float:
        """From a trigger to its first sample."""
        return self.settings.delay_s

    @command("TRIGger:DELay:AUTO", Boolean())
    def set_auto_delay(self, on: bool) -> None:
        """Whether the meter chooses the delay."""
        self.changed()
        self.settings.trigger.auto_delay = on

    @query("TRIGger:DELay:AUTO")
    def auto_delay(self) -> bool:
        """Whether the meter chooses the delay."""
        return self.settings.trigger.auto_delay

    @command("SAMPle:COUNt", Integer(1, 1_000_000_000, 1))
    def set_sample_count(self, count: int) -> None:
        """Samples per trigger."""
        self.changed()
        self.settings.trigger.samples = count

    @query("SAMPle:COUNt")
    def sample_count(self) -> int:
        """Samples per trigger."""
        return self.settings.trigger.samples

    @command("SAMPle:COUNt:PRETrigger", Integer(0, MEMORY - 1, 0))
    def set_pretrigger_count(self, count: int) -> None:
        """How many of the samples come before the trigger."""
        self.changed()
        self.settings.trigger.pretrigger = count

    @query("SAMPle:COUNt:PRETrigger")
    def pretrigger_count(self) -> int:
        """How many of the samples come before the trigger."""
        return self.settings.trigger.pretrigger

    @command("SAMPle:SOURce", Choice("IMMediate", "TIMer"))
    def set_sample_source(self, source: str) -> None:
        """Samples one after the other, or at the sample timer's pace."""
        self.changed()
        self.settings.trigger.timed = source == "TIM"

    @query("SAMPle:SOURce")
    def sample_source(self) -> str:
        """Samples one after the other, or at the sample timer's pace."""
        return "TIM" if self.settings.trigger.timed else "IMM"

    @command("SAMPle:TIMer", Number("S", 0.0, 3600.0, 1.0))
    def set_timer(self, seconds: float) -> None:
        """From sample to sample, in steps of 1 us; MIN is the shortest interval in the present settings."""
        self.changed()
        shortest = self.shortest_interval()
        self.settings.trigger.timer_s = shortest if seconds == 0.0 else round(seconds, 6)

    @query("SAMPle:TIMer", Optional(_LIMIT))
    def timer(self, limit: str | None) -> float:
        """From sample to sample; or the shortest, longest or usual interval."""
        limits = {"MIN": self.shortest_interval(), "MAX": 3600.0, "DEF": 1.0}
        return self.settings.trigger.timer_s if limit is None else limits[limit]
