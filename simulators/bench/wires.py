"""Wires between terminals: "dac.1 -> chip.e1", "dac.8 -> 100 MOhm -> ground", "laser.output -> 3 dB -> meter.input"."""

import math
import re
from dataclasses import dataclass

from simulators.errors import BenchError
from simulators.quantity import parse

_TERMINAL = re.compile(r"([A-Za-z_]\w*)\.(\w+)")
_DECIBEL = re.compile(r"(\d+(?:\.\d*)?|\.\d+) ?dB")


@dataclass(frozen=True)
class Terminal:
    """A socket of an instrument, of the chip or of the amplifier."""

    owner: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}" if self.name else self.owner


GROUND = Terminal("ground", "")


@dataclass(frozen=True)
class Wire:
    """A connection, with a resistor in it, an optical attenuation, or nothing."""

    start: Terminal
    stop: Terminal
    resistance_ohm: float | None = None
    attenuation_dB: float | None = None

    @property
    def transmission(self) -> float:
        """The share of optical power that goes through."""
        return float(10.0 ** (-0.1 * (self.attenuation_dB or 0.0)))

    def __str__(self) -> str:
        middle = "" if self.resistance_ohm is None else f"{self.resistance_ohm:g} ohm -> "
        middle = middle if self.attenuation_dB is None else f"{self.attenuation_dB:g} dB -> "
        return f"{self.start} -> {middle}{self.stop}"


def read_wire(text: str) -> Wire:
    """Read one wire; raises BenchError if it is none."""
    parts = [part.strip() for part in text.split("->")]
    if len(parts) not in (2, 3):
        raise BenchError(f"{text!r} is not a wire; write it as 'dac.1 -> chip.e1'")
    start, stop = _terminal(parts[0], text), _terminal(parts[-1], text)
    if start == GROUND:
        raise BenchError(f"{text!r}: a wire starts at what gives; write ground last")
    if len(parts) == 2:
        return Wire(start, stop)
    if decibel := _DECIBEL.fullmatch(parts[1]):
        return Wire(start, stop, attenuation_dB=float(decibel[1]))
    try:
        resistance_ohm = parse(parts[1], "ohm")
    except ValueError as error:
        raise BenchError(
            f"{text!r}: the middle of a wire is a resistor, or an attenuation in dB: {error}"
        ) from None
    if not 0.0 < resistance_ohm < math.inf:
        raise BenchError(f"{text!r}: a resistance is positive")
    return Wire(start, stop, resistance_ohm)


def _terminal(part: str, text: str) -> Terminal:
    if part == str(GROUND):
        return GROUND
    match = _TERMINAL.fullmatch(part)
    if match is None:
        raise BenchError(f"{text!r}: {part!r} is not a terminal; write it as 'dac.1'")
    return Terminal(match[1], match[2])
