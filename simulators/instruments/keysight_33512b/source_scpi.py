"""The 33512B's commands for functions, frequencies and levels, with what one setting does to the others."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

from simulators.instruments.given import Given
from simulators.instruments.keysight_33512b.output import OutputChannel
from simulators.instruments.keysight_33512b.settings import (
    BIT_RATES,
    LARGEST_V,
    LOWEST_HZ,
    NARROWEST_S,
    NOISE_BANDWIDTHS_HZ,
    SMALLEST_SPAN_V,
    ChannelSettings,
)
from simulators.instruments.keysight_33512b.shapes import EDGE_S, PRBS_TAPS
from simulators.instruments.keysight_33512b.values import Amplitude, AmplitudeParameter, Clipped
from simulators.scpi import Boolean, Choice, Optional, Rest, ScpiError, ScpiInstrument, command, query

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST_EDGE_S = 1e-6
_LONGEST_PERIOD_S = 1.0 / LOWEST_HZ
_TINY = 1e-9
_STEP_V = 1e-3
"""How far a level is moved away from the other one that crossed it."""

_REDUCED = {"TRI": "ramp", "RAMP": "ramp", "PULS": "pulse", "SQU": "square", "SIN": "sine"}


def _of(instrument: Any, channel: int = 1) -> ChannelSettings:
    settings: ChannelSettings = instrument.channel(channel).settings
    return settings


def _fastest(instrument: Any, channel: int = 1) -> float:
    settings = _of(instrument, channel)
    if settings.function == "ARB":
        return 250e6 / len(settings.arb.levels)
    return BIT_RATES[1] if settings.function == "PRBS" else settings.fastest_Hz


def _shortest(instrument: Any, channel: int = 1) -> float:
    return 1.0 / _fastest(instrument, channel)


def _largest_span(instrument: Any, channel: int = 1) -> float:
    return _of(instrument, channel).shown(2.0 * LARGEST_V)


def _smallest_span(instrument: Any, channel: int = 1) -> float:
    return _of(instrument, channel).shown(SMALLEST_SPAN_V)


def _usual_span(instrument: Any, channel: int = 1) -> float:
    settings = _of(instrument, channel)
    return settings.shown(0.1 / settings.scale)


def _largest_level(instrument: Any, channel: int = 1) -> float:
    return LARGEST_V * _of(instrument, channel).scale


def _lowest_level(instrument: Any, channel: int = 1) -> float:
    return -_largest_level(instrument, channel)


def _longest_width(instrument: Any, channel: int = 1) -> float:
    return max(1.0 / _of(instrument, channel).frequency_Hz - NARROWEST_S, NARROWEST_S)


_FREQUENCY = Clipped("HZ", LOWEST_HZ, _fastest, 1e3)
_SWEPT = Clipped("HZ", LOWEST_HZ, 20e6, 1e3)
_SPAN = AmplitudeParameter("V", _smallest_span, _largest_span, _usual_span)
_LEVEL = Clipped("V", _lowest_level, _largest_level, 0.0)
_EDGE = Clipped("S", EDGE_S, _LONGEST_EDGE_S, EDGE_S)
_DEGREES = Clipped("DEG", -360.0, 360.0, 0.0)


_APPLIED = {
    "SINusoid": "SIN",
    "SQUare": "SQU",
    "TRIangle": "TRI",
    "RAMP": "RAMP",
    "PULSe": "PULS",
    "PRBS": "PRBS",
    "NOISe": "NOIS",
    "ARBitrary": "ARB",
    "DC": "DC",
}


def _each_function(function: F) -> F:
    """Declare the APPLy command of every function; the handler is told which, last."""
    for node, name in _APPLIED.items():
        rate = Optional(Clipped("HZ", LOWEST_HZ, 250e6, 1e3))
        parameters = (rate, Optional(_SPAN), Optional(_LEVEL), Given(name))
        function = command(f"[SOURce#]:APPLy:{node}", *parameters)(function)
    return function


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
        if settings.frequency_Hz > settings.fastest_Hz * (1.0 + _TINY):
            settings.frequency_Hz = settings.fastest_Hz
            self.conflict(f"frequency reduced for {_REDUCED[settings.function]} function")
        period_s = 1.0 / settings.frequency_Hz
        pulse = settings.pulse
        if settings.function == "PULS":
            longest_s = period_s - NARROWEST_S
            if pulse.width_s > longest_s * (1.0 + _TINY):
                pulse.width_s = longest_s
                self.conflict("pulse width decreased due to period")
            edge_s = max(0.625 * min(pulse.width_s, period_s - pulse.width_s), EDGE_S)
            if max(pulse.rise_s, pulse.fall_s) > edge_s * (1.0 + _TINY):
                pulse.rise_s, pulse.fall_s = min(pulse.rise_s, edge_s), min(pulse.fall_s, edge_s)
                self.conflict("edge time decreased due to pulse width")
        if settings.function == "SQU":
            least = NARROWEST_S / period_s
            duty = min(max(settings.square_duty, least), 1.0 - least)
            if abs(duty - settings.square_duty) > _TINY:
                settings.square_duty = duty
                self.conflict("duty cycle changed due to frequency")
        self._fit_burst(channel)

    def _fit_burst(self, channel: int) -> None:
        settings, burst = self._settings(channel), self._settings(channel).burst
        if not burst.on or burst.gated or settings.trigger.source != "IMM" or math.isinf(burst.cycles):
            return
        cycle_Hz = self.channel(channel).cycle_Hz
        most = math.floor((8000.0 - 1e-6) * cycle_Hz)
        if burst.cycles > most >= 1:
            burst.cycles = float(most)
            self.conflict("burst count reduced to fit entire burst")
        needed_s = burst.cycles / cycle_Hz + 1e-6
        if burst.period_s < needed_s:
            burst.period_s = needed_s
            self.conflict("burst period increased to fit entire burst")

    def _fit_offset(self, channel: int) -> None:
        """A new amplitude stays; the offset makes room for it."""
        settings = self._settings(channel)
        room_V = LARGEST_V - 0.5 * settings.span_V
        if abs(settings.offset_V) > room_V * (1.0 + _TINY) + 1e-12:
            settings.offset_V = math.copysign(room_V, settings.offset_V)
            self.conflict("offset changed due to amplitude")

    def _fit_amplitude(self, channel: int) -> None:
        """A new offset stays; the amplitude makes room for it."""
        settings = self._settings(channel)
        room_V = max(2.0 * (LARGEST_V - abs(settings.offset_V)), SMALLEST_SPAN_V)
        if settings.function != "DC" and settings.span_V > room_V * (1.0 + _TINY):
            settings.span_V = room_V
            self.conflict("amplitude changed due to offset")

    def _within_limits(self, channel: int, span_V: float, offset_V: float) -> bool:
        """Whether levels stay within the voltage limits, if those are on; if not, nothing changes."""
        settings = self._settings(channel)
        inside = not settings.limited or (
            offset_V + 0.5 * span_V <= settings.high_limit_V * (1.0 + _TINY) + 1e-12
            and offset_V - 0.5 * span_V >= settings.low_limit_V * (1.0 + _TINY) - 1e-12
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
        self._set(channel, function=name)
        self._fit_amplitude(channel)
        self.channel(channel).refresh()

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

    # Levels -----------------------------------------------------------------------------------------------

    def _apply_span(self, channel: int, amplitude: Amplitude) -> None:
        settings = self._settings(channel)
        unit = amplitude.unit or settings.unit
        if unit == "DBM" and math.isinf(settings.load_ohm):
            raise ScpiError(-221, "dBm needs a load that is not infinite")
        span_V = settings.span_of(amplitude.value, unit) if unit == "DBM" or amplitude.value > 0.0 else 0.0
        if span_V > 2.0 * LARGEST_V * (1.0 + _TINY):
            self.report(ScpiError(-222, "value clipped to upper limit"))
        elif span_V < SMALLEST_SPAN_V * (1.0 - _TINY):
            self.report(ScpiError(-222, "value clipped to lower limit"))
        span_V = min(max(span_V, SMALLEST_SPAN_V), 2.0 * LARGEST_V)
        room_V = LARGEST_V - 0.5 * span_V
        if self._within_limits(
            channel, span_V, math.copysign(min(abs(settings.offset_V), room_V), settings.offset_V)
        ):
            settings.span_V = span_V
            self._fit_offset(channel)

    @command("[SOURce#]:VOLTage[:LEVel][:IMMediate][:AMPLitude]", _SPAN)
    def set_amplitude(self, channel: int, amplitude: Amplitude) -> None:
        """The amplitude, in the unit that is set or that comes with it."""
        self._apply_span(channel, amplitude)
        self._set(channel)

    @query(
        "[SOURce#]:VOLTage[:LEVel][:IMMediate][:AMPLitude]", Optional(Choice("MINimum", "MAXimum", "DEFault"))
    )
    def amplitude(self, channel: int, limit: str | None) -> float:
        """The amplitude in the unit that is set."""
        if limit is not None:
            return {"MIN": _smallest_span, "MAX": _largest_span, "DEF": _usual_span}[limit](self, channel)
        settings = self._settings(channel)
        return settings.shown(settings.span_V)

    @command("[SOURce#]:VOLTage[:LEVel][:IMMediate]:OFFSet", _LEVEL)
    def set_offset(self, channel: int, volts: float) -> None:
        """The voltage in the middle."""
        settings = self._settings(channel)
        offset_V = volts / settings.scale
        span_V = min(settings.span_V, max(2.0 * (LARGEST_V - abs(offset_V)), SMALLEST_SPAN_V))
        if self._within_limits(channel, 0.0 if settings.function == "DC" else span_V, offset_V):
            settings.offset_V = offset_V
            self._fit_amplitude(channel)
        self._set(channel)

    @query("[SOURce#]:VOLTage[:LEVel][:IMMediate]:OFFSet")
    def offset(self, channel: int) -> float:
        """The voltage in the middle."""
        settings = self._settings(channel)
        return settings.offset_V * settings.scale

    def _ends(self, channel: int) -> tuple[float, float]:
        """Low and high level into an open circuit."""
        settings = self._settings(channel)
        return settings.offset_V - 0.5 * settings.span_V, settings.offset_V + 0.5 * settings.span_V

    def _apply_ends(self, channel: int, low_V: float, high_V: float) -> None:
        if self._within_limits(channel, high_V - low_V, 0.5 * (low_V + high_V)):
            self._set(channel, span_V=high_V - low_V, offset_V=0.5 * (low_V + high_V))

    @command("[SOURce#]:VOLTage[:LEVel][:IMMediate]:HIGH", _LEVEL)
    def set_high(self, channel: int, volts: float) -> None:
        """The upper level; the lower one stays, or makes way."""
        scale = self._settings(channel).scale
        low_V, _ = self._ends(channel)
        high_V = max(volts / scale, -LARGEST_V + _STEP_V / scale)
        if low_V > high_V - _STEP_V / scale * (1.0 - _TINY):
            low_V = high_V - _STEP_V / scale
            self.conflict("low level changed due to high level")
        self._apply_ends(channel, low_V, high_V)

    @query("[SOURce#]:VOLTage[:LEVel][:IMMediate]:HIGH")
    def high(self, channel: int) -> float:
        """The upper level."""
        return self._ends(channel)[1] * self._settings(channel).scale

    @command("[SOURce#]:VOLTage[:LEVel][:IMMediate]:LOW", _LEVEL)
    def set_low(self, channel: int, volts: float) -> None:
        """The lower level; the upper one stays, or makes way."""
        scale = self._settings(channel).scale
        _, high_V = self._ends(channel)
        low_V = min(volts / scale, LARGEST_V - _STEP_V / scale)
        if high_V < low_V + _STEP_V / scale * (1.0 - _TINY):
            high_V = low_V + _STEP_V / scale
            self.conflict("high level changed due to low level")
        self._apply_ends(channel, low_V, high_V)

    @query("[SOURce#]:VOLTage[:LEVel][:IMMediate]:LOW")
    def low(self, channel: int) -> float:
        """The lower level."""
        return self._ends(channel)[0] * self._settings(channel).scale

    @command("[SOURce#]:VOLTage:UNIT", Choice("VPP", "VRMS", "DBM"))
    def set_unit(self, channel: int, unit: str) -> None:
        """The unit of amplitudes."""
        settings = self._settings(channel)
        if unit == "DBM" and math.isinf(settings.load_ohm):
            raise ScpiError(-221, "dBm needs a load that is not infinite")
        settings.unit = unit

    @query("[SOURce#]:VOLTage:UNIT")
    def unit(self, channel: int) -> str:
        """The unit of amplitudes."""
        return self._settings(channel).unit

    @command("[SOURce#]:VOLTage:LIMit:STATe", Boolean())
    def set_limited(self, channel: int, on: bool) -> None:
        """Whether the voltage limits hold; levels that are outside already are in conflict."""
        settings = self._settings(channel)
        settings.limited = on
        settings.limited = on and self._within_limits(channel, settings.span_V, settings.offset_V)

    @query("[SOURce#]:VOLTage:LIMit:STATe")
    def limited(self, channel: int) -> bool:
        """Whether the voltage limits hold."""
        return self._settings(channel).limited

    @command("[SOURce#]:VOLTage:LIMit:HIGH", _LEVEL)
    def set_high_limit(self, channel: int, volts: float) -> None:
        """The highest voltage that may be set."""
        settings = self._settings(channel)
        settings.high_limit_V = volts / settings.scale
        self.set_limited(channel, settings.limited)

    @query("[SOURce#]:VOLTage:LIMit:HIGH")
    def high_limit(self, channel: int) -> float:
        """The highest voltage that may be set."""
        return self._settings(channel).high_limit_V * self._settings(channel).scale

    @command("[SOURce#]:VOLTage:LIMit:LOW", _LEVEL)
    def set_low_limit(self, channel: int, volts: float) -> None:
        """The lowest voltage that may be set."""
        settings = self._settings(channel)
        settings.low_limit_V = volts / settings.scale
        self.set_limited(channel, settings.limited)

    @query("[SOURce#]:VOLTage:LIMit:LOW")
    def low_limit(self, channel: int) -> float:
        """The lowest voltage that may be set."""
        return self._settings(channel).low_limit_V * self._settings(channel).scale

    # Shapes -----------------------------------------------------------------------------------------------

    @command("[SOURce#]:FUNCtion:SQUare:DCYCle", Clipped("PCT", 0.01, 99.99, 50.0))
    def set_duty(self, channel: int, percent: float) -> None:
        """How much of a cycle a square wave is high; both parts last at least 16 ns."""
        self._set(channel, square_duty=percent / 100.0)

    @query("[SOURce#]:FUNCtion:SQUare:DCYCle")
    def duty(self, channel: int) -> float:
        """How much of a cycle a square wave is high."""
        return 100.0 * self._settings(channel).square_duty

    @command("[SOURce#]:FUNCtion:RAMP:SYMMetry", Clipped("PCT", 0.0, 100.0, 100.0))
    def set_symmetry(self, channel: int, percent: float) -> None:
        """How much of a cycle a ramp rises."""
        self._set(channel, symmetry=percent / 100.0)

    @query("[SOURce#]:FUNCtion:RAMP:SYMMetry")
    def symmetry(self, channel: int) -> float:
        """How much of a cycle a ramp rises."""
        return 100.0 * self._settings(channel).symmetry

    @command("[SOURce#]:FUNCtion:PULSe:WIDTh", Clipped("S", NARROWEST_S, _longest_width, 100e-6))
    def set_width(self, channel: int, seconds: float) -> None:
        """From the middle of the rising edge to that of the falling one."""
        pulse = self._settings(channel).pulse
        pulse.width_s, pulse.duty_held = seconds, False
        self._set(channel)

    @query("[SOURce#]:FUNCtion:PULSe:WIDTh")
    def width(self, channel: int) -> float:
        """From the middle of the rising edge to that of the falling one."""
        return self._settings(channel).pulse.width_s

    @command("[SOURce#]:FUNCtion:PULSe:DCYCle", Clipped("PCT", 0.0, 100.0, 10.0))
    def set_pulse_duty(self, channel: int, percent: float) -> None:
        """The width, of the period; it is kept when the frequency changes."""
        settings = self._settings(channel)
        period_s = 1.0 / settings.frequency_Hz
        width_s = min(max(0.01 * percent * period_s, NARROWEST_S), max(period_s - NARROWEST_S, NARROWEST_S))
        if abs(width_s - 0.01 * percent * period_s) > _TINY * period_s:
            self.conflict("pulse duty cycle limited by period")
        settings.pulse.width_s, settings.pulse.duty_held = width_s, True
        self._set(channel)

    @query("[SOURce#]:FUNCtion:PULSe:DCYCle")
    def pulse_duty(self, channel: int) -> float:
        """The width, of the period."""
        settings = self._settings(channel)
        return 100.0 * settings.pulse.width_s * settings.frequency_Hz

    @command("[SOURce#]:FUNCtion:PULSe:HOLD", Choice("WIDTh", "DCYCle"))
    def set_pulse_hold(self, channel: int, held: str) -> None:
        """What stays when the frequency changes."""
        self._settings(channel).pulse.duty_held = held == "DCYC"

    @query("[SOURce#]:FUNCtion:PULSe:HOLD")
    def pulse_hold(self, channel: int) -> str:
        """What stays when the frequency changes."""
        return "DCYC" if self._settings(channel).pulse.duty_held else "WIDT"

    def _edges(self, channel: int, rise_s: float, fall_s: float) -> None:
        pulse = self._settings(channel).pulse
        pulse.rise_s, pulse.fall_s = rise_s, fall_s
        self._set(channel)

    @command("[SOURce#]:FUNCtion:PULSe:TRANsition[:BOTH]", _EDGE)
    def set_edges(self, channel: int, seconds: float) -> None:
        """Both edges, from 10 to 90 %."""
        self._edges(channel, seconds, seconds)

    @query("[SOURce#]:FUNCtion:PULSe:TRANsition:LEADing")
    @query("[SOURce#]:FUNCtion:PULSe:TRANsition[:BOTH]")
    def rise(self, channel: int) -> float:
        """The rising edge, from 10 to 90 %."""
        return self._settings(channel).pulse.rise_s

    @command("[SOURce#]:FUNCtion:PULSe:TRANsition:LEADing", _EDGE)
    def set_rise(self, channel: int, seconds: float) -> None:
        """The rising edge, from 10 to 90 %."""
        self._edges(channel, seconds, self._settings(channel).pulse.fall_s)

    @command("[SOURce#]:FUNCtion:PULSe:TRANsition:TRAiling", _EDGE)
    def set_fall(self, channel: int, seconds: float) -> None:
        """The falling edge, from 90 to 10 %."""
        self._edges(channel, self._settings(channel).pulse.rise_s, seconds)

    @query("[SOURce#]:FUNCtion:PULSe:TRANsition:TRAiling")
    def fall(self, channel: int) -> float:
        """The falling edge, from 90 to 10 %."""
        return self._settings(channel).pulse.fall_s

    @command("[SOURce#]:FUNCtion:PRBS:DATA", Choice(*PRBS_TAPS))
    def set_sequence(self, channel: int, name: str) -> None:
        """Which pseudo-random sequence."""
        self._set(channel, prbs=name)

    @query("[SOURce#]:FUNCtion:PRBS:DATA")
    def sequence(self, channel: int) -> str:
        """Which pseudo-random sequence."""
        return self._settings(channel).prbs

    @command("[SOURce#]:FUNCtion:PRBS:BRATe", Clipped("HZ", *BIT_RATES, 1e3))
    def set_bit_rate(self, channel: int, rate: float) -> None:
        """Bits a second."""
        self._set(channel, bit_rate=rate)

    @query("[SOURce#]:FUNCtion:PRBS:BRATe")
    def bit_rate(self, channel: int) -> float:
        """Bits a second."""
        return self._settings(channel).bit_rate

    @command("[SOURce#]:FUNCtion:PRBS:TRANsition[:BOTH]", _EDGE)
    def set_bit_edge(self, channel: int, seconds: float) -> None:
        """The edges of a pseudo-random sequence."""
        self._set(channel, prbs_edge_s=seconds)

    @query("[SOURce#]:FUNCtion:PRBS:TRANsition[:BOTH]")
    def bit_edge(self, channel: int) -> float:
        """The edges of a pseudo-random sequence."""
        return self._settings(channel).prbs_edge_s

    @command("[SOURce#]:FUNCtion:NOISe:BANDwidth", Clipped("HZ", *NOISE_BANDWIDTHS_HZ, 100e3))
    def set_bandwidth(self, channel: int, hertz: float) -> None:
        """The bandwidth of the noise."""
        self._set(channel, noise_bandwidth_Hz=hertz)

    @query("[SOURce#]:FUNCtion:NOISe:BANDwidth")
    def bandwidth(self, channel: int) -> float:
        """The bandwidth of the noise."""
        return self._settings(channel).noise_bandwidth_Hz

    # APPLy ------------------------------------------------------------------------------------------------

    def _apply(
        self, channel: int, name: str, rate: float | None, amplitude: Amplitude | None, offset: float | None
    ) -> None:
        """A wave with one command: no sweep, no burst, immediate trigger, the output on."""
        settings = self._settings(channel)
        settings.function, settings.burst.on, settings.frequency_mode = name, False, "CW"
        settings.trigger.source = "IMM"
        if name == "ARB":
            settings.arb.sample_rate = 40e3 if rate is None else rate
        elif name == "PRBS":
            settings.bit_rate = 1e3 if rate is None else max(rate, BIT_RATES[0])
        elif name not in ("NOIS", "DC"):
            settings.frequency_Hz = 1e3 if rate is None else rate
            if settings.frequency_Hz > settings.fastest_Hz:
                self.report(ScpiError(-222, "frequency; value clipped to upper limit"))
                settings.frequency_Hz = settings.fastest_Hz
        settings.square_duty = 0.5
        settings.offset_V = 0.0
        if name != "DC":
            self._apply_span(channel, amplitude or Amplitude(_usual_span(self, channel), None))
        settings.offset_V = (offset or 0.0) / settings.scale
        self._fit_amplitude(channel)
        settings.on = True
        self._set(channel)

    @_each_function
    def apply(
        self, channel: int, rate: float | None, amplitude: Amplitude | None, offset: float | None, name: str
    ) -> None:
        """A wave with one command; an arbitrary wave's rate is its sample rate, a bit sequence's its bit rate."""
        self._apply(channel, name, rate, amplitude, offset)

    @query("[SOURce#]:APPLy")
    def applied(self, channel: int) -> str:
        """Function, frequency, amplitude and offset, as one string."""
        values = (self.frequency(channel), self.amplitude(channel, None), self.offset(channel))
        return f'"{self.function(channel)} {",".join(map(self.format_real, values))}"'
