"""White noise behind a first-order low pass, averaged over windows: exact in distribution."""

import numpy as np
from scipy.signal import lfilter

from simulators.instruments.path import Array


class FilteredNoise:
    """Gaussian noise of standard deviation `rms` and correlation time `time_s`.

    This is the Ornstein-Uhlenbeck process. Its state and its integral are jointly Gaussian with known
    moments (Gillespie, Phys. Rev. E 54, 2084, 1996), so windows are drawn at once, without stepping.
    """

    def __init__(self, rms: float, time_s: float, rng: np.random.Generator) -> None:
        self.rms, self.time_s, self._rng = rms, time_s, rng
        self._state = rng.normal()
        self._at_s = 0.0

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """Mean over each window; windows must not overlap and follow one another."""
        if self.rms == 0.0:
            return np.zeros_like(starts_s)
        lengths = (stops_s - starts_s) / self.time_s
        gaps = (starts_s - np.concatenate(([self._at_s], stops_s[:-1]))) / self.time_s
        over_gap = np.exp(-np.maximum(gaps, 0.0))
        through = np.exp(-lengths)
        kicks = self._rng.normal(size=(3, len(starts_s)))
        # state at a window's start, then at its end: x -> a x + sqrt(1 - a^2) n, twice
        to_start = np.sqrt(1.0 - over_gap**2) * kicks[0]
        to_end = np.sqrt(1.0 - through**2) * kicks[1]
        ends = _recur(over_gap * through, through * to_start + to_end, self._state)
        begins = over_gap * np.concatenate(([self._state], ends[:-1])) + to_start
        self._state, self._at_s = float(ends[-1]), float(stops_s[-1])
        # given both ends, the integral has mean (x0 + x1) tanh(h/2) and variance 2h - 4 tanh(h/2)
        bend = np.tanh(0.5 * lengths)
        spread = np.sqrt(np.maximum(2.0 * lengths - 4.0 * bend, 0.0))
        return self.rms * ((begins + ends) * bend + spread * kicks[2]) / lengths


def _recur(factors: Array, terms: Array, first: float) -> Array:
    """x[k] = factors[k] * x[k-1] + terms[k], with x[-1] = first."""
    if len(factors) > 1 and np.allclose(factors[1:], factors[1], rtol=1e-9, atol=0.0):
        head = factors[0] * first + terms[0]
        rest, _ = lfilter([1.0], [1.0, -factors[1]], terms[1:], zi=[factors[1] * head])
        return np.concatenate(([head], rest))
    values = np.empty_like(terms)
    state = first
    for k, (factor, term) in enumerate(zip(factors.tolist(), terms.tolist(), strict=True)):
        state = factor * state + term
        values[k] = state
    return values
