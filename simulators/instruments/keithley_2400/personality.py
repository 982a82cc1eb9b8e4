"""The 2400 as a whole: its output, its runs of measurements, readings and the data store."""

import copy
import math
from collections import deque

import numpy as np

from simulators.clock import VirtualClock
from simulators.instrument import Example
from simulators.instruments.given import COLON_BEFORE_COMMON
from simulators.instruments.keithley_2400.readings_scpi import Reading, ReadingCommands
from simulators.instruments.keithley_2400.sense_scpi import SenseCommands
from simulators.instruments.keithley_2400.settings import (
    FACTS,
    OFF_LIMIT,
    SenseSettings,
    Settings,
)
from simulators.instruments.keithley_2400.system_scpi import SystemCommands
from simulators.instruments.keithley_2400.trigger_scpi import TriggerCommands
from simulators.instruments.source_measure.ohms import TEST_A, range_for, ratio_ohm
from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.ranges import Range
from simulators.instruments.source_measure.run import Run
from simulators.instruments.source_measure.unit import Measured, SourceMeasureUnit
from simulators.scpi import (
    Choice,
    Integer,
    Later,
    ScpiError,
    StatusRegister,
    command,
    query,
)

_TEXTS = {-222: "Parameter data out of range"}
_FUNCTIONS = Choice("VOLTage", "CURRent", "RESistance")
_MEASUREMENT_SUMMARY = 1 << 0
_READING_AVAILABLE, _COMPLIANCE = 1 << 6, 1 << 14
_OVERFLOW, _FILTER, _FRONT, _IN_LIMIT = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_AUTO_OHMS, _REMOTE = 1 << 10, 1 << 22
_MEASURES = {"VOLT": 1 << 11, "CURR": 1 << 12, "RES": 1 << 13}
_SOURCES = {Drive.VOLTS: 1 << 14, Drive.AMPS: 1 << 15}


class Keithley2400(SenseCommands, TriggerCommands, ReadingCommands, SystemCommands):
    """An emulated Keithley 2400.

    Sockets: source "output", what the unit drives; current input "input", by which the unit, as an ammeter,
    sinks a chip's readout (a current into the terminal reads negative); input "sense", what the sense leads
    touch. It powers up as after *RST. Triggers from cables never come; of CALCulate there are the statistics
    of the data store, no math and no limit tests.

    Args:
        rng: draws the errors of source and meter and the noise of the readings.
        clock_error: how much too long a second of its clock is, as a fraction.
    """

    title = "Keithley 2400: source-measure unit, 200 V, 1 A"
    stock_driver = "qcodes.instrument_drivers.Keithley.Keithley2400"
    example = Example(address="GPIB0::24::INSTR", before=(":OUTP ON\n",))
    error_queue_depth = 10
    scpi_version = "1996.0"
    signed_error_codes = True

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
    ) -> None:
        identity = f"KEITHLEY INSTRUMENTS INC.,MODEL 2400,{serial},C34 Sep 21 2016 15:30:00/A02  /V/M"
        super().__init__(clock, identity=identity)
        self.settings = Settings()
        self.tick = 1.0 + clock_error
        self.time_zero_s = clock.now
        self.measurement = self.status.others[_MEASUREMENT_SUMMARY] = StatusRegister()
        self.shown, self.display_on, self.beeper_on = {}, True, True
        self.run: Run | None = None
        self.unit = SourceMeasureUnit(clock, rng, FACTS, noise)
        self.terminals = self.unit.sockets()
        self._samples: list[Reading] = []
        self.kept = []
        self._moving: deque[Measured] = deque(maxlen=1)
        self._saved: dict[int, Settings] = {}
        self.apply()

    # Hooks ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """*RST."""
        self.abort()
        self.run = None
        self.settings = Settings()
        self._samples, self.kept = [], []
        self.apply()

    def on_clear(self) -> None:
        """A device clear ends the measurement."""
        self.abort()

    def operation_complete_at(self) -> float:
        """When the measurement under way is over."""
        return -math.inf if self.run is None or self.run.over else self.run.over_at_s

    def mend(self, message: bytes) -> bytes:
        """A colon before a common command is forgiven: the stock driver resets by `:*RST`."""
        return COLON_BEFORE_COMMON.sub(rb"\1*", message)

    def format_real(self, value: float) -> str:
        """Seven digits; overflow and NaN as SCPI writes them."""
        if math.isnan(value):
            return "+9.910000E+37"
        return f"{math.copysign(9.9e37, value) if math.isinf(value) else value:+.6E}"

    def format_error(self, error: ScpiError) -> str:
        """The number and its text, without details."""
        sign = "+" if error.code > 0 else ""
        return f'{sign}{error.code},"{_TEXTS.get(error.code, error.text)}"'

    @command("*SAV", Integer(0, 4))
    def save(self, place: int) -> None:
        """Remember the settings."""
        self._saved[place] = copy.deepcopy(self.settings)

    @command("*RCL", Integer(0, 4))
    def recall(self, place: int) -> None:
        """Take up settings that were remembered; the output stays off."""
        self.abort()
        self.settings = copy.deepcopy(self._saved.get(place, Settings()))
        self.settings.output_on = False
        self.apply()

    # Output -----------------------------------------------------------------------------------------------

    def apply(self) -> None:
        """Let the output do what is set."""
        settings, unit = self.settings, self.unit
        if not settings.output_on:
            self._switch_off()
        elif settings.ohms:
            test_A = TEST_A[self._ohms_range().span]
            unit.drive(Drive.AMPS, test_A, FACTS.source[Drive.AMPS].holding(test_A), self._volts_limit())
        elif settings.function is Drive.VOLTS:
            level = min(max(settings.source.level, -settings.protection_V), settings.protection_V)
            unit.drive(Drive.VOLTS, level, settings.source.span, self.limit_of("CURR"))
        else:
            unit.drive(Drive.AMPS, settings.source.level, settings.source.span, self._volts_limit())

    def _volts_limit(self) -> float:
        return min(self.limit_of("VOLT"), self.settings.protection_V)

    def _switch_off(self) -> None:
        settings = self.settings
        volts, amps = settings.sources[Drive.VOLTS].span, settings.sources[Drive.AMPS].span
        if settings.off_mode == "HIMP":
            self.unit.open()
        elif settings.off_mode == "GUAR":
            self.unit.drive(Drive.AMPS, 0.0, amps, self._volts_limit())
        else:
            normal = OFF_LIMIT * self.settings.senses["CURR"].span.span
            limit = normal if settings.off_mode == "NORM" else self.limit_of("CURR")
            self.unit.drive(Drive.VOLTS, 0.0, volts, limit)

    def _ohms_range(self) -> Range:
        sense = self.settings.senses["RES"]
        if sense.autorange:
            sense.span = range_for(self.unit.output, self._volts_limit())
        return sense.span

    def in_compliance(self) -> bool:
        """See `SenseCommands.in_compliance`."""
        return self.settings.output_on and self.unit.output.point(self.clock.now).limited

    # Measuring --------------------------------------------------------------------------------------------

    @command("INITiate[:IMMediate]")
    def initiate(self) -> None:
        """Start a measurement."""
        if self.run is not None and not self.run.over:
            raise ScpiError(-213)
        settings = self.settings
        if not settings.output_on and not settings.auto_off:
            raise ScpiError(803, text="Not permitted with OUTPUT off")
        steps, planned = self.steps(), self.planned()
        source = settings.source

        def prepare(k: int) -> None:
            self.unit.measures_since_s = self.clock.now
            if settings.auto_off:
                settings.output_on = True
            if planned is not None:
                source.level, source.span = planned[k % len(planned)]
            elif source.triggered != source.level:
                source.level = source.triggered
                if source.autorange:
                    source.span = FACTS.source[settings.function].holding(source.level)
            self.apply()

        def finish() -> None:
            self.unit.measures_since_s = math.inf
            if settings.auto_off:
                settings.output_on = False
                self.apply()

        self._samples = []
        self._moving = deque(maxlen=settings.filter_count)
        self.run = Run(self.clock, steps, prepare, self._take, finish)
        self.run.begin()

    def _take(self, k: int, start_s: float, stop_s: float) -> None:
        settings = self.settings
        ranges = {
            drive: None
            if settings.senses[drive.value].autorange and not self.is_source(drive.value)
            else self.span_of(drive.value)
            for drive in (Drive.VOLTS, Drive.AMPS)
        }
        if settings.ohms:
            ranges = dict.fromkeys(ranges)
        readings = settings.filter_count if settings.filter_on and not settings.filter_moves else 1
        found = self.unit.measure(start_s, stop_s, ranges, remote=settings.remote_sense, readings=readings)
        for drive, value in ((Drive.VOLTS, found.volts), (Drive.AMPS, found.amps)):
            if ranges[drive] is None and math.isfinite(value):
                settings.senses[drive.value].span = FACTS.meter[drive].holding(value)
        if settings.filter_on and settings.filter_moves:
            self._moving.append(found)
            volts, amps = np.mean([(item.volts, item.amps) for item in self._moving], axis=0).tolist()
            found = Measured(volts, amps, found.limited)
        reading = self._reading(found, (start_s - self.time_zero_s) / self.tick)
        self._samples.append(reading)
        self.store(reading)
        self.measurement.raise_bit(_COMPLIANCE, found.limited)
        self.measurement.event |= _READING_AVAILABLE

    def _reading(self, found: Measured, time_s: float) -> Reading:
        settings = self.settings
        ohms = settings.senses["RES"]
        resistance_ohm = ratio_ohm(found.volts, found.amps, None if ohms.autorange else ohms.span)
        values = {"VOLT": found.volts, "CURR": found.amps, "RES": resistance_ohm}
        status = sum(_MEASURES[name] for name in settings.measured)
        status |= _SOURCES[Drive.AMPS if settings.ohms else settings.function]
        if any(math.isinf(values[name]) for name in settings.measured):
            status |= _OVERFLOW
        status |= _IN_LIMIT * found.limited | _FILTER * settings.filter_on | _FRONT * (not settings.rear)
        status |= _AUTO_OHMS * settings.ohms | _REMOTE * settings.remote_sense
        for name in values:
            if name not in settings.measured:
                sourced = self.is_source(name) and not settings.ohms
                values[name] = settings.source.level if sourced else math.nan
        return Reading(values["VOLT"], values["CURR"], values["RES"], time_s, float(status))

    def _results(self) -> Later:
        run = self.run
        if run is None:
            raise ScpiError(-230)
        return Later(lambda: run.over_at_s, lambda: self.given(self._samples))

    @query("FETCh")
    def fetch(self) -> Later:
        """The readings of the last measurement, once it is over."""
        return self._results()

    @query("READ")
    def read_now(self) -> Later:
        """Measure and give the readings."""
        self.initiate()
        return self._results()

    @query("[SENSe]:DATA[:LATest]")
    def latest(self) -> list[float] | str:
        """The newest reading."""
        return self.given(self._samples[-1:])

    @command("CONFigure", _FUNCTIONS)
    def configure_function(self, name: str) -> None:
        """Prepare for one measurement of one function, with the settings of *RST."""
        defaults, kept = Settings(), self.settings.senses[name]
        self.settings.senses[name] = SenseSettings(kept.span, defaults.senses[name].limit)
        self.settings.measured = (name,)
        self.settings.filter_on = False
        self.trigger_defaults()
        self.apply()

    @command("CONFigure:VOLTage[:DC]")
    def configure_volts(self) -> None:
        """Prepare for one measurement of the voltage."""
        self.configure_function("VOLT")

    @command("CONFigure:CURRent[:DC]")
    def configure_amps(self) -> None:
        """Prepare for one measurement of the current."""
        self.configure_function("CURR")

    @command("CONFigure:RESistance")
    def configure_ohms(self) -> None:
        """Prepare for one measurement of a resistance."""
        self.configure_function("RES")

    @query("CONFigure")
    def configured(self) -> str:
        """What is measured."""
        return self.measured()

    @query("MEASure")
    def measure(self) -> Later:
        """Measure what was measured last."""
        return self.read_now()

    @query("MEASure:VOLTage[:DC]")
    def measure_volts(self) -> Later:
        """Measure the voltage once, with the settings of *RST."""
        self.configure_volts()
        return self.read_now()

    @query("MEASure:CURRent[:DC]")
    def measure_amps(self) -> Later:
        """Measure the current once, with the settings of *RST."""
        self.configure_amps()
        return self.read_now()

    @query("MEASure:RESistance")
    def measure_ohms(self) -> Later:
        """Measure a resistance once, with the settings of *RST."""
        self.configure_ohms()
        return self.read_now()
