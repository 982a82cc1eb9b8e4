"""The oscilloscope's commands that give what was acquired: waveforms and measurements."""

import math
from typing import Any

import numpy as np

from simulators.instruments.path import Array
from simulators.instruments.rohde_schwarz_rto1024.acquisition import Trace
from simulators.instruments.rohde_schwarz_rto1024.front_end import WORD
from simulators.instruments.rohde_schwarz_rto1024.measurements import MAINS, Measured
from simulators.instruments.rohde_schwarz_rto1024.settings import CHANNELS, MeasurementSettings
from simulators.instruments.rohde_schwarz_rto1024.sweep_scpi import SweepCommands
from simulators.scpi import Boolean, Choice, Integer, Optional, ScpiError, command, query
from simulators.scpi.mnemonics import short_form

_CATEGORIES = Choice("AMPTime", "JITTer", "EYEJitter", "SPECtrum", "HISTogram", "PROTocol")
_OTHER_MAINS = [
    "DELay",
    "PHASe",
    "BWIDth",
    "PSWitching",
    "NSWitching",
    "PULSetrain",
    "SHT",
    "SHR",
    "DTOTrigger",
    "PROBemeter",
    "CCJitter",
    "NCJitter",
    "CCWidth",
    "CCDutycycle",
    "TIE",
    "UINTerval",
    "DRATe",
    "SKWDelay",
    "SKWPhase",
    "ERPercent",
    "ERDB",
    "EHEight",
    "EWIDth",
    "ETOP",
    "EBASe",
    "QFACtor",
    "RMSNoise",
    "SNRatio",
    "DCDistortion",
    "ERTime",
    "EFTime",
    "EBRate",
    "EAMPlitude",
    "PPJitter",
    "STDJitter",
    "RMSJitter",
    "CPOWer",
    "OBWidth",
    "SBWidth",
    "THD",
    "THDPCT",
    "THDA",
    "THDU",
    "THDR",
    "HAR",
    "PLISt",
    "WCOunt",
    "WSAMples",
    "HSAMples",
    "HPEak",
    "PEAK",
    "UPEakvalue",
    "LPEakvalue",
    "HMAXimum",
    "HMINimum",
    "MEDian",
    "MAXMin",
    "HMEan",
    "HSTDdev",
    "M1STddev",
    "M2STddev",
    "M3STddev",
    "MKPositive",
    "MKNegative",
]
"""Measurements that can be chosen and have no result here."""
_MAINS = Choice(*MAINS, *_OTHER_MAINS)
_CALCULATED = {short_form(name): calculate for name, calculate in MAINS.items()}
_OTHER_SOURCES = {"M": 4, "R": 4, "SBUS": 4, "D": 16, "TRK": 8}


def _sources() -> list[str]:
    waves = [f"C{channel}W{wave}" for channel in range(1, CHANNELS + 1) for wave in (1, 2, 3)]
    for stem, count in _OTHER_SOURCES.items():
        first = 0 if stem == "D" else 1
        waves += [f"{stem}{number}" for number in range(first, first + count)]
    waves += [f"SG{group}TL{level}" for group in range(1, 5) for level in (1, 2)]
    return waves + [f"Z{port}{kind}{n}" for port in (1, 2) for kind in "VI" for n in range(1, 5)]


_SOURCE = Choice(*_sources())


class ResultCommands(SweepCommands):
    """See the module.

    Attributes:
        shown: what is on the screen, by channel; empty before anything was acquired.
        values: the results of each measurement since it was cleared.
    """

    shown: dict[int, Trace]
    values: list[list[float]]

    def traces(self) -> dict[int, Trace]:
        """What is on the screen now: a running oscilloscope has gone on."""
        raise NotImplementedError

    def _trace(self, channel: int) -> Trace:
        traces = self.traces()
        if channel not in traces:
            raise ScpiError(-230, f"channel {channel} has not been acquired")
        return traces[channel]

    # Waveforms --------------------------------------------------------------------------------------------

    @command("FORMat[:DATA]", Choice("ASCii", "REAL", "INT"), Optional(Integer(0, 32)))
    def set_format(self, kind: str, length: int | None) -> None:
        """ASC, INT,8, INT,16 or REAL,32."""
        known = {"ASC": (0,), "REAL": (32,), "INT": (8, 16)}[kind]
        if length not in (None, *known):
            raise ScpiError(-224, f"{kind},{length}")
        self.settings.export.format = f"{kind},{known[0] if length is None else length}"

    @query("FORMat[:DATA]")
    def format(self) -> str:
        """The format of waveforms."""
        return self.settings.export.format

    @command("FORMat:BORDer", Choice("MSBFirst", "LSBFirst"))
    def set_byte_order(self, order: str) -> None:
        """Most or least significant byte first."""
        self.settings.export.swapped = order == "LSBF"

    @query("FORMat:BORDer")
    def byte_order(self) -> str:
        """Most or least significant byte first."""
        return "LSBF" if self.settings.export.swapped else "MSBF"

    @command("EXPort:WAVeform:INCXvalues", Boolean())
    def set_times(self, on: bool) -> None:
        """Whether each value has its time in front of it; not in the INT formats."""
        self.settings.export.times = on

    @query("EXPort:WAVeform:INCXvalues")
    def times(self) -> bool:
        """Whether each value has its time in front of it."""
        return self.settings.export.times

    @command("EXPort:WAVeform:MULTichannel", Boolean())
    def set_several(self, on: bool) -> None:
        """Whether all channels that are on are sent together, point by point."""
        self.settings.export.several = on

    @query("EXPort:WAVeform:MULTichannel")
    def several(self) -> bool:
        """Whether all channels that are on are sent together."""
        return self.settings.export.several

    @query("CHANnel#[:WAVeform]:DATA:HEADer")
    def data_header(self, channel: int) -> str:
        """Time of the first and of the last point, points, values for each point."""
        trace = self._trace(channel)
        values, points = trace.codes.shape
        last_s = trace.first_s + (points - 1) * trace.step_s
        return f"{trace.first_s:.12E},{last_s:.12E},{points},{values}"

    @query("CHANnel#[:WAVeform]:DATA[:VALues]")
    def data(self, channel: int) -> str | bytes:
        """The waveform's values in the format that is set, point by point."""
        export = self.settings.export
        self._trace(channel)
        known = self.traces()
        chosen = [known[number] for number in sorted(known)] if export.several else [known[channel]]
        order = "<" if export.swapped else ">"
        if export.format.startswith("INT"):
            if export.times:
                raise ScpiError(-221, "times cannot be sent in an INT format")
            codes = np.concatenate([trace.codes for trace in chosen]).T.ravel()
            if export.format == "INT,8":
                return np.round(codes / WORD).astype("i1").tobytes()
            return codes.astype(f"{order}i2").tobytes()
        volts: list[Array] = [trace.volts for trace in chosen]
        rows = np.concatenate([chosen[0].times_s[None, :], *volts] if export.times else volts)
        values = rows.T.ravel()
        if export.format == "ASC,0":
            return ",".join(f"{value:.6E}" for value in values)
        return values.astype(f"{order}f4").tobytes()

    # Measurements -----------------------------------------------------------------------------------------

    def _measurement(self, number: int) -> MeasurementSettings:
        return self.settings.measurements[number - 1]

    def measured(self, number: int) -> float | None:
        """What a measurement gives of the screen; None where it cannot be made."""
        settings = self._measurement(number)
        calculate, traces = _CALCULATED.get(settings.main), self.shown
        if calculate is None or settings.source[0] != "C" or int(settings.source[1]) not in traces:
            return None
        trace = traces[int(settings.source[1])]
        times_s, volts = np.repeat(trace.times_s, trace.codes.shape[0]), trace.volts.T.ravel()
        left_s = self.settings.time.left_s
        shown = (times_s >= left_s) & (times_s <= left_s + self.settings.time.range_s)
        if np.count_nonzero(shown) < 2:
            return None
        return calculate(Measured(times_s[shown], volts[shown]))

    def evaluate(self) -> None:
        """Make every measurement that is on, and keep its result."""
        for number, settings in enumerate(self.settings.measurements, 1):
            value = self.measured(number) if settings.on else None
            if value is not None:
                self.values[number - 1].append(value)

    def _set_measurement(self, number: int, **values: Any) -> None:
        for name, value in values.items():
            setattr(self._measurement(number), name, value)
        self.values[number - 1] = []

    @command("MEASurement#[:ENABle]", Boolean())
    def set_measuring(self, number: int, on: bool) -> None:
        """Whether a measurement is made."""
        self._set_measurement(number, on=on)

    @query("MEASurement#[:ENABle]")
    def measuring(self, number: int) -> bool:
        """Whether a measurement is made."""
        return self._measurement(number).on

    @command("MEASurement#:FSRC", _SOURCE)
    @command("MEASurement#:SOURce", _SOURCE, Optional(_SOURCE))
    def set_source(self, number: int, source: str, second: str | None = None) -> None:
        """What is measured."""
        self._set_measurement(number, source=source)
        if second is not None:
            self._set_measurement(number, second=second)

    @query("MEASurement#:FSRC")
    @query("MEASurement#:SOURce")
    def source(self, number: int) -> str:
        """What is measured."""
        return self._measurement(number).source

    @command("MEASurement#:SSRC", _SOURCE)
    def set_second_source(self, number: int, source: str) -> None:
        """What it is compared with, for measurements of two waveforms."""
        self._set_measurement(number, second=source)

    @query("MEASurement#:SSRC")
    def second_source(self, number: int) -> str:
        """What it is compared with."""
        return self._measurement(number).second

    @command("MEASurement#:CATegory", _CATEGORIES)
    def set_category(self, number: int, name: str) -> None:
        """The kind of measurement; only those of amplitude and time have results."""
        self._set_measurement(number, category=name)

    @query("MEASurement#:CATegory")
    def category(self, number: int) -> str:
        """The kind of measurement."""
        return self._measurement(number).category

    @command("MEASurement#:MAIN", _MAINS)
    def set_main(self, number: int, name: str) -> None:
        """Which measurement."""
        self._set_measurement(number, main=name)

    @query("MEASurement#:MAIN")
    def main(self, number: int) -> str:
        """Which measurement."""
        return self._measurement(number).main

    @command("MEASurement#:STATistics[:ENABle]", Boolean())
    def set_statistics(self, number: int, on: bool) -> None:
        """Whether the screen shows statistics; they are always kept."""
        self._measurement(number).statistics = on

    @query("MEASurement#:STATistics[:ENABle]")
    def statistics(self, number: int) -> bool:
        """Whether the screen shows statistics."""
        return self._measurement(number).statistics

    @command("MEASurement#:CLEar")
    def clear_measurement(self, number: int) -> None:
        """Forget the results."""
        self.values[number - 1] = []

    def _results(self, number: int) -> list[float]:
        """All results, of the screen alone if there was no record since it was switched on."""
        self.traces()
        if not self.values[number - 1] and self._measurement(number).on:
            value = self.measured(number)
            self.values[number - 1] = [] if value is None else [value]
        return self.values[number - 1]

    @query("MEASurement#:RESult:EVTCount")
    def event_count(self, number: int) -> int:
        """How many results there are."""
        return len(self._results(number))

    @query("MEASurement#:RESult[:ACTual]")
    def result(self, number: int) -> float:
        """The newest result; 9.91E37 without one."""
        return self._results(number)[-1] if self._results(number) else math.nan

    @query("MEASurement#:RESult:AVG")
    def average_result(self, number: int) -> float:
        """The mean of the results."""
        results = self._results(number)
        return float(np.mean(results)) if results else math.nan

    @query("MEASurement#:RESult:STDDev")
    def spread_of_results(self, number: int) -> float:
        """The standard deviation of the results."""
        results = self._results(number)
        return float(np.std(results)) if results else math.nan

    @query("MEASurement#:RESult:PPEak")
    def highest_result(self, number: int) -> float:
        """The highest result."""
        return max(self._results(number), default=math.nan)

    @query("MEASurement#:RESult:NPEak")
    def lowest_result(self, number: int) -> float:
        """The lowest result."""
        return min(self._results(number), default=math.nan)
