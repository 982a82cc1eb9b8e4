"""Wires between terminals, with something in their middle or not.

"dac.1 -> chip.e1", "dac.8 -> 100 MOhm -> ground", "laser.output -> 3 dB -> meter.input" (an attenuator),
"chip.out0 -> 20 kV/W -> meter.input" (a photoreceiver). A ribbon of them is written as one: "dac.1..8 -> chip.m0..7".
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulators.errors import BenchError
from simulators.quantity import parse

_TERMINAL = re.compile(r"([A-Za-z_]\w*)\.(\w+)")
_RANGE = re.compile(r"(.*?)(\d+)\.\.(\d+)(.*)")


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
    """A connection, with a resistor in it, an optical attenuation, a photoreceiver, or nothing."""

    start: Terminal
    stop: Terminal
    resistance_ohm: float | None = None
    attenuation_dB: float | None = None
    gain_V_per_W: float | None = None

    @property
    def transmission(self) -> float:
        """The share of optical power that goes through."""
        return float(10.0 ** (-0.1 * (self.attenuation_dB or 0.0)))

    def __str__(self) -> str:
        middle = "" if self.resistance_ohm is None else f"{self.resistance_ohm:g} ohm -> "
        middle = middle if self.attenuation_dB is None else f"{self.attenuation_dB:g} dB -> "
        middle = middle if self.gain_V_per_W is None else f"{self.gain_V_per_W:g} V/W -> "
        return f"{self.start} -> {middle}{self.stop}"


def read_wires(text: str, group: Callable[[Terminal], Sequence[str]]) -> list[Wire]:
    """Read one wire or a ribbon; raises BenchError if it is none.

    `0..7` stands for eight numbers, and the name of a group for its terminals. One end may be a single terminal.

    Args:
        group: the terminals of a group, by their names, none for what is no group.
    """
    parts = [part.strip() for part in text.split("->")]
    starts, stops = _ends(parts[0], group), _ends(parts[-1], group)
    if len(starts) == len(stops) == 1:
        return [read_wire(text)]
    n = max(len(starts), len(stops))
    if {len(starts), len(stops)} - {1, n}:
        raise BenchError(f"{text!r}: a ribbon of {len(starts)} at its start and of {len(stops)} at its end")
    ends = zip(starts * (n // len(starts)), stops * (n // len(stops)), strict=True)
    return [read_wire(" -> ".join((start, *parts[1:-1], stop))) for start, stop in ends]


def _ends(part: str, group: Callable[[Terminal], Sequence[str]]) -> list[str]:
    """All terminals that one end of a wire stands for, as they are written one by one."""
    if match := _RANGE.fullmatch(part):
        first, last = int(match[2]), int(match[3])
        step = 1 if last >= first else -1
        return [f"{match[1]}{number}{match[4]}" for number in range(first, last + step, step)]
    if match := _TERMINAL.fullmatch(part):
        return [f"{match[1]}.{name}" for name in group(Terminal(match[1], match[2]))] or [part]
    return [part]


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
    unit = "dB" if parts[1].endswith("dB") else "V/W" if parts[1].endswith("/W") else "ohm"
    try:
        value = parse(parts[1], unit)
    except ValueError as error:
        raise BenchError(
            f"{text!r}: the middle of a wire is a resistor, an attenuation in dB or a photoreceiver in V/W: {error}"
        ) from None
    if unit == "dB":
        if value < 0.0:
            raise BenchError(f"{text!r}: an attenuation is not negative")
        return Wire(start, stop, attenuation_dB=value)
    if not 0.0 < value < math.inf:
        raise BenchError(f"{text!r}: a {'resistance' if unit == 'ohm' else 'gain'} is positive")
    return Wire(start, stop, gain_V_per_W=value) if unit == "V/W" else Wire(start, stop, value)


def _terminal(part: str, text: str) -> Terminal:
    if part == str(GROUND):
        return GROUND
    match = _TERMINAL.fullmatch(part)
    if match is None:
        raise BenchError(f"{text!r}: {part!r} is not a terminal; write it as 'dac.1'")
    return Terminal(match[1], match[2])
