"""The parameters a command can declare: each turns one token of program data into a Python value.

A token is text, or bytes for the payload of a block. A converter raises ScpiError with the number that the
standard gives for the fault.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.scpi.errors import ScpiError
from simulators.scpi.mnemonics import long_form, matches, short_form

Token = str | bytes
Bound = float | Callable[..., float] | None

_INFINITY = 9.9e37  # SCPI-99, 7.2.1.4: how an instrument writes infinity
_NUMBER = re.compile(
    r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:\s*[eE]\s*([+-]?\d+))?)\s*([A-Za-z%/][A-Za-z0-9%/.]*)?\s*"
)
_NON_DECIMAL = re.compile(r"#(?:[hH]([0-9a-fA-F]+)|[qQ]([0-7]+)|[bB]([01]+))")
# SCPI-99, 7.2: M is milli, MA is mega; before HZ and OHM an M is mega.
_MULTIPLIERS = {
    "EX": 1e18,
    "PE": 1e15,
    "T": 1e12,
    "G": 1e9,
    "MA": 1e6,
    "K": 1e3,
    "": 1.0,
    "M": 1e-3,
    "U": 1e-6,
    "N": 1e-9,
    "P": 1e-12,
    "F": 1e-15,
    "A": 1e-18,
}
_MOST_CHANNELS = 65536
_CHANNELS = re.compile(r"\(\s*@([^()]*)\)")


class Parameter(ABC):
    """One declared parameter of a command or query; one that is not `on_wire` is only handed to the handler."""

    on_wire: bool = True
    required: bool = True
    takes_rest: bool = False
    default: Any = None

    @abstractmethod
    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> Any:
        """Turn `token` into the handler's argument; raises ScpiError."""

    def convert_rest(self, tokens: Sequence[Token], instrument: Any, suffixes: Sequence[int]) -> Any:
        """Turn all remaining tokens into one argument, for parameters that take them all."""
        raise NotImplementedError


def _text(token: Token, kind: str) -> str:
    if isinstance(token, bytes):
        raise ScpiError(-168, kind)
    if token[0] in "\"'":
        raise ScpiError(-158, kind)
    return token


class Number(Parameter):
    """A number in `unit` between `minimum` and `maximum`, or MINimum, MAXimum, DEFault.

    The bounds and the default may be callables of (instrument, *suffixes). Units and SI multipliers are
    read as SCPI writes them (`1.5 MV` is 1.5 mV, `2 MHZ` is 2 MHz). INFinity and NINFinity are taken where
    `infinity` is true. Out of range is -222, a wrong unit -131, anything else that is no number -104.
    """

    def __init__(
        self,
        unit: str = "",
        minimum: Bound = None,
        maximum: Bound = None,
        default: Bound = None,
        *,
        infinity: bool = False,
    ) -> None:
        self.unit = unit.upper()
        self.minimum = minimum
        self.maximum = maximum
        self.default = default
        self.infinity = infinity

    def keyword(self, token: str, instrument: Any, suffixes: Sequence[int]) -> float | None:
        """The value of MINimum, MAXimum or DEFault here; None for any other token."""
        for name, bound in (("MINimum", self.minimum), ("MAXimum", self.maximum), ("DEFault", self.default)):
            if matches(name, token):
                if bound is None:
                    raise ScpiError(-224, f"{token} is not defined here")
                return self._bound(bound, instrument, suffixes)
        return None

    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> float:
        """Read the number, in the parameter's own unit."""
        try:
            value = float(token)
        except ValueError:
            value = self._unusual(_text(token, "number expected"), instrument, suffixes)
        else:
            if not math.isfinite(value) or isinstance(token, bytes) or "_" in token:
                value = self._unusual(_text(token, "number expected"), instrument, suffixes)
        minimum, maximum = self.minimum, self.maximum
        if minimum is not None and value < (low := self._bound(minimum, instrument, suffixes)):
            raise ScpiError(-222, f"{value:g} is below {low:g}")
        if maximum is not None and value > (high := self._bound(maximum, instrument, suffixes)):
            raise ScpiError(-222, f"{value:g} is above {high:g}")
        return value

    @staticmethod
    def _bound(bound: float | Callable[..., float], instrument: Any, suffixes: Sequence[int]) -> float:
        return float(bound(instrument, *suffixes) if callable(bound) else bound)

    def _unusual(self, token: str, instrument: Any, suffixes: Sequence[int]) -> float:
        known = self.keyword(token, instrument, suffixes)
        if known is not None:
            return known
        if matches("INFinity", token) or matches("NINFinity", token):
            if not self.infinity:
                raise ScpiError(-222, token)
            return -math.inf if token[0] in "nN" else math.inf
        if other := _NON_DECIMAL.fullmatch(token):
            digits, base = next((d, b) for d, b in zip(other.groups(), (16, 8, 2), strict=True) if d)
            return float(int(digits, base)) if len(digits) <= 64 else math.inf
        number = _NUMBER.fullmatch(token)
        if number is None:
            raise ScpiError(-121 if token[0].isdigit() or token[0] in "+-." else -104, token[:40])
        if number[2] and abs(int(number[2][:7])) > 32000:
            raise ScpiError(-123, token[:40])
        value = float(re.sub(r"\s", "", number[1]))
        if number[3]:
            value *= self._scale(number[3].upper())
        if not math.isfinite(value) or abs(value) >= _INFINITY:
            if self.infinity:
                return math.copysign(math.inf, value)
            raise ScpiError(-222, token[:40])
        return value

    def _scale(self, suffix: str) -> float:
        if not self.unit:
            raise ScpiError(-138, suffix[:40])
        if not suffix.endswith(self.unit):
            raise ScpiError(-131, suffix[:40])
        prefix = suffix[: len(suffix) - len(self.unit)]
        if prefix == "M" and self.unit in ("HZ", "OHM"):
            return 1e6
        if prefix not in _MULTIPLIERS:
            raise ScpiError(-131, suffix[:40])
        return _MULTIPLIERS[prefix]


class Integer(Number):
    """A whole number; a decimal is rounded, as IEEE 488.2 asks of a device that needs an integer."""

    def __init__(
        self,
        minimum: Bound = None,
        maximum: Bound = None,
        default: Bound = None,
        *,
        unit: str = "",
        infinity: bool = False,
    ) -> None:
        super().__init__(unit, minimum, maximum, default, infinity=infinity)

    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> Any:
        """Read the whole number; infinity, where it is allowed, stays the float infinity."""
        value = super().convert(token, instrument, suffixes)
        return value if math.isinf(value) else round(value)


class Boolean(Parameter):
    """ON, OFF, or a number that is true unless it rounds to zero."""

    def __init__(self, default: bool | None = None) -> None:
        self.default = default

    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> bool:
        """Read the state."""
        text = _text(token, "boolean expected").upper()
        if text in ("ON", "1"):
            return True
        if text in ("OFF", "0"):
            return False
        if text == "DEF" and self.default is not None:
            return self.default
        try:
            return abs(float(text)) >= 0.5
        except ValueError:
            raise ScpiError(-224, text[:40]) from None


class Once(Boolean):
    """ON, OFF or ONCE; ONCE is None."""

    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> Any:
        """Read the state."""
        if isinstance(token, str) and matches("ONCE", token):
            return None
        return super().convert(token, instrument, suffixes)


class Choice(Parameter):
    """One of a few words, given as "FIXed": the handler receives the short form, `FIX`.

    A word that ends with # takes a number: "INTernal#" receives `INT3` and gives `INT3`; without a number
    it is `INT1`. Any other word is -224.
    """

    def __init__(self, *words: str, default: str | None = None) -> None:
        self.words = words
        self.default = default
        self._fixed: dict[str, str] = {}
        self._numbered: dict[str, str] = {}
        for word in words:
            forms = self._numbered if word.endswith("#") else self._fixed
            bare = word.rstrip("#")
            forms[short_form(bare)] = forms[long_form(bare)] = short_form(bare)

    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> str:
        """Give the short form of the word."""
        text = _text(token, "one of " + "|".join(self.words)).upper()
        if text in self._fixed:
            return self._fixed[text]
        stem = text.rstrip("0123456789")
        if stem in self._numbered:
            return f"{self._numbered[stem]}{int(text[len(stem) :][:9] or 1)}"
        if self.default is not None and matches("DEFault", text):
            return self.default
        raise ScpiError(-224, f"{text[:40]} is not one of {'|'.join(self.words)}")


class Text(Parameter):
    """A quoted string, without its quotes; with `bare`, an unquoted word is taken as it stands."""

    def __init__(self, *, bare: bool = False, longest: int | None = None) -> None:
        self.bare = bare
        self.longest = longest

    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> str:
        """Give the text."""
        if isinstance(token, bytes):
            raise ScpiError(-168, "string expected")
        quote = token[0]
        if quote not in "\"'":
            if not self.bare:
                raise ScpiError(-104, f"{token[:40]} is not a quoted string")
            value = token
        else:
            value = token[1:-1].replace(quote + quote, quote)
        if self.longest is not None and len(value) > self.longest:
            raise ScpiError(-223, f"longer than {self.longest} characters")
        return value


class Block(Parameter):
    """An arbitrary block or a comma-separated list of numbers, as a numpy array.

    `dtype` is the layout on the wire ("<f4", ">i2", or a callable of the instrument that gives one); real
    numbers arrive as float64. With `dtype=None` the handler receives the bytes themselves. A length that is
    no multiple of the item is -161.
    """

    takes_rest = True

    def __init__(self, dtype: str | Callable[[Any], str] | None = "<f4") -> None:
        self.dtype = dtype

    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> Any:
        """Read a lone token."""
        return self.convert_rest((token,), instrument, suffixes)

    def convert_rest(self, tokens: Sequence[Token], instrument: Any, suffixes: Sequence[int]) -> Any:
        """Read a block, or all numbers up to the end of the command."""
        first = tokens[0]
        if isinstance(first, bytes):
            if len(tokens) > 1:
                raise ScpiError(-108, "data after the block")
            return self._decode(first, instrument)
        if self.dtype is None:
            raise ScpiError(-104, "block expected")
        return self._list(tokens)

    def _decode(self, payload: bytes, instrument: Any) -> NDArray[Any] | bytes:
        if self.dtype is None:
            return payload
        dtype = np.dtype(self.dtype(instrument) if callable(self.dtype) else self.dtype)
        if len(payload) % dtype.itemsize:
            raise ScpiError(-161, f"{len(payload)} bytes are no whole number of {dtype.itemsize}-byte items")
        wire = np.frombuffer(payload, dtype)
        return wire.astype(np.float64) if dtype.kind == "f" else wire.astype(dtype.newbyteorder("="))

    @staticmethod
    def _list(tokens: Sequence[Token]) -> NDArray[np.float64]:
        try:
            return np.array([float(token) for token in tokens])
        except ValueError:
            number = Number()
            return np.array([number.convert(token, None, ()) for token in tokens])


class ChannelList(Parameter):
    """A channel list such as `(@1,3:5)`, as a tuple of ints in the order written; `maximum` bounds them."""

    def __init__(self, maximum: int | None = None, minimum: int = 1) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> tuple[int, ...]:
        """Give the channels."""
        match = None if isinstance(token, bytes) else _CHANNELS.fullmatch(token)
        if match is None:
            raise ScpiError(-104, "channel list expected, such as (@1,3:5)")
        channels: list[int] = []
        for part in match[1].split(","):
            ends = [end.strip() for end in part.split(":")]
            if len(ends) > 2 or not all(end.isdecimal() and len(end) <= 9 for end in ends):
                raise ScpiError(-171, str(token)[:40])
            first, last = int(ends[0]), int(ends[-1])
            if min(first, last) < self.minimum or max(first, last) > (self.maximum or 65535):
                raise ScpiError(-222, f"channel {part.strip()} of {str(token)[:40]}")
            if len(channels) + abs(last - first) >= _MOST_CHANNELS:
                raise ScpiError(-223, f"more than {_MOST_CHANNELS} channels")
            step = 1 if last >= first else -1
            channels.extend(range(first, last + step, step))
        return tuple(channels)


class Optional(Parameter):
    """A parameter that may be left out; the handler then receives `default`."""

    required = False

    def __init__(self, parameter: Parameter, default: Any = None) -> None:
        self.parameter = parameter
        self.default = default
        self.takes_rest = parameter.takes_rest

    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> Any:
        """Read what was given."""
        return self.parameter.convert(token, instrument, suffixes)

    def convert_rest(self, tokens: Sequence[Token], instrument: Any, suffixes: Sequence[int]) -> Any:
        """Read all that was given."""
        return self.parameter.convert_rest(tokens, instrument, suffixes)


class Rest(Parameter):
    """All further parameters of one kind, as a tuple; at least `least` of them."""

    takes_rest = True

    def __init__(self, parameter: Parameter, least: int = 0) -> None:
        self.parameter = parameter
        self.least = least
        self.required = least > 0
        self.default = ()

    def convert(self, token: Token, instrument: Any, suffixes: Sequence[int]) -> Any:
        """Read a lone token."""
        return self.convert_rest((token,), instrument, suffixes)

    def convert_rest(self, tokens: Sequence[Token], instrument: Any, suffixes: Sequence[int]) -> Any:
        """Read them all."""
        if len(tokens) < self.least:
            raise ScpiError(-109, f"at least {self.least} values")
        return tuple(self.parameter.convert(token, instrument, suffixes) for token in tokens)
