"""The two battery packs of a SIM928: one carries the output while the other charges, then stands by.

Times and life: SRS, SIM928 specifications: 5 h of charge, 12 h of discharge at 10 mA, 1000 cycles.
"""

import numpy as np

from simulators.clock import VirtualClock

CHARGE_S = 5.0 * 3600.0
DISCHARGE_S = 12.0 * 3600.0
DESIGN_CYCLES = 1000
IN_USE, CHARGING, READY = 1, 2, 3
"""What BATS? tells of a pack."""


class Batteries:
    """The packs as the virtual clock has them; a pack lasts as long as at full load, whatever the load.

    Attributes:
        in_use: 0 or 1, the pack that carries the output.
        cycles: charges so far.
    """

    def __init__(self, clock: VirtualClock, rng: np.random.Generator) -> None:
        self._clock = clock
        self.in_use = 0
        self.cycles = int(rng.integers(20, 400))
        self._since_s = clock.now
        self._charged_s = clock.now
        self._switches = 0

    def states(self) -> tuple[int, int]:
        """What each pack does now."""
        self._catch_up()
        other = READY if self._clock.now >= self._charged_s else CHARGING
        return (IN_USE, other) if self.in_use == 0 else (other, IN_USE)

    @property
    def worn(self) -> bool:
        """Whether the packs have had their life."""
        self._catch_up()
        return self.cycles >= DESIGN_CYCLES

    def switches(self) -> int:
        """How often the packs have changed places."""
        self._catch_up()
        return self._switches

    def override(self) -> None:
        """Let the packs change places before their time; nothing happens unless the other one stands by."""
        if READY in self.states():
            self._switch(self._clock.now)

    def _catch_up(self) -> None:
        while self._clock.now >= self._since_s + DISCHARGE_S:
            self._switch(self._since_s + DISCHARGE_S)

    def _switch(self, instant: float) -> None:
        used = (instant - self._since_s) / DISCHARGE_S
        self.in_use = 1 - self.in_use
        self._since_s, self._charged_s = instant, instant + used * CHARGE_S
        self._switches += 1
        self.cycles += 1
