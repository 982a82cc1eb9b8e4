"""How the TSL-570 takes and gives numbers: in SI units with a suffix (SCPI), or plain in nm and THz (legacy).

TSL-570 operation manual, command reference; the legacy set is that of the maker's older lasers.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from simulators.instruments.santec_tsl570.light import dbm
from simulators.scpi import Number, Parameter, ScpiError, ScpiInstrument
from simulators.scpi.parameters import Bound

LEAST_DBM, MOST_DBM = -15.0, 13.0
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_POWER = re.compile(rf"({_PLAIN.pattern})\s*([A-Za-z]*)")
_WATTS = {"PW": 1e-12, "NW": 1e-9, "UW": 1e-6, "MW": 1e-3, "W": 1.0, "WATT": 1.0}
_LEAST_W = 1e-3 * 10.0 ** (0.1 * LEAST_DBM)
_ROUNDING_DB = 0.006


class Numbers(ScpiInstrument):
    """How replies are written; `legacy` says which command set is in use, `milliwatts` which unit of power."""

    legacy = True
    milliwatts = False

    def format_real(self, value: float) -> str:
        """Nine digits and an exponent of three."""
        mantissa, _, exponent = f"{value:+.8E}".partition("E")
        return f"{mantissa}E{int(exponent):+04d}"

    def length(self, metres: float) -> str:
        """A wavelength or a difference of two."""
        return f"{1e9 * metres:.4f}" if self.legacy else self.format_real(metres)

    def frequency(self, hertz: float) -> str:
        """An optical frequency or a difference of two."""
        return f"{1e-12 * hertz:.5f}" if self.legacy else self.format_real(hertz)

    def decimal(self, value: float, digits: int) -> str:
        """A number whose unit is the same in both sets."""
        return f"{value:.{digits}f}" if self.legacy else self.format_real(value)

    def whole(self, value: int) -> str:
        """A count, a switch or a choice."""
        return str(int(value)) if self.legacy else f"{int(value):+d}"

    def power(self, watts: float) -> str:
        """A power in the unit that is set."""
        return self.decimal(1e3 * watts if self.milliwatts else dbm(watts), 2)


class Scaled(Number):
    """A number in an SI unit; in the legacy set a plain one, in units of `legacy_unit`.

    A value is rounded to `step`. A suffix is -138 in the legacy set.
    """

    def __init__(
        self, unit: str, legacy_unit: float, step: float, minimum: Bound = None, maximum: Bound = None
    ) -> None:
        super().__init__(unit, minimum, maximum)
        self._legacy_unit, self._step = legacy_unit, step

    def convert(self, token: str | bytes, instrument: Any, suffixes: Sequence[int]) -> float:
        """Read the number, in SI units."""
        if instrument.legacy and isinstance(token, str) and token[:1] in "+-.0123456789":
            if _PLAIN.fullmatch(token) is None:
                raise ScpiError(-138, token[:40])
            token = repr(float(token) * self._legacy_unit)
        value = super().convert(token, instrument, suffixes)
        return round(value, -round(math.log10(self._step)))


class Level(Parameter):
    """A power in W: with a suffix, or in the unit that is set; MINimum and MAXimum."""

    def convert(self, token: str | bytes, instrument: Any, suffixes: Sequence[int]) -> float:
        """Read the power; outside -15 dBm to 13 dBm it is -222."""
        if isinstance(token, bytes):
            raise ScpiError(-168)
        word = token.upper()
        if word in ("MIN", "MINIMUM", "MAX", "MAXIMUM"):
            return 1e-3 * 10.0 ** (0.1 * (LEAST_DBM if word.startswith("MIN") else MOST_DBM))
        match = _POWER.fullmatch(token)
        if match is None:
            raise ScpiError(-104, token[:40])
        value, suffix = float(match[1]), match[2].upper()
        if suffix and instrument.legacy:
            raise ScpiError(-138, token[:40])
        suffix = suffix or ("MW" if instrument.milliwatts else "DBM")
        if suffix != "DBM" and suffix not in _WATTS:
            raise ScpiError(-131, token[:40])
        level_dBm = value if suffix == "DBM" else dbm(value * _WATTS[suffix])
        if not LEAST_DBM - _ROUNDING_DB <= level_dBm <= MOST_DBM + _ROUNDING_DB:
            raise ScpiError(-222, f"{level_dBm:.2f} dBm is outside {LEAST_DBM:g} to {MOST_DBM:g} dBm")
        if suffix == "DBM":
            return 1e-3 * 10.0 ** (0.1 * round(level_dBm, 2))
        return max(round(value * _WATTS[suffix], 5), _LEAST_W)
