"""The 34465A as a whole: triggering, sampling, memory, formats, display."""

from functools import partial

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.keysight_34465a.acquisition import Acquisition, LevelTrigger, Plan
from simulators.instruments.keysight_34465a.converter import NOT_A_NUMBER, OVERLOAD, Converter
from simulators.instruments.keysight_34465a.sense_scpi import SenseCommands
from simulators.instruments.keysight_34465a.settings import FunctionSettings, Settings, TriggerSettings
from simulators.instruments.keysight_34465a.trigger_scpi import MEMORY, TriggerCommands
from simulators.instruments.keysight_display import DisplayCommands
from simulators.instruments.path import Array
from simulators.instruments.terminals import Ground, Pulse, Signal, Terminals
from simulators.scpi import (
    Choice,
    Integer,
    Later,
    Number,
    Optional,
    ScpiError,
    command,
    query,
)

_MEMORY_OVERFLOW = 1 << 14
_GAIN_ERROR, _OFFSET_ERROR = 10e-6, 1e-6
_LOOK_S = 1e-3
_UNITS = {"VOLT": "VDC", "VOLT:AC": "VAC", "CURR": "ADC", "CURR:AC": "AAC", "RES": "OHM", "FRES": "OHM"}


class Keysight34465A(SenseCommands, TriggerCommands, DisplayCommands):
    """An emulated Keysight 34465A with the options DIG and MEM.

    Sockets: input "input", trigger input "trigger". Only DC voltage is connected: the current inputs are
    open and read zero, resistance reads overload. A rising or falling edge on the trigger input counts as
    the slope says. A change of the configuration ends a measurement and clears the memory.

    Args:
        rng: draws the gain and offset error and the noise of the converter.
        clock_error: how much too long a second of its clock is, as a fraction.
    """

    title = "Keysight 34465A: digital multimeter, digitising"
    stock_driver = "qcodes.instrument_drivers.Keysight.Keysight34465A"
    signed_error_codes = True

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
    ) -> None:
        identity = f"Keysight Technologies,34465A,{serial},A.03.03-03.15-03.03-00.52-05-01"
        super().__init__(clock, identity=identity)
        self.settings = Settings()
        gain_error, offset_error = _GAIN_ERROR * rng.normal(), _OFFSET_ERROR * rng.normal()
        self._converter = Converter(float(gain_error), float(offset_error), rng, noise)
        self._tick = 1.0 + clock_error
        self._signal: Signal = Ground()
        self._acquisition: Acquisition | None = None
        self.terminals = Terminals(
            inputs={"input": self._connect},
            trigger_inputs={"trigger": self._feel},
            needs_since=self._needs_since,
        )

    def _connect(self, signal: Signal) -> None:
        self._signal = signal

    def _needs_since(self) -> float:
        return self.clock.now if self._acquisition is None else self._acquisition.needs_since

    # Hooks ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """*RST."""
        self.changed()
        self.settings = Settings()
        self.reset_display()

    def options(self) -> str:
        """*OPT?."""
        return "DIG,MEM"

    def operation_complete_at(self) -> float:
        """When the measurement under way is over."""
        return -np.inf if self._acquisition is None else self._acquisition.over_at_s

    def on_trigger(self) -> None:
        """*TRG: taken when the trigger source is BUS and a trigger is awaited."""
        waiting = self._acquisition is not None and not self._acquisition.over
        if self.settings.trigger.source != "BUS" or not waiting or self._acquisition is None:
            raise ScpiError(-211)
        if not self._acquisition.take_trigger():
            raise ScpiError(-211)

    def on_clear(self) -> None:
        """A device clear ends the measurement; readings taken stay."""
        self.abort()

    def changed(self) -> None:
        """See `SenseCommands.changed`."""
        if self._acquisition is not None:
            self._acquisition.abort()
            self._acquisition = None

    def look(self) -> float:
        """See `SenseCommands.look`."""
        now = self.clock.now
        window = np.array([max(now - _LOOK_S, 0.0)]), np.array([max(now, 1e-9)])
        return float(self._signal.means(*window)[0])

    def _feel(self, pulse: Pulse) -> None:
        edge_s = pulse.fall_s if self.settings.trigger.negative else pulse.rise_s

        def edge() -> None:
            if self._acquisition is not None and self.settings.trigger.source == "EXT":
                self._acquisition.take_trigger()

        if edge_s > self.clock.now:
            self.clock.schedule(edge_s, edge)
        else:
            edge()

    # Measuring --------------------------------------------------------------------------------------------

    def _convert(self, function: str, volts: Array) -> Array:
        settings = self.settings.functions[function]
        if function in ("RES", "FRES"):
            return np.full_like(volts, OVERLOAD)
        if function != "VOLT":
            volts = np.zeros_like(volts)
        span = settings.span
        return self._converter.read(volts, settings.integration_s, span, settings.autorange)

    def _plan(self) -> Plan:
        settings, trigger = self.settings, self.settings.trigger
        if trigger.pretrigger >= trigger.samples:
            raise ScpiError(-221, f"{trigger.pretrigger} pretrigger samples of {trigger.samples}")
        timed = trigger.timed and trigger.samples > 1
        if timed and trigger.timer_s < self.shortest_interval() * (1.0 - 1e-9):
            raise ScpiError(
                -221, f"sample timer {trigger.timer_s:g} s is below {self.shortest_interval():g} s"
            )
        immediate = trigger.source == "IMM"
        return Plan(
            triggers=trigger.count,
            samples=trigger.samples,
            pretrigger=0 if immediate else trigger.pretrigger,
            delay_s=settings.delay_s * self._tick,
            interval_s=trigger.timer_s * self._tick if timed else None,
            aperture_s=settings.now.integration_s * self._tick,
            reading_s=settings.reading_s * self._tick,
            immediate=immediate,
            convert=partial(self._convert, settings.function),
        )

    def _start(self) -> Acquisition:
        if self._acquisition is not None and not self._acquisition.over:
            raise ScpiError(-213)
        plan = self._plan()
        self.status.questionable.raise_bit(_MEMORY_OVERFLOW, False)
        acquisition = Acquisition(self.clock, plan, lambda: self._signal, MEMORY)
        self._acquisition = acquisition
        acquisition.begin()
        trigger = self.settings.trigger
        if trigger.source == "INT":
            LevelTrigger(self.clock, acquisition, lambda: self._signal, trigger.level_V, trigger.negative)
        return acquisition

    @command("INITiate[:IMMediate]")
    def initiate(self) -> None:
        """Clear the memory and wait for the trigger."""
        self._start()

    @command("ABORt")
    def abort(self) -> None:
        """End the measurement; readings taken stay."""
        if self._acquisition is not None:
            self._acquisition.catch_up()
            self._acquisition.abort()

    @query("FETCh")
    def fetch(self) -> Later:
        """All readings, once the measurement is over."""
        acquisition = self._acquisition
        if acquisition is None or (acquisition.over and len(acquisition.readings) == 0):
            raise ScpiError(-230)
        return Later(lambda: acquisition.over_at_s, lambda: self._given(acquisition.readings))

    @query("READ")
    def read_now(self) -> Later:
        """Start a measurement and give its readings."""
        if self.settings.trigger.source == "BUS":
            raise ScpiError(-214)
        acquisition = self._start()
        return Later(lambda: acquisition.over_at_s, lambda: self._given(acquisition.readings))

    @query("MEASure[:VOLTage][:DC]", Optional(Number("V", 0.0, 1000.0, 10.0)), Optional(Number("V", 0.0)))
    def measure(self, expected_V: float | None, resolution_V: float | None) -> Later:
        """Measure a DC voltage once, with the settings of *RST but for the range."""
        self.configure(expected_V, resolution_V)
        return self.read_now()

    @command("CONFigure[:VOLTage][:DC]", Optional(Number("V", 0.0, 1000.0, 10.0)), Optional(Number("V", 0.0)))
    def configure(self, expected_V: float | None, resolution_V: float | None) -> None:
        """Prepare for a DC voltage, with the settings of *RST but for the range and the resolution."""
        self.changed()
        self.settings.function, self.settings.trigger = "VOLT", TriggerSettings()
        self.settings.functions["VOLT"] = FunctionSettings(10.0)
        if expected_V is not None:
            self.set_range(expected_V, "VOLT")
        if resolution_V is not None:
            self.set_resolution(resolution_V, "VOLT")

    # Memory -----------------------------------------------------------------------------------------------

    def _memory(self) -> Array:
        if self._acquisition is None:
            return np.empty(0)
        self._acquisition.catch_up()
        return self._acquisition.readings

    def _given(self, readings: Array) -> list[float] | bytes:
        """Readings in the format that is set."""
        if self._acquisition is not None and self._acquisition.overflowed:
            self.status.questionable.raise_bit(_MEMORY_OVERFLOW)
        if len(readings) == 0:
            raise ScpiError(-230)
        return self._packed(readings) if self.settings.binary else readings.tolist()

    def _packed(self, readings: Array) -> bytes:
        readings = np.where(np.isnan(readings), NOT_A_NUMBER, readings)
        return readings.astype("<f8" if self.settings.swapped else ">f8").tobytes()

    def _take(self, count: int) -> Array:
        readings = self._memory()
        if self._acquisition is not None:
            self._acquisition.readings = readings[count:]
        return readings[:count]

    @query("R", Optional(Integer(1, MEMORY), MEMORY))
    def take_block(self, count: int) -> bytes:
        """Up to `count` readings, oldest first, as a block whatever the format; they are forgotten."""
        readings = self._take(count)
        if self.settings.binary:
            return self._packed(readings)
        return ",".join(map(self.format_real, readings.tolist())).encode("ascii")

    @query("DATA:REMove", Integer(1, MEMORY), Optional(Choice("WAIT")))
    def take_readings(self, count: int, wait: str | None) -> Later:
        """`count` readings, oldest first, which are forgotten; without WAIT they must be there."""
        acquisition, there = self._acquisition, len(self._memory())
        if acquisition is None or (wait is None and there < count):
            raise ScpiError(-222, f"{there} readings are there")

        def ready_at() -> float:
            return self.clock.now if len(acquisition.readings) >= count else acquisition.over_at_s

        return Later(ready_at, lambda: self._given(self._take(count)))

    @query("DATA:POINts")
    def readings_there(self) -> int:
        """How many readings are in the memory."""
        return len(self._memory())

    @query("DATA:LAST")
    def last_reading(self) -> str:
        """The newest reading with its unit."""
        readings = self._memory()
        newest = float(readings[-1]) if len(readings) else np.nan
        return f"{self.format_real(newest)} {_UNITS[self.settings.function]}"

    @command("FORMat[:DATA]", Choice("ASCii", "REAL"), Optional(Integer(0, 64)))
    def set_format(self, kind: str, length: int | None) -> None:
        """ASCII, or blocks of 64-bit numbers."""
        if kind == "REAL" and length not in (None, 64):
            raise ScpiError(-224, "REAL is 64 bits long")
        self.settings.binary = kind == "REAL"

    @query("FORMat[:DATA]")
    def format(self) -> str:
        """The format of readings."""
        return "REAL,64" if self.settings.binary else "ASC,9"

    @command("FORMat:BORDer", Choice("NORMal", "SWAPped"))
    def set_byte_order(self, order: str) -> None:
        """Most or least significant byte first."""
        self.settings.swapped = order == "SWAP"

    @query("FORMat:BORDer")
    def byte_order(self) -> str:
        """Most or least significant byte first."""
        return "SWAP" if self.settings.swapped else "NORM"

    # The rest ---------------------------------------------------------------------------------------------

    @command("SYSTem:PRESet")
    def preset(self) -> None:
        """As *RST, for what is emulated here."""
        self.reset()

    @query("SYSTem:LICense:CATalog")
    def licenses(self) -> str:
        """The licences bought."""
        return '"DIG","MEM"'
