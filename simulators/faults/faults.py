"""All faults of one bench: put in, looked at, taken out again."""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from simulators.clock import VirtualClock
from simulators.errors import BenchError
from simulators.faults.fault import INPUT_KINDS, SOURCE_KINDS, Fault
from simulators.faults.injected import Injected
from simulators.faults.line import FaultyLine
from simulators.faults.terminals import (
    FaultySignal,
    FaultySource,
    faulty,
    input_distortion,
    source_distortion,
)
from simulators.instrument import VirtualInstrument
from simulators.instruments.terminals import Distortion, Signal, Terminals


class Faults:
    """What is wrong with the instruments of a bench; `seed` draws what is left to chance."""

    def __init__(self, clock: VirtualClock, seed: int) -> None:
        self._clock, self._seed = clock, seed
        self._lines: dict[str, FaultyLine] = {}
        self._sockets: dict[str, Terminals] = {}
        self._sources: dict[tuple[str, str], FaultySource] = {}
        self._inputs: dict[tuple[str, str], FaultySignal] = {}
        self._injected: dict[int, Injected] = {}
        self._mending: dict[int, Callable[[], None]] = {}
        self._number = 0

    def line(self, name: str, instrument: VirtualInstrument) -> FaultyLine:
        """The line to an instrument that speaks, for doors to be given in its place."""
        self._lines[name] = FaultyLine(instrument)
        return self._lines[name]

    def reach(self, name: str, sockets: Terminals) -> None:
        """Put something between an instrument's sockets and the wires; must come before the wiring."""
        self._sockets[name] = sockets
        for socket, source in sockets.sources.items():
            sockets.sources[socket] = self._sources[name, socket] = faulty(source)
        for takers in (sockets.inputs, sockets.current_inputs):
            for socket, connect in takers.items():
                self._inputs[name, socket] = signal = FaultySignal()
                connect(signal)
                takers[socket] = _plug(signal)

    def inject(self, fault: Fault) -> int:
        """Let `fault` happen from now on; gives its number.

        Raises BenchError for an instrument or a terminal that is not there or cannot have it.
        """
        if fault.instrument not in self._sockets:
            raise BenchError(f"no instrument {fault.instrument!r}; there are {', '.join(self._sockets)}")
        number = self._number + 1
        since_s = self._clock.now if fault.start_s is None else fault.start_s
        seed = (self._seed, zlib.crc32(b"fault"), number)
        injected = Injected(number, fault, since_s, np.random.default_rng(seed))
        self._mending[number] = (self._at_terminal if fault.at_terminal else self._on_line)(injected)
        self._number, self._injected[number] = number, injected
        return number

    def clear(self, number: int | None = None) -> None:
        """Mend the fault of this number, or all; BenchError for a number that no fault has."""
        if number is not None and number not in self._injected:
            there = ", ".join(map(str, self._injected)) or "none"
            raise BenchError(f"no fault {number}; there are {there}")
        for known in list(self._injected) if number is None else [number]:
            self._mending.pop(known)()
            del self._injected[known]

    def list(self) -> tuple[Injected, ...]:
        """What was injected and not cleared, those that have happened as often as they can included."""
        return tuple(self._injected.values())

    def _on_line(self, injected: Injected) -> Callable[[], None]:
        fault = injected.fault
        if fault.instrument not in self._lines:
            raise BenchError(f"{fault.instrument} is no instrument that speaks: {fault.kind} needs a line")
        line = self._lines[fault.instrument]
        if fault.kind == "queue_overflow" and not hasattr(line, "error_queue_depth"):
            raise BenchError(f"{fault.instrument} has no error queue that could overflow")
        line.add(injected)
        return lambda: line.mend(injected)

    def _at_terminal(self, injected: Injected) -> Callable[[], None]:
        fault = injected.fault
        place = (fault.instrument, str(fault.terminal))
        if place in self._sources and fault.kind in SOURCE_KINDS:
            return self._at_source(injected, place)
        if place in self._inputs and fault.kind in INPUT_KINDS:
            wrong = input_distortion(fault, injected.since_s)
            distortions = self._inputs[place].distortions
            distortions.append(wrong)
            return lambda: distortions.remove(wrong)
        fitting: list[Any] = [*self._sources] if fault.kind in SOURCE_KINDS else []
        fitting += [*self._inputs] if fault.kind in INPUT_KINDS else []
        names = ", ".join(f"{owner}.{name}" for owner, name in fitting if owner == fault.instrument)
        raise BenchError(f"{'.'.join(place)} cannot have {fault.kind}; what can: {names or 'nothing there'}")

    def _at_source(self, injected: Injected, place: tuple[str, str]) -> Callable[[], None]:
        fault, source = injected.fault, self._sources[place]
        shown = self._sockets[place[0]].shown.get(place[1]) if fault.shown else None
        if fault.shown and shown is None:
            raise BenchError(f"{'.'.join(place)} reads nothing back that could show it; leave `shown` out")
        found: list[float] = []

        def stuck_V() -> float:
            if not found:
                found.append(float(source.source.knots(injected.since_s, injected.since_s).values[0]))
            return found[0]

        def look() -> None:
            stuck_V()

        if injected.since_s > self._clock.now:
            self._clock.schedule(injected.since_s, look)  # in time, before that instant is forgotten
        else:
            look()
        wrong: Distortion = source_distortion(fault, injected.since_s, stuck_V)
        if shown is not None:
            shown(wrong)
            return lambda: shown(None)
        source.distortions.append(wrong)
        return lambda: source.distortions.remove(wrong)


def _plug(signal: FaultySignal) -> Callable[[Signal], None]:
    def plug(fed: Signal) -> None:
        if fed is not signal:  # what sits there already may be plugged in once more
            signal.signal = fed

    return plug
