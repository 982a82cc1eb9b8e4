"""Connecting a bench: every wire leads from a socket that gives to a socket that takes."""

from collections.abc import Mapping
from difflib import get_close_matches

import numpy as np

from simulators.bench.analog.amplifier import Amplifier
from simulators.bench.analog.currents import Ammeter, ChipCurrent, CurrentSource, ElectrodeLoad, Resistor
from simulators.bench.chips import Specimen
from simulators.bench.optics.receiver import Photoreceiver
from simulators.bench.wires import GROUND, Terminal, Wire
from simulators.errors import BenchError
from simulators.instruments.loads import Load, Resistance
from simulators.instruments.terminals import (
    Attenuated,
    Driven,
    Grounded,
    Signal,
    Terminals,
    VoltageSource,
)

_NOTHING = Terminals()
_INTO_AMPLIFIER = Terminal("amplifier", "in")
_OUT_OF_AMPLIFIER = Terminal("amplifier", "out")
_LISTED = 40
"""More terminals than this are not listed one by one."""


class Wiring:
    """Puts wires in one by one, then checks that nothing needed is missing.

    Args:
        instruments: their sockets, by the instrument's name; an optical chip is one of them, "chip".
        electrodes: names of the chip's driven electrodes, in the model's order; none without a chip.
        amplifier: None on a bench without one.
    """

    def __init__(
        self,
        instruments: Mapping[str, Terminals],
        electrodes: tuple[str, ...],
        amplifier: Amplifier | None,
    ) -> None:
        self._instruments, self._electrodes, self._amplifier = instruments, electrodes, amplifier
        self._drives: dict[str, tuple[Terminal, VoltageSource]] = {}
        self._readout: Wire | None = None
        self._fed: dict[Terminal, Terminal] = {}

    def group(self, terminal: Terminal) -> tuple[str, ...]:
        """The names that a group of terminals stands for, none for what is no group."""
        sockets = self._instruments.get(terminal.owner, _NOTHING)
        return sockets.groups.get(terminal.name, ())

    def add(self, wire: Wire) -> None:
        """Put a wire in; raises BenchError that names the terminal and what would be possible."""
        start = wire.start
        if start.owner == "chip" and "chip" not in self._instruments:
            self._from_chip(wire)
        elif start.owner == "amplifier":
            if self._amplifier is None or start != _OUT_OF_AMPLIFIER:
                raise BenchError(f"{start} gives nothing; the output of an amplifier is amplifier.out")
            self._plain(wire)
            self._feed(wire, self._amplifier)
        else:
            sockets = self._sockets(start)
            if wire.stop == GROUND and start.name in sockets.driven:
                self._plain(wire)
                self._rest(wire, sockets)
            elif start.name in sockets.trigger_outputs:
                self._plain(wire)
                self._trigger(wire, sockets)
            elif start.name in sockets.light_outputs:
                self._light(wire, sockets)
            elif start.name in sockets.sources:
                self._from_source(wire, sockets.sources[start.name])
            else:
                given = [*sockets.sources, *sockets.light_outputs, *sockets.trigger_outputs]
                raise self._unknown(start, given, "gives")

    def finish(self, specimen: Specimen, resolution_s: float, rng: np.random.Generator) -> None:
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
        self._into_ground(self._readout, ChipCurrent(specimen.chip, sources, resolution_s, rng))
        if specimen.drawn_A is not None:
            for k, name in enumerate(self._electrodes):
                self._load(self._drives[name][0], ElectrodeLoad(specimen.drawn_A, sources, k))

    def _sockets(self, terminal: Terminal) -> Terminals:
        if terminal.owner not in self._instruments:
            owners = [*self._instruments, *(["chip"] if self._electrodes else [])]
            owners += ["amplifier"] if self._amplifier is not None else []
            raise BenchError(f"{terminal}: there is no {terminal.owner!r}{_rather(terminal.owner, owners)}")
        return self._instruments[terminal.owner]

    def _takers(self, terminal: Terminal) -> Terminals:
        """The sockets of what a wire leads to, none for a chip with electrodes and the amplifier."""
        if terminal.owner in self._instruments:
            return self._instruments[terminal.owner]
        return _NOTHING if terminal.owner in ("chip", "amplifier", "ground") else self._sockets(terminal)

    @staticmethod
    def _plain(wire: Wire) -> None:
        if (wire.resistance_ohm, wire.attenuation_dB, wire.gain_V_per_W) != (None, None, None):
            raise BenchError(f"{wire}: nothing can stand in the middle of this wire; remove it")

    def _load(self, terminal: Terminal, load: Load) -> None:
        loads = self._sockets(terminal).loads
        if terminal.name in loads:
            loads[terminal.name](load)

    # Electrical -------------------------------------------------------------------------------------------

    def _is_virtual_ground(self, terminal: Terminal) -> bool:
        if terminal == _INTO_AMPLIFIER:
            return self._amplifier is not None
        return terminal.name in self._takers(terminal).current_inputs

    def _into_ground(self, wire: Wire, current: CurrentSource) -> None:
        """Let a current flow into the amplifier or into an instrument's current input."""
        if wire.stop == _INTO_AMPLIFIER and self._amplifier is not None:
            self._amplifier.currents.append(current)
        else:
            self._claim(wire)
            self._sockets(wire.stop).current_inputs[wire.stop.name](Ammeter(current))

    def _from_chip(self, wire: Wire) -> None:
        if not self._electrodes:
            raise BenchError(f"{wire.start}: this bench has no chip; add emulator.chip or remove the wire")
        if wire.start.name in self._electrodes:
            raise BenchError(f"{wire.start} is a driven electrode; a wire to it ends there")
        self._plain(wire)
        if not self._is_virtual_ground(wire.stop):
            raise BenchError(
                f"{wire.start} is the readout; wire it straight to amplifier.in or to the current input of a meter"
            )
        if self._readout is not None:
            raise BenchError(
                f"{wire.start}: the readout is already wired from {self._readout.start}; remove one"
            )
        self._readout = wire

    def _from_source(self, wire: Wire, source: VoltageSource) -> None:
        if wire.attenuation_dB is not None or wire.gain_V_per_W is not None:
            raise BenchError(
                f"{wire}: {wire.start} gives a voltage; an attenuation in dB and a photoreceiver are for light"
            )
        if wire.stop == GROUND or self._is_virtual_ground(wire.stop):
            if wire.resistance_ohm is None:
                raise BenchError(
                    f"{wire}: a voltage into ground, virtual or real, needs a resistor; write"
                    f" '{wire.start} -> 100 MOhm -> {wire.stop}'"
                )
            self._load(wire.start, Resistance(wire.resistance_ohm))
            if wire.stop != GROUND:
                self._into_ground(wire, Resistor(source, wire.resistance_ohm))
        elif wire.resistance_ohm is not None:
            raise BenchError(
                f"{wire}: a resistor leads to ground, amplifier.in or a current input; remove it"
            )
        elif wire.stop.owner == "chip" and "chip" not in self._instruments:
            self._drive(wire, source)
        elif wire.stop.name in (takers := self._takers(wire.stop)).driven:
            self._claim(wire)
            takers.driven[wire.stop.name](source)
            if wire.stop.name in takers.input_loads:
                self._load(wire.start, takers.input_loads[wire.stop.name])
        else:
            self._feed(wire, source if isinstance(source, Signal) else Driven(source))

    def _drive(self, wire: Wire, source: VoltageSource) -> None:
        name = wire.stop.name
        if name not in self._electrodes:
            raise self._unknown(wire.stop, list(self._electrodes), "is driven")
        if name in self._drives:
            raise BenchError(f"{wire.stop} is driven by both {self._drives[name][0]} and {wire.start}")
        self._drives[name] = (wire.start, source)

    def _rest(self, wire: Wire, sockets: Terminals) -> None:
        """Let what needs a voltage have none."""
        if wire.start in self._fed:
            raise BenchError(f"{wire.start} is fed by {self._fed[wire.start]} and grounded too; remove one")
        self._fed[wire.start] = GROUND
        sockets.driven[wire.start.name](Grounded())

    def _feed(self, wire: Wire, signal: Signal) -> None:
        sockets = self._takers(wire.stop)
        takers = sockets.inputs
        if wire.stop.name not in takers:
            raise self._unknown(wire.stop, [*takers, *sockets.driven], "takes a voltage")
        if isinstance(signal, Amplifier) and wire.start in self._fed.values():
            raise BenchError(f"{wire.start} already feeds a meter; one is all that it can drive")
        self._claim(wire)
        takers[wire.stop.name](signal)
        load = self._takers(wire.stop).input_loads.get(wire.stop.name)
        if load is not None and not isinstance(signal, Amplifier):
            self._load(wire.start, load)

    def _claim(self, wire: Wire) -> None:
        """An input measures one thing."""
        if wire.stop in self._fed:
            raise BenchError(f"{wire.stop} is fed by both {self._fed[wire.stop]} and {wire.start}")
        self._fed[wire.stop] = wire.start

    # Optical, triggers ------------------------------------------------------------------------------------

    def _light(self, wire: Wire, sockets: Terminals) -> None:
        if wire.resistance_ohm is not None:
            raise BenchError(f"{wire}: {wire.start} gives light; a resistor is for voltages")
        light = sockets.light_outputs[wire.start.name]
        if wire.gain_V_per_W is not None:
            self._feed(wire, Photoreceiver(light, wire.gain_V_per_W))
            return
        sockets = self._takers(wire.stop)
        takers = sockets.light_inputs
        if wire.stop.name not in takers:
            if wire.stop.name in sockets.inputs:
                raise BenchError(
                    f"{wire}: {wire.stop} takes a voltage; put a photoreceiver in between, such as"
                    f" '{wire.start} -> 20 kV/W -> {wire.stop}'"
                )
            raise self._unknown(wire.stop, list(takers), "takes light")
        self._claim(wire)
        takers[wire.stop.name](Attenuated(light, wire.transmission))

    def _trigger(self, wire: Wire, sockets: Terminals) -> None:
        takers = self._takers(wire.stop).trigger_inputs
        if wire.stop.name not in takers:
            raise self._unknown(wire.stop, list(takers), "takes a trigger")
        sockets.trigger_outputs[wire.start.name].listeners.append(takers[wire.stop.name])

    def _unknown(self, terminal: Terminal, names: list[str], does: str) -> BenchError:
        names = names if len(names) <= _LISTED else [*names[:2], "...", *names[-2:]]
        known = (
            ", ".join(name if name == "..." else f"{terminal.owner}.{name}" for name in names) or "nothing"
        )
        return BenchError(f"{terminal}: no such terminal; what {does} there: {known}")


def _rather(word: str, words: list[str]) -> str:
    close = get_close_matches(word, words, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(words)}"
