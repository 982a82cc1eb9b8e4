"""The GS200 as a whole: what its parts tell each other, its status reports, its sockets."""

import math

import numpy as np

from simulators.clock import VirtualClock
from simulators.instrument import Example
from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.unit import LINE_HZ, SourceMeasureUnit
from simulators.instruments.terminals import Pulse, TriggerOutput
from simulators.instruments.yokogawa_gs200.facts import FACTS
from simulators.instruments.yokogawa_gs200.monitor import Monitor
from simulators.instruments.yokogawa_gs200.monitor_scpi import MonitorCommands
from simulators.instruments.yokogawa_gs200.program import Program
from simulators.instruments.yokogawa_gs200.program_scpi import ProgramCommands
from simulators.instruments.yokogawa_gs200.registers import (
    HIGH_LIMIT,
    LOW_LIMIT,
    READY_FOR_PROGRAM,
    SOURCE_CHANGE,
    Edge,
    ExtendedStatus,
)
from simulators.instruments.yokogawa_gs200.source import Source
from simulators.scpi import Choice, Integer, ScpiError, command, query
from simulators.scpi.replies import real
from simulators.scpi.status import ErrorQueue

_PULSE_S = 10e-6


class YokogawaGS200(ProgramCommands, MonitorCommands):
    """An emulated Yokogawa GS200 DC voltage and current source.

    Sockets: source "output"; current input "input", which sinks a chip's readout at the output's virtual
    ground; input "sense" for remote sensing; trigger output "bnc_out", a pulse at every step of a program while
    ROUTe:BNCO is TRIGger; trigger input "bnc_in", which does what `*TRG` does while ROUTe:BNCI is TRIGger.
    Whether the output is in a limit is noticed when a new level has settled, and whenever the condition
    register is read. Error numbers are those of SCPI.

    Args:
        rng: draws the errors of this specimen and the noise of its readings.
        clock_error: how much too long a second of its clock is, as a fraction.
        monitor: whether the option /MON is fitted.
    """

    title = "Yokogawa GS200: DC voltage and current source with a monitor"
    stock_driver = "qcodes.instrument_drivers.yokogawa.YokogawaGS200"
    example = Example("GPIB0::8::INSTR", before=("OUTP ON\n",))
    suffix_limits = {"FILT": 15}  # noqa: RUF012

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
        *,
        monitor: bool = True,
    ) -> None:
        if not isinstance(monitor, bool):
            raise ValueError(f"monitor: {monitor!r} is neither true nor false")
        super().__init__(clock, identity=f"YOKOGAWA,GS210,{serial},2.02")
        self.reports = ExtendedStatus(ErrorQueue(self.error_queue_depth))
        self.status = self.reports
        self.has_monitor = monitor
        self.bnc_out = self.bnc_in = "TRIG"
        tick = 1.0 + clock_error
        self._unit = SourceMeasureUnit(clock, rng, FACTS, noise)
        self.source = Source(clock, self._unit, self._source_changed)
        self._trigger_out = TriggerOutput()
        self.program = Program(clock, tick, self.source, self.reports.note, self._step_started)
        self.monitor = Monitor(clock, tick, self.source, self._unit, self.reports.note, self.program.measured)
        self.terminals = self._unit.sockets()
        self.terminals.trigger_outputs["bnc_out"] = self._trigger_out
        self.terminals.trigger_inputs["bnc_in"] = self._feel

    # Hooks ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """*RST."""
        self.program.abort()
        self.program.reset()
        self.monitor.reset()
        self.source.reset()
        self.bnc_out = self.bnc_in = "TRIG"

    def options(self) -> str:
        """*OPT?."""
        return "/MON" if self.has_monitor else "NONE"

    def format_real(self, value: float) -> str:
        """Six digits."""
        return f"{value + 0.0:+.5E}" if math.isfinite(value) else real(value)

    def on_trigger(self) -> None:
        """*TRG: taken when measurements wait for a command."""
        if not self.has_monitor or self.monitor.trigger != "COMM":
            raise ScpiError(-211)
        self.monitor.check_possible()
        self.monitor.start()

    # What the parts tell each other -----------------------------------------------------------------------

    def _source_changed(self) -> None:
        self.reports.note(SOURCE_CHANGE)
        self.monitor.source_changed()
        self.clock.schedule(self.clock.now + 1.01 * FACTS.settling_s, self._look)

    def _step_started(self) -> None:
        if self.bnc_out == "TRIG":
            self._trigger_out.send(Pulse(self.clock.now, _PULSE_S))

    def _feel(self, pulse: Pulse) -> None:
        def trigger() -> None:
            monitor = self.monitor
            if self.bnc_in == "TRIG" and monitor.trigger == "COMM" and monitor.on and self.source.on:
                monitor.start()

        self.clock.schedule(max(pulse.rise_s, self.clock.now), trigger)

    def _look(self) -> None:
        """Let the condition register say what holds now."""
        point = self._unit.output.point(self.clock.now)
        limited = point.amps if self._unit.output.drive is Drive.VOLTS else point.volts
        condition = READY_FOR_PROGRAM if self.program.steps and not self.program.running else 0
        if point.limited:
            condition |= HIGH_LIMIT if limited > 0.0 else LOW_LIMIT
        self.reports.extended.set_condition(condition)

    # Status reports ---------------------------------------------------------------------------------------

    @query("STATus:CONDition")
    def condition(self) -> int:
        """The condition register."""
        self._look()
        return self.reports.extended.condition

    @query("STATus:EVENt")
    def extended_events(self) -> int:
        """The extended events, which are cleared."""
        self._look()
        return self.reports.extended.read_event()

    @command("STATus:ENABle", Integer(0, 65535))
    def set_extended_enable(self, mask: int) -> None:
        """Which extended events count in the status byte."""
        self.reports.extended.enable = mask & 0x7FFF

    @query("STATus:ENABle")
    def extended_enable(self) -> int:
        """Which extended events count in the status byte."""
        return self.reports.extended.enable

    @command("STATus:FILTer#", Choice("RISE", "FALL", "BOTH", "NEVer"))
    def set_filter(self, number: int, edge: Edge) -> None:
        """Which changes of a condition are events."""
        self.reports.set_filter(number, edge)

    @query("STATus:FILTer#")
    def filter(self, number: int) -> str:
        """Which changes of a condition are events."""
        return self.reports.filter(number)

    @query("STATus:ERRor")
    def error(self) -> str:
        """As SYSTem:ERRor?."""
        return self.format_error(self.status.errors.pop())

    @query("SYSTem:LFRequency")
    def line_frequency(self) -> int:
        """Frequency of the mains."""
        return int(LINE_HZ)
