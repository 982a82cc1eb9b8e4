"""What a real chip adds to its model: noise, drift and charges that jump, all seeded.

Noise is drawn reading by reading, in the order of the readings. Drift and jumps are functions of the seed
and the time: however a run is cut into calls, the chip at time t is the same chip.
"""

from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter

from simulators.errors import ModelError
from simulators.models.hopping import HoppingNetwork
from simulators.models.model import ElectrodeModel
from simulators.models.random_walk import RandomWalk
from simulators.models.threads import one_thread

Array = NDArray[np.float64]
_BLOCK = 1024  # jumps drawn at once
_PER_DECADE = 2  # Lorentzians per decade of a 1/f spectrum: within 2 % of a straight line
_TICK_s = 1e-9  # steps are told apart to this
_SHORT_RUN = 16  # steps; below, stepping is faster than filtering


@dataclass(frozen=True)
class Imperfections:
    """How far a chip is from its model; zero switches a part off.

    White noise follows the published fit sigma = a |I| + b, whose a lies between 0.0034 and 0.0205 and whose
    b between 6 pA and 0.14 nA for boron devices. Nothing is published on the others: their defaults are
    judged.

    Attributes:
        noise_relative: a, the standard deviation of a reading per current.
        noise_floor_A: b.
        flicker_relative: 1/f noise of the conductance: relative standard deviation in each decade of
            frequency.
        flicker_low_Hz, flicker_high_Hz: where the 1/f spectrum levels off, and where it becomes 1/f².
        gain_drift: standard deviation of the relative gain after an hour; a random walk from one.
        offset_drift_A: standard deviation of the offset after an hour; a random walk from zero.
        potential_drift_V: slow rearrangement of charges, as a voltage added to each electrode: standard
            deviation after an hour; random walks from zero.
        jumps_per_h: mean number of charges that jump in an hour, at Poisson's times.
        jump_V: standard deviation of what a jump adds to each electrode's voltage from then on.
    """

    noise_relative: float = 0.012
    noise_floor_A: float = 0.1e-9
    flicker_relative: float = 0.002
    flicker_low_Hz: float = 1e-3
    flicker_high_Hz: float = 1e3
    gain_drift: float = 0.004
    offset_drift_A: float = 0.05e-9
    potential_drift_V: float = 0.4e-3
    jumps_per_h: float = 0.5
    jump_V: float = 2e-3

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (np.isfinite(value) and value >= 0):
                raise ModelError(f"imperfections: {field.name} = {value!r} should be a number, not negative")
        if not 0 < self.flicker_low_Hz < self.flicker_high_Hz:
            raise ModelError(
                f"imperfections: flicker_low_Hz = {self.flicker_low_Hz} should be positive and below "
                f"flicker_high_Hz = {self.flicker_high_Hz}"
            )

    @classmethod
    def none(cls) -> "Imperfections":
        """A chip that is its model."""
        return cls(
            noise_relative=0,
            noise_floor_A=0,
            flicker_relative=0,
            gain_drift=0,
            offset_drift_A=0,
            potential_drift_V=0,
            jumps_per_h=0,
            jump_V=0,
        )


class ImperfectChip:
    """A chip as measured: `observe` answers voltages at given times.

    Args:
        model: of one output; a `HoppingNetwork` is read along the waveform (`trace`), any other point by
            point.
        imperfections: how far it is from the model.
        seed: of everything random here; the model has its own.
    """

    def __init__(self, model: ElectrodeModel, imperfections: Imperfections, seed: int) -> None:
        if model.n_outputs != 1:
            raise ModelError(f"a chip with one readout is needed, this model has {model.n_outputs}")
        self.model, self.imperfections, self.seed = model, imperfections, seed
        white, flicker, walk, jump = (np.random.default_rng((seed, part)) for part in range(4))
        n = len(model.electrodes)
        self._white = white
        self._flicker = _Flicker(flicker, imperfections)
        self._walk = RandomWalk(walk, n + 2)
        self._jumps = _Jumps(jump, n, imperfections)
        self._last_s = 0.0

    def true_current(self, voltages: Array) -> Array:
        """The model's current (time,) in A at `voltages` (time, n_electrodes) in V: no noise, no drift."""
        with torch.no_grad(), one_thread():
            points = torch.as_tensor(voltages, dtype=torch.float64, device=self.model.low.device)
            if isinstance(self.model, HoppingNetwork):
                current = self.model.trace(points)
            else:
                current = self.model.current(points)[..., 0]
        return current.cpu().numpy()

    def observe(self, voltages: Array, times_s: Array) -> Array:
        """Current (time,) in A at `voltages` (time, n_electrodes) in V and `times_s` (time,) in s.

        Raises:
            ModelError: shapes that do not fit, a time that is not finite, or one before the last one
            observed.
            ConvergenceError: as the model's.
        """
        times_s = np.asarray(times_s, dtype=np.float64)
        if np.shape(voltages) != (len(times_s), len(self.model.electrodes)):
            raise ModelError(
                f"voltages {np.shape(voltages)} at {len(times_s)} times: "
                f"(time, {len(self.model.electrodes)}) asked"
            )
        if not len(times_s):
            return np.empty(0)
        steps_s = np.diff(times_s, prepend=self._last_s)
        if not np.all(steps_s >= 0):
            where = int(np.argmin(steps_s >= 0))
            raise ModelError(
                f"time {where} is {times_s[where]} s, which is not finite or before the times already "
                f"observed, up to {self._last_s} s; a chip has no way back"
            )
        current = self.true_current(voltages + self.shift_V(times_s))
        imperfect = self.imperfections
        walks = self._walk.at(times_s)
        gain = 1 + imperfect.gain_drift * walks[:, 0] + self._flicker.at(times_s)
        current = gain * current + imperfect.offset_drift_A * walks[:, 1]
        spread = imperfect.noise_relative * np.abs(current) + imperfect.noise_floor_A
        self._last_s = float(times_s[-1])
        return current + spread * self._white.standard_normal(len(times_s))

    def shift_V(self, times_s: Array) -> Array:
        """What drift and jumps add to each electrode's voltage at `times_s`: (time, n_electrodes) in V."""
        drift = self.imperfections.potential_drift_V * self._walk.at(times_s)[:, 2:]
        return drift + self._jumps.at(times_s)


class _Jumps:
    """Steps at Poisson's times, each on all electrodes, as a function of time."""

    def __init__(self, generator: np.random.Generator, n: int, imperfections: Imperfections) -> None:
        self._generator = generator
        self._rate_Hz = imperfections.jumps_per_h / 3600
        self._size_V = imperfections.jump_V
        self._times_s = np.empty(0)
        self._total_V = np.zeros((1, n))

    def at(self, times_s: Array) -> Array:
        """(time, n), V."""
        if self._rate_Hz == 0 or self._size_V == 0:
            return np.zeros((len(times_s), self._total_V.shape[1]))
        while not len(self._times_s) or self._times_s[-1] < times_s.max():
            start_s = self._times_s[-1] if len(self._times_s) else 0.0
            gaps_s = self._generator.exponential(1 / self._rate_Hz, _BLOCK)
            steps_V = self._size_V * self._generator.standard_normal((_BLOCK, self._total_V.shape[1]))
            self._times_s = np.concatenate([self._times_s, start_s + np.cumsum(gaps_s)])
            self._total_V = np.concatenate([self._total_V, self._total_V[-1] + np.cumsum(steps_V, axis=0)])
        total: Array = self._total_V[np.searchsorted(self._times_s, times_s, side="right")]
        return total


class _Flicker:
    """1/f noise as a sum of Ornstein-Uhlenbeck processes, one per Lorentzian, stepped exactly in time."""

    def __init__(self, generator: np.random.Generator, imperfections: Imperfections) -> None:
        decades = np.log10(imperfections.flicker_high_Hz / imperfections.flicker_low_Hz)
        n = max(1, round(decades * _PER_DECADE))
        corners_Hz = imperfections.flicker_low_Hz * 10 ** (decades * (np.arange(n) + 0.5) / n)
        self._generator = generator
        self._rates_Hz = 2 * np.pi * corners_Hz
        self._size = imperfections.flicker_relative * np.sqrt(decades / n)
        self._state = generator.standard_normal(n)  # stationary at time zero
        self._last_s = 0.0

    def at(self, times_s: Array) -> Array:
        """(time,): the next values; times must not go back."""
        if self._size == 0:
            return np.zeros(len(times_s))
        ticks = np.round(np.diff(times_s, prepend=self._last_s) / _TICK_s)
        kicks = self._generator.standard_normal((len(times_s), len(self._state)))
        total = np.empty(len(times_s))
        bounds = np.flatnonzero(np.diff(ticks, prepend=-1, append=-1) != 0)  # of runs of equal steps
        for first, end in pairwise(bounds):
            keep = np.exp(-self._rates_Hz * (ticks[first] * _TICK_s))
            kicks[first:end] *= np.sqrt(1 - keep**2)
            if end - first < _SHORT_RUN:
                for k in range(first, end):
                    self._state = keep * self._state + kicks[k]
                    total[k] = self._state.sum()
            else:
                runs = [
                    lfilter([1.0], [1.0, -a], kicks[first:end, k], zi=[a * self._state[k]])[0]
                    for k, a in enumerate(keep)
                ]
                total[first:end] = np.sum(runs, axis=0)
                self._state = np.array([run[-1] for run in runs])
        self._last_s = float(times_s[-1])
        return self._size * total
