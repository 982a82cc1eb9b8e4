"""The voltages of many sources over one span of time, most of which rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simulators.instruments.path import Array, Knots
from simulators.instruments.terminals import Resting, VoltageSource

_STEP_V = 0.5
"""No voltage moves further between two instants of `moves_s`, unless it is quick."""


class Source(VoltageSource, Resting, Protocol):
    """A source that can be asked whether it rests."""


@dataclass
class Restless:
    """A `Source` of one that cannot be asked, and is looked at closely every time."""

    source: VoltageSource
    noise_V: float = 0.0

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """See `VoltageSource.knots`."""
        return self.source.knots(start_s, stop_s)

    def resting_V(self, start_s: float, stop_s: float) -> None:
        """See `Resting.resting_V`."""


class Courses:
    """The courses of several sources.

    Args:
        step_s: a move is looked at in steps of this, or of half a volt where that takes longer.

    Attributes:
        moves_s: where any source begins or ends to move, and the instants in between; rising.
    """

    def __init__(self, sources: Sequence[Source], start_s: float, stop_s: float, step_s: float) -> None:
        held_V: list[float] = []
        self._start_s = start_s
        self._moving: list[tuple[int, Array, Array]] = []
        for k, source in enumerate(sources):
            rest_V = source.resting_V(start_s, stop_s)
            if rest_V is None:
                times_s, volts, _ = source.knots(start_s, stop_s)
                rest_V = float(volts[0])
                if (volts != rest_V).any():
                    moves_s = _instants(times_s, volts, step_s)
                    self._moving.append((k, moves_s, np.interp(moves_s, times_s, volts)))
            held_V.append(rest_V)
        self._held_V = np.array(held_V)
        each_s = [moves_s for _, moves_s, _ in self._moving]
        self.moves_s = np.unique(np.concatenate(each_s)) if each_s else np.empty(0)

    @property
    def rest(self) -> bool:
        """Whether none of them moves."""
        return not self._moving

    def at(self, times_s: Array) -> Array:
        """Voltages (time, source) in V."""
        volts = np.broadcast_to(self._held_V, (len(times_s), len(self._held_V)))
        if self._moving:
            volts = volts.copy()
            for k, moves_s, moves_V in self._moving:
                volts[:, k] = np.interp(times_s, moves_s, moves_V)
        return volts

    def corners(self) -> tuple[Array, Array]:
        """Times and voltages (corner, source) of each source's own corners from the start of the span on.

        Between two of them a voltage is a straight line, after the last it stays; who has fewer repeats the last.
        """
        n = 1 + max((len(moves_s) for _, moves_s, _ in self._moving), default=0)
        times_s = np.full((n, len(self._held_V)), self._start_s)
        volts = np.tile(self._held_V, (n, 1))
        for k, moves_s, moves_V in self._moving:
            end = 1 + len(moves_s)
            times_s[1:end, k], volts[1:end, k] = moves_s, moves_V
            times_s[end:, k], volts[end:, k] = moves_s[-1], moves_V[-1]
        return times_s, volts


def _instants(times_s: Array, volts: Array, step_s: float) -> Array:
    """Where one source begins or ends to move, and the instants in between; rising."""
    moves_V = np.abs(volts[1:] - volts[:-1])
    rows = moves_V.nonzero()[0]
    begins_s, ends_s = times_s[rows], times_s[rows + 1]
    counts = np.ceil(np.minimum(moves_V[rows] / _STEP_V, (ends_s - begins_s) / step_s)).astype(int)
    inner_s = [
        np.linspace(begins_s[k], ends_s[k], counts[k], endpoint=False)
        for k in (counts > 1).nonzero()[0].tolist()
    ]
    return np.unique(np.concatenate((begins_s, ends_s, *inner_s)))
