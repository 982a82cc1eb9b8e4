"""What hangs on an output: the current that it draws at a voltage, and the voltage at which it draws a current."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.optimize import brentq

from simulators.instruments.path import Array

_FIRST_STEP_V = 0.01
_TIGHT_V = 1e-10
"""How well a voltage is found: far below any noise."""


class Load(Protocol):
    """One thing on an output; more voltage never draws less current."""

    def drawn_A(self, volts: float, instant: float) -> float:
        """The current in A that flows into it at `volts`, at an instant."""


@runtime_checkable
class Moving(Protocol):
    """Something that changes with time, in straight lines between corners."""

    def corners_s(self, start_s: float, stop_s: float) -> Array:
        """The instants between `start_s` and `stop_s` at which it may bend, in any order."""


@runtime_checkable
class Ohmic(Load, Protocol):
    """A load that draws in proportion to its voltage."""

    @property
    def ohm(self) -> float:
        """Its resistance."""


@dataclass(frozen=True)
class Resistance:
    """A resistor to ground."""

    ohm: float

    def drawn_A(self, volts: float, instant: float) -> float:
        """See `Load.drawn_A`."""
        return volts / self.ohm


@dataclass
class Loads:
    """Everything on one output, in parallel; itself a `Load` and `Moving`. Nothing on it draws nothing."""

    each: list[Load] = field(default_factory=list)

    def add(self, load: Load) -> None:
        """Hang a further load on the output."""
        self.each.append(load)

    def drawn_A(self, volts: float, instant: float) -> float:
        """See `Load.drawn_A`."""
        return sum(load.drawn_A(volts, instant) for load in self.each)

    @property
    def conductance_S(self) -> float:
        """Of the resistances among them."""
        return sum(1.0 / load.ohm for load in self.each if isinstance(load, Ohmic))

    def corners_s(self, start_s: float, stop_s: float) -> Array:
        """See `Moving.corners_s`; a load that is not `Moving` stays what it is."""
        corners = [load.corners_s(start_s, stop_s) for load in self.each if isinstance(load, Moving)]
        return np.concatenate(corners) if corners else np.empty(0)

    def voltage_V(
        self, current_A: float, low_V: float, high_V: float, instant: float, near_V: float = 0.0
    ) -> float:
        """The voltage between `low_V` and `high_V` at which `current_A` is drawn; the end where none is.

        Of several such voltages the one nearest to `near_V`. The search goes outwards from there, so that a
        chip is not asked for voltages far beyond the answer, and ends by Brent's method, which needs no more
        than that the current grows with the voltage.
        """

        def excess_A(volts: float) -> float:
            return self.drawn_A(volts, instant) - current_A

        inner_V = min(max(near_V, low_V), high_V)
        found_A = excess_A(inner_V)
        if found_A == 0.0:
            return inner_V
        end_V = low_V if found_A > 0.0 else high_V
        step_V = _FIRST_STEP_V
        while inner_V != end_V:
            outer_V = max(inner_V - step_V, end_V) if found_A > 0.0 else min(inner_V + step_V, end_V)
            if (excess_A(outer_V) > 0.0) != (found_A > 0.0):
                ends = sorted((inner_V, outer_V))
                return float(brentq(excess_A, *ends, xtol=_TIGHT_V))
            inner_V, step_V = outer_V, 2.0 * step_V
        return end_V
