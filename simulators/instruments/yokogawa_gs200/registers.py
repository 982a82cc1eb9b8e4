"""The GS200's own registers beside those of IEEE 488.2.

Bits: Yokogawa, GS200 User's Manual (IM GS210-01EN), chapter on the status reports.
"""

from dataclasses import dataclass, field
from typing import Literal

from simulators.scpi import StatusRegister
from simulators.scpi.status import MASTER_SUMMARY, StatusModel

EXTENDED_SUMMARY = 1 << 1
"""EES, in the status byte."""

END_OF_MEASURE, OVER_RANGE = 1 << 0, 1 << 1
SOURCE_CHANGE, END_OF_STEP, END_OF_PROGRAM, READY_FOR_PROGRAM = 1 << 5, 1 << 6, 1 << 7, 1 << 8
LOW_LIMIT, HIGH_LIMIT = 1 << 10, 1 << 11

Edge = Literal["RISE", "FALL", "BOTH", "NEV"]


@dataclass
class ExtendedStatus(StatusModel):
    """The status model with the extended event register; SCPI's two registers stay silent."""

    extended: StatusRegister = field(default_factory=StatusRegister)

    def note(self, bit: int) -> None:
        """Something has happened that has no condition to it."""
        self.extended.event |= bit & self.extended.positive

    def set_filter(self, number: int, edge: Edge) -> None:
        """Which changes of a condition, counted from 1, set its event."""
        bit, register = 1 << number - 1, self.extended
        register.positive = register.positive | bit if edge in ("RISE", "BOTH") else register.positive & ~bit
        register.negative = register.negative | bit if edge in ("FALL", "BOTH") else register.negative & ~bit

    def filter(self, number: int) -> Edge:
        """The same."""
        rising = bool(self.extended.positive >> number - 1 & 1)
        falling = bool(self.extended.negative >> number - 1 & 1)
        if rising:
            return "BOTH" if falling else "RISE"
        return "FALL" if falling else "NEV"

    def clear(self) -> None:
        """See `StatusModel.clear`."""
        super().clear()
        self.extended.event = 0

    def summary(self, message_available: bool) -> int:
        """See `StatusModel.summary`."""
        byte = super().summary(message_available)
        if self.extended.summary:
            byte |= EXTENDED_SUMMARY
            if self.service_enable & EXTENDED_SUMMARY:
                byte |= MASTER_SUMMARY
        return byte
