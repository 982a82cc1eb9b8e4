"""A bench of made-up supplies behind every kind of VISA resource, with no file and no chip."""

from dataclasses import dataclass, field

import pyvisa

from simulators.clock import VirtualClock
from simulators.instrument import VirtualInstrument
from simulators.visa import HilVisaLibrary
from tests.simulators.scpi.supply import ArraySource, Supply

LAN = "TCPIP0::192.168.8.18::inst0::INSTR"
SOCKET = "TCPIP0::192.168.8.17::5025::SOCKET"
GPIB = "GPIB0::5::INSTR"
USB = "USB0::0x2A8D::0x0101::MY1::0::INSTR"
SERIAL = "ASRL3::INSTR"
STREAMS = (SOCKET, SERIAL)
MESSAGES = (LAN, GPIB, USB)


@dataclass
class Link:
    latency_s: float = 0.0
    throughput_Bps: float = 0.0


@dataclass
class Bench:
    clock: VirtualClock = field(default_factory=VirtualClock)
    link: Link = field(default_factory=Link)
    resources: dict[str, VirtualInstrument] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.resources |= {name: Supply(self.clock) for name in MESSAGES}
        self.resources |= {name: ArraySource(self.clock) for name in STREAMS}


def open_library(bench: Bench | None = None) -> pyvisa.ResourceManager:
    return pyvisa.ResourceManager(HilVisaLibrary.for_bench(bench or Bench()))


def load(path: str) -> Bench:
    """Stands in for `simulators.bench.load`: any path is this bench, except one that does not exist."""
    if "missing" in path:
        raise FileNotFoundError(path)
    return Bench()
