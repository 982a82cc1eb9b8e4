"""What an output task writes: single values on demand, or a buffer that its sample clock plays."""

import math

import numpy as np
from nidaqmx.constants import FillMode, RegenerationMode

from simulators.daqmx.faults import Code, fault, not_covered
from simulators.daqmx.task import CONTINUOUS, State, Task
from simulators.instruments.ni_cdaq.engines import Generation
from simulators.instruments.path import Array


class Generating:
    """An output task that runs: with a sample clock it plays its buffer, otherwise it waits for values."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._generation = _generation(task) if task.timing.clocked else None
        self._starves = task.timing.clocked and not _regenerates(task) and _wanted(task) > _length(task)

    @property
    def done_at_s(self) -> float:
        """See `Running.done_at_s`."""
        return 0.0 if self._generation is None else self._generation.done_at_s

    @property
    def generated(self) -> int:
        """Samples per channel put out so far."""
        return 0 if self._generation is None else self._generation.generated

    def begin(self) -> None:
        """See `Running.begin`."""
        if self._generation is not None:
            self._generation.start()

    def end(self) -> None:
        """See `Running.end`."""
        if self._generation is not None:
            self._generation.stop()

    def check(self) -> None:
        """Raise DaqError -200290 for a generation that has come to the end of what was written."""
        if self._starves and self.generated >= _length(self._task):
            raise fault(
                Code.GEN_STOPPED_TO_PREVENT_REGEN_OF_OLD_SAMPLES,
                "The generation has stopped to prevent the regeneration of old samples: the buffer holds no "
                f"more than {_length(self._task)} samples.",
                self._task.name,
            )


def write(task: Task, samples: int, auto_start: bool, layout: int, data: Array) -> int:
    """Put samples out or into the buffer; gives samples per channel written. Raises DaqError."""
    task.require_channels()
    if task.kind != "ao":
        raise fault(
            Code.WRITE_NO_OUTPUT_CHANS_IN_TASK,
            "Write cannot be performed, because there are no output channels in this task.",
            task.name,
        )
    volts = _arranged(task, samples, layout, data)
    _check_range(task, volts)
    if not task.timing.clocked:
        return _put_out(task, volts, auto_start)
    if task.state == State.RUNNING:
        not_covered("Writing to the buffer of a generation that runs")
    if task.written is not None:
        raise _full(task)
    room = samples if task.output_buffer is None else task.output_buffer
    if samples > room:
        raise _full(task)
    task.written = np.array(volts)
    if auto_start:
        task.start()
    return samples


def _put_out(task: Task, volts: Array, auto_start: bool) -> int:
    begun = task.state == State.RUNNING
    if not (begun or auto_start):
        raise fault(
            Code.CANNOT_WRITE_WHEN_AUTO_START_FALSE_AND_TASK_NOT_RUNNING,
            "Write cannot be performed when the auto start input to the write is false, the task is not running, "
            "and timing for the task is not configured or On Demand.",
            task.name,
        )
    if not begun:
        task.start()
    outputs = task.require_channels().outputs
    for row in volts.T:
        for channel, value in zip(task.channels, row, strict=True):
            outputs[channel.number].step(float(value))
    if not begun:
        task.stop()
    return int(volts.shape[1])


def _arranged(task: Task, samples: int, layout: int, data: Array) -> Array:
    """Shape (channel, sample); raises DaqError -200524 where the data do not fit the channels."""
    rows = len(task.channels)
    if data.size != rows * samples or (data.ndim == 2 and rows not in data.shape):
        raise fault(
            Code.WRITE_NUM_CHANS_MISMATCH,
            "Write cannot be performed, because the number of channels in the data does not match the number of "
            f"channels in the task.\n\nNumber of Channels in Task: {rows}\nShape of the Data: {data.shape}",
            task.name,
        )
    if layout == FillMode.GROUP_BY_CHANNEL.value:
        return data.reshape(rows, samples)
    return data.reshape(samples, rows).T


def _check_range(task: Task, volts: Array) -> None:
    low = np.array([[channel.low_V] for channel in task.channels])
    high = np.array([[channel.high_V] for channel in task.channels])
    outside = ~((volts >= low) & (volts <= high))
    if outside.any():
        row, column = (int(k) for k in np.argwhere(outside)[0])
        channel = task.channels[row]
        raise fault(
            Code.INVALID_AO_DATA_WRITE,
            "Attempted writing analog data that is too large or too small.\n\n"
            f"Channel Name: {channel.name}\nData Value: {volts[row, column]}\n"
            f"Minimum: {channel.low_V}\nMaximum: {channel.high_V}",
            task.name,
        )


def _generation(task: Task) -> Generation:
    if task.written is None:
        raise fault(
            Code.OUTPUT_BUFFER_EMPTY,
            "The output buffer is empty: write samples before the generation is started.",
            task.name,
        )
    numbers = [channel.number for channel in task.channels]
    count = min(_wanted(task), math.inf if _regenerates(task) else _length(task))
    return task.require_channels().generation(numbers, task.written, task.rate_Hz, count)


def _regenerates(task: Task) -> bool:
    return task.regeneration == RegenerationMode.ALLOW_REGENERATION.value


def _wanted(task: Task) -> float:
    return math.inf if task.timing.mode == CONTINUOUS else task.timing.samples


def _length(task: Task) -> int:
    return 0 if task.written is None else int(task.written.shape[1])


def _full(task: Task) -> Exception:
    automatic = task.output_buffer is None
    code = Code.WRITE_FAILS_BUFFER_SIZE_AUTO_CONFIGURED if automatic else Code.SAMPLES_CAN_NOT_YET_BE_WRITTEN
    return fault(
        code,
        "The samples do not fit into the output buffer, whose size is "
        f"{'that of the first write' if automatic else task.output_buffer}.",
        task.name,
    )
