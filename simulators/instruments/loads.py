"""What hangs on an output: the current that it draws at a voltage, and the voltage at which it draws a current."""

from dataclasses import dataclass, field
from typing import Protocol

_STEPS = 200
_TIGHT = 1e-12
"""Of the interval searched: where a voltage counts as found."""


class Load(Protocol):
    """One thing on an output; more voltage never draws less current."""

    def drawn_A(self, volts: float, instant: float) -> float:
        """The current in A that flows into it at `volts`, at an instant."""


@dataclass(frozen=True)
class Resistance:
    """A resistor to ground."""

    ohm: float

    def drawn_A(self, volts: float, instant: float) -> float:
        """See `Load.drawn_A`."""
        return volts / self.ohm


@dataclass
class Loads:
    """Everything on one output, in parallel; itself a `Load`. Nothing on it draws nothing."""

    each: list[Load] = field(default_factory=list)

    def add(self, load: Load) -> None:
        """Hang a further load on the output."""
        self.each.append(load)

    def drawn_A(self, volts: float, instant: float) -> float:
        """See `Load.drawn_A`."""
        return sum(load.drawn_A(volts, instant) for load in self.each)

    def voltage_V(self, current_A: float, low_V: float, high_V: float, instant: float) -> float:
        """The voltage between `low_V` and `high_V` at which `current_A` is drawn; the end where none is.

        Bisection, because a chip's current need not be smooth; it needs only to grow with the voltage.
        """
        if self.drawn_A(high_V, instant) <= current_A:
            return high_V
        if self.drawn_A(low_V, instant) >= current_A:
            return low_V
        span_V = high_V - low_V
        for _ in range(_STEPS):
            middle_V = 0.5 * (low_V + high_V)
            if self.drawn_A(middle_V, instant) < current_A:
                low_V = middle_V
            else:
                high_V = middle_V
            if high_V - low_V <= _TIGHT * span_V:
                break
        return 0.5 * (low_V + high_V)
