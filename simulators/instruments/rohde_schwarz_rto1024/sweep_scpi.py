"""The oscilloscope's commands for the time axis, the trigger and the records' length."""

from simulators.instruments.rohde_schwarz_rto1024.input_scpi import InputCommands
from simulators.instruments.rohde_schwarz_rto1024.settings import (
    CHANNELS,
    CONVERTER_HZ,
    MEMORY,
    RATES_HZ,
    TIME_DIVISIONS,
    USUAL_LIMIT,
)
from simulators.scpi import Boolean, Choice, Integer, Number, ScpiError, command, query

_RANGES_S = (250e-12, 100e3)
_SCALE = Number("S", _RANGES_S[0] / TIME_DIVISIONS, _RANGES_S[1] / TIME_DIVISIONS, 10e-9)
_OTHER_TYPES = (
    "GLITch",
    "WIDTh",
    "RUNT",
    "WINDow",
    "TIMeout",
    "INTerval",
    "SLEWrate",
    "DATatoclock",
    "STATe",
    "PATTern",
    "ANEDge",
    "SERPattern",
    "NFC",
    "TV",
    "CDR",
)


class SweepCommands(InputCommands):
    """See the module."""

    # Time axis --------------------------------------------------------------------------------------------

    @command("TIMebase:RANGe", Number("S", *_RANGES_S, 100e-9))
    def set_time_range(self, seconds: float) -> None:
        """From the left edge of the screen to the right one."""
        self.settings.time.range_s = seconds
        self.changed()

    @query("TIMebase:RANGe")
    def time_range(self) -> float:
        """From the left edge of the screen to the right one."""
        return self.settings.time.range_s

    @command("TIMebase:SCALe", _SCALE)
    def set_time_scale(self, seconds: float) -> None:
        """Seconds a division."""
        self.set_time_range(TIME_DIVISIONS * seconds)

    @query("TIMebase:SCALe")
    def time_scale(self) -> float:
        """Seconds a division."""
        return self.settings.time.range_s / TIME_DIVISIONS

    @query("TIMebase:DIVisions")
    def time_divisions(self) -> int:
        """Divisions of the time axis."""
        return TIME_DIVISIONS

    @command("TIMebase:HORizontal:POSition", Number("S", -1e26, 1e26, 0.0))
    def set_position(self, seconds: float) -> None:
        """Time after the trigger at the reference point."""
        self.settings.time.position_s = seconds
        self.changed()

    @query("TIMebase:HORizontal:POSition")
    def position(self) -> float:
        """Time after the trigger at the reference point."""
        return self.settings.time.position_s

    @command("TIMebase:REFerence", Number("PCT", 0.0, 100.0, 50.0))
    def set_reference(self, percent: float) -> None:
        """Where on the screen the reference point is."""
        self.settings.time.reference = percent
        self.changed()

    @query("TIMebase:REFerence")
    def reference(self) -> float:
        """Where on the screen the reference point is."""
        return self.settings.time.reference

    # Trigger ----------------------------------------------------------------------------------------------

    def _first_event(self, event: int) -> None:
        if event != 1:
            raise ScpiError(-221, "only the A event is emulated")

    @command("TRIGger#:MODE", Choice("AUTO", "NORMal", "FREerun"))
    def set_trigger_mode(self, event: int, mode: str) -> None:
        """Whether an acquisition begins by itself when no trigger comes, never, or always."""
        self.settings.trigger.mode = mode
        self.changed()

    @query("TRIGger#:MODE")
    def trigger_mode(self, event: int) -> str:
        """Whether an acquisition begins by itself."""
        return self.settings.trigger.mode

    @command("TRIGger#:SOURce[:SELect]", Choice("CHANnel#", "EXTernanalog", "LINE"))
    def set_trigger_source(self, event: int, source: str) -> None:
        """Whose edges."""
        self._first_event(event)
        if source.startswith("CHAN") and not 1 <= int(source[4:]) <= CHANNELS:
            raise ScpiError(-222, f"{source}: there are {CHANNELS} channels")
        self.settings.trigger.source = source
        self.changed()

    @query("TRIGger#:SOURce[:SELect]")
    def trigger_source(self, event: int) -> str:
        """Whose edges."""
        return self.settings.trigger.source

    @command("TRIGger#:TYPE", Choice("EDGE", *_OTHER_TYPES))
    def set_trigger_type(self, event: int, name: str) -> None:
        """What is triggered on: edges only."""
        if name != "EDGE":
            raise ScpiError(-221, "only the edge trigger is emulated")

    @query("TRIGger#:TYPE")
    def trigger_type(self, event: int) -> str:
        """What is triggered on."""
        return "EDGE"

    @command("TRIGger#:EDGE:SLOPe", Choice("POSitive", "NEGative", "EITHer"))
    def set_slope(self, event: int, slope: str) -> None:
        """Which edges."""
        self._first_event(event)
        self.settings.trigger.slope = slope
        self.changed()

    @query("TRIGger#:EDGE:SLOPe")
    def slope(self, event: int) -> str:
        """Which edges."""
        return self.settings.trigger.slope

    @command("TRIGger#:LEVel#[:VALue]", Number("V", -1e3, 1e3, 0.0))
    def set_level(self, event: int, number: int, volts: float) -> None:
        """The voltage at which an edge of a channel counts; the fifth is the external input's, not felt here."""
        self._first_event(event)
        self.settings.trigger.levels_V[number] = volts
        self.changed()

    @query("TRIGger#:LEVel#[:VALue]")
    def level(self, event: int, number: int) -> float:
        """The voltage at which an edge of a channel counts."""
        return self.settings.trigger.levels_V.get(number, 0.0)

    @command("TRIGger#:FORCe")
    def force(self, event: int) -> None:
        """A trigger now, if one is awaited."""
        self.force_trigger()

    def force_trigger(self) -> None:
        """See `force`."""
        raise NotImplementedError

    # Records ----------------------------------------------------------------------------------------------

    @command("ACQuire:COUNt", Integer(1, 16_777_215, 1))
    def set_count(self, count: int) -> None:
        """Records of a single acquisition, and of an average."""
        self.settings.acquire.count = count
        self.changed()

    @query("ACQuire:COUNt")
    def count(self) -> int:
        """Records of a single acquisition, and of an average."""
        return self.settings.acquire.count

    @query("ACQuire:POINts:ARATe")
    def converter_rate(self) -> int:
        """Samples a second of the converters."""
        return int(CONVERTER_HZ)

    @command("ACQuire:POINts:AUTO", Choice("RESolution", "RECLength"))
    def set_held(self, what: str) -> None:
        """What stays when the time axis changes: the resolution or the record's length."""
        acquire, settings = self.settings.acquire, self.settings
        acquire.points, acquire.rate_Hz = settings.points, 1.0 / settings.step_s
        acquire.points_held = what == "RECL"

    @query("ACQuire:POINts:AUTO")
    def held(self) -> str:
        """What stays when the time axis changes."""
        return "RECL" if self.settings.acquire.points_held else "RES"

    @command("ACQuire:POINts[:VALue]", Integer(*MEMORY, MEMORY[0]))
    def set_points(self, points: int) -> None:
        """Points of a record."""
        acquire = self.settings.acquire
        acquire.points, acquire.rate_Hz = points, points / self.settings.time.range_s
        self.changed()

    @query("ACQuire:POINts[:VALue]")
    def points(self) -> int:
        """Points of a record."""
        return self.settings.points

    @command("ACQuire:POINts:MAXimum", Integer(*MEMORY, USUAL_LIMIT))
    def set_most_points(self, points: int) -> None:
        """The most points of a record at a constant resolution."""
        self.settings.acquire.most_points = points
        self.changed()

    @query("ACQuire:POINts:MAXimum")
    def most_points(self) -> int:
        """The most points of a record at a constant resolution."""
        return self.settings.acquire.most_points

    @command("ACQuire:SRATe", Number("", *RATES_HZ, CONVERTER_HZ))
    def set_rate(self, hertz: float) -> None:
        """Points a second; the number of points follows, as far as the memory goes."""
        acquire = self.settings.acquire
        acquire.rate_Hz = hertz
        acquire.points = min(max(round(hertz * self.settings.time.range_s), 2), MEMORY[1])
        acquire.most_points = max(acquire.most_points, acquire.points)
        self.changed()

    @query("ACQuire:SRATe")
    def rate(self) -> float:
        """Points a second."""
        return 1.0 / self.settings.step_s

    @command("ACQuire:RESolution", Number("S", 1.0 / RATES_HZ[1], 1.0 / RATES_HZ[0], 1.0 / CONVERTER_HZ))
    def set_resolution(self, seconds: float) -> None:
        """From point to point."""
        self.set_rate(1.0 / seconds)

    @query("ACQuire:RESolution")
    def resolution(self) -> float:
        """From point to point."""
        return self.settings.step_s

    @command("HDEFinition:STATe", Boolean())
    def set_fine(self, on: bool) -> None:
        """The high definition mode: up to 16 bits, at a lower bandwidth."""
        self.settings.acquire.fine = on
        self.changed()

    @query("HDEFinition:STATe")
    def fine(self) -> bool:
        """The high definition mode."""
        return self.settings.acquire.fine

    @command("HDEFinition:BWIDth", Number("HZ", 1e4, 1e9, 1e9))
    def set_fine_bandwidth(self, hertz: float) -> None:
        """The bandwidth of the high definition mode."""
        self.settings.acquire.fine_Hz = hertz
        self.changed()

    @query("HDEFinition:BWIDth")
    def fine_bandwidth(self) -> float:
        """The bandwidth of the high definition mode."""
        return self.settings.acquire.fine_Hz
