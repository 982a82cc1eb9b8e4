"""The QDAC-II's commands for ranges, filters and the DC generator."""

from typing import Any, get_args

import numpy as np

from simulators.instruments.path import Array
from simulators.instruments.qdac2.channel import RANGES_V
from simulators.instruments.qdac2.dc import Mode
from simulators.instruments.qdac2.generator import FASTEST_V_PER_S
from simulators.instruments.qdac2.generators_scpi import GeneratorCommands, count_reply, cycles
from simulators.scpi import Block, Choice, Integer, Number, ScpiError, command, query

_LONGEST_LIST = 65_536
_DWELL = Number("S", 1e-6, 3600.0, 1e-3)
_COUNT = Integer(-1, 2**31, 1, infinity=True)
_MODES: dict[str, str] = {"FIX": "fixed", "LIST": "list", "SWE": "sweep"}


def _low(instrument: Any, channel: int) -> float:
    return -instrument.channel(channel).limit_V


def _high(instrument: Any, channel: int) -> float:
    return instrument.channel(channel).limit_V


_VOLTS = Number("V", _low, _high, 0.0)


class SourceCommands(GeneratorCommands):
    """See the module."""

    @command("[SOURce#]:RANGe", Choice("LOW", "HIGH", default="HIGH"))
    def set_range(self, channel: int, name: str) -> None:
        """The low range ends at 2 V, the high one at 10 V; a voltage outside the new one is -221."""
        output = self.channel(channel)
        limit = RANGES_V[name]
        asked = np.concatenate(([output.at(self.clock.now), output.dc.level_V], output.dc.list.voltages))
        if np.max(np.abs(asked)) > limit:
            raise ScpiError(-221, f"channel {channel} is set to more than {limit:g} V")
        output.range = name

    @query("[SOURce#]:RANGe")
    def output_range(self, channel: int) -> str:
        """The output's range."""
        return self.channel(channel).range.lower()

    @query("[SOURce#]:RANGe:LOW:MINimum")
    def low_range_minimum(self, channel: int) -> float:
        """Lowest voltage of the low range."""
        return -RANGES_V["LOW"]

    @query("[SOURce#]:RANGe:LOW:MAXimum")
    def low_range_maximum(self, channel: int) -> float:
        """Highest voltage of the low range."""
        return RANGES_V["LOW"]

    @query("[SOURce#]:RANGe:HIGH:MINimum")
    def high_range_minimum(self, channel: int) -> float:
        """Lowest voltage of the high range."""
        return -RANGES_V["HIGH"]

    @query("[SOURce#]:RANGe:HIGH:MAXimum")
    def high_range_maximum(self, channel: int) -> float:
        """Highest voltage of the high range."""
        return RANGES_V["HIGH"]

    @command("[SOURce#]:FILTer", Choice("DC", "MEDium", "HIGH"))
    def set_filter(self, channel: int, name: str) -> None:
        """The output's low pass: 10 Hz, 10 kHz or 300 kHz."""
        self.channel(channel).filter = name

    @query("[SOURce#]:FILTer")
    def output_filter(self, channel: int) -> str:
        """The output's low pass."""
        return self.channel(channel).filter.lower()

    # Fixed ------------------------------------------------------------------------------------------------

    @command("[SOURce#]:VOLTage[:LEVel][:IMMediate][:AMPLitude]", _VOLTS)
    def set_voltage(self, channel: int, volts: float) -> None:
        """The fixed voltage; in fixed mode the output starts towards it at once."""
        self.channel(channel).forget()
        self.channel(channel).dc.set_level(volts)

    @query("[SOURce#]:VOLTage[:LEVel][:IMMediate][:AMPLitude]")
    def voltage(self, channel: int) -> float:
        """The fixed voltage as set."""
        return self.channel(channel).dc.level_V

    @query("[SOURce#]:VOLTage:LAST")
    def last_voltage(self, channel: int) -> float:
        """The DC generator's voltage at this instant, on its way or not."""
        return self.channel(channel).dc_V

    @command("[SOURce#]:VOLTage[:LEVel]:TRIGgered[:AMPLitude]", _VOLTS)
    def set_triggered_voltage(self, channel: int, volts: float) -> None:
        """The fixed voltage after the next trigger."""
        self.channel(channel).dc.next_V = volts

    @query("[SOURce#]:VOLTage[:LEVel]:TRIGgered[:AMPLitude]")
    def triggered_voltage(self, channel: int) -> float:
        """The fixed voltage after the next trigger."""
        return self.channel(channel).dc.next_V

    @command("[SOURce#]:VOLTage:SLEW", Number("V/S", 0.01, None, FASTEST_V_PER_S, infinity=True))
    def set_slew(self, channel: int, slew: float) -> None:
        """The limit of the DC generator's slew rate, in every mode."""
        if FASTEST_V_PER_S < slew < float("inf"):
            raise ScpiError(-222, f"{slew:g} is above {FASTEST_V_PER_S:g}")
        self.channel(channel).dc.set_slew(min(slew, FASTEST_V_PER_S))

    @query("[SOURce#]:VOLTage:SLEW")
    def slew(self, channel: int) -> float:
        """The limit of the DC generator's slew rate."""
        return self.channel(channel).dc.slew_V_per_s

    @command("[SOURce#]:VOLTage:MODE", Choice("FIXed", "LIST", "SWEep"))
    def set_mode(self, channel: int, mode: str) -> None:
        """Which of its three modes the DC generator is in."""
        self.channel(channel).dc.set_mode(next(known for known in get_args(Mode) if known == mode))

    @query("[SOURce#]:VOLTage:MODE")
    def mode(self, channel: int) -> str:
        """The DC generator's mode."""
        return _MODES[self.channel(channel).dc.mode]

    # List -------------------------------------------------------------------------------------------------

    def _checked(self, channel: int, volts: Array) -> Array:
        limit = self.channel(channel).limit_V
        if len(volts) == 0:
            raise ScpiError(-109, "an empty list")
        if not np.all(np.abs(volts) <= limit):
            worst = float(volts[np.argmax(np.where(np.isnan(volts), np.inf, np.abs(volts)))])
            raise ScpiError(-222, f"{worst:g} is outside {limit:g} V")
        return volts

    @command("[SOURce#]:LIST:VOLTage", Block("<f4"))
    def set_list(self, channel: int, volts: Array) -> None:
        """The list's voltages, as a block of little-endian floats or as numbers."""
        if len(volts) > _LONGEST_LIST:
            raise ScpiError(-223, f"{len(volts)} voltages; a list holds {_LONGEST_LIST}")
        self.channel(channel).forget()
        self.channel(channel).dc.list.voltages = self._checked(channel, volts)

    @query("[SOURce#]:LIST:VOLTage")
    def list_voltages(self, channel: int) -> Array:
        """The list's voltages."""
        return self.channel(channel).dc.list.voltages

    @command("[SOURce#]:LIST:VOLTage:APPend", Block("<f4"))
    def append_list(self, channel: int, volts: Array) -> None:
        """Further voltages at the end of the list."""
        settings = self.channel(channel).dc.list
        if len(volts) + len(settings.voltages) > _LONGEST_LIST:
            raise ScpiError(-223, f"a list holds {_LONGEST_LIST}")
        settings.voltages = np.concatenate((settings.voltages, self._checked(channel, volts)))

    @query("[SOURce#]:LIST:POINts")
    def list_points(self, channel: int) -> int:
        """How many voltages the list has."""
        return len(self.channel(channel).dc.list.voltages)

    @command("[SOURce#]:LIST:DWELl", _DWELL)
    def set_list_dwell(self, channel: int, seconds: float) -> None:
        """Time per voltage."""
        self.channel(channel).dc.list.dwell_s = seconds

    @query("[SOURce#]:LIST:DWELl")
    def list_dwell(self, channel: int) -> float:
        """Time per voltage."""
        return self.channel(channel).dc.list.dwell_s

    @command("[SOURce#]:LIST:COUNt", _COUNT)
    def set_list_count(self, channel: int, count: float) -> None:
        """How often the list is played; -1 for ever."""
        self.channel(channel).dc.list.count = cycles(count)

    @query("[SOURce#]:LIST:COUNt")
    def list_count(self, channel: int) -> int:
        """How often the list is played."""
        return count_reply(self.channel(channel).dc.list.count)

    @query("[SOURce#]:LIST:NCLeft")
    def list_cycles_left(self, channel: int) -> int:
        """How often it is still to be played."""
        return self.channel(channel).dc.cycles_left

    @command("[SOURce#]:LIST:DIRection", Choice("UP", "DOWN"))
    def set_list_direction(self, channel: int, direction: str) -> None:
        """Forwards or backwards."""
        self.channel(channel).dc.list.down = direction == "DOWN"

    @query("[SOURce#]:LIST:DIRection")
    def list_direction(self, channel: int) -> str:
        """Forwards or backwards."""
        return "down" if self.channel(channel).dc.list.down else "up"

    @command("[SOURce#]:LIST:TMODe", Choice("AUTO", "STEPped"))
    def set_list_trigger_mode(self, channel: int, mode: str) -> None:
        """One trigger for the whole list, or one per voltage."""
        self.channel(channel).dc.list.stepped = mode == "STEP"

    @query("[SOURce#]:LIST:TMODe")
    def list_trigger_mode(self, channel: int) -> str:
        """One trigger for the whole list, or one per voltage."""
        return "step" if self.channel(channel).dc.list.stepped else "auto"

    # Sweep ------------------------------------------------------------------------------------------------

    @command("[SOURce#]:SWEep:STARt", _VOLTS)
    def set_sweep_start(self, channel: int, volts: float) -> None:
        """Where the sweep begins."""
        self.channel(channel).dc.sweep.start_V = volts

    @query("[SOURce#]:SWEep:STARt")
    def sweep_start(self, channel: int) -> float:
        """Where the sweep begins."""
        return self.channel(channel).dc.sweep.start_V

    @command("[SOURce#]:SWEep:STOP", _VOLTS)
    def set_sweep_stop(self, channel: int, volts: float) -> None:
        """Where the sweep ends."""
        self.channel(channel).dc.sweep.stop_V = volts

    @query("[SOURce#]:SWEep:STOP")
    def sweep_stop(self, channel: int) -> float:
        """Where the sweep ends."""
        return self.channel(channel).dc.sweep.stop_V

    @command("[SOURce#]:SWEep:POINts", Integer(2, 10_000_000, 2))
    def set_sweep_points(self, channel: int, points: int) -> None:
        """How many voltages the sweep has."""
        self.channel(channel).dc.sweep.points = points

    @query("[SOURce#]:SWEep:POINts")
    def sweep_points(self, channel: int) -> int:
        """How many voltages the sweep has."""
        return self.channel(channel).dc.sweep.points

    @command("[SOURce#]:SWEep:GENeration", Choice("STEPped", "ANALog", "AUTO"))
    def set_sweep_generation(self, channel: int, kind: str) -> None:
        """In steps, or as a straight line."""
        self.channel(channel).dc.sweep.analog = kind == "ANAL"

    @query("[SOURce#]:SWEep:GENeration")
    def sweep_generation(self, channel: int) -> str:
        """In steps, or as a straight line."""
        return "anal" if self.channel(channel).dc.sweep.analog else "step"

    @command("[SOURce#]:SWEep:DWELl", _DWELL)
    def set_sweep_dwell(self, channel: int, seconds: float) -> None:
        """Time per voltage."""
        self.channel(channel).dc.sweep.dwell_s = seconds

    @query("[SOURce#]:SWEep:DWELl")
    def sweep_dwell(self, channel: int) -> float:
        """Time per voltage."""
        return self.channel(channel).dc.sweep.dwell_s

    @command("[SOURce#]:SWEep:COUNt", _COUNT)
    def set_sweep_count(self, channel: int, count: float) -> None:
        """How often the sweep is made; -1 for ever."""
        self.channel(channel).dc.sweep.count = cycles(count)

    @query("[SOURce#]:SWEep:COUNt")
    def sweep_count(self, channel: int) -> int:
        """How often the sweep is made."""
        return count_reply(self.channel(channel).dc.sweep.count)

    @query("[SOURce#]:SWEep:NCLeft")
    def sweep_cycles_left(self, channel: int) -> int:
        """How often it is still to be made."""
        return self.channel(channel).dc.cycles_left

    @command("[SOURce#]:SWEep:DIRection", Choice("UP", "DOWN"))
    def set_sweep_direction(self, channel: int, direction: str) -> None:
        """From start to stop, or back."""
        self.channel(channel).dc.sweep.down = direction == "DOWN"

    @query("[SOURce#]:SWEep:DIRection")
    def sweep_direction(self, channel: int) -> str:
        """From start to stop, or back."""
        return "down" if self.channel(channel).dc.sweep.down else "up"

    @query("[SOURce#]:SWEep:TIME")
    def sweep_time(self, channel: int) -> float:
        """How long one sweep takes."""
        sweep = self.channel(channel).dc.sweep
        return sweep.points * sweep.dwell_s
