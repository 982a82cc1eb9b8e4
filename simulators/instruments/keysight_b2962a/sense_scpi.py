"""The B2962A's commands for limits, for what is measured and how, and for triggers."""

from collections.abc import Sequence
from typing import Any

from simulators.instruments.given import for_each
from simulators.instruments.keysight_b2962a.facts import (
    APERTURE_S,
    LARGEST,
    RESET_APERTURE_S,
    RESET_LIMIT,
    SMALLEST_LIMIT,
)
from simulators.instruments.keysight_b2962a.source_scpi import MOST_POINTS, SourceCommands
from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.unit import LINE_HZ
from simulators.scpi import (
    Boolean,
    Choice,
    Integer,
    Number,
    Rest,
    ScpiError,
    Text,
    command,
    query,
    quoted,
)
from simulators.scpi.parameters import Token

MEASURABLE = ("VOLT", "CURR", "RES")


class _Clipped(Number):
    """A number that is taken to its nearest bound, as the manual has it for apertures."""

    def __init__(self, unit: str, low: float, high: float, default: float) -> None:
        super().__init__(unit, low, high, default)
        self._bounds = low, high

    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> float:
        """Read the number."""
        known = self.keyword(token, instrument, suffixes) if isinstance(token, str) else None
        value = Number(self.unit).convert(token, instrument, suffixes) if known is None else known
        return min(max(value, self._bounds[0]), self._bounds[1])


_APERTURE = _Clipped("S", *APERTURE_S, RESET_APERTURE_S)
_CYCLES = _Clipped("", LINE_HZ * APERTURE_S[0], LINE_HZ * APERTURE_S[1], LINE_HZ * RESET_APERTURE_S)


def _limit(name: str) -> Number:
    drive = Drive(name)
    return Number({"VOLT": "V", "CURR": "A"}[name], SMALLEST_LIMIT[drive], LARGEST[drive], RESET_LIMIT[drive])


_each = for_each({"VOLT": "SENSe#:VOLTage[:DC]", "CURR": "SENSe#:CURRent[:DC]"})
_each_layer = for_each({"ACQ": "TRIGger#:ACQuire", "TRAN": "TRIGger#:TRANsient", "": "TRIGger#[:ALL]"})
_LAYERS = {"ACQ": ("ACQ",), "TRAN": ("TRAN",), "": ("ACQ", "TRAN")}


class SenseCommands(SourceCommands):
    """See the module."""

    # Limits -------------------------------------------------------------------------------------------------

    @_each(command, "PROTection[:LEVel][:BOTH]", _limit)
    def set_limit(self, number: int, value: float, name: str) -> None:
        """The limit, which counts while the other quantity is sourced."""
        self.channel(number).set_limit(Drive(name), value)

    @_each(query, "PROTection[:LEVel][:BOTH]")
    def limit(self, number: int, name: str) -> float:
        """The limit."""
        return self.channel(number).settings.quantities[Drive(name)].limit

    @_each(query, "PROTection:TRIPped")
    def limited(self, number: int, name: str) -> bool:
        """Whether the channel is in this limit."""
        channel = self.channel(number)
        return channel.limited and channel.settings.drive is not Drive(name)

    # How it is measured -------------------------------------------------------------------------------------

    @_each(command, "APERture", lambda name: _APERTURE)
    def set_aperture(self, number: int, seconds: float, name: str) -> None:
        """Integration time."""
        self.channel(number).settings.aperture_s = seconds
        self.channel(number).settings.automatic_aperture = False

    @_each(query, "APERture")
    def aperture(self, number: int, name: str) -> float:
        """Integration time."""
        return self.channel(number).settings.aperture_s

    @_each(command, "NPLCycles", lambda name: _CYCLES)
    def set_line_cycles(self, number: int, cycles: float, name: str) -> None:
        """Integration in power-line cycles."""
        self.set_aperture(number, cycles / LINE_HZ, name)

    @_each(query, "NPLCycles")
    def line_cycles(self, number: int, name: str) -> float:
        """Integration in power-line cycles."""
        return self.aperture(number, name) * LINE_HZ

    @_each(command, "APERture:AUTO", lambda name: Boolean())
    @_each(command, "NPLCycles:AUTO", lambda name: Boolean())
    def set_automatic_aperture(self, number: int, on: bool, name: str) -> None:
        """Whether the channel chooses the aperture; it stays what it is here."""
        self.channel(number).settings.automatic_aperture = on

    @_each(query, "APERture:AUTO")
    @_each(query, "NPLCycles:AUTO")
    def automatic_aperture(self, number: int, name: str) -> bool:
        """Whether the channel chooses the aperture."""
        return self.channel(number).settings.automatic_aperture

    @command("SENSe#:REMote", Boolean())
    def set_remote_sensing(self, number: int, on: bool) -> None:
        """Whether the voltage is that of the sense leads."""
        self.channel(number).settings.remote = on

    @query("SENSe#:REMote")
    def remote_sensing(self, number: int) -> bool:
        """Whether the voltage is that of the sense leads."""
        return self.channel(number).settings.remote

    @command("SENSe#:FUNCtion[:ON]", Rest(Text(), least=1))
    def measure_these(self, number: int, names: Sequence[str]) -> None:
        """Measure these quantities too."""
        self.channel(number).settings.measured |= _quantities(names)

    @command("SENSe#:FUNCtion:OFF", Rest(Text(), least=1))
    def do_not_measure(self, number: int, names: Sequence[str]) -> None:
        """Do not measure these."""
        self.channel(number).settings.measured -= _quantities(names)

    @command("SENSe#:FUNCtion:ON:ALL")
    def measure_all(self, number: int) -> None:
        """Measure everything."""
        self.channel(number).settings.measured = frozenset(MEASURABLE)

    @command("SENSe#:FUNCtion:OFF:ALL")
    def measure_nothing(self, number: int) -> None:
        """Measure nothing."""
        self.channel(number).settings.measured = frozenset()

    @query("SENSe#:FUNCtion[:ON]")
    def measured(self, number: int) -> str:
        """What is measured."""
        measured = self.channel(number).settings.measured
        return ",".join(quoted(name) for name in MEASURABLE if name in measured) or quoted("")

    @query("SENSe#:FUNCtion:OFF")
    def not_measured(self, number: int) -> str:
        """What is not measured."""
        measured = self.channel(number).settings.measured
        return ",".join(quoted(name) for name in MEASURABLE if name not in measured) or quoted("")

    # Triggers -----------------------------------------------------------------------------------------------

    @_each_layer(command, "COUNt", lambda name: Integer(1, MOST_POINTS, 1))
    def set_count(self, number: int, count: int, name: str) -> None:
        """How many measurements a run has, or steps of the source."""
        for layer in _LAYERS[name]:
            self.channel(number).settings.trigger.counts[layer] = count

    @_each_layer(query, "COUNt")
    def count(self, number: int, name: str) -> int:
        """How many measurements a run has, or steps of the source."""
        return self.channel(number).settings.trigger.counts[_LAYERS[name][0]]

    @_each_layer(command, "DELay", lambda name: Number("S", 0.0, 1e5, 0.0))
    def set_delay(self, number: int, seconds: float, name: str) -> None:
        """From a trigger to the source's step, or from there to the measurement."""
        for layer in _LAYERS[name]:
            self.channel(number).settings.trigger.delays_s[layer] = seconds

    @_each_layer(query, "DELay")
    def delay(self, number: int, name: str) -> float:
        """From a trigger to the source's step, or from there to the measurement."""
        return self.channel(number).settings.trigger.delays_s[_LAYERS[name][0]]

    @_each_layer(command, "TIMer", lambda name: Number("S", 1e-5, 1e5, 1e-5))
    def set_timer(self, number: int, seconds: float, name: str) -> None:
        """From step to step, with the source TIMer."""
        self.channel(number).settings.trigger.timer_s = seconds

    @_each_layer(query, "TIMer")
    def timer(self, number: int, name: str) -> float:
        """From step to step, with the source TIMer."""
        return self.channel(number).settings.trigger.timer_s

    @_each_layer(command, "SOURce", lambda name: Choice("AINT", "BUS", "TIMer"))
    def set_trigger_source(self, number: int, source: str, name: str) -> None:
        """What starts a step of a run."""
        self.channel(number).settings.trigger.source = source

    @_each_layer(query, "SOURce")
    def trigger_source(self, number: int, name: str) -> str:
        """What starts a step of a run."""
        return self.channel(number).settings.trigger.source


def _quantities(names: Sequence[str]) -> frozenset[str]:
    plain = [
        name.upper().replace("VOLTAGE", "VOLT").replace("CURRENT", "CURR").removesuffix(":DC")
        for name in names
    ]
    found = frozenset(name.replace("RESISTANCE", "RES") for name in plain)
    if not found <= set(MEASURABLE):
        raise ScpiError(-224, f"one of {', '.join(MEASURABLE)} expected")
    return found
