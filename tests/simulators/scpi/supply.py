"""A small made-up instrument that uses every part of the engine."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from simulators.clock import VirtualClock
from simulators.scpi import (
    Block,
    Boolean,
    ChannelList,
    Choice,
    Integer,
    Later,
    Number,
    Optional,
    Rest,
    ScpiError,
    ScpiInstrument,
    Text,
    command,
    query,
    quoted,
)


class Supply(ScpiInstrument):
    """Four slewing outputs, a stored list, a slow measurement and a trigger counter."""

    identity = "hil,Supply,17,1.0"
    suffix_limits: ClassVar = {"SOUR": 4, "OUTP": 4}
    input_limit = 1 << 21

    SLEW_V_s = 2.0

    def __init__(self, clock: VirtualClock, *, identity: str | None = None) -> None:
        super().__init__(clock, identity=identity)
        self.triggers = 0
        self.measured_at = float("inf")
        self.reset()

    def reset(self) -> None:
        self.volts = dict.fromkeys(range(1, 5), 0.0)
        self.limit = 10.0
        self.mode = "FIX"
        self.count: float = 1
        self.points: NDArray[Any] = np.zeros(0)
        self.stored: dict[str, NDArray[Any]] = {}
        self.on: set[int] = set()
        self.busy_until = 0.0

    def operation_complete_at(self) -> float:
        return self.busy_until

    def on_trigger(self) -> None:
        self.triggers += 1
        self.measured_at = self.clock.now + 0.5

    @command("[SOURce#]:VOLTage[:LEVel][:IMMediate]", Number("V", -10, lambda self, _: self.limit, default=0))
    def set_voltage(self, channel: int, volts: float) -> None:
        self.busy_until = self.clock.now + abs(volts - self.volts[channel]) / self.SLEW_V_s
        self.volts[channel] = volts

    @query("[SOURce#]:VOLTage[:LEVel][:IMMediate]")
    def voltage(self, channel: int) -> float:
        return self.volts[channel]

    @command("[SOURce#]:VOLTage:MODE", Choice("FIXed", "LIST", "INTernal#", default="FIX"))
    def set_mode(self, channel: int, mode: str) -> None:
        self.mode = mode

    @query("[SOURce#]:VOLTage:MODE")
    def get_mode(self, channel: int) -> str:
        return self.mode

    @command("SAMPle:COUNt", Integer(1, 1000, 10, infinity=True))
    def set_count(self, count: float) -> None:
        self.count = count

    @query("SAMPle:COUNt")
    def get_count(self) -> float:
        return self.count

    @command("OUTPut#[:STATe]", Boolean())
    def set_output(self, channel: int, state: bool) -> None:
        (self.on.add if state else self.on.discard)(channel)

    @query("OUTPut#[:STATe]")
    def get_output(self, channel: int) -> bool:
        return channel in self.on

    @command("TRACe:DATA", Text(longest=16), Block("<f4"))
    def store(self, name: str, points: NDArray[Any]) -> None:
        self.stored[name] = points

    @query("TRACe:DATA", Text())
    def recall(self, name: str) -> bytes:
        if name not in self.stored:
            raise ScpiError(-224, f"no trace {name!r}")
        return self.stored[name].astype("<f4").tobytes()

    @query("TRACe:CATalog")
    def catalogue(self) -> list[str]:
        return [quoted(name) for name in self.stored]

    @command("LIST:POINts", Rest(Number("V"), least=1))
    def set_points(self, points: tuple[float, ...]) -> None:
        self.points = np.array(points)

    @query("LIST:POINts")
    def get_points(self) -> NDArray[Any]:
        return self.points

    @command("ROUTe:CLOSe", ChannelList(8))
    def close(self, channels: tuple[int, ...]) -> None:
        self.closed = channels

    @query("ROUTe:CLOSe")
    def get_closed(self) -> list[int]:
        return list(self.closed)

    @query("MEASure", Optional(Number("S", 0, 10), default=1.0))
    def measure(self, seconds: float) -> Later:
        return Later(self.clock.now + seconds, lambda: self.clock.now)

    @query("FETCh")
    def fetch(self) -> Later:
        return Later(lambda: self.measured_at, lambda: self.triggers)

    @query("CALibration:FAIL")
    def broken(self) -> int:
        raise ZeroDivisionError("inside the instrument")


class ArraySource(Supply):
    """The same with channel lists on every numbered header, and only byte streams towards the controller."""

    channel_lists = True

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.interrupts = False
