"""The voltages of many sources over one span of time, most of which rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simulators.instruments.path import Array, Knots
from simulators.instruments.terminals import Resting, VoltageSource


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


_STEP_V = 0.5
"""No voltage moves further between two instants of `moves_s`, unless it is quick."""


class Courses:
    """The courses of several sources.

    Args:
        step_s: a move is looked at in steps of this, or of half a volt where that takes longer.

    Attributes:
        moves_s: where any source begins or ends to move, and the instants in between; rising.
        corners_s: those between both ends of the span: between two of them every voltage is a straight line.
    """

    def __init__(self, sources: Sequence[Source], start_s: float, stop_s: float, step_s: float) -> None:
        held_V: list[float] = []
        moves_s: list[Array] = []
        self._moving: list[tuple[int, Array, Array]] = []
        for k, source in enumerate(sources):
            rest_V = source.resting_V(start_s, stop_s)
            if rest_V is None:
                times_s, volts, _ = source.knots(start_s, stop_s)
                rest_V = float(volts[0])
                if (volts != rest_V).any():
                    self._moving.append((k, times_s, volts))
                    moves_s.append(_instants(times_s, volts, step_s))
            held_V.append(rest_V)
        self._held_V = np.array(held_V)
        self.moves_s = np.unique(np.concatenate(moves_s)) if moves_s else np.empty(0)
        self.corners_s = np.concatenate(([start_s], self.moves_s, [stop_s]))

    @property
    def rest(self) -> bool:
        """Whether none of them moves."""
        return not self._moving

    def at(self, times_s: Array) -> Array:
        """Voltages (time, source) in V."""
        volts = np.broadcast_to(self._held_V, (len(times_s), len(self._held_V)))
        if self._moving:
            volts = volts.copy()
            for k, corners_s, corners_V in self._moving:
                volts[:, k] = np.interp(times_s, corners_s, corners_V)
        return volts


def _instants(times_s: Array, volts: Array, step_s: float) -> Array:
    """Where one source begins or ends to move, and the instants in between."""
    moves_V = np.abs(volts[1:] - volts[:-1])
    rows = moves_V.nonzero()[0]
    begins_s, ends_s = times_s[rows], times_s[rows + 1]
    counts = np.ceil(np.minimum(moves_V[rows] / _STEP_V, (ends_s - begins_s) / step_s)).astype(int)
    inner_s = [
        np.linspace(begins_s[k], ends_s[k], counts[k], endpoint=False)
        for k in (counts > 1).nonzero()[0].tolist()
    ]
    return np.concatenate((begins_s, ends_s, *inner_s))
