"""How long a rack takes to open: eight instruments of the example, each with its stock QCoDeS driver."""

import io
import time
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path

import pytest

import hil
from hil.config.bench import load_rack
from simulators.visa import power_off

pytestmark = pytest.mark.benchmark

EIGHT = ("dac", "meter", "smu", "old_smu", "bias", "current", "battery", "generator")


def test_a_rack_of_eight(tmp_path: Path) -> None:
    hil.init("rack", tmp_path / "rack")
    path = tmp_path / "rack" / "bench.yaml"
    rack = load_rack(path)
    drivers = {}
    for name in EIGHT:
        module, _, kind = rack.station.instruments[name].type.rpartition(".")
        drivers[name] = getattr(import_module(module), kind)
    took = {}
    began = time.perf_counter()
    opened = []
    for name, driver in drivers.items():
        start = time.perf_counter()
        with redirect_stdout(io.StringIO()):
            opened.append(driver(name, rack.station.instruments[name].address, visalib=f"{path}@hil"))
        took[name] = time.perf_counter() - start
    whole = time.perf_counter() - began
    for instrument in opened:
        instrument.close()
    power_off(str(path))
    each = ", ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in took.items())
    print(f"\nopening a rack of eight with QCoDeS: {whole:.2f} s beyond imports (limit 2 s): {each}")
    assert whole <= 2.0
