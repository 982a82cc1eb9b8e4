"""Connecting a bench: every wire leads from a socket that gives to a socket that takes."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches

import numpy as np

from simulators.bench.analog.amplifier import Amplifier
from simulators.bench.analog.currents import ChipCurrent, ObservedChip, Resistor
from simulators.bench.wires import Terminal, Wire
from simulators.errors import BenchError
from simulators.instruments.path import Array
from simulators.instruments.terminals import Driven, Terminals, VoltageSource

_AMPLIFIER = Terminals()


class Wiring:
    """Puts wires in one by one, then checks that nothing needed is missing.

    Args:
        instruments: their sockets, by the instrument's name.
        electrodes: names of the chip's driven electrodes, in the model's order.
    """

    def __init__(
        self, instruments: Mapping[str, Terminals], electrodes: tuple[str, ...], amplifier: Amplifier
    ) -> None:
        self._instruments, self._electrodes, self._amplifier = instruments, electrodes, amplifier
        self._drives: dict[str, tuple[Terminal, VoltageSource]] = {}
        self._readout: Terminal | None = None
        self._fed: dict[Terminal, Terminal] = {}
        self._resistors: list[Resistor] = []

    def add(self, wire: Wire) -> None:
        """Put a wire in; raises BenchError that names the terminal and what would be possible."""
        start = wire.start
        if start.owner == "chip":
            self._from_chip(wire)
        elif start == Terminal("amplifier", "out"):
            self._feed(wire, self._amplifier)
        elif start.owner == "amplifier":
            raise BenchError(f"{start} gives nothing; the amplifier's output is amplifier.out")
        else:
            sockets = self._sockets(start)
            if start.name in sockets.trigger_outputs:
                self._trigger(wire, sockets)
            elif start.name in sockets.sources:
                self._from_source(wire, sockets.sources[start.name])
            else:
                raise self._unknown(start, [*sockets.sources, *sockets.trigger_outputs], "gives")

    def finish(self, chip: ObservedChip, resolution_s: float, rng: np.random.Generator) -> None:
        """Connect the chip; raises BenchError for an electrode that nothing drives, or no readout."""
        open_ends = [name for name in self._electrodes if name not in self._drives]
        if open_ends:
            raise BenchError(
                f"electrode chip.{open_ends[0]} is not wired; drive it with a wire such as"
                f" 'dac.1 -> chip.{open_ends[0]}'"
            )
        if self._readout is None:
            raise BenchError("the chip is not read; add a wire such as 'chip.readout -> amplifier.in'")
        sources = [self._drives[name][1] for name in self._electrodes]
        self._amplifier.currents.append(ChipCurrent(chip, sources, resolution_s, rng))
        self._amplifier.currents.extend(self._resistors)

    def drain(self, drawn_A: Callable[[Array], Array]) -> None:
        """Let the chip draw its currents from the sources; `drawn_A` gives them for voltages (electrode,)."""
        sources = [self._drives[name][1] for name in self._electrodes]

        def drain_of(k: int) -> Callable[[float], float]:
            def drain_A(instant: float) -> float:
                volts = np.array([source.knots(instant, instant).values[0] for source in sources])
                return float(drawn_A(volts)[k])

            return drain_A

        for k, name in enumerate(self._electrodes):
            terminal = self._drives[name][0]
            self._sockets(terminal).drains[terminal.name](drain_of(k))

    def _sockets(self, terminal: Terminal) -> Terminals:
        if terminal.owner not in self._instruments:
            owners = [*self._instruments, "chip", "amplifier"]
            raise BenchError(f"{terminal}: there is no {terminal.owner!r}{_rather(terminal.owner, owners)}")
        return self._instruments[terminal.owner]

    def _from_chip(self, wire: Wire) -> None:
        if wire.start.name in self._electrodes:
            raise BenchError(f"{wire.start} is a driven electrode; a wire to it ends there")
        if wire.stop != Terminal("amplifier", "in") or wire.resistance_ohm is not None:
            raise BenchError(f"{wire.start} is the readout; wire it straight to amplifier.in")
        if self._readout is not None:
            raise BenchError(f"{wire.start}: the readout is already wired from {self._readout}; remove one")
        self._readout = wire.start

    def _from_source(self, wire: Wire, source: VoltageSource) -> None:
        if wire.stop == Terminal("amplifier", "in"):
            if wire.resistance_ohm is None:
                raise BenchError(
                    f"{wire}: a voltage into the amplifier's virtual ground needs a resistor; write"
                    f" '{wire.start} -> 100 MOhm -> {wire.stop}'"
                )
            self._resistors.append(Resistor(source, wire.resistance_ohm))
            self._sockets(wire.start).loads[wire.start.name](wire.resistance_ohm)
        elif wire.resistance_ohm is not None:
            raise BenchError(f"{wire}: a resistor can only lead into amplifier.in; remove it")
        elif wire.stop.owner == "chip":
            self._drive(wire, source)
        else:
            self._feed(wire, Driven(source))

    def _drive(self, wire: Wire, source: VoltageSource) -> None:
        name = wire.stop.name
        if name not in self._electrodes:
            raise self._unknown(wire.stop, list(self._electrodes), "is driven")
        if name in self._drives:
            raise BenchError(f"{wire.stop} is driven by both {self._drives[name][0]} and {wire.start}")
        self._drives[name] = (wire.start, source)

    def _feed(self, wire: Wire, signal: Amplifier | Driven) -> None:
        sockets = self._sockets(wire.stop) if wire.stop.owner not in ("chip", "amplifier") else _AMPLIFIER
        if wire.stop.name not in sockets.inputs:
            raise self._unknown(wire.stop, list(sockets.inputs), "measures")
        if wire.stop in self._fed:
            raise BenchError(f"{wire.stop} is fed by both {self._fed[wire.stop]} and {wire.start}")
        if isinstance(signal, Amplifier) and wire.start in self._fed.values():
            raise BenchError(f"{wire.start} already feeds a meter; one is all that it can drive")
        self._fed[wire.stop] = wire.start
        sockets.inputs[wire.stop.name](signal)

    def _trigger(self, wire: Wire, sockets: Terminals) -> None:
        takers = self._sockets(wire.stop).trigger_inputs
        if wire.stop.name not in takers:
            raise self._unknown(wire.stop, list(takers), "takes a trigger")
        sockets.trigger_outputs[wire.start.name].listeners.append(takers[wire.stop.name])

    def _unknown(self, terminal: Terminal, names: list[str], does: str) -> BenchError:
        known = ", ".join(f"{terminal.owner}.{name}" for name in names) or "nothing"
        return BenchError(f"{terminal}: no such terminal; what {does} there: {known}")


def _rather(word: str, words: list[str]) -> str:
    close = get_close_matches(word, words, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(words)}"
