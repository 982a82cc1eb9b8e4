"""The example of an instrument and a chip in another package: installed for real, found by entry point."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import hil
from simulators.clock import VirtualClock
from simulators.instrument import VirtualInstrument
from tests.conformance.virtual_instrument import ScpiConformance
from tests.hil.lab import command

EXAMPLE = Path(hil.__file__).parent / "examples" / "own"

SCRIPT = """
import sys, json, time
import pyvisa
bench = sys.argv[1]
manager = pyvisa.ResourceManager(f"{bench}@hil")
def opened(name):
    resource = manager.open_resource(name)
    resource.read_termination = resource.write_termination = "\\n"
    resource.timeout = 20_000
    return resource
dac, meter = opened("TCPIP0::192.168.8.17::5025::SOCKET"), opened("TCPIP0::192.168.8.18::inst0::INSTR")
peltier, thermometer = opened("GPIB0::12::INSTR"), opened("TCPIP0::192.168.8.19::inst0::INSTR")
dac.write("sour1:volt 0.2"); dac.write("sour2:volt 0.1")
peltier.write("SOUR:TEMP 45")
meter.write("SENS:VOLT:NPLC 100"); thermometer.write("SENS:VOLT:NPLC 100")
first = float(thermometer.query("READ?"))
for _ in range(4): thermometer.query("READ?")
amperes = float(meter.query("READ?")) / 1e7
print(json.dumps({"first": first, "then": float(thermometer.query("READ?")), "current": amperes,
                  "temperature": float(peltier.query("SOUR:TEMP?"))}))
"""


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


class TestPeltier(ScpiConformance):
    def create_instrument(self) -> VirtualInstrument:
        made: VirtualInstrument = module("own_instrument").Peltier(
            VirtualClock(), "1", np.random.default_rng(0)
        )
        return made


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The lab's folder, and an environment in which its package is installed."""
    folder, target = tmp_path_factory.mktemp("own") / "mylab", tmp_path_factory.mktemp("site")
    hil.init("own", folder)
    install = [
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--target",
        target,
        folder,
    ]
    subprocess.run([sys.executable, "-m", "pip", *map(str, install)], check=True, timeout=120)
    root = str(EXAMPLE.parents[2])
    return folder, {**os.environ, "PYTHONPATH": os.pathsep.join([str(target), root])}


def told(words: list[str], environment: dict[str, str]) -> dict[str, object]:
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_the_instrument_and_the_chip_are_listed(lab: tuple[Path, dict[str, str]]) -> None:
    listed = told(command("instruments", "--json"), lab[1])
    assert isinstance(listed["instruments"], list)
    mine = next(info for info in listed["instruments"] if info["model"] == "peltier")
    assert mine["origin"] == "own_instrument:Peltier"
    assert mine["options"] == ["kelvin_per_s"]
    assert mine["terminals"] == {"sources": ["monitor"]}
    assert isinstance(listed["chips"], list)
    assert "gated_junction" in listed["chips"]
    one = told(command("instruments", "peltier", "--json"), lab[1])
    assert one["coverage"] == {
        "model": "peltier",
        "driver": "own_driver.PeltierController",
        "outcomes": [{"parameter": "temperature", "get": "ok", "set": "ok"}],
    }


def test_the_bench_is_checked_with_its_driver(lab: tuple[Path, dict[str, str]]) -> None:
    found = told(command("check", lab[0] / "bench.yaml", "--json"), lab[1])
    assert isinstance(found["items"], list)
    assert next(item for item in found["items"] if item["what"] == "identity of peltier")[
        "finding"
    ].startswith("Own,")


def test_what_is_measured_follows_the_examples_physics(lab: tuple[Path, dict[str, str]]) -> None:
    read = told([sys.executable, "-W", "error", "-c", SCRIPT, str(lab[0] / "bench.yaml")], lab[1])
    assert isinstance(read["first"], float)
    # 25 °C at first, 20 K away at 5 K/s: the first reading, 4 s long with its zero, ends about when it arrives
    assert 0.25 < read["first"] < 0.45
    assert read["then"] == pytest.approx(0.45, abs=1e-3)
    assert read["temperature"] == pytest.approx(45.0, abs=1e-6)
    expected = 2e-7 * 0.2 * (1 + 0.25) / (1 + np.exp(-1.0))
    assert read["current"] == pytest.approx(expected, rel=2e-3)
