"""The backend's speed through PyVISA, with pyvisa-sim in the same run beside it.

Each figure is the best of several repetitions, since the machine is shared.
"""

import time
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from simulators.recording import finish
from simulators.visa import power_off
from tests.simulators.visa.bench import LAN, load, open_library

pytestmark = pytest.mark.benchmark

MEGABYTE = 1 << 20
SIM_REPLY = MEGABYTE // 4  # pyvisa-sim is quadratic in the length: a quarter of the reply is waited for

SIM_YAML = f"""
spec: "1.0"
devices:
  supply:
    eom:
      TCPIP INSTR: {{q: "\\n", r: "\\n"}}
    dialogues:
      - {{q: "VOLT?", r: "+0.00000000E+00"}}
      - {{q: "TRAC?", r: "{"x" * SIM_REPLY}"}}
resources:
  {LAN}: {{device: supply}}
"""


def best(action: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of `repeats` calls."""

    def once() -> float:
        start = time.perf_counter()
        action()
        return time.perf_counter() - start

    return min(once() for _ in range(repeats))


def opened(manager: pyvisa.ResourceManager) -> MessageBasedResource:
    resource = manager.open_resource(LAN)
    assert isinstance(resource, MessageBasedResource)
    resource.read_termination = resource.write_termination = "\n"
    return resource


@pytest.fixture
def ours() -> Iterator[MessageBasedResource]:
    manager = open_library()
    yield opened(manager)
    manager.close()


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[MessageBasedResource]:
    file = tmp_path / "bench.yaml"
    file.write_text(SIM_YAML)
    manager = pyvisa.ResourceManager(f"{file}@sim")
    yield opened(manager)
    manager.close()


def query_us(resource: MessageBasedResource) -> float:
    number = 100  # a millisecond at a time: some of the repetitions meet no other process
    return min(timeit.repeat(lambda: resource.query("VOLT?"), number=number, repeat=300)) / number * 1e6


def test_query(ours: MessageBasedResource, theirs: MessageBasedResource) -> None:
    here, there = query_us(ours), query_us(theirs)
    print(f"\nquery: {here:.1f} us, pyvisa-sim {there:.1f} us (limit 10 us)")
    assert here <= 10.0


def test_blocks(ours: MessageBasedResource) -> None:
    points = np.random.default_rng(1).standard_normal(MEGABYTE // 4).astype("<f4")
    message = b'TRAC:DATA "a",#7%d' % points.nbytes + points.tobytes() + b"\n"
    write_s = best(lambda: ours.write_raw(message), 15)
    encode_s = best(lambda: ours.write_binary_values('TRAC:DATA "a",', points), 15)
    ours.read_termination = None
    ours.chunk_size = MEGABYTE

    def read() -> None:
        ours.query_binary_values('TRAC:DATA? "a"', container=np.ndarray)

    read_s = best(read, 15)
    rates = [points.nbytes / seconds / 1e6 for seconds in (write_s, encode_s, read_s)]
    print(
        f"\n1 MiB blocks: written {rates[0]:.0f} MB/s raw, {rates[1]:.0f} MB/s with PyVISA's encoding, "
        f"read {rates[2]:.0f} MB/s (limit 100 MB/s); pyvisa-sim cannot take blocks"
    )
    assert min(rates) >= 100.0


def test_long_reply(ours: MessageBasedResource, theirs: MessageBasedResource) -> None:
    points = np.random.default_rng(1).standard_normal(MEGABYTE // 4).astype("<f4")
    ours.write_binary_values('TRAC:DATA "a",', points)

    def whole_reply() -> None:
        got = ours.query_binary_values('TRAC:DATA? "a"', container=np.ndarray)
        assert len(got) == len(points)

    here = best(whole_reply, 40)
    there = best(lambda: theirs.query("TRAC?"), 1)
    print(
        f"\n1 MiB reply, newlines in it and termination on: {here * 1e3:.1f} ms (limit 20 ms), "
        f"pyvisa-sim {there:.1f} s for a quarter of it, without any"
    )
    assert here <= 20e-3


def test_recording(ours: MessageBasedResource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.bench.load", load)
    manager = pyvisa.ResourceManager(f"record:{tmp_path / 's.rec'}:bench.yaml@hil@hil")
    recorded = opened(manager)
    here, there = query_us(recorded), query_us(ours)
    manager.close()
    finish(str(tmp_path / "s.rec"))
    power_off()
    added = (here - there) / 2
    print(
        f"\nquery: {here:.1f} us recorded, {there:.1f} us not: {added:.1f} us for each exchange (limit 10 us)"
    )
    assert added <= 10.0
