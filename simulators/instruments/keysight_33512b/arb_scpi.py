"""The 33512B's commands for arbitrary waves: data into volatile memory, and what is played of it."""

import numpy as np

from simulators.instruments.keysight_33512b.level_scpi import LevelCommands
from simulators.instruments.keysight_33512b.settings import (
    LARGEST_V,
    SAMPLE_RATES,
    SMALLEST_SPAN_V,
    ArbSettings,
)
from simulators.instruments.keysight_33512b.values import Amplitude, AmplitudeParameter, Clipped
from simulators.instruments.path import Array
from simulators.scpi import Block, Choice, ScpiError, Text, command, query, quoted

MEMORY = 1_000_000
"""Points of each channel's volatile memory."""
_SHORTEST = 8
_FULL_SCALE = 32767
_NAME = Text(bare=True, longest=64)
BUILT_IN = ArbSettings().name


def _slowest(instrument: object, channel: int = 1) -> float:
    return SAMPLE_RATES[0]


_PEAKS = AmplitudeParameter("V", SMALLEST_SPAN_V, 2.0 * LARGEST_V, 0.1)


class ArbCommands(LevelCommands):
    """See the module. `arbs` are the waves of each channel, by name."""

    arbs: tuple[dict[str, Array], dict[str, Array]]
    byte_order_swapped: bool

    def _arb(self, channel: int) -> ArbSettings:
        return self._settings(channel).arb

    def _keep(self, channel: int, name: str, levels: Array) -> None:
        waves = self.arbs[channel - 1]
        if name in waves:
            raise ScpiError(786, text="Specified arb waveform already exists", detail=name[:32])
        if len(levels) < _SHORTEST:
            raise ScpiError(-222, f"{len(levels)} points; {_SHORTEST} are the fewest")
        taken = sum(map(len, waves.values()))
        if taken + len(levels) > MEMORY:
            raise ScpiError(-225, f"{MEMORY - taken} points are free")
        waves[name] = levels

    def wire_layout(self) -> str:
        """How 16-bit points and 32-bit numbers are written in a block: FORMat:BORDer."""
        return "<" if self.byte_order_swapped else ">"

    @command("[SOURce#]:DATA:ARBitrary", _NAME, Block(lambda instrument: instrument.wire_layout() + "f4"))
    def load_levels(self, channel: int, name: str, levels: Array) -> None:
        """Keep a wave of numbers from -1 to 1."""
        if not np.all(np.abs(levels) <= 1.0):
            raise ScpiError(-222, "a point is outside -1 to 1")
        self._keep(channel, name, np.asarray(levels, dtype=np.float64))

    @command("[SOURce#]:DATA:ARBitrary:DAC", _NAME, Block(lambda instrument: instrument.wire_layout() + "i2"))
    @command(
        "[SOURce#]:DATA:ARBitrary1:DAC", _NAME, Block(lambda instrument: instrument.wire_layout() + "i2")
    )
    def load_codes(self, channel: int, name: str, codes: Array) -> None:
        """Keep a wave of whole numbers from -32767 to 32767."""
        if not np.all(np.abs(np.asarray(codes, dtype=np.float64)) <= _FULL_SCALE):
            raise ScpiError(-222, f"a point is outside {_FULL_SCALE}")
        self._keep(channel, name, np.round(np.asarray(codes, dtype=np.float64)) / _FULL_SCALE)

    @command("FORMat:BORDer", Choice("NORMal", "SWAPped"))
    def set_byte_order(self, order: str) -> None:
        """Most or least significant byte first."""
        self.byte_order_swapped = order == "SWAP"

    @query("FORMat:BORDer")
    def byte_order(self) -> str:
        """Most or least significant byte first."""
        return "SWAP" if self.byte_order_swapped else "NORM"

    @command("[SOURce#]:DATA:VOLatile:CLEar")
    def clear_volatile(self, channel: int) -> None:
        """Forget all waves of a channel; one that is played becomes the built-in one."""
        self.arbs[channel - 1].clear()
        settings, usual = self._arb(channel), ArbSettings()
        settings.name, settings.levels = usual.name, usual.levels
        self._set(channel)

    @query("[SOURce#]:DATA:VOLatile:CATalog")
    def volatile_names(self, channel: int) -> str:
        """Names of the waves kept."""
        return ",".join(map(quoted, (BUILT_IN, *self.arbs[channel - 1])))

    @query("[SOURce#]:DATA:VOLatile:FREE")
    def volatile_free(self, channel: int) -> int:
        """Points for which there is room."""
        return MEMORY - sum(map(len, self.arbs[channel - 1].values()))

    def _levels(self, channel: int, name: str) -> Array:
        if name.upper() == BUILT_IN.upper():
            return ArbSettings().levels
        if name not in self.arbs[channel - 1]:
            raise ScpiError(785, text="Specified arb waveform does not exist", detail=name[:32])
        return self.arbs[channel - 1][name]

    @query("[SOURce#]:DATA:ATTRibute:POINts", _NAME)
    def points_of(self, channel: int, name: str) -> int:
        """How many points a wave has."""
        return len(self._levels(channel, name))

    @query("[SOURce#]:DATA:ATTRibute:AVERage", _NAME)
    def average_of(self, channel: int, name: str) -> float:
        """The mean of a wave's points."""
        return float(np.mean(self._levels(channel, name)))

    @query("[SOURce#]:DATA:ATTRibute:PTPeak", _NAME)
    def extent_of(self, channel: int, name: str) -> float:
        """From a wave's lowest point to its highest one."""
        return float(np.ptp(self._levels(channel, name)))

    @command("[SOURce#]:FUNCtion:ARBitrary", _NAME)
    def choose_arb(self, channel: int, name: str) -> None:
        """Which wave FUNCtion ARB plays."""
        self._arb(channel).levels = self._levels(channel, name)
        self._arb(channel).name = name
        self._set(channel)
        if self._settings(channel).function == "ARB":
            self.channel(channel).restart_phase()

    @query("[SOURce#]:FUNCtion:ARBitrary")
    def arb(self, channel: int) -> str:
        """Which wave FUNCtion ARB plays."""
        return quoted(self._arb(channel).name)

    @command("[SOURce#]:FUNCtion:ARBitrary:SRATe", Clipped("SA/S", _slowest, SAMPLE_RATES[1], 40e3))
    def set_sample_rate(self, channel: int, rate: float) -> None:
        """Points a second."""
        self._arb(channel).sample_rate = rate
        self._set(channel)

    @query("[SOURce#]:FUNCtion:ARBitrary:SRATe")
    def sample_rate(self, channel: int) -> float:
        """Points a second."""
        return self._arb(channel).sample_rate

    @command("[SOURce#]:FUNCtion:ARBitrary:FREQuency", Clipped("HZ", 1e-6, SAMPLE_RATES[1] / _SHORTEST, 1e3))
    def set_arb_frequency(self, channel: int, hertz: float) -> None:
        """Waves a second."""
        self.set_sample_rate(channel, min(hertz * len(self._arb(channel).levels), SAMPLE_RATES[1]))

    @query("[SOURce#]:FUNCtion:ARBitrary:FREQuency")
    def arb_frequency(self, channel: int) -> float:
        """Waves a second."""
        return self._arb(channel).sample_rate / len(self._arb(channel).levels)

    @command("[SOURce#]:FUNCtion:ARBitrary:PERiod", Clipped("S", _SHORTEST / SAMPLE_RATES[1], 1e6, 1e-3))
    def set_arb_period(self, channel: int, seconds: float) -> None:
        """Length of the whole wave."""
        self.set_arb_frequency(channel, 1.0 / seconds)

    @query("[SOURce#]:FUNCtion:ARBitrary:PERiod")
    def arb_period(self, channel: int) -> float:
        """Length of the whole wave."""
        return 1.0 / self.arb_frequency(channel)

    @query("[SOURce#]:FUNCtion:ARBitrary:POINts")
    def arb_points(self, channel: int) -> int:
        """How many points the wave has."""
        return len(self._arb(channel).levels)

    @command("[SOURce#]:FUNCtion:ARBitrary:PTPeak", _PEAKS)
    def set_arb_span(self, channel: int, amplitude: Amplitude) -> None:
        """Peak to peak of a wave that goes from -1 to 1."""
        self._apply_span(channel, Amplitude(amplitude.value, "VPP"))
        self._set(channel)

    @query("[SOURce#]:FUNCtion:ARBitrary:PTPeak")
    def arb_span(self, channel: int) -> float:
        """Peak to peak of a wave that goes from -1 to 1."""
        return self._settings(channel).in_unit(self._settings(channel).span_V, "VPP")

    @command("[SOURce#]:FUNCtion:ARBitrary:FILTer", Choice("NORMal", "STEP", "OFF"))
    def set_smoothing(self, channel: int, kind: str) -> None:
        """NORMal goes straight from point to point, STEP and OFF hold each point."""
        self._arb(channel).smoothing = kind
        self._set(channel)

    @query("[SOURce#]:FUNCtion:ARBitrary:FILTer")
    def smoothing(self, channel: int) -> str:
        """How points are joined."""
        return self._arb(channel).smoothing
