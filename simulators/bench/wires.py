"""Wires between terminals, written as "dac.1 -> chip.e1" or "dac.8 -> 100 MOhm -> amplifier.in"."""

import re
from dataclasses import dataclass

from simulators.errors import BenchError
from simulators.quantity import parse

_TERMINAL = re.compile(r"([A-Za-z_]\w*)\.(\w+)")


@dataclass(frozen=True)
class Terminal:
    """A socket of an instrument, of the chip or of the amplifier."""

    owner: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"


@dataclass(frozen=True)
class Wire:
    """A connection, with a resistor in it or none."""

    start: Terminal
    stop: Terminal
    resistance_ohm: float | None = None

    def __str__(self) -> str:
        middle = "" if self.resistance_ohm is None else f"{self.resistance_ohm:g} ohm -> "
        return f"{self.start} -> {middle}{self.stop}"


def read_wire(text: str) -> Wire:
    """Read one wire; raises BenchError if it is none."""
    parts = [part.strip() for part in text.split("->")]
    if len(parts) not in (2, 3):
        raise BenchError(f"{text!r} is not a wire; write it as 'dac.1 -> chip.e1'")
    resistance_ohm = None
    if len(parts) == 3:
        try:
            resistance_ohm = parse(parts[1], "ohm")
        except ValueError as error:
            raise BenchError(f"{text!r}: the middle of a wire is a resistor: {error}") from None
        if not 0.0 < resistance_ohm < float("inf"):
            raise BenchError(f"{text!r}: a resistance is positive")
    return Wire(_terminal(parts[0], text), _terminal(parts[-1], text), resistance_ohm)


def _terminal(part: str, text: str) -> Terminal:
    match = _TERMINAL.fullmatch(part)
    if match is None:
        raise BenchError(f"{text!r}: {part!r} is not a terminal; write it as 'dac.1'")
    return Terminal(match[1], match[2])
