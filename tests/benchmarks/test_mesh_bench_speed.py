"""What an emulated photonic bench costs: eight ports, 56 heaters on one serial line, eight power meters."""

import time
from importlib.resources import as_file, files

import numpy as np
import pytest
import pyvisa

from drivers.qontrol import QontrolQ8iv
from simulators.bench import load
from simulators.visa import HilVisaLibrary

pytestmark = pytest.mark.benchmark

READINGS = 50
METERS = [f"USB0::0x1313::0x8078::P001234{port}::INSTR" for port in range(8)]


def test_setting_all_heaters_and_reading_all_meters() -> None:
    with as_file(files("hil") / "examples" / "mesh" / "bench.yaml") as path:
        bench = load(path)
    manager = pyvisa.ResourceManager(HilVisaLibrary.for_bench(bench))  # type: ignore[arg-type]
    heaters = QontrolQ8iv("heaters", None, resource=manager.open_resource("ASRL3::INSTR"))  # type: ignore[arg-type]
    meters = [manager.open_resource(name, read_termination="\n", write_termination="\n") for name in METERS]
    laser = manager.open_resource("GPIB0::10::INSTR", read_termination="\r", write_termination="\r")
    laser.write("SYST:COMM:COD 1;:POW:STAT 1")
    rng = np.random.default_rng(0)

    def read() -> None:
        for meter in meters:
            meter.write("READ?")
        for meter in meters:
            float(meter.read())

    def after(settling_s: float) -> None:
        heaters.set_voltages(dict(enumerate(rng.uniform(0.0, 6.0, 56).tolist())))
        bench.clock.advance(settling_s)
        read()

    light = bench.instruments["power0"]._light
    bench.clock.advance(1.0)

    def alone() -> None:
        light.means(np.array([bench.clock.now - 3e-3]), np.array([bench.clock.now]))

    told, took = [], {}
    for what, act in {
        "one settled evaluation": alone,
        "8 meters, settled": read,
        "56 heaters, 15 ms, 8 meters": lambda: after(15e-3),
        "56 heaters, 8 meters at once": lambda: after(0.0),
    }.items():
        act()
        walls_s, virtual_s = [time.perf_counter()], bench.clock.now
        for _ in range(READINGS):
            act()
            walls_s.append(time.perf_counter())
        took[what] = float(np.median(np.diff(walls_s)))
        passed_s = (bench.clock.now - virtual_s) / READINGS
        told.append(f"{what}: {1e3 * took[what]:.2f} ms, {1e3 * passed_s:.2f} ms on the bench's clock")
    print("\n" + "\n".join(told))
    heaters.close()
    manager.close()
    assert took["one settled evaluation"] < 0.5e-3
    assert took["56 heaters, 15 ms, 8 meters"] < 50e-3
