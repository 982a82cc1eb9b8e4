"""Emulated benches: a bench file's `emulator:` section, switched on.

bench = load("bench.yaml")
bench.resources["TCPIP0::192.168.8.18::inst0::INSTR"].write(b"*IDN?")
"""

from simulators.bench.bench import EmulatedBench, build, load
from simulators.bench.config import EmulatorConfig
from simulators.errors import BenchError

__all__ = ["BenchError", "EmulatedBench", "EmulatorConfig", "build", "load"]
