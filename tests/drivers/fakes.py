"""A bench of fakes: a source and a digitizer that share a clock and keep a log of their own.

The source moves its outputs the way a slew-limited converter does and remembers every corner of every
output's voltage over time. What a test concludes comes from those corners, not from what the driver says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from drivers.errors import InstrumentError, InstrumentTimeout

Array = npt.NDArray[np.float64]

EXCHANGE_s = 2e-4


@dataclass
class Faults:
    """What goes wrong: the n-th next call of a method raises; stuck channels ignore what they are told."""

    raising: dict[str, list[BaseException | None]] = field(default_factory=dict)
    stuck: set[int] = field(default_factory=set)
    silent: bool = False

    def happen(self, method: str) -> None:
        if self.silent:
            raise InstrumentTimeout(f"fake://bench: no answer to {method}")
        planned = self.raising.get(method, [])
        if planned and (failure := planned.pop(0)) is not None:
            raise failure


class Output:
    """One output's voltage over time as corners joined by straight lines."""

    def __init__(self, volts: float = 0.0) -> None:
        self.times, self.volts = [0.0], [volts]
        self.slew = 1e6

    def at(self, instant: float) -> float:
        return float(np.interp(instant, self.times, self.volts))

    def cut(self, instant: float) -> None:
        """Forget what was to come after `instant`."""
        now = self.at(instant)
        while self.times and self.times[-1] >= instant:
            self.times.pop()
            self.volts.pop()
        self.times.append(instant)
        self.volts.append(now)

    def head_for(self, target: float, start: float, until: float = float("inf")) -> None:
        """Move towards `target` from `start` on, as far as the slew limit allows before `until`."""
        now = self.volts[-1]
        if start > self.times[-1]:
            self.times.append(start)
            self.volts.append(now)
        arrives = start + (abs(target - now) / self.slew if target != now else 0.0)
        reached = target if arrives <= until else now + np.sign(target - now) * self.slew * (until - start)
        self.times.append(min(arrives, until))
        self.volts.append(float(reached))

    def slews(self) -> Array:
        """Slope of every segment in V/s; a change of less than a nanovolt is rounding of the times."""
        dt, dv = np.diff(self.times), np.abs(np.diff(self.volts))
        moved = dv > 1e-9
        return np.asarray(dv[moved] / np.maximum(dt[moved], 1e-12))


class FakeSource:
    """A `VoltageSourceArray` with a log."""

    address = "fake://source"
    max_points = 65_536
    accuracy_V = 1e-3

    def __init__(
        self, start: Mapping[int, float] | None = None, channels: Sequence[int] = range(1, 9)
    ) -> None:
        self.now = 0.0
        self.faults = Faults()
        self.outputs = {channel: Output((start or {}).get(channel, 0.0)) for channel in channels}
        self.armed: dict[int, Array] = {}
        self.dt_s = 0.0
        self.ends_at = 0.0
        self.fired_at: list[float] = []
        self.blocks: list[dict[int, Array]] = []
        self.queue: list[str] = []
        self.asked: dict[int, float] = {}
        """The fastest change asked for in V/s, the step to a waveform's first sample included."""
        self.confined: dict[int, tuple[float, float]] = {}
        self.reach = (-2.0, 2.0)

    def _exchange(self, method: str) -> None:
        self.now += EXCHANGE_s
        self.faults.happen(method)

    def monotonic_s(self) -> float:
        return self.now

    def identity(self) -> str:
        self._exchange("identity")
        return "Fake, VoltageArray, 1, 0.1"

    def errors(self) -> list[str]:
        said, self.queue = self.queue, []
        return said

    def recover(self) -> None:
        self._exchange("recover")
        self._stop(list(self.outputs))

    def close(self) -> None:
        self.armed = {}

    def output_range(self, channel: int) -> tuple[float, float]:
        self._exchange("output_range")
        return self.reach

    def set_slew_limit(self, channel: int, slew_V_per_s: float) -> None:
        self._exchange("set_slew_limit")
        self.outputs[channel].slew = slew_V_per_s

    def confine(self, channel: int, low_V: float, high_V: float) -> None:
        self.confined[channel] = low_V, high_V

    def read_back(self, channel: int) -> float:
        self._exchange("read_back")
        return self.outputs[channel].at(self.now)

    def set_static(self, voltages_V: Mapping[int, float]) -> None:
        failures = []
        for channel, volts in voltages_V.items():
            try:
                self._exchange("set_static")
            except InstrumentError as failure:
                failures.append(failure)
                continue
            if channel not in self.faults.stuck:
                output = self.outputs[channel]
                output.cut(self.now)
                output.head_for(volts, self.now)
        if failures:
            raise failures[0]

    def arm(self, waveforms: Mapping[int, Array], dt_s: float) -> None:
        self._exchange("arm")
        self.armed = {channel: np.array(waveform) for channel, waveform in waveforms.items()}
        self.blocks.append(self.armed)
        self.dt_s = dt_s

    def fire(self) -> None:
        self._exchange("fire")
        self.fired_at.append(self.now)
        for channel, waveform in self.armed.items():
            output = self.outputs[channel]
            output.cut(self.now)
            steps = np.abs(np.diff(waveform, prepend=output.volts[-1]))
            self.asked[channel] = max(self.asked.get(channel, 0.0), float(steps.max()) / self.dt_s)
            for k, volts in enumerate(waveform):
                if channel not in self.faults.stuck:
                    output.head_for(float(volts), self.now + k * self.dt_s, self.now + (k + 1) * self.dt_s)
        self.ends_at = self.now + max(map(len, self.armed.values()), default=0) * self.dt_s
        self.armed = {}

    def finish(self, timeout_s: float) -> None:
        self._exchange("finish")
        self.now = max(self.now, self.ends_at)
        if self.queue:
            raise InstrumentError("; ".join(self.errors()))

    def abort(self, channels: Sequence[int]) -> None:
        self._exchange("abort")
        self._stop(channels)

    def _stop(self, channels: Sequence[int]) -> None:
        self.armed = {}
        for channel in channels:
            self.outputs[channel].cut(self.now)


class FakeDigitizer:
    """A `Digitizer` behind an amplifier with hidden gain and offset, on a chip that adds up its voltages."""

    address = "fake://digitizer"
    max_readings = 50_000
    range_V = 10.0
    line_frequency_Hz = 50.0

    def __init__(
        self,
        source: FakeSource,
        *,
        gain: float = 1.03e7,
        offset: float = -0.057,
        saturation: float = 4.0,
        conductance: Mapping[int, float] | None = None,
        noise: float = 0.0,
        hum: float = 0.0,
        bend: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.source = source
        self.faults = Faults()
        self.gain, self.offset, self.saturation = gain, offset, saturation
        self.conductance = conductance or {8: 1.0 / 100e6, 1: 2e-8, 2: -1e-8, 3: 3e-8}
        self.noise, self.hum, self.bend = noise, hum, bend
        self.random = np.random.default_rng(seed)
        self.setting: tuple[int, float, float, float] | None = None
        self.aborted = 0

    def identity(self) -> str:
        self.faults.happen("identity")
        return "Fake, Meter, 2, 0.1"

    def errors(self) -> list[str]:
        return []

    def recover(self) -> None:
        self.faults.happen("recover")

    def close(self) -> None:
        self.setting = None

    def arm(self, readings: int, period_s: float, aperture_s: float, delay_s: float) -> None:
        self.faults.happen("arm")
        self.setting = readings, period_s, aperture_s, delay_s

    def fetch(self, timeout_s: float) -> Array:
        self.faults.happen("fetch")
        if self.setting is None:
            raise InstrumentError("nothing armed")
        readings, period_s, aperture_s, delay_s = self.setting
        starts = self.source.fired_at[-1] + np.arange(readings) * period_s + delay_s
        self.source.now = max(self.source.now, starts[-1] + aperture_s)
        return self._volts(starts, aperture_s)

    def read(self, readings: int, aperture_s: float, delay_s: float) -> Array:
        self.faults.happen("read")
        starts = self.source.now + (np.arange(readings) + 1) * delay_s + np.arange(readings) * aperture_s
        self.source.now = starts[-1] + aperture_s
        return self._volts(starts, aperture_s)

    def wait(self, seconds: float) -> None:
        self.faults.happen("wait")
        self.source.now += seconds

    def abort(self) -> None:
        self.faults.happen("abort")
        self.aborted += 1

    def _volts(self, starts: Array, aperture_s: float) -> Array:
        # Eight points in the aperture are exact for whole periods of the hum.
        instants = starts[:, None] + (np.arange(8) + 0.5) / 8.0 * aperture_s
        current = np.zeros_like(instants)
        for channel, conductance in self.conductance.items():
            output = self.source.outputs[channel]
            current += conductance * np.interp(instants, output.times, output.volts)
        volts = self.gain * current + self.offset + self.bend * (self.gain * current) ** 2
        volts += self.hum * np.sin(2.0 * np.pi * self.line_frequency_Hz * instants)
        volts = np.clip(volts, -self.saturation, self.saturation).mean(axis=1)
        return volts + self.noise * self.random.standard_normal(len(volts))
