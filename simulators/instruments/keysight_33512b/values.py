"""Parameters as the 33512B reads them: what is out of range is clipped, with an error, and not refused."""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from simulators.scpi import Number, ScpiError

_UNIT = re.compile(r"(VPP|VRMS|DBM)\s*$", re.IGNORECASE)


class Clipped(Number):
    """A number that is brought into its range, with -222 in the error queue; infinity, where allowed, stays."""

    def convert(self, token: str | bytes, instrument: Any, suffixes: Sequence[int]) -> float:
        """Read the number."""
        free = Number(self.unit, infinity=self.infinity)
        known = self.keyword(token, instrument, suffixes) if isinstance(token, str) else None
        value = free.convert(token, instrument, suffixes) if known is None else known
        if math.isinf(value):
            return value
        if self.minimum is not None and value < (low := self._bound(self.minimum, instrument, suffixes)):
            instrument.report(ScpiError(-222, "value clipped to lower limit"))
            return low
        if self.maximum is not None and value > (high := self._bound(self.maximum, instrument, suffixes)):
            instrument.report(ScpiError(-222, "value clipped to upper limit"))
            return high
        return value


class Amplitude(NamedTuple):
    """An amplitude with the unit that came with it, if one did."""

    value: float
    unit: str | None


class AmplitudeParameter(Number):
    """An amplitude such as `2`, `2 VPP`, `0.7 VRMS` or `-3 DBM`; MINimum and MAXimum are in the unit that is set."""

    def convert(self, token: str | bytes, instrument: Any, suffixes: Sequence[int]) -> Any:
        """Read the amplitude."""
        if isinstance(token, str) and (unit := _UNIT.search(token)):
            number = Number().convert(token[: unit.start()].strip() or "?", instrument, suffixes)
            return Amplitude(number, unit[1].upper())
        known = self.keyword(token, instrument, suffixes) if isinstance(token, str) else None
        return Amplitude(Number("V").convert(token, instrument, suffixes) if known is None else known, None)
