"""Multi-tone stimulus: one sine or triangle per channel, in incommensurate frequency ratios."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self, get_args

import numpy as np

from calibration.device import Array, Channels
from calibration.errors import PlanError
from calibration.sampling.plan import (
    Mask,
    Stream,
    check_channels,
    checked_index,
    generator,
    require_fraction,
    require_positive,
)

Wave = Literal["sine", "triangle"]
Phases = Literal["random", "running", "restarted"]

PEAK_SLEW: Mapping[str, float] = {"sine": 2 * math.pi, "triangle": 4.0}
"""Peak slew of a wave of unit amplitude and unit frequency."""


def square_roots_of_primes(count: int) -> Array:
    """The first `count` of sqrt(2), sqrt(3), sqrt(5), ...

    Square roots of distinct primes are linearly independent over the rationals (Besicovitch 1940,
    doi:10.1112/jlms/s1-15.1.3), so phases that advance in these ratios fill the torus and never repeat.
    """
    primes: list[int] = []
    candidate = 2
    while len(primes) < count:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return np.sqrt(np.array(primes, dtype=float))


def waveform(wave: Wave, cycles: Array) -> Array:
    """Unit wave at a phase given in cycles: 0 and rising at phase 0, for both shapes."""
    if wave == "sine":
        return np.sin(2 * np.pi * cycles)
    return 4 * np.abs((cycles - 0.25) % 1.0 - 0.5) - 1


@dataclass(frozen=True, eq=False)
class MultiTone:
    """A tone per channel through the whole range, the fastest as fast as slew and sampling allow.

    The frequencies stand in the ratios of square roots of primes, in the order of the channels. Their common
    factor is the largest for which no channel slews faster than `slew_fraction` of its limit (peak slew
    2 pi f A of a sine, 4 f A of a triangle) and no tone has fewer than `samples_per_cycle` samples.

    `phases` says how batch k starts:

    - `random`: phases uniform over the cycle, drawn afresh for every batch, or every `redraw_every` batches
      (time then runs on within such a group);
    - `running`: phases zero at the start, time runs on from batch to batch: the whole run is one
      deterministic waveform. The peers' sampler does this when no phase shift is asked for (it cuts one long
      time axis into batches), so it is the **fair peer** of `random`: every batch brings new points, only
      their places differ. The two cover the space alike (see `coverage_by_phases`); what `random` adds is
      that batches are independent of each other and of their order, so a split by batch is a fair test;
    - `restarted`: phases zero in every batch, all batches one and the same waveform, as of a generator that
      is re-armed for each batch. More batches only average the noise, and coverage stays that of one batch.

    A triangle spends its time evenly over the range, a sine mostly at its ends: at equal numbers of samples the
    triangle leaves smaller gaps in the space (see `coverage`), and it may be a factor pi/2 faster.

    With `permute`, batch k also draws which channel gets which frequency; the common factor is then such that
    any assignment keeps every channel within its slew.

    Raises PlanError for settings that cannot be carried out.
    """

    channels: Channels
    sample_rate_Hz: float
    seed: int
    batches: int
    samples_per_batch: int
    wave: Wave = "triangle"
    phases: Phases = "random"
    redraw_every: int = 1
    slew_fraction: float = 0.9
    samples_per_cycle: float = 50.0
    permute: bool = False

    def __post_init__(self) -> None:
        check_channels(self.channels)
        require_positive("sample_rate_Hz", self.sample_rate_Hz)
        require_positive("batches", self.batches)
        require_positive("samples_per_batch", self.samples_per_batch)
        require_positive("redraw_every", self.redraw_every)
        require_fraction("slew_fraction", self.slew_fraction)
        if not self.samples_per_cycle > 2:
            raise PlanError(
                f"samples_per_cycle is {self.samples_per_cycle}: a tone needs more than 2 (Nyquist)"
            )
        if self.wave not in get_args(Wave):
            raise PlanError(f"wave is {self.wave!r}: choose one of {', '.join(get_args(Wave))}")
        if self.phases not in get_args(Phases):
            raise PlanError(f"phases is {self.phases!r}: choose one of {', '.join(get_args(Phases))}")

    @cached_property
    def frequencies_Hz(self) -> Array:
        """The tone of each channel before any permutation, shape (n_in,)."""
        ratios = square_roots_of_primes(len(self.channels.names))
        peak_slew = PEAK_SLEW[self.wave] * (self.channels.high - self.channels.low) / 2
        with np.errstate(divide="ignore", over="ignore"):  # a channel that hardly moves has no limit
            limits_Hz = self.slew_fraction * self.channels.max_slew / peak_slew
        limits_Hz = np.minimum(limits_Hz, self.sample_rate_Hz / self.samples_per_cycle)
        factor = limits_Hz.min() / ratios.max() if self.permute else (limits_Hz / ratios).min()
        return factor * ratios

    @property
    def batch_s(self) -> float:
        """Duration of a batch."""
        return self.samples_per_batch / self.sample_rate_Hz

    def stimulus(self, k: int) -> Array:
        """Batch k, shape (time, n_in); PlanError unless 0 <= k < batches."""
        k = checked_index(k, self.batches)
        n_in = len(self.channels.names)
        frequencies_Hz = self.frequencies_Hz
        if self.permute:
            frequencies_Hz = generator(self.seed, Stream.ORDER, k).permutation(frequencies_Hz)
        start_cycles, earlier = np.zeros(n_in), 0
        if self.phases == "random":
            group, earlier = divmod(k, self.redraw_every)
            start_cycles = generator(self.seed, Stream.PHASES, group).random(n_in)
        elif self.phases == "running":
            earlier = k
        time_s = (earlier * self.samples_per_batch + np.arange(self.samples_per_batch)) / self.sample_rate_Hz
        cycles = start_cycles + time_s[:, None] * frequencies_Hz
        middle = (self.channels.high + self.channels.low) / 2
        amplitude = (self.channels.high - self.channels.low) / 2
        values = middle + amplitude * waveform(self.wave, cycles)
        return np.clip(values, self.channels.low, self.channels.high)

    def useful(self, k: int) -> Mask:
        """Every sample: a tone within the slew limit leaves nothing to settle."""
        checked_index(k, self.batches)
        return np.ones(self.samples_per_batch, dtype=bool)

    def is_reference(self, k: int) -> bool:
        """Never: see `ReferencePlan`."""
        checked_index(k, self.batches)
        return False

    def reseeded(self, seed: int) -> Self:
        """The same plan under another run seed."""
        return replace(self, seed=seed)

    def describe(self) -> Mapping[str, object]:
        """The settings as plain values, the tones included."""
        return {
            "kind": "multi-tone",
            "wave": self.wave,
            "phases": self.phases,
            "redraw_every": self.redraw_every,
            "slew_fraction": self.slew_fraction,
            "samples_per_cycle": self.samples_per_cycle,
            "permute": self.permute,
            "frequencies_Hz": [float(f) for f in self.frequencies_Hz],
            "sample_rate_Hz": self.sample_rate_Hz,
            "batches": self.batches,
            "samples_per_batch": self.samples_per_batch,
            "seed": self.seed,
        }
