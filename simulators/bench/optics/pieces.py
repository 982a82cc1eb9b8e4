"""Windows of time cut into pieces in each of which a chip moves little, and where to ask it in each."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from simulators.bench.optics.courses import Courses
from simulators.bench.optics.warmth import MEMORY
from simulators.instruments.path import Array

_AFTER = np.array([0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, MEMORY])
"""Where what follows a move is cut, in time constants."""
_NEAR = 0.02
"""Time constants within which moves count as one: what is felt has a kink at each, and no step."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)


@dataclass(frozen=True)
class Pieces:
    """Pieces in order of time, and the instants to ask for in them.

    A piece in which nothing moves, neither a modulator nor what a heater makes felt, is asked in its middle, any
    other by Gauss and Legendre's rule.

    Attributes:
        begins_s, ends_s: (piece,).
        instants_s: rising, (instant,).
        asks, weights: each instant's piece, and its share in that piece's mean.
        windows, lengths_s: each piece's window, and how long each window is.
    """

    begins_s: Array
    ends_s: Array
    instants_s: Array
    asks: npt.NDArray[np.intp]
    weights: Array
    windows: npt.NDArray[np.intp]
    lengths_s: Array

    @classmethod
    def of(
        cls, starts_s: Array, stops_s: Array, moves_s: Array, modulators: Courses, thermal_s: float
    ) -> Self:
        """Cut windows (window,) that follow one another where modulators move, and where heaters do, and after."""
        if len(moves_s) == 0 and modulators.rest:
            n = np.arange(len(starts_s))
            middles_s = 0.5 * (starts_s + stops_s)
            return cls(starts_s, stops_s, middles_s, n, np.ones(len(n)), n, stops_s - starts_s)
        bends_s = _cooling(_apart(moves_s, _NEAR * thermal_s), thermal_s)
        cuts_s = np.unique(np.concatenate((starts_s, stops_s, modulators.moves_s, bends_s)))
        middles_s = 0.5 * (cuts_s[1:] + cuts_s[:-1])
        windows = np.searchsorted(starts_s, middles_s, side="right") - 1
        inside = (windows >= 0) & (middles_s < stops_s[np.maximum(windows, 0)])
        begins_s, ends_s, windows = cuts_s[:-1][inside], cuts_s[1:][inside], windows[inside]
        moving = _warming(begins_s, moves_s, thermal_s) | np.any(
            modulators.at(begins_s) != modulators.at(ends_s), axis=1
        )
        nodes = np.where(moving[:, None], _NODES, 0.0)
        shares = np.where(moving[:, None], 0.5 * _WEIGHTS, 1.0)
        asked = moving[:, None] | (np.arange(len(_NODES)) == 0)
        instants_s = 0.5 * ((begins_s + ends_s)[:, None] + (ends_s - begins_s)[:, None] * nodes)
        return cls(
            begins_s,
            ends_s,
            instants_s[asked],
            np.nonzero(asked)[0],
            shares[asked],
            windows,
            stops_s - starts_s,
        )

    def means(self, factor: Array, values: Array) -> Array:
        """Means (window,) of a factor that is known as its means (piece,) times values (instant,)."""
        in_pieces = np.bincount(self.asks, self.weights * values, len(self.begins_s))
        parts = (self.ends_s - self.begins_s) * factor * in_pieces
        return np.bincount(self.windows, parts, len(self.lengths_s)) / self.lengths_s


def _apart(moves_s: Array, tick_s: float) -> Array:
    """The first of the moves in each tick."""
    return moves_s[np.diff(np.floor(moves_s / tick_s), prepend=-1.0) > 0.0]


def _cooling(moves_s: Array, thermal_s: float) -> Array:
    """The moves, and after each the cuts until the next."""
    after_s = moves_s[:, None] + thermal_s * _AFTER
    next_s = np.append(moves_s[1:], np.inf)[: len(moves_s), None]
    return np.concatenate((moves_s, after_s[after_s < next_s]))


def _warming(begins_s: Array, moves_s: Array, thermal_s: float) -> npt.NDArray[np.bool_]:
    """Whether what a heater makes felt still moves after each of `begins_s`."""
    last_s = np.append(-np.inf, moves_s)[np.searchsorted(moves_s, begins_s, side="right")]
    return np.asarray(begins_s - last_s < MEMORY * thermal_s * (1.0 - 1e-9))
