"""Benches of made-up instruments, served in another process: `python -m tests.simulators.server.served KIND COUNT`."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from simulators.clock import VirtualClock
from simulators.instrument import VirtualInstrument
from simulators.instruments.catalogue import make_instrument
from simulators.server import BenchServer, Doors
from tests.simulators.scpi.supply import ArraySource, Supply
from tests.simulators.server.odd import Dropping, Terse
from tests.simulators.visa.bench import Link


def catalogued(model: str) -> Callable[[VirtualClock], VirtualInstrument]:
    return lambda clock: make_instrument(model, clock, "1", np.random.default_rng(1))


KINDS: Mapping[str, Callable[[VirtualClock], VirtualInstrument]] = {
    "supply": Supply,
    "array": ArraySource,
    "terse": Terse,
    "dropping": Dropping,
    "qdac2": catalogued("qdac2"),
    "keysight_34465a": catalogued("keysight_34465a"),
}
NAMES = {
    "socket": "TCPIP0::10.0.0.{k}::5025::SOCKET",
    "hislip": "TCPIP0::10.0.0.{k}::inst0::INSTR",
    "serial": "ASRL{k}::INSTR",
}


@dataclass
class MadeUpBench:
    resources: dict[str, VirtualInstrument]
    clock: VirtualClock
    link: Link = field(default_factory=lambda: Link(200e-6, 20e6))


def made_up(kind: str, door: str, count: int) -> MadeUpBench:
    """`count` fresh instruments of a kind, all behind one door."""
    clock = VirtualClock()
    return MadeUpBench({NAMES[door].format(k=k): KINDS[kind](clock) for k in range(1, count + 1)}, clock)


@dataclass(frozen=True)
class Process:
    """A process that serves a bench."""

    doors: list[Doors]
    pid: int

    @property
    def resident_MB(self) -> float:
        """How much memory it has now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return float(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def served(kind: str, door: str, count: int = 1) -> Iterator[list[Doors]]:
    """The doors to such a bench in another process."""
    with serving(kind, door, count) as process:
        yield process.doors


@contextmanager
def serving(kind: str, door: str, count: int = 1) -> Iterator[Process]:
    """Such a bench in another process."""
    words = [sys.executable, "-m", __name__, kind, door, str(count)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            doors = [Doors(**doors) for doors in json.loads(process.stdout.readline())]
            yield Process(doors, process.pid)
        finally:
            process.stdin.close()  # at which it ends
            process.wait(20)


def main() -> None:
    kind, door, count = sys.argv[1:]
    with BenchServer(made_up(kind, door, int(count))) as server:
        sys.stdout.write(json.dumps([vars(doors) for doors in server.doors.values()]) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
