"""The QDevil QDAC-II as a source of voltages, through the stock qcodes-contrib-drivers driver.

A waveform is one DC list per channel (QDAC-II programming guide, `SOURce:LIST`), uploaded as a binary
block; an internal trigger starts them together and is routed to an external trigger output.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pyvisa.errors
from qcodes.validators import Numbers

from drivers.errors import InstrumentError, InstrumentTimeout, ShapeError
from drivers.response import Array
from drivers.visa import Line, split_errors

if TYPE_CHECKING:
    from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2

_TRIGGER_WIDTH_s = 10e-6


class Qdac2Source:
    """A `VoltageSourceArray` on a stock `QDac2`; `trigger_output` is the external output to pulse.

    Without one it holds voltages and plays no waveforms. The driver lends one of its 14 internal triggers
    to each waveform; it is given back when the waveform is taken down, also after a failure.
    """

    max_points = 65_536
    accuracy_V = 1e-3

    def __init__(self, dac: "QDac2", trigger_output: int | None = None) -> None:
        self._dac: Any = dac
        self._line = Line(dac)
        if trigger_output is not None and not 1 <= trigger_output <= dac.n_external_outputs():
            raise ShapeError(
                f"there is no trigger output {trigger_output}; there are 1 to {dac.n_external_outputs()}"
            )
        self._trigger_output = trigger_output
        self._trigger: Any = None
        self._lists: dict[int, Any] = {}
        self._confined: list[tuple[Any, Numbers]] = []

    @property
    def address(self) -> str:
        """Where the instrument is, as it was opened."""
        return self._line.address

    def monotonic_s(self) -> float:
        """The time in seconds by which to give up waiting for it."""
        return self._line.monotonic_s()

    def identity(self) -> str:
        """The answer to `*IDN?`; raises InstrumentError or InstrumentTimeout."""
        with self._line.exchange("asking who it is"):
            return str(self._dac.ask("*IDN?")).strip()

    def errors(self) -> list[str]:
        """Read and empty the error queue, oldest first."""
        with self._line.exchange("reading its error queue"):
            return split_errors(self._dac.errors())

    def output_range(self, channel: int) -> tuple[float, float]:
        """Lowest and highest voltage of the channel's present range in V."""
        if not 1 <= channel <= self._dac.n_channels():
            raise ShapeError(
                f"channel {channel} is not on {self.address}; it has 1 to {self._dac.n_channels()}"
            )
        with self._line.exchange(f"asking the range of channel {channel}"):
            output = self._dac.channel(channel)
            if str(output.output_range()).strip().lower() == "low":
                return float(output.output_low_range_minimum_V()), float(output.output_low_range_maximum_V())
            return float(output.output_high_range_minimum_V()), float(output.output_high_range_maximum_V())

    def set_slew_limit(self, channel: int, slew_V_per_s: float) -> None:
        """Set the DC slew limit, which holds for fixed voltages, lists and sweeps alike."""
        with self._line.exchange(f"setting the slew limit of channel {channel}", answers=False):
            # The driver takes 0.01 V/s and more; less than that is asked for only close to 0 V.
            self._dac.channel(channel).dc_slew_rate_V_per_s(max(float(slew_V_per_s), 0.01))

    def confine(self, channel: int, low_V: float, high_V: float) -> None:
        """Make the stock driver's own parameters refuse other voltages, for whoever sets them directly."""
        output = self._dac.channel(channel)
        for parameter in (output.dc_constant_V, output.dc_next_V):
            limits = Numbers(low_V, high_V)
            parameter.add_validator(limits)
            self._confined.append((parameter, limits))

    def read_back(self, channel: int) -> float:
        """The voltage the channel puts out now, in V."""
        with self._line.exchange(f"reading back channel {channel}"):
            return float(self._dac.channel(channel).dc_last_V())

    def set_static(self, voltages_V: Mapping[int, float]) -> None:
        """Switch channels to constant voltages, to which each moves at its slew limit."""
        failures: list[InstrumentError] = []
        for channel, volts in voltages_V.items():
            try:
                with self._line.exchange(f"setting channel {channel}", answers=False):
                    self._dac.channel(channel).dc_constant_V(float(volts))
            except InstrumentError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def arm(self, waveforms: Mapping[int, Array], dt_s: float) -> None:
        """Upload one list per channel and attach them to an internal trigger.

        Raises InstrumentError, with everything taken down again, for anything in the error queue.
        """
        self._take_down()
        if self._trigger_output is None:
            raise InstrumentError(f"{self.address}: has no trigger output, so it plays no waveforms")
        try:
            with self._line.exchange("loading waveforms"):
                self._trigger = self._dac.allocate_trigger()
                self._dac.connect_external_trigger(self._trigger_output, self._trigger, _TRIGGER_WIDTH_s)
                for channel, waveform in waveforms.items():
                    output = self._dac.channel(channel)
                    playing = output.dc_list(toward_zero(waveform), repetitions=1, dwell_s=float(dt_s))
                    self._lists[channel] = playing
                    # The driver leaves a list armed and re-arming. One-shot, it stays armed for one
                    # trigger and is idle after it, so that no later trigger plays it again.
                    playing.start_once_on(self._trigger)
            self._raise_errors("loading waveforms")
        except BaseException:
            self._take_down()
            raise

    def fire(self) -> None:
        """Raise the internal trigger: the lists start and the trigger output pulses."""
        if self._trigger is None:
            raise InstrumentError(f"{self.address}: nothing is armed")
        with self._line.exchange("starting the waveforms"):
            self._dac.trigger(self._trigger)

    def finish(self, timeout_s: float) -> None:
        """Ask until no cycle remains, take the lists down and read the error queue.

        Raises InstrumentTimeout if they still play after `timeout_s` of the computer's time.
        """
        try:
            deadline = self._line.monotonic_s() + timeout_s
            for channel, playing in self._lists.items():
                with self._line.exchange(f"waiting for channel {channel}"):
                    while playing.cycles_remaining() > 0:
                        if self._line.monotonic_s() > deadline:
                            raise InstrumentTimeout(
                                f"{self.address}: channel {channel} still plays after {timeout_s:.3g} s"
                            )
        finally:
            self._take_down()
        self._raise_errors("playing waveforms")

    def abort(self, channels: Sequence[int]) -> None:
        """Stop the DC generators of the channels, all of them even if one fails; raises its error then."""
        failures: list[InstrumentError] = []
        with suppress(InstrumentError):  # the channels will say that there is still no connection
            self._line.reconnect()
        self._take_down()
        for channel in channels:
            try:
                with self._line.exchange(f"stopping channel {channel}", answers=False):
                    self._dac.channel(channel).dc_abort()
            except InstrumentError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def recover(self) -> None:
        """Take down what is armed, clear the line and drop stale errors."""
        self._take_down()
        self._line.resynchronise()
        self.errors()

    def close(self) -> None:
        """Take down what is armed, give the trigger back and lift the limits on the driver's parameters."""
        self._take_down()
        for parameter, limits in reversed(self._confined):
            if parameter.validators and parameter.validators[-1] is limits:
                parameter.remove_validator()
        self._confined.clear()

    def _take_down(self) -> None:
        """Idle every list and free the trigger, whatever fails on the way."""
        lists, self._lists = self._lists, {}
        trigger, self._trigger = self._trigger, None
        for playing in lists.values():
            with suppress(pyvisa.errors.Error, OSError):
                playing.close()
        if trigger is not None:
            self._dac.free_trigger(trigger)

    def _raise_errors(self, what: str) -> None:
        if said := self.errors():
            raise InstrumentError(f"{self.address}: {'; '.join(said)} while {what}")


def toward_zero(waveform: Array) -> Array:
    """Round to the 32-bit floats that the instrument takes, never away from 0 V.

    Rounding to nearest could leave a range by one part in 10^7.
    """
    rounded = np.asarray(waveform, dtype=np.float32)
    shrunk = np.nextafter(rounded, np.float32(0.0))
    return np.where(np.abs(rounded.astype(float)) > np.abs(waveform), shrunk, rounded).astype(float)
