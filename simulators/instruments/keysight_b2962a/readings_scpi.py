"""The B2962A's commands that measure and give readings, and their formats."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from simulators.instruments.given import Each, for_each
from simulators.instruments.keysight_b2962a.channel import Reading
from simulators.instruments.keysight_b2962a.sense_scpi import MEASURABLE, SenseCommands
from simulators.scpi import ChannelList, Choice, Integer, Later, Optional, Rest, ScpiError, command, query

CHANNELS = (1, 2)
_WORDS = {
    "VOLT": "VOLTage",
    "CURR": "CURRent",
    "RES": "RESistance",
    "TIME": "TIME",
    "STAT": "STATus",
    "SOUR": "SOURce",
}
ELEMENTS = tuple(_WORDS)
"""Of a reading, in the order of `Reading`."""
_LIST = Optional(ChannelList(CHANNELS[-1]), (1,))
_ALL = Optional(ChannelList(CHANNELS[-1]), CHANNELS)
_NOTHING = Reading(math.nan, math.nan, math.nan, math.nan, False, math.nan)


def _channels(name: str) -> Optional:
    return _LIST


def _elements_of(root: str, names: Sequence[str] = ELEMENTS) -> Each:
    return for_each({name: f"{root}:{_WORDS[name]}" for name in names})


class ReadingCommands(SenseCommands):
    """See the module."""

    elements: tuple[str, ...]
    real_bits: int
    swapped: bool

    @command("INITiate[:IMMediate][:ALL]", _LIST)
    def initiate(self, numbers: Sequence[int]) -> None:
        """Start a run on each channel."""
        for number in sorted(set(numbers)):
            self.channel(number).initiate()

    @command("ABORt[:ALL]", _ALL)
    def abort(self, numbers: Sequence[int]) -> None:
        """Stop the runs."""
        for number in numbers:
            self.channel(number).abort()

    # Readings -----------------------------------------------------------------------------------------------

    def _given(self, numbers: Sequence[int], names: Sequence[str], newest: bool) -> list[float] | bytes:
        values: list[float] = []
        for number in sorted(set(numbers)):
            readings = self.channel(number).readings or [_NOTHING]
            for reading in readings[-1:] if newest else readings:
                values += [_element(reading, name) for name in names]
        if not self.real_bits:
            return values
        packed = np.where(np.isinf(values), np.copysign(9.9e37, values), values)
        return packed.astype(f"{'<' if self.swapped else '>'}f{self.real_bits // 8}").tobytes()

    def _measured(self, numbers: Sequence[int], names: Sequence[str]) -> Later:
        ready_at_s = max(self.channel(number).spot() for number in set(numbers))
        return Later(ready_at_s, lambda: self._given(numbers, names, True))

    def _start_and_give(self, numbers: Sequence[int], names: Sequence[str], newest: bool) -> Later:
        if any(self.channel(number).settings.trigger.source == "BUS" for number in numbers):
            raise ScpiError(-214)
        self.initiate(numbers)
        return self._when_over(numbers, names, newest)

    def _when_over(self, numbers: Sequence[int], names: Sequence[str], newest: bool) -> Later:
        return Later(
            lambda: max(self.channel(number).over_at_s for number in numbers),
            lambda: self._given(numbers, names, newest),
        )

    @query("MEASure", _LIST)
    def measure(self, numbers: Sequence[int]) -> Later:
        """Measure once, now; the elements that are set."""
        return self._measured(numbers, self.elements)

    @_elements_of("MEASure", MEASURABLE)(query, "", _channels)
    def measure_one(self, numbers: Sequence[int], name: str) -> Later:
        """Measure once, now; one element."""
        return self._measured(numbers, (name,))

    @query("READ[:SCALar]", _LIST)
    def read_newest(self, numbers: Sequence[int]) -> Later:
        """Start a run and give its newest reading."""
        return self._start_and_give(numbers, self.elements, True)

    @_elements_of("READ[:SCALar]")(query, "", _channels)
    def read_newest_element(self, numbers: Sequence[int], name: str) -> Later:
        """Start a run and give one element of its newest reading."""
        return self._start_and_give(numbers, (name,), True)

    @query("READ:ARRay", _LIST)
    def read_all(self, numbers: Sequence[int]) -> Later:
        """Start a run and give its readings."""
        return self._start_and_give(numbers, self.elements, False)

    @_elements_of("READ:ARRay")(query, "", _channels)
    def read_all_elements(self, numbers: Sequence[int], name: str) -> Later:
        """Start a run and give one element of its readings."""
        return self._start_and_give(numbers, (name,), False)

    @query("FETCh[:SCALar]", _LIST)
    def fetch_newest(self, numbers: Sequence[int]) -> Later:
        """The newest reading."""
        return self._when_over(numbers, self.elements, True)

    @_elements_of("FETCh[:SCALar]")(query, "", _channels)
    def fetch_newest_element(self, numbers: Sequence[int], name: str) -> Later:
        """One element of the newest reading."""
        return self._when_over(numbers, (name,), True)

    @query("FETCh:ARRay", _LIST)
    def fetch_all(self, numbers: Sequence[int]) -> Later:
        """All readings."""
        return self._when_over(numbers, self.elements, False)

    @_elements_of("FETCh:ARRay")(query, "", _channels)
    def fetch_all_elements(self, numbers: Sequence[int], name: str) -> Later:
        """One element of all readings."""
        return self._when_over(numbers, (name,), False)

    @command("SENSe#:DATA:ACQuire")
    def acquire(self, number: int) -> None:
        """Measure once, now."""
        self.channel(number).spot()

    @command("SENSe#:DATA:CLEar")
    def clear_readings(self, number: int) -> None:
        """Forget the readings."""
        self.channel(number).readings = []

    @query("SENSe#:DATA:LATest")
    def latest(self, number: int) -> Any:
        """The newest reading."""
        return self._given((number,), self.elements, True)

    @query("SENSe#:DATA")
    def readings(self, number: int) -> Any:
        """All readings."""
        return self._given((number,), self.elements, False)

    # Formats ------------------------------------------------------------------------------------------------

    @command("FORMat:ELEMents:SENSe", Rest(Choice(*_WORDS.values()), least=1))
    def set_elements(self, names: Sequence[str]) -> None:
        """What a reading consists of; the order is always the same."""
        self.elements = tuple(name for name in ELEMENTS if name in names)

    @query("FORMat:ELEMents:SENSe")
    def elements_given(self) -> str:
        """What a reading consists of."""
        return ",".join(self.elements)

    @command("FORMat[:DATA]", Choice("ASCii", "REAL"), Optional(Integer(32, 64)))
    def set_format(self, kind: str, bits: int | None) -> None:
        """Text, or blocks of 32- or 64-bit numbers."""
        if kind == "REAL" and bits not in (None, 32, 64):
            raise ScpiError(-224, "REAL is 32 or 64 bits long")
        self.real_bits = (bits or 64) if kind == "REAL" else 0

    @query("FORMat[:DATA]")
    def format(self) -> str:
        """Text, or blocks."""
        return f"REAL,{self.real_bits}" if self.real_bits else "ASC"

    @command("FORMat:BORDer", Choice("NORMal", "SWAPped"))
    def set_byte_order(self, order: str) -> None:
        """Most or least significant byte first."""
        self.swapped = order == "SWAP"

    @query("FORMat:BORDer")
    def byte_order(self) -> str:
        """Most or least significant byte first."""
        return "SWAP" if self.swapped else "NORM"


def _element(reading: Reading, name: str) -> float:
    return math.nan if reading is _NOTHING else float(reading[ELEMENTS.index(name)])
