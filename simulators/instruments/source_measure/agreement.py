"""How outputs that depend on each other through a chip come to agree.

A chip's electrode draws a current that depends on the voltages of the others, and the voltage of an output
in compliance depends on the current drawn. So each output that is asked for its voltage asks the others,
which ask it. While one is being solved, others see its value of the sweep before; sweeps are repeated until
no voltage moves any more (the Gauss-Seidel iteration, which converges for circuits of passive parts).
"""

from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from simulators.clock import VirtualClock

_MOST_SWEEPS = 200
_STILL_V = 1e-7

T = TypeVar("T")


class Agreement:
    """What the outputs on one clock know of the sweep under way.

    Attributes:
        sweep: counts the sweeps: an output is solved once in each.
        busy: whether one is under way.
    """

    def __init__(self) -> None:
        self.sweep = 0
        self.busy = False
        self._crossed = False
        self._moved_V = 0.0

    def reach(self, solve: Callable[[], T]) -> T:
        """Repeat `solve` until it no longer moves anything; what it gives then."""
        self.busy = True
        try:
            for _ in range(_MOST_SWEEPS):
                self.sweep += 1
                self._crossed, self._moved_V = False, 0.0
                result = solve()
                if not self._crossed or self._moved_V <= _STILL_V:
                    break
            return result
        finally:
            self.busy = False

    def cross(self) -> None:
        """An output was asked while it is being solved: what asked has seen an old value."""
        self._crossed = True

    def move(self, by_V: float) -> None:
        """An output's voltage has changed since the sweep before."""
        self._moved_V = max(self._moved_V, abs(by_V))


_AGREEMENTS: WeakKeyDictionary[VirtualClock, Agreement] = WeakKeyDictionary()


def agreement_on(clock: VirtualClock) -> Agreement:
    """The one that all outputs of a bench share."""
    return _AGREEMENTS.setdefault(clock, Agreement())
