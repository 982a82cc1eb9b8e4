"""What an input task reads: a conversion on demand, or what its sample clock has put into the buffer."""

import math
from typing import cast

from nidaqmx.constants import FillMode

from simulators.clock import VirtualClock
from simulators.daqmx.faults import Code, fault, read_fault
from simulators.daqmx.task import CONTINUOUS, State, Task
from simulators.daqmx.waiting import wait
from simulators.instruments.ni_cdaq.engines import Acquisition
from simulators.instruments.path import Array

_BUFFER_BY_RATE = ((100.0, 1_000), (10_000.0, 10_000), (1_000_000.0, 100_000))
"""Samples per channel of a continuous acquisition's buffer up to each rate (NI-DAQmx Help, buffer sizes)."""


class Acquiring:
    """An input task that runs; `position` is the first reading that has not been read."""

    def __init__(self, task: Task) -> None:
        chassis, numbers = task.require_channels(), [channel.number for channel in task.channels]
        self._chassis, self._task = chassis, task
        endless = task.timing.mode == CONTINUOUS or not task.timing.clocked
        rate_Hz = task.rate_Hz if task.timing.clocked else task.max_rate_Hz
        self.acquisition: Acquisition = chassis.acquisition(
            numbers, rate_Hz, math.inf if endless else task.timing.samples
        )
        self.position = 0

    @property
    def done_at_s(self) -> float:
        """See `Running.done_at_s`."""
        return self.acquisition.done_at_s if self._task.timing.clocked else 0.0

    @property
    def available(self) -> int:
        """Readings per channel that are there and have not been read."""
        return self.acquisition.acquired - self.position if self._task.timing.clocked else 0

    def begin(self) -> None:
        """See `Running.begin`."""
        self.acquisition.start()

    def end(self) -> None:
        """See `Running.end`."""
        self._chassis.dismiss(self.acquisition)


def buffer_size(task: Task) -> int:
    """Samples per channel that the input buffer holds."""
    if task.input_buffer is not None:
        return task.input_buffer
    if task.timing.mode != CONTINUOUS:
        return task.timing.samples
    fitting = (size for rate, size in _BUFFER_BY_RATE if task.timing.rate_Hz <= rate)
    return max(next(fitting, 1_000_000), task.timing.samples)


def read(task: Task, clock: VirtualClock, samples: int, timeout_s: float, layout: int, data: Array) -> int:
    """Fill `data` with readings in V; gives readings per channel. Raises DaqError or DaqReadError."""
    task.require_channels()
    if task.kind != "ai":
        raise fault(
            Code.READ_NO_INPUT_CHANS_IN_TASK,
            "Read failed, because there are no channels in this task from which data can be read.",
            task.name,
        )
    begun = task.state == State.RUNNING
    if not begun and not task.auto_start:
        clocked = Code.CANNOT_READ_WHEN_AUTO_START_FALSE_AND_TASK_NOT_RUNNING_OR_COMMITTED
        on_demand = Code.CANNOT_READ_WHEN_AUTO_START_FALSE_ON_DEMAND_AND_TASK_NOT_RUNNING
        raise fault(
            clocked if task.timing.clocked else on_demand,
            "Read cannot be performed when the auto start property is false and the task is not running.",
            task.name,
        )
    if not begun:
        task.start()
    running = cast("Acquiring", task.running)
    if task.timing.clocked:
        volts = _clocked(task, running, clock, samples, timeout_s)
    else:
        volts = _on_demand(running, clock, samples)
    if not begun and (running.position >= running.acquisition.count or not task.timing.clocked):
        task.stop()
    flat = volts if layout == FillMode.GROUP_BY_CHANNEL.value else volts.T
    data.reshape(-1)[: volts.size] = flat.reshape(-1)
    return int(volts.shape[1])


def default_samples(task: Task) -> int:
    """How many readings "all available" are: of a finite acquisition all there will be, unless told otherwise."""
    running = task.running
    if task.timing.clocked and task.timing.mode != CONTINUOUS and not task.read_available:
        return task.timing.samples
    return running.available if isinstance(running, Acquiring) else 0


def _on_demand(running: "Acquiring", clock: VirtualClock, samples: int) -> Array:
    """Convert what is there now, as fast as the converter can: the first reading is as old as its filter."""
    acquisition = running.acquisition
    settled = acquisition.settled
    wait(clock, acquisition.available_at_s(settled + samples), -1.0)
    running.position = settled + samples
    volts = acquisition.read(settled, samples)
    acquisition.start()
    return volts


def _clocked(task: Task, running: "Acquiring", clock: VirtualClock, samples: int, timeout_s: float) -> Array:
    acquisition, first = running.acquisition, running.position
    if first + samples > acquisition.count:
        raise read_fault(
            Code.SAMPLES_WILL_NEVER_BE_AVAILABLE,
            "Some or all of the samples requested will never be acquired: the acquisition ends before.\n\n"
            f"Position: {first}\nSamples Requested: {samples}\nSamples of the Acquisition: {acquisition.count:g}",
            0,
            task.name,
        )
    there = wait(clock, acquisition.available_at_s(first + samples), timeout_s)
    if acquisition.acquired - first > buffer_size(task):
        raise read_fault(
            Code.SAMPLES_NO_LONGER_AVAILABLE,
            "The application is not able to keep up with the hardware acquisition: samples were overwritten "
            f"before they were read.\n\nBuffer Size: {buffer_size(task)}\nPosition: {first}",
            0,
            task.name,
        )
    if not there:
        raise read_fault(
            Code.SAMPLES_NOT_YET_AVAILABLE,
            "Some or all of the samples requested have not yet been acquired.\n\n"
            f"Samples Requested: {samples}\nSamples There: {running.available}\nTimeout: {timeout_s:g} s",
            0,
            task.name,
        )
    running.position += samples
    return acquisition.read(first, samples)
