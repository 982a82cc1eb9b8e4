"""A fault that is in a bench, and how often it has happened."""

from dataclasses import dataclass

import numpy as np

from simulators.faults.fault import Fault


@dataclass(eq=False)
class Injected:
    """A fault under its number.

    Attributes:
        since_s: the virtual time from which it can happen.
        seen: exchanges that could have met it.
        struck: how often it happened; of a fault at a terminal, which has no count, 0.
    """

    number: int
    fault: Fault
    since_s: float
    rng: np.random.Generator
    seen: int = 0
    struck: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has happened as often as it can."""
        return self.struck >= self.fault.most

    def strikes(self, now_s: float) -> bool:
        """Whether it happens to the exchange that comes now."""
        fault = self.fault
        self.seen += 1
        if self.spent or now_s < self.since_s or (fault.stop_s is not None and now_s >= fault.stop_s):
            return False
        if fault.at is not None and self.seen < fault.at:
            return False
        if fault.probability < 1.0 and self.rng.random() >= fault.probability:
            return False
        self.struck += 1
        return True

    def __str__(self) -> str:
        count = "" if self.fault.at_terminal else f", {self.struck} times so far"
        return f"{self.number}: {self.fault}{count}"
