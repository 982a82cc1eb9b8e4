"""The QDAC-II's commands for what all generators have: trigger, delay, count, markers."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from simulators.instruments.given import Given
from simulators.instruments.qdac2.channel import OutputChannel
from simulators.instruments.qdac2.generator import Generator
from simulators.scpi import (
    Boolean,
    Choice,
    Integer,
    Number,
    Parameter,
    ScpiError,
    ScpiInstrument,
    command,
    query,
)

F = TypeVar("F", bound=Callable[..., Any])

GENERATORS = {"DC": "dc", "SINE": "sine", "TRIangle": "triangle", "SQUare": "square", "AWG": "awg"}
TRIGGER_SOURCE = Choice("HOLD", "IMMediate", "BUS", "INTernal#", "EXTernal#")


def each(
    declare: Callable[..., Callable[[F], F]], tail: str, *parameters: Parameter, of: Sequence[str] = ()
) -> Callable[[F], F]:
    """Declare a header of every generator (or of those named); the handler is told which, last."""

    def mark(function: F) -> F:
        for node, name in GENERATORS.items():
            if not of or name in of:
                function = declare(f"[SOURce#]:{node}:{tail}", *parameters, Given(name))(function)
        return function

    return mark


def cycles(count: float) -> float:
    """A count as commands give it: negative is without end."""
    return float("inf") if count < 0 else count


def count_reply(count: float) -> int:
    """A count as queries give it."""
    return -1 if count == float("inf") else int(count)


def check_line(source: str) -> str:
    """A trigger source that exists, else ScpiError -222."""
    kind, number = source.rstrip("0123456789"), source[3:]
    limit = {"INT": 14, "EXT": 4}.get(kind)
    if limit is not None and not 1 <= int(number) <= limit:
        raise ScpiError(-222, f"{source}: there are {limit}")
    return source


class GeneratorCommands(ScpiInstrument):
    """See the module."""

    def channel(self, number: int) -> OutputChannel:
        """One output, from 1."""
        raise NotImplementedError

    def _generator(self, number: int, name: str) -> Generator:
        generator: Generator = getattr(self.channel(number), name)
        return generator

    @each(command, "TRIGger:SOURce", TRIGGER_SOURCE)
    def set_start_source(self, channel: int, source: str, name: str) -> None:
        """What starts the generator."""
        self._generator(channel, name).start.source = check_line(source)

    @each(query, "TRIGger:SOURce")
    def start_source(self, channel: int, name: str) -> str:
        """What starts the generator."""
        return self._generator(channel, name).start.source.lower()

    @each(command, "INITiate[:IMMediate]")
    def initiate(self, channel: int, name: str) -> None:
        """Start, or wait for the trigger."""
        generator = self._generator(channel, name)
        if not generator.ready():
            raise ScpiError(-221, "there is nothing to play")
        generator.start.initiate()

    @each(command, "INITiate:CONTinuous", Boolean())
    def set_continuous(self, channel: int, on: bool, name: str) -> None:
        """Wait for the trigger again and again."""
        self._generator(channel, name).start.set_continuous(on)

    @each(query, "INITiate:CONTinuous")
    def continuous(self, channel: int, name: str) -> bool:
        """Whether it waits again and again."""
        return self._generator(channel, name).start.continuous

    @each(command, "ABORt")
    def abort_generator(self, channel: int, name: str) -> None:
        """Stop where the output is."""
        self._generator(channel, name).abort()

    @each(command, "DELay", Number("S", 0.0, 3600.0, 0.0))
    def set_start_delay(self, channel: int, seconds: float, name: str) -> None:
        """Time from the trigger to the start."""
        self._generator(channel, name).start.delay_s = seconds

    @each(query, "DELay")
    def start_delay(self, channel: int, name: str) -> float:
        """Time from the trigger to the start."""
        return self._generator(channel, name).start.delay_s

    @each(query, "NCLeft")
    def cycles_left(self, channel: int, name: str) -> int:
        """Cycles still to end."""
        return self._generator(channel, name).cycles_left

    def _set_marker(self, channel: int, line: int, name: str, marker: str) -> None:
        self._generator(channel, name).markers[marker] = line

    @each(command, "MARKer:STARt", Integer(0, 14))
    def set_start_marker(self, channel: int, line: int, name: str) -> None:
        """The internal line fired at the start of the run; 0 for none."""
        self._set_marker(channel, line, name, "start")

    @each(command, "MARKer:END", Integer(0, 14))
    def set_end_marker(self, channel: int, line: int, name: str) -> None:
        """The internal line fired at the end of the run."""
        self._set_marker(channel, line, name, "end")

    @each(command, "MARKer:PSTart", Integer(0, 14))
    def set_cycle_start_marker(self, channel: int, line: int, name: str) -> None:
        """The internal line fired at the start of each cycle."""
        self._set_marker(channel, line, name, "cycle start")

    @each(command, "MARKer:PEND", Integer(0, 14))
    def set_cycle_end_marker(self, channel: int, line: int, name: str) -> None:
        """The internal line fired at the end of each cycle."""
        self._set_marker(channel, line, name, "cycle end")

    @each(command, "MARKer:SSTart", Integer(0, 14), of=("dc",))
    def set_step_start_marker(self, channel: int, line: int, name: str) -> None:
        """The internal line fired at the start of each step."""
        self._set_marker(channel, line, name, "step start")

    @each(command, "MARKer:SEND", Integer(0, 14), of=("dc",))
    def set_step_end_marker(self, channel: int, line: int, name: str) -> None:
        """The internal line fired at the end of each step."""
        self._set_marker(channel, line, name, "step end")

    @command("[SOURce#]:ALL:ABORt")
    def abort_channel(self, channel: int) -> None:
        """Stop all generators of a channel."""
        self.channel(channel).abort()
