"""The 33512B's commands for levels, and APPLy."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

from simulators.instruments.given import Given
from simulators.instruments.keysight_33512b.settings import BIT_RATES, LARGEST_V, LOWEST_HZ, SMALLEST_SPAN_V
from simulators.instruments.keysight_33512b.source_scpi import TINY, SourceCommands, settings_of
from simulators.instruments.keysight_33512b.values import Amplitude, AmplitudeParameter, Clipped
from simulators.scpi import Boolean, Choice, Optional, ScpiError, command, query

F = TypeVar("F", bound=Callable[..., Any])

_STEP_V = 1e-3
"""How far a level is moved away from the other one that crossed it."""


def _largest_span(instrument: Any, channel: int = 1) -> float:
    return settings_of(instrument, channel).shown(2.0 * LARGEST_V)


def _smallest_span(instrument: Any, channel: int = 1) -> float:
    return settings_of(instrument, channel).shown(SMALLEST_SPAN_V)


def _usual_span(instrument: Any, channel: int = 1) -> float:
    settings = settings_of(instrument, channel)
    return settings.shown(0.1 / settings.scale)


def _largest_level(instrument: Any, channel: int = 1) -> float:
    return LARGEST_V * settings_of(instrument, channel).scale


def _lowest_level(instrument: Any, channel: int = 1) -> float:
    return -_largest_level(instrument, channel)


_SPAN = AmplitudeParameter("V", _smallest_span, _largest_span, _usual_span)
_LEVEL = Clipped("V", _lowest_level, _largest_level, 0.0)

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


class LevelCommands(SourceCommands):
    """See the module."""

    # Levels -----------------------------------------------------------------------------------------------

    def _apply_span(self, channel: int, amplitude: Amplitude) -> None:
        settings = self._settings(channel)
        unit = amplitude.unit or settings.unit
        if unit == "DBM" and math.isinf(settings.load_ohm):
            raise ScpiError(-221, "dBm needs a load that is not infinite")
        span_V = settings.span_of(amplitude.value, unit) if unit == "DBM" or amplitude.value > 0.0 else 0.0
        if span_V > 2.0 * LARGEST_V * (1.0 + TINY):
            self.report(ScpiError(-222, "value clipped to upper limit"))
        elif span_V < SMALLEST_SPAN_V * (1.0 - TINY):
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
        if low_V > high_V - _STEP_V / scale * (1.0 - TINY):
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
        if high_V < low_V + _STEP_V / scale * (1.0 - TINY):
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
