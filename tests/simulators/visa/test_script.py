"""PYVISA_LIBRARY turns an unchanged lab script towards the emulator."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

LAB_SCRIPT = """
import pyvisa

manager = pyvisa.ResourceManager()
supply = manager.open_resource("GPIB::5")
print(supply.query("*IDN?").strip())
supply.write("SOUR3:VOLT 2.5")
print(float(supply.query("SOUR3:VOLT?")))
supply.close()
"""

# The bench files come with `simulators.bench`; here a bench without a file takes their place.
RUNNER = """
import runpy, sys
import simulators.bench
from tests.simulators.visa.bench import load
simulators.bench.load = load
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_an_unchanged_script_runs_on_the_emulator(tmp_path: Path) -> None:
    script = tmp_path / "measure.py"
    script.write_text(LAB_SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYVISA_LIBRARY": "lab bench.yaml@hil"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUNNER, str(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["hil,Supply,17,1.0", "2.5"]
