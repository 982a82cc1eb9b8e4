"""The 2450 as a whole: its output, its measurements, and the trigger model that repeats them."""

import math
import re
from collections import deque
from collections.abc import Callable

import numpy as np

from simulators.clock import VirtualClock
from simulators.instrument import Example
from simulators.instruments.given import COLON_BEFORE_COMMON
from simulators.instruments.keithley_2450.buffers import DEFAULTS, Buffer, Reading
from simulators.instruments.keithley_2450.sense_scpi import SenseCommands
from simulators.instruments.keithley_2450.settings import FACTS, OFF_LIMIT, Settings
from simulators.instruments.keithley_2450.sweep_scpi import SweepCommands, TriggerModel
from simulators.instruments.keithley_2450.system_scpi import SystemCommands
from simulators.instruments.keithley_2450.trace_scpi import NAME, WANTED, Answer, TraceCommands
from simulators.instruments.source_measure.ohms import TEST_A, range_for, ratio_ohm
from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.ranges import Range
from simulators.instruments.source_measure.run import Run, Step
from simulators.instruments.source_measure.unit import LINE_HZ, Measured, SourceMeasureUnit
from simulators.scpi import Later, ScpiError, query

_AUTO_DELAY_S = 1e-3
_OTHER = {Drive.VOLTS: Drive.AMPS, Drive.AMPS: Drive.VOLTS}
_QUESTIONABLE, _FRONT = 1 << 1, 1 << 3
_PROTECTED, _READ_BACK, _LIMITED, _FOUR_WIRE, _ON = 1 << 2, 1 << 3, 1 << 5, 1 << 6, 1 << 7
_EMPTY_LAST = re.compile(rb",[ \t]*$")
_UNITS = {Drive.VOLTS: "VOLT", Drive.AMPS: "AMP"}


class Keithley2450(SenseCommands, SweepCommands, TraceCommands, SystemCommands):
    """An emulated Keithley 2450 that speaks SCPI.

    Sockets: source "output", what the unit drives; current input "input", by which the unit, as an ammeter,
    sinks a chip's readout (a current into the terminal reads negative); input "sense", what the sense leads
    touch. It powers up as after *RST. Trigger models are those of sweeps and "SimpleLoop"; limit tests and
    configuration lists are not there. Its calendar starts on 1 January 2026.

    Args:
        rng: draws the errors of source and meter and the noise of the readings.
        clock_error: how much too long a second of its clock is, as a fraction.
    """

    title = "Keithley 2450: source-measure unit, 200 V, 1 A, touch screen"
    stock_driver = "qcodes.instrument_drivers.Keithley.Keithley2450"
    example = Example(address="USB0::0x05E6::0x2450::04400001::INSTR", before=("OUTP ON\n",))
    error_queue_depth = 1000
    scpi_version = "1996.0"

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
    ) -> None:
        super().__init__(clock, identity=f"KEITHLEY INSTRUMENTS,MODEL 2450,{serial},1.7.12b")
        self.settings = Settings()
        self.tick = 1.0 + clock_error
        self.light = "ON50"
        self.buffers = {name: Buffer() for name in DEFAULTS}
        self.model: TriggerModel | None = None
        self.run: Run | None = None
        self.unit = SourceMeasureUnit(clock, rng, FACTS, noise)
        self.terminals = self.unit.sockets()
        self._moving: deque[float] = deque(maxlen=1)
        self.apply()

    # Hooks ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """*RST: settings and default buffers; buffers of the user's are deleted."""
        self.abort()
        self.settings = Settings()
        self.buffers = {name: Buffer() for name in DEFAULTS}
        self.model = None
        self.apply()

    def on_clear(self) -> None:
        """A device clear ends the measurement."""
        self.abort()

    def operation_complete_at(self) -> float:
        """When the measurement under way is over."""
        return -math.inf if self.run is None or self.run.over else self.run.over_at_s

    def format_real(self, value: float) -> str:
        """Seven digits; overflow and NaN as SCPI writes them."""
        if math.isnan(value):
            return "9.910000E+37"
        return f"{math.copysign(9.9e37, value) if math.isinf(value) else value:.6E}"

    def mend(self, message: bytes) -> bytes:
        """Forgive a colon before a common command, and an empty last parameter.

        The stock driver sends `:TRACe:MAKE 'mine', 100, `.
        """
        return _EMPTY_LAST.sub(b"", COLON_BEFORE_COMMON.sub(rb"\1*", message))

    # Output -----------------------------------------------------------------------------------------------

    @property
    def _ohms(self) -> bool:
        return self.settings.measured == "RES"

    def apply(self) -> None:
        """Let the output do what is set; a resistance measurement takes over the source."""
        settings, source = self.settings, self.settings.source
        if not settings.output_on:
            self._switch_off()
        elif self._ohms:
            test_A = TEST_A[self._ohms_range().span]
            limit_V = settings.sources[Drive.AMPS].limit
            self.unit.drive(Drive.AMPS, test_A, FACTS.source[Drive.AMPS].holding(test_A), limit_V)
        else:
            level, limit, protected_V = source.level, source.limit, self.protected_V(source)
            if settings.function is Drive.VOLTS:
                level = min(max(level, -protected_V), protected_V)
            else:
                limit = min(limit, protected_V)
            self.unit.drive(settings.function, level, source.span, limit)

    def _ohms_range(self) -> Range:
        sense = self.settings.senses["RES"]
        if sense.autorange:
            sense.span = range_for(self.unit.output, self.settings.sources[Drive.AMPS].limit)
        return sense.span

    def _switch_off(self) -> None:
        settings, mode = self.settings, self.settings.source.off_mode
        volts, amps = settings.sources[Drive.VOLTS], settings.sources[Drive.AMPS]
        if mode == "HIMP":
            self.unit.open()
        elif mode == "GUAR":
            self.unit.drive(Drive.AMPS, 0.0, amps.span, amps.limit)
        else:
            normal = OFF_LIMIT * settings.senses["CURR"].span.span
            self.unit.drive(Drive.VOLTS, 0.0, volts.span, normal if mode == "NORM" else volts.limit)

    def in_compliance(self) -> bool:
        """See `SourceCommands.in_compliance`."""
        return self.settings.output_on and self.unit.output.point(self.clock.now).limited

    # Measuring --------------------------------------------------------------------------------------------

    def _repeats(self) -> int:
        sense = self.settings.sense
        return sense.filter_count if sense.filter_on and not sense.filter_moves else 1

    def _reading_step(self, delay_s: float) -> Step:
        """One reading; an automatic zero takes as long as the reading."""
        sense = self.settings.sense
        aperture_s = self.tick * self._repeats() * sense.line_cycles / LINE_HZ
        return Step(self.tick * delay_s, aperture_s, aperture_s if sense.autozero else 0.0)

    def _range(self, drive: Drive) -> Range | None:
        """What a quantity is measured on: the source's range, a fixed one, or the one that fits."""
        settings = self.settings
        if self._ohms:
            return None
        if self.settings.function is drive:
            return FACTS.meter[drive].nominal(settings.source.span.span)
        sense = settings.senses[drive.value]
        return None if sense.autorange or settings.measured != drive.value else sense.span

    def _take(self, buffer: Buffer, start_s: float, stop_s: float) -> Measured:
        settings, sense = self.settings, self.settings.sense
        ranges = {drive: self._range(drive) for drive in FACTS.meter}
        found = self.unit.measure(start_s, stop_s, ranges, remote=sense.four_wire, readings=self._repeats())
        values = {Drive.VOLTS: found.volts, Drive.AMPS: found.amps}
        for drive, value in values.items():
            if ranges[drive] is None and drive.value == settings.measured and math.isfinite(value):
                sense.span = FACTS.meter[drive].holding(value)
        value = self._shown(found)
        if sense.filter_on and sense.filter_moves:
            self._moving.append(value)
            value = float(np.mean(self._moving))
        drive = Drive.AMPS if self._ohms else settings.function
        programmed = TEST_A[sense.span.span] if self._ohms else settings.source.level
        buffer.add(
            Reading(
                value=value,
                unit=sense.unit,
                source=values[drive] if settings.sources[drive].read_back else programmed,
                source_unit=_UNITS[drive],
                time_s=start_s / self.tick,
                status=_QUESTIONABLE * math.isinf(value) | _FRONT * (not settings.rear),
                source_status=self._source_status(drive, found.limited),
            )
        )
        return found

    def _shown(self, found: Measured) -> float:
        """The reading: the quantity measured, less what is taken off, or what follows from both quantities."""
        sense = self.settings.sense
        if sense.unit == "OHM":
            fixed = self._ohms and not sense.autorange
            value = ratio_ohm(found.volts, found.amps, sense.span if fixed else None)
        elif sense.unit == "WATT":
            value = found.volts * found.amps
        else:
            value = found.volts if sense.unit == "VOLT" else found.amps
        return value - sense.relative if sense.relative_on else value

    def _source_status(self, drive: Drive, limited: bool) -> int:
        settings = self.settings
        protected = self.protection_tripped(settings.function.value)
        status = _PROTECTED * protected | _READ_BACK * settings.sources[drive].read_back
        return status | _LIMITED * limited | _FOUR_WIRE * settings.sense.four_wire | _ON * settings.output_on

    def _start(
        self,
        steps: list[Step],
        name: str,
        prepare: Callable[[int], None] = lambda k: None,
        done: Callable[[], None] = lambda: None,
        fail_abort: bool = False,
    ) -> Run:
        buffer = self.buffer(name)
        self._moving = deque(maxlen=self.settings.sense.filter_count)

        def begin(k: int) -> None:
            self.unit.measures_since_s = self.clock.now
            prepare(k)

        def take(k: int, start_s: float, stop_s: float) -> None:
            try:
                limited = self._take(buffer, start_s, stop_s).limited
            except ScpiError as error:
                self.report(error)
                run.abort()
            else:
                if limited and fail_abort:
                    run.abort()

        def finish() -> None:
            self.unit.measures_since_s = math.inf
            done()

        self.run = run = Run(self.clock, steps, begin, take, finish)
        run.begin()
        return run

    def start_model(self, model: TriggerModel) -> None:
        """See `SweepCommands.start_model`."""
        settings, source, levels = self.settings, self.settings.source, model.levels
        self.buffer(model.buffer)
        delay_s = model.delay_s
        if delay_s < 0.0:
            delay_s = _AUTO_DELAY_S if source.auto_delay else source.delay_s

        def prepare(k: int) -> None:
            if levels:
                settings.output_on = True
                source.level, source.span = levels[k % len(levels)]
                self.apply()

        def done() -> None:
            if levels:
                settings.output_on = False
                self.apply()

        if levels:
            self.buffer(model.buffer).readings.clear()
        self._start(
            [self._reading_step(delay_s)] * model.count, model.buffer, prepare, done, model.fail_abort
        )

    def measure_into(self, name: str) -> Later:
        """See `TraceCommands.measure_into`."""
        if self.run is not None and not self.run.over:
            raise ScpiError(-221)
        run = self._start([self._reading_step(0.0)] * self.settings.count, name)
        return Later(lambda: run.over_at_s, lambda: None)

    def _latest(self, name: str, names: tuple[str, ...]) -> Answer:
        buffer = self.buffer(name)
        if not buffer.readings:
            raise ScpiError(-230)
        return self.given(buffer, len(buffer.readings), len(buffer.readings), names)

    @query("READ", NAME, WANTED)
    @query("MEASure", NAME, WANTED)
    def read_now(self, name: str, names: tuple[str, ...]) -> Later:
        """Measure; the last reading."""
        measured = self.measure_into(name)
        return Later(measured.ready_at, lambda: self._latest(name, names))

    @query("FETCh", NAME, WANTED)
    def fetch(self, name: str, names: tuple[str, ...]) -> Later:
        """The last reading of a buffer, once the trigger model is idle."""
        self.buffer(name)
        return Later(self.operation_complete_at, lambda: self._latest(name, names))

    @query("MEASure:VOLTage[:DC]", NAME, WANTED)
    def measure_volts(self, name: str, names: tuple[str, ...]) -> Later:
        """Measure a voltage; the last reading."""
        self.set_measured("VOLT")
        return self.read_now(name, names)

    @query("MEASure:CURRent[:DC]", NAME, WANTED)
    def measure_amps(self, name: str, names: tuple[str, ...]) -> Later:
        """Measure a current; the last reading."""
        self.set_measured("CURR")
        return self.read_now(name, names)

    @query("MEASure:RESistance", NAME, WANTED)
    def measure_ohms(self, name: str, names: tuple[str, ...]) -> Later:
        """Measure a resistance; the last reading."""
        self.set_measured("RES")
        return self.read_now(name, names)
