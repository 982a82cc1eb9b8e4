"""NI-DAQmx cards as a source of voltages: an NI-9264 whose outputs are wired back to an NI-9202.

The card has no slew limit of its own, so it gets none to exceed: every sample of a waveform is spread over as
many updates as the card can make, each at most one update's share of the limit away from the last. That is
what a slew-limited converter does, in steps of 40 us.
"""

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np

from drivers.daqmx import OutputRun
from drivers.envelope import ROUNDING_V
from drivers.errors import EnvelopeError, InstrumentError, ShapeError
from drivers.nidaqmx_cards import NICards
from drivers.response import Array

_READ_BACK_s = 1e-3
"""A read-back averages over this long."""
_RAMP_DT_s = 1e-3
_ANSWER_s = 5.0
_SLOWEST_V_PER_S = 0.01
"""Less is asked for only close to 0 V."""


class CardSource:
    """A `VoltageSourceArray` on `NICards`; channels are the numbers of the outputs, from 0."""

    max_points = 100_000

    def __init__(self, cards: NICards) -> None:
        self._cards = cards
        self._slews: dict[int, float] = {}
        self._limits: dict[int, tuple[float, float]] = {}
        # Not where a movement starts from: only ever compared with a read-back.
        self._told: dict[int, float] = {}
        self._run: OutputRun | None = None
        self._goals: dict[int, float] = {}
        """What the channels of the run are told last."""
        self._ends: dict[int, float] = {}
        """Where the channels of a static movement under way are going."""

    @property
    def address(self) -> str:
        """The chassis' name."""
        return self._cards.address

    @property
    def accuracy_V(self) -> float:
        """How far a read-back may be from what was told; see `NICards`."""
        return self._cards.accuracy_V

    def monotonic_s(self) -> float:
        """The computer's own time: NI-DAQmx waits by it."""
        return time.monotonic()

    def identity(self) -> str:
        """Products and serial numbers; raises InstrumentError."""
        return self._cards.identity()

    def errors(self) -> list[str]:
        """Empty: NI-DAQmx says what went wrong at the call that it went wrong in."""
        return []

    def output_range(self, channel: int) -> tuple[float, float]:
        """Lowest and highest voltage of the card in V; ShapeError for a channel that is not wired back."""
        self._read_back_input(channel)
        return self._cards.output_range_V

    def set_slew_limit(self, channel: int, slew_V_per_s: float) -> None:
        """Limit the slew of everything that is played or moved from now on."""
        self._read_back_input(channel)
        self._slews[channel] = max(float(slew_V_per_s), _SLOWEST_V_PER_S)

    def confine(self, channel: int, low_V: float, high_V: float) -> None:
        """Refuse other voltages, here and in NI-DAQmx, which gets them as the limits of the channel."""
        self._limits[channel] = low_V, high_V

    def read_back(self, channel: int) -> float:
        """The voltage at the output now in V, read by the input that it is wired back to.

        An acquisition that is under way on that card is ended by it.
        """
        return float(self._read_back([channel])[0])

    def set_static(self, voltages_V: Mapping[int, float]) -> None:
        """Ramp the channels to constant voltages, each at its slew limit, together and at once.

        The ramps start from where the outputs stand. Channels of an earlier movement that have not arrived go on.
        """
        targets = {channel: float(volts) for channel, volts in voltages_V.items()}
        for channel, volts in targets.items():
            self._check_limits(channel, np.array([volts]))
        self._take_down()
        targets = {**self._ends, **targets}
        channels = list(targets)
        updates = self._cards.updates_in(_RAMP_DT_s)
        rate_Hz = updates / _RAMP_DT_s
        start = self._stand(channels)
        stop = np.array([targets[channel] for channel in channels])
        slews = np.array([self._slew(channel) for channel in channels])
        steps = max(math.ceil(float((np.abs(stop - start) / slews).max()) * rate_Hz), 1)
        played = {
            channel: _approach(begin, np.full(steps, end), slew / rate_Hz)
            for channel, begin, end, slew in zip(channels, start, stop, slews, strict=True)
        }
        self._load(played, dict(zip(channels, start, strict=True)), rate_Hz)
        self._tell({channel: np.array([end]) for channel, end in targets.items()}, steps / rate_Hz)
        self._ends = targets
        self._start()

    def arm(self, waveforms: Mapping[int, Array], dt_s: float) -> None:
        """Load the waveforms from where the outputs stand; raises EnvelopeError outside `confine`'s limits."""
        for channel, waveform in waveforms.items():
            self._check_limits(channel, waveform)
        self._take_down()
        self._ends = {}
        updates = self._cards.updates_in(dt_s)
        rate_Hz = updates / dt_s
        channels = list(waveforms)
        start = self._stand(channels)
        played = {
            channel: _approach(begin, np.repeat(waveforms[channel], updates), self._slew(channel) / rate_Hz)
            for channel, begin in zip(channels, start, strict=True)
        }
        self._load(played, dict(zip(channels, start, strict=True)), rate_Hz)
        self._tell(waveforms, dt_s)

    def fire(self) -> None:
        """Start the waveforms; the chassis' start trigger starts the digitizer."""
        if self._run is None:
            raise InstrumentError(f"{self.address}: nothing is armed")
        self._start()

    def finish(self, timeout_s: float) -> None:
        """Wait for the waveforms in NI-DAQmx, and take them down."""
        try:
            if self._run is not None:
                self._run.wait(timeout_s)
                self._told |= self._goals
        finally:
            self._take_down()

    def abort(self, channels: Sequence[int]) -> None:
        """Stop the run that any of the channels plays in; its outputs hold what they have.

        Other channels on their way to a constant voltage go on.
        """
        if self._run is not None and set(channels) & set(self._run.channels):
            self._take_down()
            others = {channel: end for channel, end in self._ends.items() if channel not in channels}
            self._ends = {}
            if others:
                self.set_static(others)

    def recover(self) -> None:
        """Take down what is armed or plays and what is read, and make sure that the cards answer."""
        self._take_down()
        self._cards.end_acquisition()
        self._cards.identity()

    def close(self) -> None:
        """Let a movement under way arrive, and give the cards back."""
        try:
            if self._run is not None and self._ends:
                self._run.wait(self._run.duration_s + _ANSWER_s)
        finally:
            self._take_down()

    def _load(self, played: Mapping[int, Array], start: Mapping[int, float], rate_Hz: float) -> None:
        limits: dict[int, tuple[float, float]] = {}
        for channel in played:
            low, high = self._limits.get(channel, self._cards.output_range_V)
            # An output may have been left outside: the way back is not refused.
            limits[channel] = min(low, start[channel]), max(high, start[channel])
        inside = {channel: np.clip(volts, *limits[channel]) for channel, volts in played.items()}
        self._run = self._cards.load(inside, limits, rate_Hz)
        self._goals = {channel: float(volts[-1]) for channel, volts in inside.items()}

    def _tell(self, waveforms: Mapping[int, Array], dt_s: float) -> None:
        """Tell what is followed: the samples themselves, for the updates between them follow from the limits."""
        samples = np.stack(list(waveforms.values())).astype(np.float64)
        slews = ",".join(f"{self._slew(channel):g}" for channel in waveforms)
        channels = ",".join(map(str, waveforms))
        self._cards.tell(f"ao{channels} follow {dt_s:g} s steps at {slews} V/s #", samples.tobytes())

    def _start(self) -> None:
        if self._run is not None:
            for channel in self._run.channels:
                self._told.pop(channel, None)
            self._run.start()

    def _take_down(self) -> None:
        """End what is armed or plays, whatever fails on the way, and know which movements arrived."""
        run, self._run = self._run, None
        if run is None:
            return
        try:
            if self._ends and run.over:
                self._told |= self._goals
                self._ends = {}
        finally:
            run.close()

    def _stand(self, channels: Sequence[int]) -> Array:
        """Where outputs stand in V, asked of the card: what they were told, where that agrees with it.

        The converters' errors are no movement, and starting from the voltage that an output was told leaves
        it where it is.
        """
        found = self._read_back(channels)
        told = np.array([self._told.get(channel, math.nan) for channel in channels])
        return np.where(np.abs(told - found) <= self.accuracy_V, told, found)

    def _read_back(self, channels: Sequence[int]) -> Array:
        inputs = [self._read_back_input(channel) for channel in channels]
        with self._cards.reading(inputs, _READ_BACK_s) as run:
            return np.asarray(run.fetch(_READ_BACK_s + _ANSWER_s)[:, run.first(0.0) :].mean(axis=1))

    def _read_back_input(self, channel: int) -> int:
        known = self._cards.read_back_inputs
        if channel not in known:
            raise ShapeError(
                f"output {channel} of {self.address} is not wired back, so that nobody knows where it stands; "
                f"wire it to an input and name it in read_back (there are {', '.join(map(str, known))})"
            )
        return known[channel]

    def _slew(self, channel: int) -> float:
        if channel not in self._slews:
            raise InstrumentError(f"{self.address}: output {channel} has no slew limit yet; set one first")
        return self._slews[channel]

    def _check_limits(self, channel: int, volts: Array) -> None:
        low, high = self._limits.get(channel, self._cards.output_range_V)
        outside = ~((volts >= low - ROUNDING_V) & (volts <= high + ROUNDING_V))
        if outside.any():
            value = float(volts[int(np.argmax(outside))])
            raise EnvelopeError(
                f"output {channel} of {self.address}: {value:.6g} V is outside {low:g} V to {high:g} V; "
                "nothing was sent",
                channel=str(channel),
                value=value,
                limit=low if value < low else high,
            )


def _approach(start_V: float, targets: Array, step_V: float) -> Array:
    """Follow targets, one per update, by at most `step_V` at a time."""
    begins = np.flatnonzero(np.diff(targets, prepend=np.nan) != 0.0)
    lengths = np.diff(begins, append=len(targets))
    followed = np.empty(len(targets))
    volts = start_V
    for begin, length in zip(begins.tolist(), lengths.tolist(), strict=True):
        distance = targets[begin] - volts
        ways = np.minimum(step_V * np.arange(1, length + 1), abs(distance))
        followed[begin : begin + length] = volts + math.copysign(1.0, distance) * ways
        if ways[-1] == abs(distance):
            followed[begin : begin + length][ways == abs(distance)] = targets[begin]
        volts = float(followed[begin + length - 1])
    return followed
