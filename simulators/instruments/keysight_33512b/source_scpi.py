"""The 33512B's commands for functions, frequencies and sweeps, with what one setting does to the others."""

import math
from typing import Any

from simulators.instruments.keysight_33512b.output import OutputChannel
from simulators.instruments.keysight_33512b.settings import (
    BIT_RATES,
    BURST_PERIODS_S,
    BURST_SLACK_S,
    LARGEST_V,
    LOWEST_HZ,
    NARROWEST_S,
    SAMPLE_RATES,
    SMALLEST_SPAN_V,
    ChannelSettings,
)
from simulators.instruments.keysight_33512b.shapes import EDGE_S
from simulators.instruments.keysight_33512b.values import Clipped
from simulators.scpi import Boolean, Choice, Rest, ScpiError, ScpiInstrument, command, query

TINY = 1e-9
"""Two settings that differ by less, as a fraction, do not conflict."""
_LONGEST_PERIOD_S = 1.0 / LOWEST_HZ
_REDUCED = {"TRI": "ramp", "RAMP": "ramp", "PULS": "pulse", "SQU": "square", "SIN": "sine"}


def settings_of(instrument: Any, channel: int = 1) -> ChannelSettings:
    """A channel's settings, for the bounds of parameters."""
    settings: ChannelSettings = instrument.channel(channel).settings
    return settings


def _fastest(instrument: Any, channel: int = 1) -> float:
    settings = settings_of(instrument, channel)
    if settings.function == "ARB":
        return SAMPLE_RATES[1] / len(settings.arb.levels)
    return BIT_RATES[1] if settings.function == "PRBS" else settings.fastest_Hz


def _shortest(instrument: Any, channel: int = 1) -> float:
    return 1.0 / _fastest(instrument, channel)


_FREQUENCY = Clipped("HZ", LOWEST_HZ, _fastest, 1e3)
_SWEPT = Clipped("HZ", LOWEST_HZ, 20e6, 1e3)
_DEGREES = Clipped("DEG", -360.0, 360.0, 0.0)


class SourceCommands(ScpiInstrument):
    """See the module."""

    def channel(self, number: int) -> OutputChannel:
        """One output, from 1."""
        raise NotImplementedError

    def _settings(self, channel: int) -> ChannelSettings:
        return self.channel(channel).settings

    def conflict(self, what: str) -> None:
        """Say that a setting has been adjusted to another one."""
        self.report(ScpiError(-221, what))

    def _set(self, channel: int, **values: Any) -> None:
        for name, value in values.items():
            setattr(self._settings(channel), name, value)
        self._fit(channel)
        self.channel(channel).refresh()

    # What depends on what ---------------------------------------------------------------------------------

    def _fit(self, channel: int) -> None:
        """Bring frequency, pulse, duty cycle and burst into what the other settings allow."""
        settings = self._settings(channel)
        if settings.frequency_Hz > settings.fastest_Hz * (1.0 + TINY):
            settings.frequency_Hz = settings.fastest_Hz
            self.conflict(f"frequency reduced for {_REDUCED[settings.function]} function")
        period_s = 1.0 / settings.frequency_Hz
        pulse = settings.pulse
        if settings.function == "PULS":
            longest_s = period_s - NARROWEST_S
            if pulse.width_s > longest_s * (1.0 + TINY):
                pulse.width_s = longest_s
                self.conflict("pulse width decreased due to period")
            edge_s = max(0.625 * min(pulse.width_s, period_s - pulse.width_s), EDGE_S)
            if max(pulse.rise_s, pulse.fall_s) > edge_s * (1.0 + TINY):
                pulse.rise_s, pulse.fall_s = min(pulse.rise_s, edge_s), min(pulse.fall_s, edge_s)
                self.conflict("edge time decreased due to pulse width")
        if settings.function == "SQU":
            least = NARROWEST_S / period_s
            duty = min(max(settings.square_duty, least), 1.0 - least)
            if abs(duty - settings.square_duty) > TINY:
                settings.square_duty = duty
                self.conflict("duty cycle changed due to frequency")
        self._fit_burst(channel)

    def _fit_burst(self, channel: int) -> None:
        settings, burst = self._settings(channel), self._settings(channel).burst
        if not burst.on or burst.gated or settings.trigger.source != "IMM" or math.isinf(burst.cycles):
            return
        cycle_Hz = self.channel(channel).cycle_Hz
        most = math.floor((BURST_PERIODS_S[1] - BURST_SLACK_S) * cycle_Hz)
        if burst.cycles > most >= 1:
            burst.cycles = float(most)
            self.conflict("burst count reduced to fit entire burst")
        needed_s = burst.cycles / cycle_Hz + BURST_SLACK_S
        if burst.period_s < needed_s:
            burst.period_s = needed_s
            self.conflict("burst period increased to fit entire burst")

    def _fit_offset(self, channel: int) -> None:
        """A new amplitude stays; the offset makes room for it."""
        settings = self._settings(channel)
        room_V = LARGEST_V - 0.5 * settings.span_V
        if abs(settings.offset_V) > room_V * (1.0 + TINY) + 1e-12:
            settings.offset_V = math.copysign(room_V, settings.offset_V)
            self.conflict("offset changed due to amplitude")

    def _fit_amplitude(self, channel: int) -> None:
        """A new offset stays; the amplitude makes room for it."""
        settings = self._settings(channel)
        room_V = max(2.0 * (LARGEST_V - abs(settings.offset_V)), SMALLEST_SPAN_V)
        if settings.function != "DC" and settings.span_V > room_V * (1.0 + TINY):
            settings.span_V = room_V
            self.conflict("amplitude changed due to offset")

    def _within_limits(self, channel: int, span_V: float, offset_V: float) -> bool:
        """Whether levels stay within the voltage limits, if those are on; if not, nothing changes."""
        settings = self._settings(channel)
        inside = not settings.limited or (
            offset_V + 0.5 * span_V <= settings.high_limit_V * (1.0 + TINY) + 1e-12
            and offset_V - 0.5 * span_V >= settings.low_limit_V * (1.0 + TINY) - 1e-12
        )
        if not inside:
            self.conflict("the levels exceed the voltage limits")
        return inside

    # Function, frequency, phase ---------------------------------------------------------------------------

    @command(
        "[SOURce#]:FUNCtion[:SHAPe]",
        Choice("SINusoid", "SQUare", "TRIangle", "RAMP", "PULSe", "PRBS", "NOISe", "ARB", "DC"),
    )
    def set_function(self, channel: int, name: str) -> None:
        """The shape of the wave."""
        self._settings(channel).function = name
        self._fit_amplitude(channel)
        self._set(channel)

    @query("[SOURce#]:FUNCtion[:SHAPe]")
    def function(self, channel: int) -> str:
        """The shape of the wave."""
        return self._settings(channel).function

    @command("[SOURce#]:FREQuency[:CW]", _FREQUENCY)
    @command("[SOURce#]:FREQuency:FIXed", _FREQUENCY)
    def set_frequency(self, channel: int, hertz: float) -> None:
        """Cycles a second; of an arbitrary wave by its sample rate, of a bit sequence its bit rate."""
        settings, pulse = self._settings(channel), self._settings(channel).pulse
        if settings.function == "ARB":
            settings.arb.sample_rate = hertz * len(settings.arb.levels)
        elif settings.function == "PRBS":
            settings.bit_rate = max(hertz, BIT_RATES[0])
        else:
            if pulse.duty_held:
                pulse.width_s *= settings.frequency_Hz / hertz
            settings.frequency_Hz = hertz
        self._set(channel)

    @query("[SOURce#]:FREQuency[:CW]")
    @query("[SOURce#]:FREQuency:FIXed")
    def frequency(self, channel: int) -> float:
        """Cycles a second."""
        settings = self._settings(channel)
        if settings.function == "ARB":
            return settings.arb.sample_rate / len(settings.arb.levels)
        return settings.bit_rate if settings.function == "PRBS" else settings.frequency_Hz

    @command("[SOURce#]:FUNCtion:PULSe:PERiod", Clipped("S", _shortest, _LONGEST_PERIOD_S, 1e-3))
    @command("[SOURce#]:PULSe:PERiod", Clipped("S", _shortest, _LONGEST_PERIOD_S, 1e-3))
    @command("[SOURce#]:FUNCtion:SQUare:PERiod", Clipped("S", _shortest, _LONGEST_PERIOD_S, 1e-3))
    def set_period(self, channel: int, seconds: float) -> None:
        """Length of a cycle."""
        self.set_frequency(channel, 1.0 / seconds)

    @query("[SOURce#]:FUNCtion:PULSe:PERiod")
    @query("[SOURce#]:PULSe:PERiod")
    @query("[SOURce#]:FUNCtion:SQUare:PERiod")
    def period(self, channel: int) -> float:
        """Length of a cycle."""
        return 1.0 / self.frequency(channel)

    @command("[SOURce#]:FREQuency:MODE", Choice("CW", "LIST", "SWEep", "FIXed"))
    def set_frequency_mode(self, channel: int, mode: str) -> None:
        """One frequency (CW and FIXed are the same), a sweep, or a list."""
        self._set(channel, frequency_mode="CW" if mode == "FIX" else mode)

    @query("[SOURce#]:FREQuency:MODE")
    def frequency_mode(self, channel: int) -> str:
        """One frequency, a sweep, or a list."""
        return self._settings(channel).frequency_mode

    def _sweep(self, channel: int, **values: Any) -> None:
        for name, value in values.items():
            setattr(self._settings(channel).sweep, name, value)
        self._set(channel)

    @command("[SOURce#]:FREQuency:STARt", _SWEPT)
    def set_start(self, channel: int, hertz: float) -> None:
        """Where a sweep starts."""
        self._sweep(channel, start_Hz=hertz)

    @query("[SOURce#]:FREQuency:STARt")
    def start(self, channel: int) -> float:
        """Where a sweep starts."""
        return self._settings(channel).sweep.start_Hz

    @command("[SOURce#]:FREQuency:STOP", _SWEPT)
    def set_stop(self, channel: int, hertz: float) -> None:
        """Where a sweep ends."""
        self._sweep(channel, stop_Hz=hertz)

    @query("[SOURce#]:FREQuency:STOP")
    def stop(self, channel: int) -> float:
        """Where a sweep ends."""
        return self._settings(channel).sweep.stop_Hz

    @command("[SOURce#]:SWEep:TIME", Clipped("S", 1e-3, 250e3, 1.0))
    def set_sweep_time(self, channel: int, seconds: float) -> None:
        """How long a sweep takes."""
        self._sweep(channel, time_s=seconds)

    @query("[SOURce#]:SWEep:TIME")
    def sweep_time(self, channel: int) -> float:
        """How long a sweep takes."""
        return self._settings(channel).sweep.time_s

    @command("[SOURce#]:SWEep:HTIMe", Clipped("S", 0.0, 3600.0, 0.0))
    def set_hold_time(self, channel: int, seconds: float) -> None:
        """How long a sweep stays at its last frequency."""
        self._sweep(channel, hold_s=seconds)

    @query("[SOURce#]:SWEep:HTIMe")
    def hold_time(self, channel: int) -> float:
        """How long a sweep stays at its last frequency."""
        return self._settings(channel).sweep.hold_s

    @command("[SOURce#]:SWEep:RTIMe", Clipped("S", 0.0, 3600.0, 0.0))
    def set_return_time(self, channel: int, seconds: float) -> None:
        """How long the way back takes."""
        self._sweep(channel, return_s=seconds)

    @query("[SOURce#]:SWEep:RTIMe")
    def return_time(self, channel: int) -> float:
        """How long the way back takes."""
        return self._settings(channel).sweep.return_s

    @command("[SOURce#]:SWEep:SPACing", Choice("LINear", "LOGarithmic"))
    def set_spacing(self, channel: int, spacing: str) -> None:
        """Equal steps or equal factors in equal times."""
        self._sweep(channel, logarithmic=spacing == "LOG")

    @query("[SOURce#]:SWEep:SPACing")
    def spacing(self, channel: int) -> str:
        """Equal steps or equal factors in equal times."""
        return "LOG" if self._settings(channel).sweep.logarithmic else "LIN"

    @command("[SOURce#]:SWEep:STATe", Boolean())
    def set_sweep(self, channel: int, on: bool) -> None:
        """Sweep, or stay at one frequency."""
        self._set(channel, frequency_mode="SWE" if on else "CW")

    @query("[SOURce#]:SWEep:STATe")
    def sweep(self, channel: int) -> bool:
        """Whether it sweeps."""
        return self._settings(channel).frequency_mode == "SWE"

    @command("[SOURce#]:LIST:FREQuency", Rest(_SWEPT, least=1))
    def set_list(self, channel: int, frequencies_Hz: tuple[float, ...]) -> None:
        """The frequencies of a list, up to 128."""
        if len(frequencies_Hz) > 128:
            raise ScpiError(-223, f"{len(frequencies_Hz)} frequencies; 128 are the most")
        self._sweep(channel, frequencies_Hz=frequencies_Hz)

    @query("[SOURce#]:LIST:FREQuency")
    def list_frequencies(self, channel: int) -> list[float]:
        """The frequencies of a list."""
        return list(self._settings(channel).sweep.frequencies_Hz)

    @query("[SOURce#]:LIST:FREQuency:POINts")
    def list_points(self, channel: int) -> int:
        """How many frequencies the list has."""
        return len(self._settings(channel).sweep.frequencies_Hz)

    @command("[SOURce#]:LIST:DWELl", Clipped("S", 1e-6, 1e6, 1.0))
    def set_dwell(self, channel: int, seconds: float) -> None:
        """How long each frequency of a list lasts."""
        self._sweep(channel, dwell_s=seconds)

    @query("[SOURce#]:LIST:DWELl")
    def dwell(self, channel: int) -> float:
        """How long each frequency of a list lasts."""
        return self._settings(channel).sweep.dwell_s

    @command("[SOURce#]:PHASe[:ADJust]", _DEGREES)
    def set_phase(self, channel: int, degrees: float) -> None:
        """How far the wave is ahead of the channel's own count of cycles."""
        self._set(channel, phase_deg=degrees)

    @query("[SOURce#]:PHASe[:ADJust]")
    def phase(self, channel: int) -> float:
        """How far the wave is ahead."""
        return self._settings(channel).phase_deg
