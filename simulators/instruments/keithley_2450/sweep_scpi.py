"""The 2450's trigger models: sweeps of the source, lists, and loops of measurements."""

from dataclasses import dataclass

import numpy as np

from simulators.instruments.given import for_each, same
from simulators.instruments.keithley_2450.buffers import LARGEST
from simulators.instruments.keithley_2450.settings import FACTS
from simulators.instruments.keithley_2450.source_scpi import SOURCES, SourceCommands
from simulators.instruments.keithley_2450.trace_scpi import NAME
from simulators.instruments.path import Array
from simulators.instruments.source_measure.ranges import Range
from simulators.instruments.source_measure.run import Run
from simulators.scpi import (
    Boolean,
    Choice,
    Integer,
    Number,
    Optional,
    Parameter,
    ScpiError,
    Text,
    command,
    query,
)

_MOST_POINTS = 1_000_000
_POINTS = Integer(2, _MOST_POINTS)
_AUTO = -1.0
"""A delay that stands for the source's own."""
_COUNT = Optional(Integer(0, 268_435_455), 1)
_RANGING = Optional(Choice("AUTO", "BEST", "FIXed"), "BEST")
_FAIL_ABORT, _DUAL = Optional(Boolean(), True), Optional(Boolean(), False)
_DELAY = Optional(Number("S", -1.0, 10_000.0), _AUTO)
each = for_each({"VOLT": "SOURce:SWEep:VOLTage", "CURR": "SOURce:SWEep:CURRent"})


@dataclass(frozen=True)
class TriggerModel:
    """What INITiate starts: measurements, at levels of the source if there are any.

    A delay of -1 is the source's own; a model with levels switches the output on and, at its end, off.
    """

    buffer: str
    count: int
    delay_s: float = _AUTO
    levels: tuple[tuple[float, Range], ...] = ()
    fail_abort: bool = False


def _level(name: str) -> Parameter:
    largest = FACTS.source[SOURCES[name]].largest
    return Number("V" if name == "VOLT" else "A", -largest, largest)


_TAIL = tuple(same(parameter) for parameter in (_DELAY, _COUNT, _RANGING, _FAIL_ABORT, _DUAL, NAME))


class SweepCommands(SourceCommands):
    """See the module."""

    model: TriggerModel | None
    run: Run | None

    def start_model(self, model: TriggerModel) -> None:
        """Run a trigger model."""
        raise NotImplementedError

    def _sweep(
        self,
        levels: Array,
        delay_s: float,
        count: int,
        ranging: str,
        fail: bool,
        dual: bool,
        buffer: str,
        name: str,
    ) -> None:
        if dual:
            levels = np.concatenate((levels, levels[-2::-1]))
        # Without end is until the largest buffer is full.
        count = count or max(LARGEST // len(levels), 1)
        if count * len(levels) > LARGEST:
            raise ScpiError(-222)
        drive, scale = SOURCES[name], FACTS.source[SOURCES[name]]
        source = self.settings.sources[drive]
        largest = scale.holding(float(np.max(np.abs(levels))))
        if ranging == "FIX" and largest.span > source.span.span:
            raise ScpiError(-221)
        spans = {"BEST": largest, "FIX": source.span}
        plan = tuple((level, spans.get(ranging) or scale.holding(level)) for level in levels.tolist())
        self.set_function(name)
        self.model = TriggerModel(buffer, count * len(plan), delay_s, plan, fail)

    @each(command, "LINear", _level, _level, same(_POINTS), *_TAIL)
    def sweep_linear(
        self,
        start: float,
        stop: float,
        points: int,
        delay_s: float,
        count: int,
        ranging: str,
        fail: bool,
        dual: bool,
        buffer: str,
        name: str,
    ) -> None:
        """A sweep in equal steps."""
        self._sweep(np.linspace(start, stop, points), delay_s, count, ranging, fail, dual, buffer, name)

    @each(command, "LINear:STEP", _level, _level, _level, *_TAIL)
    def sweep_by_steps(
        self,
        start: float,
        stop: float,
        step: float,
        delay_s: float,
        count: int,
        ranging: str,
        fail: bool,
        dual: bool,
        buffer: str,
        name: str,
    ) -> None:
        """A sweep in steps of a size."""
        steps = abs((stop - start) / step) if step else _MOST_POINTS
        if steps >= _MOST_POINTS:
            raise ScpiError(-222)
        levels = start + np.sign(stop - start) * abs(step) * np.arange(int(steps + 1e-6) + 1)
        self._sweep(levels, delay_s, count, ranging, fail, dual, buffer, name)

    @each(command, "LOG", _level, _level, same(_POINTS), *_TAIL)
    def sweep_logarithmic(
        self,
        start: float,
        stop: float,
        points: int,
        delay_s: float,
        count: int,
        ranging: str,
        fail: bool,
        dual: bool,
        buffer: str,
        name: str,
    ) -> None:
        """A sweep in equal ratios; both ends have one sign and neither is zero."""
        if start * stop <= 0.0:
            raise ScpiError(-222)
        self._sweep(np.geomspace(start, stop, points), delay_s, count, ranging, fail, dual, buffer, name)

    @each(
        command,
        "LIST",
        same(Optional(Integer(1, _MOST_POINTS), 1)),
        same(_DELAY),
        same(_COUNT),
        same(_FAIL_ABORT),
        same(NAME),
    )
    def sweep_list(self, first: int, delay_s: float, count: int, fail: bool, buffer: str, name: str) -> None:
        """A sweep through the list, from entry number `first` on."""
        levels = self.settings.sources[SOURCES[name]].listed[first - 1 :]
        if len(levels) == 0:
            raise ScpiError(-222)
        self._sweep(levels, delay_s, count, "BEST", fail, False, buffer, name)

    @command(
        "TRIGger:LOAD",
        Text(),
        Optional(Number("", 0.0, LARGEST), 1.0),
        Optional(Number("S", 0.0, 10_000.0), 0.0),
        NAME,
    )
    def load_model(self, name: str, count: float, delay_s: float, buffer: str) -> None:
        """A ready-made trigger model: "SimpleLoop" or "Empty"; others are not emulated."""
        kind = name.upper()
        if kind not in ("SIMPLELOOP", "EMPTY"):
            raise ScpiError(-224)
        self.model = None if kind == "EMPTY" else TriggerModel(buffer, max(round(count), 1), delay_s)

    @command("INITiate[:IMMediate]")
    def initiate(self) -> None:
        """Run the trigger model."""
        if self.run is not None and not self.run.over:
            raise ScpiError(-213)
        if self.model is None:
            raise ScpiError(-200)
        self.start_model(self.model)

    @command("ABORt")
    def abort(self) -> None:
        """Stop the trigger model; readings taken stay."""
        if self.run is not None:
            self.run.abort()

    @query("TRIGger:STATe")
    def model_state(self) -> str:
        """How it stands with the trigger model, and in which block."""
        state = "RUNNING" if self.run is not None and not self.run.over else "IDLE"
        state = "EMPTY" if self.model is None and state == "IDLE" else state
        return f"{state};{state};0"
