"""The TSL-570's commands for sweeps, triggers and the log."""

from dataclasses import replace

import numpy as np

from simulators.instruments.santec_tsl570.light import SPEED_OF_LIGHT
from simulators.instruments.santec_tsl570.numbers import Scaled
from simulators.instruments.santec_tsl570.output_scpi import FREQUENCY, WAVELENGTH, OutputCommands
from simulators.instruments.santec_tsl570.sweep import (
    FASTEST_TRIGGER_HZ,
    MOST_POINTS,
    STANDING_BY,
    SweepSettings,
    TriggerSettings,
    points,
)
from simulators.scpi import Boolean, Integer, Number, ScpiError, command, query

SPEEDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
_RUN_UP_S = 0.01
"""The sweep range is narrower than the tuning range by what a sweep needs to get up to speed."""


def _span(instrument: OutputCommands) -> float:
    return instrument.light.longest_m - instrument.light.shortest_m


def _span_Hz(instrument: OutputCommands) -> float:
    return SPEED_OF_LIGHT / instrument.light.shortest_m - SPEED_OF_LIGHT / instrument.light.longest_m


_STEP = Scaled("M", 1e-9, 1e-13, 0.9999e-13, _span)
_STEP_HZ = Scaled("HZ", 1e12, 1e7, 20e6, _span_Hz)
_SECONDS = Number("S", 0.0, 999.9, 0.0)


class SweepCommands(OutputCommands):
    """See the module."""

    course: SweepSettings
    triggers: TriggerSettings

    def sweep_range(self) -> tuple[float, float]:
        """The ends that a sweep at the present speed may have, in m."""
        margin_m = self.course.speed_m_per_s * _RUN_UP_S
        return self.light.shortest_m + margin_m, self.light.longest_m - margin_m

    # Course -----------------------------------------------------------------------------------------------

    @command("[SOURce]:WAVelength:SWEep:STARt", WAVELENGTH)
    def set_start(self, metres: float) -> None:
        """Where a sweep begins."""
        self.course.start_m = self.inside(metres)

    @query("[SOURce]:WAVelength:SWEep:STARt")
    def start(self) -> str:
        """Where a sweep begins."""
        return self.length(self.course.start_m)

    @command("[SOURce]:WAVelength:SWEep:STOP", WAVELENGTH)
    def set_stop(self, metres: float) -> None:
        """Where a sweep ends."""
        self.course.stop_m = self.inside(metres)

    @query("[SOURce]:WAVelength:SWEep:STOP")
    def stop_at(self) -> str:
        """Where a sweep ends."""
        return self.length(self.course.stop_m)

    @command("[SOURce][:WAVelength]:FREQuency:SWEep:STARt", FREQUENCY)
    def set_start_frequency(self, hertz: float) -> None:
        """Where a sweep begins, as a frequency."""
        self.course.start_m = self.inside(SPEED_OF_LIGHT / hertz)

    @query("[SOURce][:WAVelength]:FREQuency:SWEep:STARt")
    def start_frequency(self) -> str:
        """Where a sweep begins, as a frequency."""
        return self.frequency(SPEED_OF_LIGHT / self.course.start_m)

    @command("[SOURce][:WAVelength]:FREQuency:SWEep:STOP", FREQUENCY)
    def set_stop_frequency(self, hertz: float) -> None:
        """Where a sweep ends, as a frequency."""
        self.course.stop_m = self.inside(SPEED_OF_LIGHT / hertz)

    @query("[SOURce][:WAVelength]:FREQuency:SWEep:STOP")
    def stop_frequency(self) -> str:
        """Where a sweep ends, as a frequency."""
        return self.frequency(SPEED_OF_LIGHT / self.course.stop_m)

    @query("[SOURce]:WAVelength:SWEep:RANGe:MINimum")
    def range_minimum(self) -> str:
        """The shortest wavelength of a sweep at this speed."""
        return self.length(self.sweep_range()[0])

    @query("[SOURce]:WAVelength:SWEep:RANGe:MAXimum")
    def range_maximum(self) -> str:
        """The longest wavelength of a sweep at this speed."""
        return self.length(self.sweep_range()[1])

    @query("[SOURce][:WAVelength]:FREQuency:SWEep:RANGe:MINimum")
    def range_minimum_frequency(self) -> str:
        """The lowest frequency of a sweep at this speed."""
        return self.frequency(SPEED_OF_LIGHT / self.sweep_range()[1])

    @query("[SOURce][:WAVelength]:FREQuency:SWEep:RANGe:MAXimum")
    def range_maximum_frequency(self) -> str:
        """The highest frequency of a sweep at this speed."""
        return self.frequency(SPEED_OF_LIGHT / self.sweep_range()[0])

    @command("[SOURce]:WAVelength:SWEep:MODe", Integer(0, 3))
    def set_mode(self, mode: int) -> None:
        """Steps or continuous, one way or both: 0 to 3."""
        self.course.mode = mode

    @query("[SOURce]:WAVelength:SWEep:MODe")
    def mode(self) -> str:
        """Steps or continuous, one way or both."""
        return self.whole(self.course.mode)

    @command("[SOURce]:WAVelength:SWEep:SPEed", Number("", SPEEDS[0], SPEEDS[-1]))
    def set_speed(self, nanometres_per_s: float) -> None:
        """Speed of a continuous sweep: one of eight, others are -224."""
        if nanometres_per_s not in SPEEDS:
            raise ScpiError(-224, f"{nanometres_per_s:g} nm/s is not one of {SPEEDS}")
        self.course.speed_m_per_s = 1e-9 * nanometres_per_s

    @query("[SOURce]:WAVelength:SWEep:SPEed")
    def speed(self) -> str:
        """Speed of a continuous sweep in nm/s."""
        speed = 1e9 * self.course.speed_m_per_s
        return f"{speed:.1f}" if self.legacy else f"{speed:+.1f}"

    @command("[SOURce]:WAVelength:SWEep:STEP[:WIDTh]", _STEP)
    def set_step(self, metres: float) -> None:
        """Step of a sweep in steps, equal in wavelength."""
        self.course.step_m, self.course.by_frequency = metres, False

    @query("[SOURce]:WAVelength:SWEep:STEP[:WIDTh]")
    def step(self) -> str:
        """Step of a sweep in steps."""
        return self.length(self.course.step_m)

    @command("[SOURce][:WAVelength]:FREQuency:SWEep:STEP[:WIDTh]", _STEP_HZ)
    def set_step_frequency(self, hertz: float) -> None:
        """Step of a sweep in steps, equal in frequency."""
        self.course.step_Hz, self.course.by_frequency = hertz, True

    @query("[SOURce][:WAVelength]:FREQuency:SWEep:STEP[:WIDTh]")
    def step_frequency(self) -> str:
        """Step of a sweep in steps, as a frequency."""
        return self.frequency(self.course.step_Hz)

    @command("[SOURce]:WAVelength:SWEep:DWELl", _SECONDS)
    def set_dwell(self, seconds: float) -> None:
        """Wait at each step, after tuning."""
        self.course.dwell_s = round(seconds, 1)

    @query("[SOURce]:WAVelength:SWEep:DWELl")
    def dwell(self) -> str:
        """Wait at each step."""
        return self.decimal(self.course.dwell_s, 1)

    @command("[SOURce]:WAVelength:SWEep:CYCLes", Integer(0, 999))
    def set_cycles(self, count: int) -> None:
        """Sweeps of a repeated one; 0 goes on until stopped."""
        self.course.cycles = count

    @query("[SOURce]:WAVelength:SWEep:CYCLes")
    def cycles(self) -> str:
        """Sweeps of a repeated one."""
        return self.whole(self.course.cycles)

    @query("[SOURce]:WAVelength:SWEep:COUNt")
    def count(self) -> str:
        """Sweeps completed."""
        return self.whole(self.sweep.count)

    @command("[SOURce]:WAVelength:SWEep:DELay", _SECONDS)
    def set_delay(self, seconds: float) -> None:
        """Wait between sweeps."""
        self.course.delay_s = round(seconds, 1)

    @query("[SOURce]:WAVelength:SWEep:DELay")
    def delay(self) -> str:
        """Wait between sweeps."""
        return self.decimal(self.course.delay_s, 1)

    # Running ----------------------------------------------------------------------------------------------

    @command("[SOURce]:WAVelength:SWEep[:STATe]", Integer(0, 1))
    def set_sweeping(self, state: int) -> None:
        """Sweep once, or stop."""
        if state:
            self._launch(repeat=False)
        else:
            self.sweep.stop()

    @query("[SOURce]:WAVelength:SWEep[:STATe]")
    def sweeping(self) -> str:
        """0 stopped, 1 running, 3 standing by for a trigger, 4 preparing."""
        return self.whole(self.sweep.state)

    @command("[SOURce]:WAVelength:SWEep[:STATe]:REPeat")
    def repeat(self) -> None:
        """Sweep as often as set."""
        self._launch(repeat=True)

    def _launch(self, repeat: bool) -> None:
        low_m, high_m = self.sweep_range()
        ends = sorted((self.course.start_m, self.course.stop_m))
        if ends[0] == ends[1]:
            raise ScpiError(-221, "the sweep ends where it starts")
        if ends[0] < low_m - 1e-14 or ends[1] > high_m + 1e-14:
            raise ScpiError(
                -221, f"at this speed a sweep stays between {1e9 * low_m:.4f} nm and {1e9 * high_m:.4f} nm"
            )
        rate_Hz = self.course.speed_m_per_s / self.triggers.interval_m
        if self.course.continuous and rate_Hz > FASTEST_TRIGGER_HZ * (1.0 + 1e-9):
            raise ScpiError(-221, f"{rate_Hz:.0f} triggers per second are more than {FASTEST_TRIGGER_HZ:.0f}")
        if (count := points(self.course, self.triggers)) > MOST_POINTS:
            raise ScpiError(-221, f"{count} points are more than the {MOST_POINTS} that can be recorded")
        self.sweep.begin(replace(self.course), replace(self.triggers), repeat)

    # Log --------------------------------------------------------------------------------------------------

    @query("[SOURce]:READout:POINts")
    def log_points(self) -> str:
        """How many wavelengths the last sweep recorded."""
        return self.whole(len(self.sweep.log_m))

    @query("[SOURce]:READout:DATa")
    def log(self) -> bytes:
        """The wavelengths recorded: 32-bit integers of 0.1 pm (legacy), or 64-bit floats of 100 m.

        The manual promises metres; the stock driver multiplies by 100, as the firmware it asks for must need.
        """
        if self.legacy:
            return np.round(self.sweep.log_m * 1e13).astype("<i4").tobytes()
        return (1e-2 * self.sweep.log_m).astype("<f8").tobytes()

    @query("[SOURce]:READout:DATa:POWer")
    def power_log(self) -> bytes:
        """The powers recorded in dBm: 64-bit floats, as the stock driver reads them; 32-bit ones (legacy)."""
        return self.sweep.log_dBm.astype("<f4" if self.legacy else "<f8").tobytes()

    # Triggers ---------------------------------------------------------------------------------------------

    @command("TRIGger:INPut:EXTernal", Boolean())
    def set_external(self, on: bool) -> None:
        """Whether the trigger input counts."""
        self.triggers.external = on

    @query("TRIGger:INPut:EXTernal")
    def external(self) -> str:
        """Whether the trigger input counts."""
        return self.whole(self.triggers.external)

    @command("TRIGger:INPut[:EXTernal]:ACTive", Integer(0, 1))
    def set_input_polarity(self, falling: int) -> None:
        """Rising edge 0, falling edge 1."""
        self.triggers.input_falling = falling == 1

    @query("TRIGger:INPut[:EXTernal]:ACTive")
    def input_polarity(self) -> str:
        """Rising edge 0, falling edge 1."""
        return self.whole(self.triggers.input_falling)

    @command("TRIGger:INPut:STANdby", Boolean())
    def set_standby(self, on: bool) -> None:
        """Let a sweep wait for a trigger at its start."""
        self.triggers.standby = on

    @query("TRIGger:INPut:STANdby")
    def standby(self) -> str:
        """Whether a sweep waits for a trigger."""
        return self.whole(self.triggers.standby)

    @command("TRIGger:INPut:SOFTtrigger")
    def soft_trigger(self) -> None:
        """Start a sweep that stands by; -211 if none does."""
        if self.sweep.state != STANDING_BY or not self.sweep.take_trigger():
            raise ScpiError(-211)

    @command("TRIGger:OUTPut", Integer(0, 3))
    def set_output(self, timing: int) -> None:
        """When pulses are sent: 0 never, 1 at the end, 2 at the start, 3 at steps."""
        self.triggers.output = timing

    @query("TRIGger:OUTPut")
    def output(self) -> str:
        """When pulses are sent."""
        return self.whole(self.triggers.output)

    @command("TRIGger:OUTPut:ACTive", Integer(0, 1))
    def set_output_polarity(self, falling: int) -> None:
        """Rising pulses 0, falling ones 1."""
        self.triggers.falling = falling == 1

    @query("TRIGger:OUTPut:ACTive")
    def output_polarity(self) -> str:
        """Rising pulses 0, falling ones 1."""
        return self.whole(self.triggers.falling)

    @command("TRIGger:OUTPut:STEP[:WIDTh]", _STEP)
    def set_interval(self, metres: float) -> None:
        """From pulse to pulse in a continuous sweep."""
        self.triggers.interval_m = metres

    @query("TRIGger:OUTPut:STEP[:WIDTh]")
    def interval(self) -> str:
        """From pulse to pulse in a continuous sweep."""
        return self.length(self.triggers.interval_m)

    @command("TRIGger:OUTPut:SETTing", Integer(0, 1))
    def set_in_time(self, setting: int) -> None:
        """Pulses periodic in wavelength 0 or in time 1: the same here, as sweeps are steady."""
        self.triggers.in_time = setting == 1

    @query("TRIGger:OUTPut:SETTing")
    def in_time(self) -> str:
        """Pulses periodic in wavelength 0 or in time 1."""
        return self.whole(self.triggers.in_time)

    @command("TRIGger:THRough", Boolean())
    def set_through(self, on: bool) -> None:
        """Send on what comes in."""
        self.triggers.through = on

    @query("TRIGger:THRough")
    def through(self) -> str:
        """Whether what comes in is sent on."""
        return self.whole(self.triggers.through)
