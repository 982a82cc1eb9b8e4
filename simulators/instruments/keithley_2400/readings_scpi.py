"""The 2400's readings: what they consist of, how they are sent, and the data store."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simulators.instruments.keithley_2400.settings import ELEMENTS, MEMORY, Settings
from simulators.instruments.path import Array
from simulators.scpi import (
    Choice,
    Integer,
    Optional,
    Rest,
    ScpiError,
    ScpiInstrument,
    StatusRegister,
    command,
    query,
)

_BUFFER_FULL = 1 << 9
_STATISTICS: dict[str, Callable[[Array], Any]] = {
    "MEAN": np.mean,
    "SDEV": lambda values: np.std(values, ddof=min(len(values) - 1, 1)),
    "MAX": np.max,
    "MIN": np.min,
    "PKPK": np.ptp,
}


class Reading(NamedTuple):
    """One line of the sample buffer; NaN for what was neither measured nor sourced."""

    volts: float
    amps: float
    ohms: float
    time_s: float
    status: float


class ReadingCommands(ScpiInstrument):
    """See the module."""

    settings: Settings
    measurement: StatusRegister
    kept: list[Reading]

    def given(self, readings: list[Reading]) -> list[float] | str:
        """The elements of readings, in the format that is set."""
        if not readings:
            raise ScpiError(-230)
        columns = [ELEMENTS.index(name) for name in self.settings.elements]
        values = np.array([[reading[column] for column in columns] for reading in readings]).ravel()
        if self.settings.data_format == "ASC":
            return values.tolist()
        values = np.where(np.isnan(values), 9.91e37, np.clip(values, -9.9e37, 9.9e37))
        packed = values.astype("<f4" if self.settings.swapped else ">f4").tobytes()
        return "#0" + packed.decode("latin-1")

    # Formats ----------------------------------------------------------------------------------------------

    @command("FORMat:ELEMents[:SENSe]", Rest(Choice("VOLTage", "CURRent", "RESistance", "TIME", "STATus"), 1))
    def set_elements(self, names: tuple[str, ...]) -> None:
        """What a reading consists of; the order is always the same."""
        self.settings.elements = tuple(name for name in ELEMENTS if name in names)

    @query("FORMat:ELEMents[:SENSe]")
    def elements(self) -> str:
        """What a reading consists of."""
        return ",".join(self.settings.elements)

    @command("FORMat[:DATA]", Choice("ASCii", "REAL", "SREal"), Optional(Integer(32, 32)))
    def set_data_format(self, kind: str, length: int | None) -> None:
        """ASCII, or blocks of 32-bit numbers."""
        self.settings.data_format = "ASC" if kind == "ASC" else "REAL"

    @query("FORMat[:DATA]")
    def data_format(self) -> str:
        """ASCII, or blocks of 32-bit numbers."""
        return "ASC" if self.settings.data_format == "ASC" else "REAL,32"

    @command("FORMat:BORDer", Choice("NORMal", "SWAPped"))
    def set_byte_order(self, order: str) -> None:
        """Most or least significant byte first."""
        self.settings.swapped = order == "SWAP"

    @query("FORMat:BORDer")
    def byte_order(self) -> str:
        """Most or least significant byte first."""
        return "SWAP" if self.settings.swapped else "NORM"

    # The data store ---------------------------------------------------------------------------------------

    def store(self, reading: Reading) -> None:
        """Keep a reading, if the store is filling."""
        trace = self.settings.trace
        if trace.storing:
            self.kept.append(reading)
            if len(self.kept) >= trace.points:
                trace.storing = False
                self.measurement.event |= _BUFFER_FULL

    def _need_idle_store(self) -> None:
        if self.settings.trace.storing:
            raise ScpiError(800, text="Illegal with storage active")

    @command("TRACe:POINts", Integer(1, MEMORY, 100))
    @command("DATA:POINts", Integer(1, MEMORY, 100))
    def set_store_size(self, count: int) -> None:
        """How many readings the store takes; it is emptied."""
        self._need_idle_store()
        self.settings.trace.points, self.kept = count, []

    @query("TRACe:POINts")
    @query("DATA:POINts")
    def store_size(self) -> int:
        """How many readings the store takes."""
        return self.settings.trace.points

    @query("TRACe:POINts:ACTual")
    @query("DATA:POINts:ACTual")
    def count_stored(self) -> int:
        """How many readings are in the store."""
        return len(self.kept)

    @query("TRACe:FREE")
    @query("DATA:FREE")
    def store_room(self) -> list[int]:
        """Bytes that are free, and taken."""
        taken = 24 * len(self.kept)
        return [24 * MEMORY - taken, taken]

    @command("TRACe:CLEar")
    @command("DATA:CLEar")
    def clear_store(self) -> None:
        """Empty the store."""
        self._need_idle_store()
        self.kept = []

    @command("TRACe:FEED", Choice("SENSe#", "CALCulate#"))
    @command("DATA:FEED", Choice("SENSe#", "CALCulate#"))
    def set_feed(self, feed: str) -> None:
        """Where stored readings come from: the meter, as nothing is calculated here."""
        self._need_idle_store()
        self.settings.trace.feed = feed

    @query("TRACe:FEED")
    @query("DATA:FEED")
    def feed(self) -> str:
        """Where stored readings come from."""
        return self.settings.trace.feed

    @command("TRACe:FEED:CONTrol", Choice("NEXT", "NEVer"))
    @command("DATA:FEED:CONTrol", Choice("NEXT", "NEVer"))
    def set_storing(self, when: str) -> None:
        """Store the next readings until the store is full, or none."""
        self.settings.trace.storing = when == "NEXT"
        if when == "NEXT":
            self.kept = []

    @query("TRACe:FEED:CONTrol")
    @query("DATA:FEED:CONTrol")
    def storing(self) -> str:
        """Whether readings are stored."""
        return "NEXT" if self.settings.trace.storing else "NEV"

    @command("TRACe:TSTamp:FORMat", Choice("ABSolute", "DELTa"))
    @command("DATA:TSTamp:FORMat", Choice("ABSolute", "DELTa"))
    def set_stamps(self, kind: str) -> None:
        """Times since the store's first reading, or since the one before."""
        self.settings.trace.relative = kind == "DELT"

    @query("TRACe:TSTamp:FORMat")
    @query("DATA:TSTamp:FORMat")
    def stamps(self) -> str:
        """Times since the store's first reading, or since the one before."""
        return "DELT" if self.settings.trace.relative else "ABS"

    @query("TRACe:DATA")
    @query("DATA:DATA")
    def stored(self) -> list[float] | str:
        """All that is in the store."""
        times = np.array([reading.time_s for reading in self.kept])
        if len(times):
            times = np.diff(times, prepend=times[0]) if self.settings.trace.relative else times - times[0]
        return self.given(
            [item._replace(time_s=t) for item, t in zip(self.kept, times.tolist(), strict=True)]
        )

    @command("CALCulate3:FORMat", Choice("MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK"))
    def set_statistic(self, statistic: str) -> None:
        """Which statistic of the store is asked for."""
        self.settings.trace.statistic = statistic

    @query("CALCulate3:FORMat")
    def statistic(self) -> str:
        """Which statistic of the store is asked for."""
        return self.settings.trace.statistic

    @query("CALCulate3:DATA")
    def statistics(self) -> list[float]:
        """That statistic of volts, amps and ohms in the store, of those that readings consist of."""
        if not self.kept:
            raise ScpiError(-230)
        found = _STATISTICS[self.settings.trace.statistic]
        columns = [k for k in range(3) if ELEMENTS[k] in self.settings.elements]
        return [float(found(np.array([reading[k] for reading in self.kept]))) for k in columns]
