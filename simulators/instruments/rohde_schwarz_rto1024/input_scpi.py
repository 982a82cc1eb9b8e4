"""The oscilloscope's commands for its inputs and what is made of their samples."""

from typing import Any

from simulators.instruments.rohde_schwarz_rto1024.settings import (
    DIVISIONS,
    SCALES_V,
    ChannelSettings,
    Settings,
)
from simulators.scpi import Boolean, Choice, Integer, Number, ScpiInstrument, command, query

_LARGEST_OFFSET_V = 100.0


def _of(instrument: Any, channel: int) -> ChannelSettings:
    settings: ChannelSettings = instrument.settings.channels[channel - 1]
    return settings


def _smallest(instrument: Any, channel: int) -> float:
    return SCALES_V[_of(instrument, channel).coupling][0] * _of(instrument, channel).probe


def _largest(instrument: Any, channel: int) -> float:
    return SCALES_V[_of(instrument, channel).coupling][1] * _of(instrument, channel).probe


def _smallest_range(instrument: Any, channel: int) -> float:
    return DIVISIONS * _smallest(instrument, channel)


def _largest_range(instrument: Any, channel: int) -> float:
    return DIVISIONS * _largest(instrument, channel)


class InputCommands(ScpiInstrument):
    """See the module."""

    settings: Settings

    def changed(self) -> None:
        """A setting has changed: an acquisition under way starts anew."""
        raise NotImplementedError

    def overloaded(self, channel: int) -> bool:
        """Whether a channel's converter was driven to its end."""
        raise NotImplementedError

    def forgive(self, channel: int) -> None:
        """Forget that a channel's converter was driven to its end."""
        raise NotImplementedError

    def _adjust(self, channel: int, **values: Any) -> None:
        for name, value in values.items():
            setattr(self.settings.channels[channel - 1], name, value)
        self.changed()

    @command("CHANnel#:STATe", Boolean())
    def set_state(self, channel: int, on: bool) -> None:
        """Whether a channel is shown, and with it acquired."""
        self._adjust(channel, on=on)

    @query("CHANnel#:STATe")
    def state(self, channel: int) -> bool:
        """Whether a channel is shown."""
        return _of(self, channel).on

    @command("CHANnel#:COUPling", Choice("DC", "DCLimit", "AC"))
    def set_coupling(self, channel: int, coupling: str) -> None:
        """DC with 50 ohm, DC with 1 Mohm (DCLimit), or AC with 1 Mohm."""
        self._adjust(channel, coupling=coupling)
        self._adjust(channel, scale_V=min(_of(self, channel).scale_V, _largest(self, channel)))

    @query("CHANnel#:COUPling")
    def coupling(self, channel: int) -> str:
        """DC, DCL or AC."""
        return _of(self, channel).coupling

    @command("CHANnel#:GND", Boolean())
    def set_grounded(self, channel: int, on: bool) -> None:
        """Ground in place of the signal."""
        self._adjust(channel, grounded=on)

    @query("CHANnel#:GND")
    def grounded(self, channel: int) -> bool:
        """Ground in place of the signal."""
        return _of(self, channel).grounded

    @command("CHANnel#:SCALe", Number("V", _smallest, _largest, 0.05))
    def set_scale(self, channel: int, volts: float) -> None:
        """Volts a division."""
        self._adjust(channel, scale_V=volts)

    @query("CHANnel#:SCALe")
    def scale(self, channel: int) -> float:
        """Volts a division."""
        return _of(self, channel).scale_V

    @command("CHANnel#:RANGe", Number("V", _smallest_range, _largest_range, 0.5))
    def set_range(self, channel: int, volts: float) -> None:
        """From the bottom of the screen to its top."""
        self._adjust(channel, scale_V=volts / DIVISIONS)

    @query("CHANnel#:RANGe")
    def range(self, channel: int) -> float:
        """From the bottom of the screen to its top."""
        return _of(self, channel).range_V

    @command("CHANnel#:POSition", Number("", -5.0, 5.0, 0.0))
    def set_vertical(self, channel: int, divisions: float) -> None:
        """How far up the trace is moved."""
        self._adjust(channel, position=divisions)

    @query("CHANnel#:POSition")
    def vertical(self, channel: int) -> float:
        """How far up the trace is moved."""
        return _of(self, channel).position

    @command("CHANnel#:OFFSet", Number("V", -_LARGEST_OFFSET_V, _LARGEST_OFFSET_V, 0.0))
    def set_offset(self, channel: int, volts: float) -> None:
        """The voltage in the middle of the screen, at position 0."""
        self._adjust(channel, offset_V=volts)

    @query("CHANnel#:OFFSet")
    def offset(self, channel: int) -> float:
        """The voltage in the middle of the screen, at position 0."""
        return _of(self, channel).offset_V

    @command("CHANnel#:INVert", Boolean())
    def set_inverted(self, channel: int, on: bool) -> None:
        """Upside down."""
        self._adjust(channel, inverted=on)

    @query("CHANnel#:INVert")
    def inverted(self, channel: int) -> bool:
        """Upside down."""
        return _of(self, channel).inverted

    @command("CHANnel#:BANDwidth", Choice("FULL", "B800", "B200", "B20"))
    def set_bandwidth(self, channel: int, name: str) -> None:
        """2 GHz, 800, 200 or 20 MHz."""
        self._adjust(channel, bandwidth=name)

    @query("CHANnel#:BANDwidth")
    def bandwidth(self, channel: int) -> str:
        """2 GHz, 800, 200 or 20 MHz."""
        return _of(self, channel).bandwidth

    @command("CHANnel#:IMPedance", Integer(1, 100_000, 50, unit="OHM"))
    def set_impedance(self, channel: int, ohm: int) -> None:
        """What power is calculated with; the input's own resistance is the coupling's."""
        self._adjust(channel, impedance_ohm=ohm)

    @query("CHANnel#:IMPedance")
    def impedance(self, channel: int) -> int:
        """What power is calculated with."""
        return _of(self, channel).impedance_ohm

    @command("CHANnel#:OVERload", Boolean())
    def set_overload(self, channel: int, on: bool) -> None:
        """OFF clears the overload."""
        self.forgive(channel)

    @query("CHANnel#:OVERload")
    def overload(self, channel: int) -> bool:
        """Whether the converter was driven to its end since that was cleared."""
        return self.overloaded(channel)

    @command("PROBe#:SETup:ATTenuation:MANual", Number("", 1e-4, 1e4, 1.0))
    def set_probe(self, channel: int, factor: float) -> None:
        """The factor of an assumed probe; the scale goes with it."""
        settings = _of(self, channel)
        self._adjust(channel, scale_V=settings.scale_V * factor / settings.probe, probe=factor)

    @query("PROBe#:SETup:ATTenuation:MANual")
    def probe(self, channel: int) -> float:
        """The factor of an assumed probe."""
        return _of(self, channel).probe

    @command("CHANnel#[:WAVeform]:ARIThmetics", Choice("OFF", "ENVelope", "AVERage"))
    def set_arithmetic(self, channel: int, name: str) -> None:
        """The last record, or the extremes or the mean of all that ACQuire:COUNt says."""
        self._adjust(channel, arithmetic=name)

    @query("CHANnel#[:WAVeform]:ARIThmetics")
    def arithmetic(self, channel: int) -> str:
        """The last record, extremes, or the mean."""
        return _of(self, channel).arithmetic

    @command("CHANnel#[:WAVeform]:TYPE", Choice("SAMPle", "PDETect", "HRESolution", "RMS"))
    def set_decimation(self, channel: int, name: str) -> None:
        """What becomes of the converter's samples in a sample interval: one, the extremes, the mean, the RMS."""
        self._adjust(channel, decimation=name)

    @query("CHANnel#[:WAVeform]:TYPE")
    def decimation(self, channel: int) -> str:
        """What becomes of the converter's samples in a sample interval."""
        return _of(self, channel).decimation
