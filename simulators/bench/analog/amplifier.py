"""The transimpedance amplifier between the chip and the meter."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulators.bench.analog.currents import CurrentSource
from simulators.bench.analog.noise import FilteredNoise
from simulators.instruments.lowpass import FirstOrder
from simulators.instruments.path import Array, Knots

_MEMORY = 20.0
"""Time constants after which the past is forgotten: exp(-20) = 2e-9."""
_BLOCK = 8192
_INSIDE = 32
"""Points at which a window that touches saturation is looked at."""


@dataclass(frozen=True)
class AmplifierFacts:
    """What an amplifier does to a current, at its output in V."""

    gain_V_per_A: float
    offset_V: float
    bandwidth_Hz: float
    saturation_V: float
    hum_V: float
    hum_Hz: float
    hum_phase: float
    noise_V: float
    """Standard deviation of the output noise in the whole bandwidth."""

    @property
    def time_s(self) -> float:
        """Time constant of the first-order response."""
        return 1.0 / (2.0 * math.pi * self.bandwidth_Hz)


class Amplifier:
    """First-order response, offset, hum, noise and saturation, in that order; a `Signal`.

    The response to the piecewise-linear current is exact: with T y' + y = G i, the mean of y over a window
    is the mean of G i less T times the change of y over the window's length.
    """

    def __init__(self, facts: AmplifierFacts, rng: np.random.Generator) -> None:
        self.facts = facts
        self.currents: list[CurrentSource] = []
        self._noise = FilteredNoise(facts.noise_V, facts.time_s, rng)
        self._at_s = -math.inf
        self._output_V = 0.0

    @property
    def memory_s(self) -> float:
        """How long before a window the currents still matter."""
        return _MEMORY * self.facts.time_s

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """See `Signal.means`."""
        blocks = [
            self._block(starts_s[k : k + _BLOCK], stops_s[k : k + _BLOCK])
            for k in range(0, len(starts_s), _BLOCK)
        ]
        return np.concatenate(blocks) if blocks else np.empty(0)

    def _block(self, starts_s: Array, stops_s: Array) -> Array:
        facts = self.facts
        early_s = max(float(starts_s[0]) - self.memory_s, 0.0)
        resumes = early_s <= self._at_s <= starts_s[0]
        from_s = self._at_s if resumes else early_s
        drive = _total([source.knots(starts_s, stops_s, from_s) for source in self.currents], from_s, stops_s)
        drive = Knots(drive.times_s, facts.gain_V_per_A * drive.values, drive.opens)
        first = self._output_V if resumes else float(drive.values[0])
        response = FirstOrder(drive, facts.time_s, first)
        before, after = response.at(starts_s), response.at(stops_s)
        lengths = stops_s - starts_s
        clean = drive.means(starts_s, stops_s) - facts.time_s * (after - before) / lengths
        self._at_s, self._output_V = float(stops_s[-1]), float(after[-1])
        noise = self._noise.means(starts_s, stops_s)
        volts = clean + facts.offset_V + self._hum_means(starts_s, stops_s) + noise
        margin = facts.hum_V + 5.0 * facts.noise_V
        inside = np.abs(np.stack((before, clean, after))) + abs(facts.offset_V) + margin
        for k in np.flatnonzero(np.max(inside, axis=0) >= 0.95 * facts.saturation_V).tolist():
            instants = starts_s[k] + lengths[k] * (np.arange(_INSIDE) + 0.5) / _INSIDE
            raw = response.at(instants) + facts.offset_V + self._hum(instants) + noise[k]
            volts[k] = float(np.mean(np.clip(raw, -facts.saturation_V, facts.saturation_V)))
        return volts

    def _hum(self, times_s: Array) -> Array:
        facts = self.facts
        return facts.hum_V * np.sin(2.0 * math.pi * facts.hum_Hz * times_s + facts.hum_phase)

    def _hum_means(self, starts_s: Array, stops_s: Array) -> Array:
        return self._hum(0.5 * (starts_s + stops_s)) * np.sinc(self.facts.hum_Hz * (stops_s - starts_s))


def _total(each: Sequence[Knots], from_s: float, stops_s: Array) -> Knots:
    """The sum of the currents on all their corners."""
    if not each:
        ends = np.array([from_s, float(stops_s[-1])])
        return Knots(ends, np.zeros(2), np.ones(2, dtype=bool))
    if len(each) == 1:
        return each[0]
    times = np.unique(np.concatenate([corners.times_s for corners in each]))
    values = np.sum([corners.at(times) for corners in each], axis=0)
    return Knots(times, values, np.ones(len(times), dtype=bool))
