"""A DAQmx task: its channels, its timing, its trigger and its states; what runs is in `running`.

States and their transitions: NI-DAQmx User Manual, "Task State Model". A task goes through all states on the
way to the one asked for, and a stop takes back what its start went through implicitly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from nidaqmx.constants import AcquisitionType, RegenerationMode, TaskMode

from simulators.daqmx.faults import Code, fault, refused_value
from simulators.daqmx.names import terminal
from simulators.instruments.ni_cdaq import input as analog_input
from simulators.instruments.ni_cdaq import output as analog_output
from simulators.instruments.ni_cdaq.chassis import NiCdaq
from simulators.instruments.ni_cdaq.timebases import (
    OVERSAMPLED,
    OVERSAMPLING,
    TIMEBASES_HZ,
    coerced,
    input_timebase,
    output_timebase,
)
from simulators.instruments.path import Array

FINITE = AcquisitionType.FINITE.value
CONTINUOUS = AcquisitionType.CONTINUOUS.value
_FEWEST = 2
"""Samples that a buffered task takes."""


class State(IntEnum):
    """How far a task has come."""

    UNVERIFIED = 0
    VERIFIED = 1
    RESERVED = 2
    COMMITTED = 3
    RUNNING = 4


@dataclass
class Channel:
    """A virtual channel: its name, the number of the physical one, and its limits in V."""

    name: str
    physical: str
    number: int
    low_V: float
    high_V: float


@dataclass
class Timing:
    """The sample clock as it was asked for; without one, samples are taken or put out on demand."""

    rate_Hz: float = 1000.0
    mode: int = FINITE
    samples: int = 1000
    clocked: bool = False
    timebase: str = ""


class Reservations:
    """Who holds which part of the hardware."""

    def __init__(self) -> None:
        self._holders: dict[str, Task] = {}

    def take(self, resource: str, task: "Task") -> None:
        """Reserve; raises DaqError -50103 if another task holds it."""
        holder = self._holders.setdefault(resource, task)
        if holder is not task:
            raise fault(
                Code.PAL_RESOURCE_RESERVED,
                "The specified resource is reserved. The operation could not be completed as specified.\n\n"
                f"Resource: {resource}\nReserved by: {holder.name}",
                task.name,
            )

    def give_back(self, task: "Task") -> None:
        """Let go of everything that a task holds."""
        self._holders = {what: holder for what, holder in self._holders.items() if holder is not task}


class Running(Protocol):
    """What a task does while it runs."""

    @property
    def done_at_s(self) -> float:
        """When it is done by itself; infinity while that is not known."""

    def begin(self) -> None:
        """The start trigger has come."""

    def end(self) -> None:
        """The task is stopped."""


@dataclass
class Task:
    """One task. `kind` is "ai" or "ao" once it has channels; `make` builds what runs in it."""

    name: str
    reservations: Reservations
    triggers: dict[str, list[Callable[[], None]]]
    make: Callable[["Task"], Running]
    kind: str = ""
    chassis: NiCdaq | None = None
    channels: list[Channel] = field(default_factory=list)
    timing: Timing = field(default_factory=Timing)
    trigger_source: str = ""
    auto_start: bool = True
    read_available: bool = False
    input_buffer: int | None = None
    output_buffer: int | None = None
    regeneration: int = RegenerationMode.ALLOW_REGENERATION.value
    state: State = State.UNVERIFIED
    running: Running | None = None
    written: Array | None = None
    """The output buffer, shape (channel, sample) in V."""
    _before_start: State = State.UNVERIFIED

    # Configuration ----------------------------------------------------------------------------------------

    def change(self) -> None:
        """Something is about to be configured: not while it runs; what was verified must be so anew."""
        if self.state == State.RUNNING:
            raise fault(
                Code.CANNOT_SET_PROPERTY_WHEN_TASK_RUNNING,
                "Specified property cannot be set while the task is running.",
                self.name,
            )
        self.reservations.give_back(self)
        self.state = State.UNVERIFIED

    def add_channels(self, kind: str, chassis: NiCdaq, channels: Sequence[Channel]) -> None:
        """Add channels; raises DaqError for a second kind in one task, a name used twice, and limits."""
        self.change()
        if self.kind and (kind, chassis) != (self.kind, self.chassis):
            raise fault(
                Code.MULTI_CHAN_TYPES_IN_TASK,
                "Specified channels cannot be in the same task, because they are of different types.",
                self.name,
            )
        full_V = analog_output.RANGE_V if kind == "ao" else analog_input.RANGE_V
        used = {channel.name for channel in self.channels}
        for channel in channels:
            if channel.name in used:
                raise fault(
                    Code.VIRTUAL_CHAN_NAME_USED,
                    "Specified channel cannot be added to the task, because a channel with the same name is "
                    f"already in the task.\n\nChannel Name: {channel.name}",
                    self.name,
                )
            used.add(channel.name)
            for name, value in (("Min", channel.low_V), ("Max", channel.high_V)):
                if not -full_V <= value <= full_V:
                    what = f"{kind.upper()}.{name}"
                    raise refused_value(what, value, f"{-full_V} to {full_V}", self.name)
            if not channel.low_V < channel.high_V:
                what = f"{kind.upper()}.Max"
                raise refused_value(what, channel.high_V, f"more than {channel.low_V}", self.name)
        self.kind, self.chassis = kind, chassis
        self.channels += channels

    def clock(self, rate_Hz: float, source: str, mode: int, samples: int) -> None:
        """Time the task by a sample clock of its chassis; raises DaqError for what it cannot be."""
        self.require_channels()
        self.change()
        if source and source.lower() != "onboardclock":
            raise fault(
                Code.INVALID_ROUTING_SOURCE_TERMINAL_NAME,
                f"The sample clock of this device comes from its own chassis only.\n\nSource: {source}",
                self.name,
            )
        if mode not in (FINITE, CONTINUOUS):
            raise refused_value("SampQuant.SampMode", mode, "finite, continuous", self.name)
        if not 0.0 < rate_Hz < float("inf"):
            raise refused_value("SampClk.Rate", rate_Hz, "more than 0", self.name)
        if samples < _FEWEST:
            raise refused_value("SampQuant.SampPerChan", samples, f"{_FEWEST} or more", self.name)
        timebase = self.timing.timebase
        self.timing = Timing(float(rate_Hz), mode, int(samples), True, timebase)

    def require_channels(self) -> NiCdaq:
        """The chassis; raises DaqError -200478 for a task without channels."""
        if self.chassis is None:
            raise fault(
                Code.CAN_NOT_PERFORM_OP_WHEN_NO_CHANS_IN_TASK,
                "Specified operation cannot be performed when there are no channels in the task.",
                self.name,
            )
        return self.chassis

    @property
    def max_rate_Hz(self) -> float:
        """The fastest sample clock of the task's module."""
        return analog_output.MAX_RATE_HZ if self.kind == "ao" else analog_input.MAX_RATE_HZ

    @property
    def rate_Hz(self) -> float:
        """The rate of the sample clock as the hardware makes it."""
        return coerced(self.timing.rate_Hz, self._ticks_Hz)

    @property
    def timebase(self) -> str:
        """The terminal of the time base that the sample clock is divided from."""
        if self.timing.timebase:
            return self.timing.timebase
        chosen = input_timebase if self.kind == "ai" else output_timebase
        return f"/{self.require_channels().chassis.name}/{chosen(self.timing.rate_Hz)}"

    @property
    def _ticks_Hz(self) -> float:
        name = self.timebase.rpartition("/")[2]
        return TIMEBASES_HZ[name] / (OVERSAMPLING if self.kind == "ai" else 1)

    def set_timebase(self, source: str) -> None:
        """Divide the sample clock from another terminal; an input module needs an oversample clock."""
        chassis = self.require_channels()
        found = terminal(chassis, source, self.name)
        allowed = OVERSAMPLED if self.kind == "ai" else tuple(TIMEBASES_HZ)
        if found.rpartition("/")[2] not in allowed:
            raise refused_value("SampClk.Timebase.Src", source, ", ".join(allowed), self.name)
        self.change()
        self.timing.timebase = found

    # States -----------------------------------------------------------------------------------------------

    def control(self, action: int) -> None:
        """DAQmxTaskControl."""
        if action == TaskMode.TASK_START.value:
            self.start()
        elif action == TaskMode.TASK_STOP.value:
            self.stop()
        elif action in (TaskMode.TASK_ABORT.value, TaskMode.TASK_UNRESERVE.value):
            self.stop()
            self.reservations.give_back(self)
            self.state = min(self.state, State.VERIFIED)
        elif action == TaskMode.TASK_VERIFY.value:
            self._reach(State.VERIFIED)
        elif action == TaskMode.TASK_RESERVE.value:
            self._reach(State.RESERVED)
        elif action == TaskMode.TASK_COMMIT.value:
            self._reach(State.COMMITTED)
        else:
            raise refused_value("action", action, "those of TaskMode", self.name)

    def start(self) -> None:
        """Run, or wait for the start trigger; raises DaqError if anything on the way there fails."""
        if self.state == State.RUNNING:
            raise fault(
                Code.CAN_NOT_PERFORM_OP_WHILE_TASK_RUNNING,
                "Specified operation cannot be performed while the task is running.",
                self.name,
            )
        before = self.state
        self._reach(State.COMMITTED)
        try:
            running = self.make(self)
        except BaseException:
            self._go_back(before)
            raise
        self._before_start, self.running, self.state = before, running, State.RUNNING
        if self.trigger_source:
            self.triggers.setdefault(self.trigger_source, []).append(self._triggered)
        else:
            self._triggered()

    def _triggered(self) -> None:
        if self.running is None:
            return
        self.running.begin()
        if self.timing.clocked:
            said = f"/{self.require_channels().chassis.name}/{self.kind}/StartTrigger"
            for listener in self.triggers.pop(said, []):
                listener()

    def stop(self) -> None:
        """Stop what runs; an idle task stays as it is."""
        running, self.running = self.running, None
        if running is None:
            return
        for listeners in self.triggers.values():
            if self._triggered in listeners:
                listeners.remove(self._triggered)
        running.end()
        self._go_back(self._before_start)

    def _go_back(self, state: State) -> None:
        self.state = max(state, State.VERIFIED)
        if self.state < State.RESERVED:
            self.reservations.give_back(self)

    def _reach(self, state: State) -> None:
        if self.state >= state:
            return
        if self.state < State.VERIFIED:
            self._verify()
            self.state = State.VERIFIED
        if state >= State.RESERVED > self.state:
            self._reserve()
        self.state = max(self.state, state)

    def _verify(self) -> None:
        self.require_channels()
        if not self.timing.clocked:
            return
        if not self.rate_Hz <= self.max_rate_Hz * (1.0 + 1e-9):
            allowed = f"at most {self.max_rate_Hz}; this one is coerced to {self.rate_Hz}"
            raise refused_value("SampClk.Rate", self.timing.rate_Hz, allowed, self.name)

    def _reserve(self) -> None:
        chassis = self.require_channels()
        module = chassis.output_module if self.kind == "ao" else chassis.input_module
        try:
            self.reservations.take(module.name, self)
            if self.timing.clocked:
                self.reservations.take(f"{chassis.chassis.name}/{self.kind} timing engine", self)
        except BaseException:
            self.reservations.give_back(self)
            raise
