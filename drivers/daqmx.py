"""Runs of NI-DAQmx tasks, and their failures in the words of `drivers.errors`.

A run is one finite, hardware-timed task on one card, set up and committed so that nothing but its start
remains. Rates are chosen so that a whole number of the card's samples makes one sample of the waveform, and
asked back: all clocks of a chassis come from one oscillator, so what starts together stays together.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from drivers.errors import InstrumentError, InstrumentTimeout
from drivers.response import Array

Journal = Callable[[str, bytes], None]
"""Told what is done to a card, with the samples that go with it."""

_TIMEOUTS = (-200284, -200560, -200474)  # samples not yet available, not done, operation timed out
_UNSUPPORTED = (-200197, -200452)
_SAME_RATE = 1e-9
_ROUNDING = 1e-6  # of a sample
_SHORTEST = 2  # samples of a finite generation


@contextmanager
def translated(what: str, address: str) -> Iterator[None]:
    """Translate the failure of NI-DAQmx on the chassis `address`; `what` says what was being done.

    A timeout becomes InstrumentTimeout, anything else InstrumentError, the missing package or driver included.
    """
    try:
        from nidaqmx import errors
    except ImportError as error:
        raise InstrumentError(
            f"{address}: the Python package nidaqmx is missing ({error}); install it: pip install 'hil[nidaqmx]'"
        ) from error
    try:
        yield
    except errors.DaqError as error:
        kind = InstrumentTimeout if error.error_code in _TIMEOUTS else InstrumentError
        raise kind(f"{address}: {' '.join(str(error).split())} (while {what})") from error
    except errors.Error as error:
        raise InstrumentError(f"{address}: {error} (while {what})") from error


@dataclass(frozen=True)
class Card:
    """One module of a chassis: its DAQmx name, its fastest sample clock, and who is told what it does."""

    address: str
    module: str
    fastest_Hz: float
    journal: Journal


class OutputRun:
    """A waveform per output, loaded: `waveforms` (time,) in V, one sample per update at `rate_Hz`.

    `limits` are the lowest and highest voltage of each output, which DAQmx itself refuses to exceed. Raises
    InstrumentError, with nothing reserved, for anything that the card refuses.
    """

    def __init__(
        self,
        card: Card,
        waveforms: Mapping[int, Array],
        limits: Mapping[int, tuple[float, float]],
        rate_Hz: float,
    ) -> None:
        self._card, self.channels = card, tuple(waveforms)
        samples = np.ascontiguousarray(np.stack(list(waveforms.values())), dtype=np.float64)
        if samples.shape[1] < _SHORTEST:
            samples = np.repeat(samples, _SHORTEST, axis=1)
        self.duration_s = samples.shape[1] / rate_Hz
        self._named = f"{card.module}/ao{','.join(map(str, self.channels))}"
        with translated("loading waveforms", card.address):
            import nidaqmx
            from nidaqmx.constants import TaskMode
            from nidaqmx.stream_writers import AnalogMultiChannelWriter

            self._task: Any = nidaqmx.Task()
            try:
                for channel in self.channels:
                    low, high = limits[channel]
                    physical = f"{card.module}/ao{channel}"
                    self._task.ao_channels.add_ao_voltage_chan(physical, min_val=low, max_val=high)
                self._task.timing.cfg_samp_clk_timing(rate_Hz, samps_per_chan=samples.shape[1])
                AnalogMultiChannelWriter(self._task.out_stream).write_many_sample(samples)
                self._task.control(TaskMode.TASK_COMMIT)
            except BaseException:
                self._task.close()
                raise
        shape = f"{samples.shape[0]}x{samples.shape[1]} V at {rate_Hz:g} Hz"
        card.journal(f"{self._named} load {shape}", b"")

    def start(self) -> None:
        """Begin; the chassis' output start trigger goes off at this instant."""
        self._card.journal(f"{self._named} start", b"")
        with translated("starting the waveforms", self._card.address):
            self._task.start()

    def wait(self, timeout_s: float) -> None:
        """Wait for the last sample; raises InstrumentTimeout when it has not come in `timeout_s`."""
        with translated("waiting for the waveforms", self._card.address):
            self._task.wait_until_done(timeout_s)

    @property
    def over(self) -> bool:
        """Whether the last sample has been put out."""
        with translated("asking for the waveforms", self._card.address):
            return bool(self._task.is_task_done())

    def close(self) -> None:
        """Stop, if it still runs, and give the card back; the outputs hold what they have."""
        self._card.journal(f"{self._named} end", b"")
        with translated("ending the waveforms", self._card.address):
            self._task.close()


class InputRun:
    """Readings of some inputs for `span_s` from the start on; `triggered` runs start with the outputs.

    A reading of the delta-sigma converter is the mean over one sample interval, and older than its clock edge
    by the filter delay. `delay` is that in samples, None to ask the card. Raises InstrumentError, with nothing
    reserved, for anything that the card refuses.

    Attributes:
        ratio: readings in `period_s`, a whole number.
        rate_Hz: readings a second.
    """

    def __init__(
        self,
        card: Card,
        chassis: str,
        inputs: Sequence[int],
        *,
        period_s: float,
        span_s: float,
        range_V: float,
        timebase: str | None,
        delay: float | None,
        triggered: bool,
    ) -> None:
        self._card, self._inputs = card, len(inputs)
        self._named = f"{card.module}/ai{','.join(map(str, inputs))}"
        with translated("setting up readings", card.address):
            import nidaqmx
            from nidaqmx.constants import TaskMode

            self._task: Any = nidaqmx.Task()
            try:
                for number in inputs:
                    physical = f"{card.module}/ai{number}"
                    self._task.ai_channels.add_ai_voltage_chan(physical, min_val=-range_V, max_val=range_V)
                if timebase is not None:
                    self._task.timing.cfg_samp_clk_timing(card.fastest_Hz)
                    self._task.timing.samp_clk_timebase_src = f"/{chassis}/{timebase}"
                self.ratio = fastest_ratio(self._task, period_s, card)
                self.rate_Hz = self.ratio / period_s
                self._delay = delay if delay is not None else self._asked_delay()
                self._count = self.last(span_s) + 1
                self._task.timing.samp_quant_samp_per_chan = self._count
                if triggered:
                    self._task.triggers.start_trigger.cfg_dig_edge_start_trig(f"/{chassis}/ao/StartTrigger")
                self._task.control(TaskMode.TASK_COMMIT)
            except BaseException:
                self._task.close()
                raise

    def _asked_delay(self) -> float:
        from nidaqmx.errors import DaqError

        try:
            return float(self._task.ai_channels.all.ai_filter_delay) * self.rate_Hz
        except DaqError as error:
            if error.error_code not in _UNSUPPORTED:
                raise
            raise InstrumentError(
                f"{self._card.address}: {self._card.module} does not tell its filter delay; take it from the "
                "card's manual, in samples, and write it into the bench file as init.filter_delay"
            ) from error

    def first(self, since_s: float) -> int:
        """The first reading of nothing before `since_s`, counted from the start."""
        return math.ceil(since_s * self.rate_Hz + self._delay + 0.5 - _ROUNDING)

    def last(self, until_s: float) -> int:
        """The last reading of nothing after `until_s`, counted from the start."""
        return math.floor(until_s * self.rate_Hz + self._delay - 0.5 + _ROUNDING)

    def start(self) -> None:
        """Begin, or wait for the outputs' start trigger."""
        self._card.journal(f"{self._named} start {self._count} at {self.rate_Hz:g} Hz", b"")
        with translated("starting readings", self._card.address):
            self._task.start()

    def fetch(self, timeout_s: float) -> Array:
        """Wait for all readings, shape (input, reading) in V; InstrumentTimeout when they do not come."""
        data = np.empty((self._inputs, self._count))
        with translated(f"waiting {timeout_s:.3g} s for readings", self._card.address):
            from nidaqmx.stream_readers import AnalogMultiChannelReader

            reader = AnalogMultiChannelReader(self._task.in_stream)
            reader.read_many_sample(data, self._count, timeout=timeout_s)
        return data

    def close(self) -> None:
        """Stop, if it still runs, and give the card back."""
        with translated("ending readings", self._card.address):
            self._task.close()


def fastest_ratio(task: Any, period_s: float, card: Card) -> int:
    """Clock a task as fast as its card can at a whole number of samples in `period_s`; gives that number.

    Raises InstrumentError where the chassis can make no such rate: then the two would drift apart.
    """
    for ratio in range(math.floor(period_s * card.fastest_Hz * (1.0 + _SAME_RATE)), 0, -1):
        wanted_Hz = ratio / period_s
        task.timing.cfg_samp_clk_timing(wanted_Hz, samps_per_chan=_SHORTEST)
        if abs(float(task.timing.samp_clk_rate) / wanted_Hz - 1.0) < _SAME_RATE:
            return ratio
    raise InstrumentError(
        f"{card.address}: {card.module} can make no whole number of samples in {period_s:g} s, at most "
        f"{card.fastest_Hz:g} a second; choose another sample rate, such as 1 kHz"
    )
