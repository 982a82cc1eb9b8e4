"""The 33512B's commands for outputs, sync, triggers and bursts."""

import math
from typing import Any

from simulators.instruments.keysight_33512b.settings import BURST_PERIODS_S, BurstSettings, TriggerSettings
from simulators.instruments.keysight_33512b.source_scpi import SourceCommands
from simulators.instruments.keysight_33512b.values import Clipped
from simulators.scpi import Boolean, Choice, ScpiError, command, query

_MOST_CYCLES = 1e8
_CHANNEL = Choice("CH1", "CH2")


class TriggerCommands(SourceCommands):
    """See the module."""

    sync_on: bool
    sync_source: int
    sync_inverted: bool
    sync_mode: str
    trigger_out_on: bool
    trigger_out_source: int
    trigger_out_negative: bool

    def plug(self) -> None:
        """Let the sync and trigger sockets follow their settings."""
        raise NotImplementedError

    # Outputs ----------------------------------------------------------------------------------------------

    @command("OUTPut#[:STATe]", Boolean())
    def set_output(self, channel: int, on: bool) -> None:
        """Close or open the relay."""
        self._set(channel, on=on)

    @query("OUTPut#[:STATe]")
    def output(self, channel: int) -> bool:
        """Whether the relay is closed."""
        return self._settings(channel).on

    @command("OUTPut#:LOAD", Clipped("OHM", 1.0, 10e3, 50.0, infinity=True))
    def set_load(self, channel: int, ohm: float) -> None:
        """The load that amplitudes and offsets are stated for; what the output gives stays."""
        settings = self._settings(channel)
        if settings.limited:
            raise ScpiError(-221, "the load cannot be changed while voltage limits are on")
        if math.isinf(ohm) and settings.unit == "DBM":
            settings.unit = "VPP"
        settings.load_ohm = ohm

    @query("OUTPut#:LOAD")
    def load(self, channel: int) -> float:
        """The load that levels are stated for."""
        return self._settings(channel).load_ohm

    @command("OUTPut#:POLarity", Choice("NORMal", "INVerted"))
    def set_polarity(self, channel: int, polarity: str) -> None:
        """Upright, or upside down around the offset."""
        self._set(channel, inverted=polarity == "INV")

    @query("OUTPut#:POLarity")
    def polarity(self, channel: int) -> str:
        """Upright or upside down."""
        return "INV" if self._settings(channel).inverted else "NORM"

    @command("OUTPut:SYNC[:STATe]", Boolean())
    def set_sync(self, on: bool) -> None:
        """The sync socket."""
        self.sync_on = on
        self.plug()

    @query("OUTPut:SYNC[:STATe]")
    def sync(self) -> bool:
        """The sync socket."""
        return self.sync_on

    @command("OUTPut:SYNC:SOURce", _CHANNEL)
    def set_sync_source(self, source: str) -> None:
        """Which channel sync goes with."""
        self.sync_source = int(source[-1])
        self.plug()

    @query("OUTPut:SYNC:SOURce")
    def get_sync_source(self) -> str:
        """Which channel sync goes with."""
        return f"CH{self.sync_source}"

    @command("OUTPut#:SYNC:POLarity", Choice("NORMal", "INVerted"))
    def set_sync_polarity(self, channel: int, polarity: str) -> None:
        """Whether sync pulses go up or down."""
        self.sync_inverted = polarity == "INV"
        self.plug()

    @query("OUTPut#:SYNC:POLarity")
    def sync_polarity(self, channel: int) -> str:
        """Whether sync pulses go up or down."""
        return "INV" if self.sync_inverted else "NORM"

    @command("OUTPut#:SYNC:MODE", Choice("NORMal", "CARRier", "MARKer"))
    def set_sync_mode(self, channel: int, mode: str) -> None:
        """What sync shows; here always the cycle, the burst or the sweep."""
        if mode == "MARK":
            raise ScpiError(-221, "markers are not emulated")
        self.sync_mode = mode

    @query("OUTPut#:SYNC:MODE")
    def get_sync_mode(self, channel: int) -> str:
        """What sync shows."""
        return self.sync_mode

    @command("OUTPut:TRIGger[:STATe]", Boolean())
    def set_trigger_out(self, on: bool) -> None:
        """The trigger socket as an output; not while a channel takes its triggers from there."""
        if on and "EXT" in (self._triggering(1).source, self._triggering(2).source):
            self.conflict("trigger output disabled by trigger external")
            on = False
        self.trigger_out_on = on
        self.plug()

    @query("OUTPut:TRIGger[:STATe]")
    def trigger_out(self) -> bool:
        """The trigger socket as an output."""
        return self.trigger_out_on

    @command("OUTPut:TRIGger:SOURce", _CHANNEL)
    def set_trigger_out_source(self, source: str) -> None:
        """Which channel's bursts and sweeps are signalled."""
        self.trigger_out_source = int(source[-1])
        self.plug()

    @query("OUTPut:TRIGger:SOURce")
    def get_trigger_out_source(self) -> str:
        """Which channel's bursts and sweeps are signalled."""
        return f"CH{self.trigger_out_source}"

    @command("OUTPut:TRIGger:SLOPe", Choice("POSitive", "NEGative"))
    def set_trigger_out_slope(self, slope: str) -> None:
        """Whether a pulse goes up or down."""
        self.trigger_out_negative = slope == "NEG"
        self.plug()

    @query("OUTPut:TRIGger:SLOPe")
    def trigger_out_slope(self) -> str:
        """Whether a pulse goes up or down."""
        return "NEG" if self.trigger_out_negative else "POS"

    # Phases -----------------------------------------------------------------------------------------------

    @command("[SOURce#]:PHASe:SYNChronize")
    def synchronize(self, channel: int) -> None:
        """Begin a cycle on both channels now."""
        for number in (1, 2):
            self.channel(number).restart_phase()

    # Triggers ---------------------------------------------------------------------------------------------

    def _triggering(self, channel: int) -> TriggerSettings:
        return self._settings(channel).trigger

    def _set_trigger(self, channel: int, **values: Any) -> None:
        for name, value in values.items():
            setattr(self._triggering(channel), name, value)
        self._set(channel)

    @command("TRIGger#:SOURce", Choice("IMMediate", "EXTernal", "TIMer", "BUS"))
    def set_trigger_source(self, channel: int, source: str) -> None:
        """What starts a burst."""
        if source == "EXT" and self.trigger_out_on:
            self.conflict("trigger output disabled by trigger external")
            self.trigger_out_on = False
            self.plug()
        burst = self._burst(channel)
        if source == "IMM" and math.isinf(burst.cycles) and burst.on and not burst.gated:
            self.conflict("turned off infinite burst to allow immediate trigger source")
            burst.cycles = 1.0
        self._set_trigger(channel, source=source)

    @query("TRIGger#:SOURce")
    def trigger_source(self, channel: int) -> str:
        """What starts a burst."""
        return self._triggering(channel).source

    @command("TRIGger#:SLOPe", Choice("POSitive", "NEGative"))
    def set_trigger_slope(self, channel: int, slope: str) -> None:
        """Which edge of the trigger input counts."""
        self._set_trigger(channel, negative=slope == "NEG")

    @query("TRIGger#:SLOPe")
    def trigger_slope(self, channel: int) -> str:
        """Which edge of the trigger input counts."""
        return "NEG" if self._triggering(channel).negative else "POS"

    @command("TRIGger#:COUNt", Clipped("", 1.0, 1e6, 1.0))
    def set_trigger_count(self, channel: int, count: float) -> None:
        """How many triggers are taken after INITiate; with INITiate:CONTinuous it does not matter."""
        self._set_trigger(channel, count=float(round(count)))

    @query("TRIGger#:COUNt")
    def trigger_count(self, channel: int) -> float:
        """How many triggers are taken after INITiate."""
        return self._triggering(channel).count

    @command("TRIGger#:DELay", Clipped("S", 0.0, 1000.0, 0.0))
    def set_trigger_delay(self, channel: int, seconds: float) -> None:
        """From a trigger to its burst."""
        self._set_trigger(channel, delay_s=seconds)

    @query("TRIGger#:DELay")
    def trigger_delay(self, channel: int) -> float:
        """From a trigger to its burst."""
        return self._triggering(channel).delay_s

    @command("TRIGger#:TIMer", Clipped("S", *BURST_PERIODS_S, 1.0))
    def set_trigger_timer(self, channel: int, seconds: float) -> None:
        """From burst to burst when the timer triggers."""
        self._set_trigger(channel, timer_s=seconds)

    @query("TRIGger#:TIMer")
    def trigger_timer(self, channel: int) -> float:
        """From burst to burst when the timer triggers."""
        return self._triggering(channel).timer_s

    @command("TRIGger#:LEVel", Clipped("V", 0.9, 3.8, 1.65))
    def set_trigger_level(self, channel: int, volts: float) -> None:
        """The trigger input's threshold; pulses here are always high enough."""
        self._triggering(channel).level_V = volts

    @query("TRIGger#:LEVel")
    def trigger_level(self, channel: int) -> float:
        """The trigger input's threshold."""
        return self._triggering(channel).level_V

    @command("TRIGger#[:IMMediate]")
    def trigger_now(self, channel: int) -> None:
        """A trigger for one channel, whatever its source."""
        if not self.channel(channel).take_trigger():
            raise ScpiError(-211)

    @command("INITiate#[:IMMediate]")
    def initiate(self, channel: int) -> None:
        """Take as many triggers as the trigger count says."""
        self._triggering(channel).continuous = False
        self.channel(channel).initiate()

    @command("INITiate#:CONTinuous", Boolean())
    def set_continuous(self, channel: int, on: bool) -> None:
        """Take triggers for ever."""
        self._triggering(channel).continuous = on
        self.channel(channel).initiate(on)

    @query("INITiate#:CONTinuous")
    def continuous(self, channel: int) -> bool:
        """Whether triggers are taken for ever."""
        return self._triggering(channel).continuous

    @command("ABORt")
    def abort(self) -> None:
        """End bursts under way."""
        for number in (1, 2):
            self.channel(number).abort()

    # Bursts -----------------------------------------------------------------------------------------------

    def _burst(self, channel: int) -> BurstSettings:
        return self._settings(channel).burst

    def _set_burst(self, channel: int, **values: Any) -> None:
        for name, value in values.items():
            setattr(self._burst(channel), name, value)
        self._set(channel)

    @command("[SOURce#]:BURSt:STATe", Boolean())
    def set_burst(self, channel: int, on: bool) -> None:
        """Bursts or a steady wave; DC and endless noise cannot be burst."""
        settings = self._settings(channel)
        if on and (settings.function == "DC" or (settings.function == "NOIS" and not settings.burst.gated)):
            self.conflict("Not able to burst this function")
            return
        burst = settings.burst
        if on and math.isinf(burst.cycles) and settings.trigger.source == "IMM" and not burst.gated:
            self.conflict("infinite burst changed trigger source to BUS")
            settings.trigger.source = "BUS"
        self._set_burst(channel, on=on)

    @query("[SOURce#]:BURSt:STATe")
    def burst(self, channel: int) -> bool:
        """Bursts or a steady wave."""
        return self._burst(channel).on

    @command("[SOURce#]:BURSt:MODE", Choice("TRIGgered", "GATed"))
    def set_burst_mode(self, channel: int, mode: str) -> None:
        """A number of cycles for each trigger, or cycles as long as the trigger input is high."""
        self._set_burst(channel, gated=mode == "GAT")

    @query("[SOURce#]:BURSt:MODE")
    def burst_mode(self, channel: int) -> str:
        """Triggered or gated."""
        return "GAT" if self._burst(channel).gated else "TRIG"

    @command("[SOURce#]:BURSt:NCYCles", Clipped("", 1.0, _MOST_CYCLES, 1.0, infinity=True))
    def set_cycles(self, channel: int, count: float) -> None:
        """Cycles in a burst; infinite ones end with ABORt and cannot start by themselves."""
        settings = self._settings(channel)
        if math.isinf(count) and settings.burst.on and settings.trigger.source == "IMM":
            self.conflict("infinite burst changed trigger source to BUS")
            settings.trigger.source = "BUS"
        self._set_burst(channel, cycles=count if math.isinf(count) else float(round(count)))

    @query("[SOURce#]:BURSt:NCYCles")
    def cycles(self, channel: int) -> float:
        """Cycles in a burst."""
        return self._burst(channel).cycles

    @command("[SOURce#]:BURSt:PHASe", Clipped("DEG", -360.0, 360.0, 0.0))
    def set_burst_phase(self, channel: int, degrees: float) -> None:
        """Where in its cycle a burst starts, ends and rests."""
        self._set_burst(channel, phase_deg=degrees)

    @query("[SOURce#]:BURSt:PHASe")
    def burst_phase(self, channel: int) -> float:
        """Where in its cycle a burst starts."""
        return self._burst(channel).phase_deg

    @command("[SOURce#]:BURSt:GATE:POLarity", Choice("NORMal", "INVerted"))
    def set_gate_polarity(self, channel: int, polarity: str) -> None:
        """Whether the gate is open when the trigger input is high or low."""
        self._set_burst(channel, gate_inverted=polarity == "INV")

    @query("[SOURce#]:BURSt:GATE:POLarity")
    def gate_polarity(self, channel: int) -> str:
        """Whether the gate is open when the trigger input is high or low."""
        return "INV" if self._burst(channel).gate_inverted else "NORM"

    @command("[SOURce#]:BURSt:INTernal:PERiod", Clipped("S", *BURST_PERIODS_S, 10e-3))
    def set_burst_period(self, channel: int, seconds: float) -> None:
        """From burst to burst when they start by themselves."""
        self._set_burst(channel, period_s=seconds)

    @query("[SOURce#]:BURSt:INTernal:PERiod")
    def burst_period(self, channel: int) -> float:
        """From burst to burst when they start by themselves."""
        return self._burst(channel).period_s
