"""The QDAC-II's triggers: 14 internal lines, the bus, four inputs, five outputs."""

from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.clock import VirtualClock
from simulators.instruments.terminals import Pulse, TriggerOutput

INTERNAL_LINES = 14
INPUTS = 4
OUTPUTS = 5


class TriggerLines:
    """Where triggers come from and who listens: "BUS", "INT1" to "INT14", "EXT1" to "EXT4"."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[str], None]] = []

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the name of every line that fires."""
        self._listeners.append(listener)

    def fire(self, line: str) -> None:
        """Fire a line now."""
        for listener in self._listeners:
            listener(line)


@dataclass
class ExternalOutput:
    """One trigger output: which line it repeats, and the shape of its pulse."""

    clock: VirtualClock
    socket: TriggerOutput = field(default_factory=TriggerOutput)
    source: str = "HOLD"
    width_s: float = 10e-6
    delay_s: float = 0.0
    inverted: bool = False

    def hear(self, line: str) -> None:
        """A line has fired."""
        if line == self.source:
            self.signal()

    def signal(self) -> None:
        """Send a pulse, after the delay."""
        start_s = self.clock.now + self.delay_s
        pulse = Pulse(start_s, self.width_s, self.inverted)
        if self.delay_s > 0.0:
            self.clock.schedule(start_s, lambda: self.socket.send(pulse))
        else:
            self.socket.send(pulse)


class Start:
    """When a generator or a sensor starts: a trigger source, a delay, once or again and again.

    After INITiate it waits for its source; an immediate source starts it at once. With CONTinuous on it
    waits again when it is done. Changing the source never starts anything by itself.
    """

    def __init__(self, lines: TriggerLines, clock: VirtualClock, begin: Callable[[float], None]) -> None:
        self._clock, self._begin = clock, begin
        self.source = "IMM"
        self.delay_s = 0.0
        self.continuous = False
        self.armed = False
        lines.listen(self.hear)

    def initiate(self) -> None:
        """INITiate: start at once, or wait for the trigger."""
        if self.source == "IMM":
            self._begin(self._clock.now + self.delay_s)
        else:
            self.armed = True

    def set_continuous(self, on: bool) -> None:
        """INITiate:CONTinuous: switching it off lets one more trigger through if one was awaited."""
        self.continuous = on
        if on:
            self.initiate()

    def abort(self) -> None:
        """Back to idle; only INITiate leads out of it."""
        self.armed = False

    def hear(self, line: str) -> None:
        """A line has fired."""
        if self.armed and line == self.source:
            self.armed = self.continuous
            self._begin(self._clock.now + self.delay_s)

    def reset(self) -> None:
        """As after *RST."""
        self.source, self.delay_s, self.continuous, self.armed = "IMM", 0.0, False, False
