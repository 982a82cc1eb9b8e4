"""The 33512B's commands for what shapes have of their own: duty cycle, symmetry, edges, bits, bandwidth."""

from typing import Any

from simulators.instruments.keysight_33512b.settings import BIT_RATES, NARROWEST_S, NOISE_BANDWIDTHS_HZ
from simulators.instruments.keysight_33512b.shapes import EDGE_S, PRBS_TAPS
from simulators.instruments.keysight_33512b.source_scpi import TINY, SourceCommands, settings_of
from simulators.instruments.keysight_33512b.values import Clipped
from simulators.scpi import Choice, command, query

_EDGE = Clipped("S", EDGE_S, 1e-6, EDGE_S)


def _longest_width(instrument: Any, channel: int = 1) -> float:
    return max(1.0 / settings_of(instrument, channel).frequency_Hz - NARROWEST_S, NARROWEST_S)


class ShapeCommands(SourceCommands):
    """See the module."""

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
        if abs(width_s - 0.01 * percent * period_s) > TINY * period_s:
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
